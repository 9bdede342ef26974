//! Queues as a whole.

use super::*;

#[tokio::test]
async fn creating_a_queue_again_is_fine_unless_it_would_differ() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[("VisibilityTimeout", "77")]).await;
    assert_eq!(url, format!("{}/000000000000/plain", cloud.url));
    assert_eq!(create(&client, "plain", &[]).await, url);
    assert_eq!(create(&client, "plain", &[("VisibilityTimeout", "77"), ("DelaySeconds", "0")]).await, url);
    let again = client.create_queue().queue_name("plain").attributes(QueueAttributeName::VisibilityTimeout, "78");
    assert_eq!(code(again.send().await), "QueueAlreadyExists");
    for (name, attribute, value, expected) in [
        ("bad name", "DelaySeconds", "0", "InvalidParameterValue"),
        ("x", "FifoQueue", "true", "InvalidParameterValue"),
        ("x.fifo", "DelaySeconds", "0", "InvalidParameterValue"),
        ("x", "DelaySeconds", "901", "InvalidAttributeValue"),
        ("x", "ContentBasedDeduplication", "true", "InvalidAttributeName"),
        ("x", "Nonsense", "1", "InvalidAttributeName"),
        ("x", "Policy", "{}", "AWS.SimpleQueueService.UnsupportedOperation"),
    ] {
        let request = client.create_queue().queue_name(name).attributes(attribute.into(), value);
        assert_eq!(code(request.send().await), expected, "{name} {attribute} {value}");
    }
}

#[tokio::test]
async fn queues_are_listed_changed_and_deleted() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    for name in ["a1", "a2", "a3", "b1"] {
        create(&client, name, &[]).await;
    }
    let pages = client.list_queues().queue_name_prefix("a").into_paginator().page_size(2).items().send();
    let urls = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(urls, ["a1", "a2", "a3"].map(|name| format!("{}/000000000000/{name}", cloud.url)));

    let url = &urls[0];
    client.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::VisibilityTimeout, "9").send().await.unwrap();
    assert_eq!(attribute(&client, url, QueueAttributeName::VisibilityTimeout).await.as_deref(), Some("9"));
    assert_eq!(attribute(&client, url, QueueAttributeName::QueueArn).await, Some(arn("a1")));
    assert_eq!(attribute(&client, url, QueueAttributeName::RedrivePolicy).await, None);
    send(&client, url, "x").await;
    client.purge_queue().queue_url(url).send().await.unwrap();
    assert!(receive(&client, url, 0, 0).await.is_empty());
    assert_eq!(code(client.purge_queue().queue_url(url).send().await), "AWS.SimpleQueueService.PurgeQueueInProgress");
    client.delete_queue().queue_url(url).send().await.unwrap();
    let error = client.delete_queue().queue_url(url).send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
}

#[tokio::test]
async fn what_is_not_supported_is_refused() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let unsupported = "AWS.SimpleQueueService.UnsupportedOperation";
    assert_eq!(code(client.list_queue_tags().queue_url(&url).send().await), unsupported);
    assert_eq!(code(client.receive_message().queue_url(&url).receive_request_attempt_id("x").send().await), unsupported);
    let sqs = Sqs::open(&cloud.folder.path().join("other.db"), REGION, "http://127.0.0.1:1").unwrap();
    assert_eq!(sqs.call("Nonsense", json!({})).await.unwrap_err().code, "InvalidAction");
    assert_eq!(sqs.call("CreateQueue", json!({"QueueName": "x", "Colour": "red"})).await.unwrap_err().code, "SerializationException");
}

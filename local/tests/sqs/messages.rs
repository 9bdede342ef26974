//! One message from sending to deleting.

use aws_sdk_sqs::{
    primitives::Blob,
    types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue},
};
use quire_local::faults::{Action, Rule};

use super::*;

#[tokio::test]
async fn a_message_comes_as_it_was_sent_and_counts_its_receives() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let trace = MessageSystemAttributeValue::builder().data_type("String").string_value("Root=1-5759e988-bd862e3fe1be46a994272793").build().unwrap();
    let request = client.send_message().queue_url(&url).message_body("hello").message_attributes("kind", text("greeting"));
    let sent = request.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace).send().await.unwrap();

    let first = receive(&client, &url, 0, 0).await;
    let second = receive(&client, &url, 30, 0).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    let message = &second[0];
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.message_attributes().unwrap()["kind"].string_value(), Some("greeting"));
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    assert_eq!(system(message, MessageSystemAttributeName::AwsTraceHeader), Some("Root=1-5759e988-bd862e3fe1be46a994272793"));
    assert_eq!((receives(&first[0]), receives(message)), ("1", "2"));
    let time = |message, name| system(message, name).unwrap().parse::<u64>().unwrap();
    let received = time(&first[0], MessageSystemAttributeName::ApproximateFirstReceiveTimestamp);
    assert!(time(message, MessageSystemAttributeName::SentTimestamp) <= received);
    assert_eq!(time(message, MessageSystemAttributeName::ApproximateFirstReceiveTimestamp), received);
    assert!(system(message, MessageSystemAttributeName::SenderId).is_some());
    assert_ne!(first[0].receipt_handle(), message.receipt_handle());

    delete(&client, &url, message).await;
    assert_eq!(attribute(&client, &url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn only_the_attributes_asked_for_come_back() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let request = client.send_message().queue_url(&url).message_body("x").message_attributes("order.id", text("1"));
    request.message_attributes("order.kind", text("2")).message_attributes("other", text("3")).send().await.unwrap();
    for (pattern, expected) in [("order.*", 2), ("other", 1), (".*", 3), ("All", 3), ("none", 0)] {
        let request = client.receive_message().queue_url(&url).visibility_timeout(0).message_attribute_names(pattern);
        let message = request.send().await.unwrap().messages.unwrap().remove(0);
        assert_eq!(message.message_attributes().map_or(0, |attributes| attributes.len()), expected, "{pattern}");
        assert!(message.attributes().is_none());
    }
    let request = client.receive_message().queue_url(&url).message_system_attribute_names("Nonsense".into());
    assert_eq!(code(request.send().await), "InvalidAttributeName");
}

#[tokio::test]
async fn digests_are_those_that_clients_verify() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let number = MessageAttributeValue::builder().data_type("Number.int").string_value("42").build().unwrap();
    let binary = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([0u8, 255, 7])).build().unwrap();
    let request = client.send_message().queue_url(&url).message_body("größer").message_attributes("b", number);
    let sent = request.message_attributes("a", binary).send().await.unwrap();

    let mut bytes = Vec::new();
    let parts: [&[u8]; 8] = [b"a", b"Binary", &[2], &[0, 255, 7], b"b", b"Number.int", &[1], b"42"];
    for part in parts {
        // The byte that tells the kind of value has no length before it.
        if !matches!(part, [1] | [2]) {
            bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        }
        bytes.extend(part);
    }
    let message = receive(&client, &url, 30, 0).await.remove(0);
    let expected = (Some(hex::encode(Md5::digest("größer"))), Some(hex::encode(Md5::digest(&bytes))));
    assert_eq!((sent.md5_of_message_body, sent.md5_of_message_attributes), expected);
    assert_eq!((message.md5_of_body, message.md5_of_message_attributes), expected);
    assert_eq!(message.message_attributes.unwrap()["a"].binary_value().unwrap().as_ref(), [0, 255, 7]);
}

#[tokio::test]
async fn a_message_that_is_not_deleted_comes_back_when_its_visibility_timeout_ends() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    send(&client, &url, "again").await;
    let began = Instant::now();
    assert_eq!(receive(&client, &url, 1, 0).await.len(), 1);
    let again = receive(&client, &url, 30, 20).await;
    // Times are rounded to milliseconds.
    assert!((Duration::from_millis(990)..Duration::from_secs(15)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(receives(&again[0]), "2");
}

#[tokio::test]
async fn a_long_poll_ends_at_once_when_a_message_arrives_or_is_released() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[("ReceiveMessageWaitTimeSeconds", "20")]).await;
    let poll = || {
        let (client, url, seen) = (client.clone(), url.clone(), cloud.faults.calls().len());
        let polled = tokio::spawn(async move { client.receive_message().queue_url(url).send().await.unwrap().messages.unwrap_or_default() });
        (polled, seen)
    };
    let began = Instant::now();
    let (polled, seen) = poll();
    support::until(|| cloud.faults.calls().len() > seen).await;
    send(&client, &url, "news").await;
    let first = polled.await.unwrap();
    assert_eq!(bodies(&first), ["news"]);

    let (polled, seen) = poll();
    support::until(|| cloud.faults.calls().len() > seen).await;
    hide(&client, &url, &first[0], 0).await;
    assert_eq!(bodies(&polled.await.unwrap()), ["news"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_long_poll_without_messages_ends_empty() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let began = Instant::now();
    assert!(receive(&client, &url, 30, 1).await.is_empty());
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_delayed_message_is_not_received_before_its_time() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[("DelaySeconds", "900")]).await;
    send(&client, &url, "by the queue's delay").await;
    assert_eq!(attribute(&client, &url, QueueAttributeName::ApproximateNumberOfMessagesDelayed).await.as_deref(), Some("1"));
    assert!(receive(&client, &url, 30, 0).await.is_empty());
    let began = Instant::now();
    client.send_message().queue_url(&url).message_body("soon").delay_seconds(1).send().await.unwrap();
    assert_eq!(bodies(&receive(&client, &url, 30, 20).await), ["soon"]);
    assert!(began.elapsed() >= Duration::from_millis(990));
}

#[tokio::test]
async fn a_message_is_refused_beyond_its_limits() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let send = |body: &str| client.send_message().queue_url(&url).message_body(body);
    let most = "x".repeat(1_048_576);
    send(&most).send().await.unwrap();
    assert_eq!(code(send(&format!("{most}x")).send().await), "InvalidParameterValue");
    assert_eq!(code(send(&most).message_attributes("a", text("x")).send().await), "InvalidParameterValue");
    assert_eq!(code(send("").send().await), "MissingParameter");
    assert_eq!(code(send("\u{1}").send().await), "InvalidMessageContents");
    assert_eq!(code(send("x").delay_seconds(901).send().await), "InvalidParameterValue");
    assert_eq!(code(send("x").message_attributes("AWS.x", text("x")).send().await), "InvalidParameterValue");
    assert_eq!(code(send("x").message_attributes("a", text("")).send().await), "InvalidParameterValue");
    let eleven = (0..11).map(|n| (n.to_string(), text("x"))).collect();
    assert_eq!(code(send("x").set_message_attributes(Some(eleven)).send().await), "InvalidParameterValue");
    assert_eq!(code(client.receive_message().queue_url(&url).max_number_of_messages(11).send().await), "InvalidParameterValue");
    assert_eq!(code(client.receive_message().queue_url(&url).wait_time_seconds(21).send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn a_receipt_handle_stands_for_the_last_receive_only() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    send(&client, &url, "x").await;
    let first = receive(&client, &url, 0, 0).await.remove(0);
    let change = |message: &Message| {
        let handle = message.receipt_handle().unwrap();
        client.change_message_visibility().queue_url(&url).receipt_handle(handle).visibility_timeout(5).send()
    };
    assert_eq!(code(change(&first).await), "AWS.SimpleQueueService.MessageNotInflight");
    let second = receive(&client, &url, 30, 0).await.remove(0);
    assert_eq!(code(change(&first).await), "InvalidParameterValue");
    delete(&client, &url, &first).await;
    change(&second).await.unwrap();

    hide(&client, &url, &second, 0).await;
    // A late delete counts while nobody else has received the message.
    delete(&client, &url, &second).await;
    assert!(receive(&client, &url, 30, 0).await.is_empty());
    delete(&client, &url, &second).await;
    let result = client.delete_message().queue_url(&url).receipt_handle("nonsense").send().await;
    assert_eq!(code(result), "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn every_acknowledged_message_outlives_the_process() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[("VisibilityTimeout", "600")]).await;
    for body in ["1", "2", "3"] {
        send(&client, &url, body).await;
    }
    let taken = client.receive_message().queue_url(&url).send().await.unwrap().messages.unwrap();
    // The files as they stand now, with the first process still at work, are what a killed process leaves.
    let copy = cloud.folder.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let file = |path: &std::path::Path| format!("{}{suffix}", path.display());
        std::fs::copy(file(&cloud.database()), file(&copy)).unwrap();
    }
    let sqs = Sqs::open(&copy, REGION, "http://127.0.0.1:1").unwrap();
    // The URL has the port of the first start.
    let reply = sqs.call("ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10})).await.unwrap();
    let left: Vec<_> = reply["Messages"].as_array().unwrap().iter().map(|message| message["Body"].as_str().unwrap()).collect();
    assert_eq!(left, ["2", "3"]);
    let request = json!({"QueueUrl": url, "ReceiptHandle": taken[0].receipt_handle()});
    sqs.call("DeleteMessage", request).await.unwrap();
    let reply = sqs.call("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})).await.unwrap();
    assert_eq!(reply["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "2");
    assert_eq!(reply["Attributes"]["VisibilityTimeout"], "600");
}

#[tokio::test]
async fn a_poll_whose_caller_is_gone_takes_no_message() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let fired = cloud.faults.add(Rule::new(Action::Delay(Duration::ZERO)).operation("ReceiveMessage"));
    let poll = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { receive(&client, &url, 30, 20).await }
    });
    tokio::time::timeout(DEADLINE, fired.wait(1)).await.unwrap();
    poll.abort();
    assert!(poll.await.unwrap_err().is_cancelled());
    // The endpoint notices the closed connection before it reads the next call's.
    client.get_queue_url().queue_name("plain").send().await.unwrap();
    send(&client, &url, "for somebody else").await;
    assert_eq!(bodies(&receive(&client, &url, 30, 0).await), ["for somebody else"]);
}

//! Several messages in one call.

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry};

use super::*;

#[tokio::test]
async fn a_batch_follows_the_rules_for_batches() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let batch = |entries: Vec<(String, String)>| {
        let entry = |(id, body)| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
        client.send_message_batch().queue_url(&url).set_entries(Some(entries.into_iter().map(entry).collect())).send()
    };
    let entry = |id: &str, body: &str| (id.to_owned(), body.to_owned());
    let half = "x".repeat(524_288);
    let prefix = "AWS.SimpleQueueService.";
    for (entries, expected) in [
        (vec![], "EmptyBatchRequest"),
        ((0..11).map(|n| entry(&n.to_string(), "x")).collect(), "TooManyEntriesInBatchRequest"),
        (vec![entry("a", "x"), entry("a", "y")], "BatchEntryIdsNotDistinct"),
        (vec![entry("a b", "x")], "InvalidBatchEntryId"),
        (vec![entry(&"a".repeat(81), "x")], "InvalidBatchEntryId"),
        (vec![entry("a", &half), entry("b", &half), entry("c", "x")], "BatchRequestTooLong"),
    ] {
        assert_eq!(code(batch(entries).await), format!("{prefix}{expected}"));
    }
    assert_eq!(attribute(&client, &url, QueueAttributeName::ApproximateNumberOfMessages).await.as_deref(), Some("0"));
    assert_eq!(batch(vec![entry("a", &half), entry("b", &half)]).await.unwrap().successful.len(), 2);
}

#[tokio::test]
async fn entries_of_a_batch_fail_one_by_one() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "plain", &[]).await;
    let entry = |id: &str, body: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
    let request = client.send_message_batch().queue_url(&url).entries(entry("good", "1")).entries(entry("bad", "\u{0}")).entries(entry("fine", "2"));
    let reply = request.send().await.unwrap();
    assert_eq!(reply.successful.iter().map(|entry| entry.id()).collect::<Vec<_>>(), ["good", "fine"]);
    assert_eq!(reply.successful[0].md5_of_message_body(), hex::encode(Md5::digest("1")));
    let failed = &reply.failed[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("bad", "InvalidMessageContents", true));

    let messages = receive(&client, &url, 30, 0).await;
    let handle = |index: usize| messages[index].receipt_handle().unwrap();
    let change = |id: &str, handle: &str| ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle).visibility_timeout(60);
    let request = client.change_message_visibility_batch().queue_url(&url).entries(change("0", handle(0)).build().unwrap());
    let reply = request.entries(change("1", "nonsense").build().unwrap()).send().await.unwrap();
    assert_eq!((reply.successful[0].id(), reply.failed[0].code()), ("0", "ReceiptHandleIsInvalid"));

    let remove = |id: &str, handle: &str| DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap();
    let request = client.delete_message_batch().queue_url(&url).entries(remove("0", handle(0))).entries(remove("1", "nonsense"));
    let reply = request.entries(remove("2", handle(1))).send().await.unwrap();
    assert_eq!((reply.successful.len(), reply.failed.len(), reply.failed[0].code()), (2, 1, "ReceiptHandleIsInvalid"));
    assert_eq!(attribute(&client, &url, QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await.as_deref(), Some("0"));
}

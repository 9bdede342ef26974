//! Order, locks and deduplication.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn a_fifo_group_is_received_in_order_and_locked_while_in_flight() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "ordered.fifo", &[("FifoQueue", "true")]).await;
    let mut sequence = Vec::new();
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")] {
        sequence.push(send_fifo(&client, &url, group, body, body).await.1);
    }
    assert!(sequence.is_sorted() && sequence.iter().collect::<BTreeSet<_>>().len() == 4, "{sequence:?}");

    let one = client.receive_message().queue_url(&url).max_number_of_messages(1).send().await.unwrap().messages.unwrap();
    assert_eq!(bodies(&one), ["a1"]);
    let others = receive(&client, &url, 30, 0).await;
    assert_eq!(bodies(&others), ["b1"], "group a is locked");
    assert_eq!(system(&others[0], MessageSystemAttributeName::SequenceNumber), Some(sequence[1].as_str()));
    assert_eq!(system(&others[0], MessageSystemAttributeName::MessageGroupId), Some("b"));
    assert_eq!(system(&others[0], MessageSystemAttributeName::MessageDeduplicationId), Some("b1"));

    hide(&client, &url, &one[0], 0).await;
    let again = receive(&client, &url, 30, 0).await;
    assert_eq!(bodies(&again), ["a1", "a2", "a3"]);
    delete(&client, &url, &again[0]).await;
    hide(&client, &url, &again[2], 0).await;
    assert!(receive(&client, &url, 30, 0).await.is_empty(), "a2 is still in flight");
    delete(&client, &url, &again[1]).await;
    assert_eq!(bodies(&receive(&client, &url, 30, 0).await), ["a3"]);
}

#[tokio::test]
async fn a_fifo_queue_accepts_a_deduplication_id_once() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "once.fifo", &[("FifoQueue", "true")]).await;
    let first = send_fifo(&client, &url, "g", "same", "one").await;
    assert_eq!(send_fifo(&client, &url, "g", "same", "two").await, first);
    let messages = receive(&client, &url, 30, 0).await;
    assert_eq!(bodies(&messages), ["one"]);
    delete(&client, &url, &messages[0]).await;
    assert_eq!(send_fifo(&client, &url, "other", "same", "three").await, first, "remembered after the message is gone");
    assert!(receive(&client, &url, 30, 0).await.is_empty());
}

#[tokio::test]
async fn content_and_group_can_scope_deduplication() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let attributes = [("FifoQueue", "true"), ("ContentBasedDeduplication", "true"), ("DeduplicationScope", "messageGroup")];
    let url = create(&client, "content.fifo", &attributes).await;
    for (group, body) in [("a", "x"), ("a", "x"), ("b", "x"), ("b", "y")] {
        client.send_message().queue_url(&url).message_group_id(group).message_body(body).send().await.unwrap();
    }
    assert_eq!(bodies(&receive(&client, &url, 30, 0).await), ["x", "x", "y"]);
}

#[tokio::test]
async fn parameters_of_the_other_queue_type_are_refused() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let (plain, fifo) = (create(&client, "plain", &[]).await, create(&client, "f.fifo", &[("FifoQueue", "true")]).await);
    let send = |url: &str| client.send_message().queue_url(url).message_body("x");
    assert_eq!(code(send(&fifo).message_deduplication_id("d").send().await), "MissingParameter");
    assert_eq!(code(send(&fifo).message_group_id("g").send().await), "InvalidParameterValue");
    assert_eq!(code(send(&fifo).message_group_id("g").message_deduplication_id("d").delay_seconds(1).send().await), "InvalidParameterValue");
    assert_eq!(code(send(&fifo).message_group_id("a b").message_deduplication_id("d").send().await), "InvalidParameterValue");
    assert_eq!(code(send(&plain).message_deduplication_id("d").send().await), "InvalidParameterValue");
    send(&plain).message_group_id("tenant").send().await.unwrap();
}

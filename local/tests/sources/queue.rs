//! The mapping of a queue.

use std::time::Duration;

use quire_local::{
    sources::InvokeOutcome,
    stack::{QueueTrigger, Trigger},
};
use serde_json::{Value, json};

use crate::{failures, queue, reply, support::*};

fn bodies(event: &Value) -> Vec<&str> {
    event["Records"].as_array().unwrap().iter().map(|record| record["body"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_message_reaches_the_function_in_lambdas_form_and_is_deleted() {
    let cloud = Cloud::new(|_, _| reply(Value::Null)).await;
    cloud.send(json!({
        "MessageId": "id", "ReceiptHandle": "handle", "Body": "hello", "MD5OfBody": "md5", "MD5OfMessageAttributes": "md5a",
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        "MessageAttributes": {"type": {"StringValue": "post.published", "DataType": "String"}, "raw": {"BinaryValue": "aGk=", "DataType": "Binary"}},
    }));
    let sources = cloud.start([Trigger::Queue(queue())]).await;
    cloud.until_deleted(&["handle"]).await;
    sources.stop().await;
    let record = json!({
        "messageId": "id", "receiptHandle": "handle", "body": "hello", "md5OfBody": "md5", "md5OfMessageAttributes": "md5a",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        "messageAttributes": {
            "type": {"stringValue": "post.published", "dataType": "String", "stringListValues": [], "binaryListValues": []},
            "raw": {"binaryValue": "aGk=", "dataType": "Binary", "stringListValues": [], "binaryListValues": []},
        },
        "eventSource": "aws:sqs", "eventSourceARN": arn("jobs"), "awsRegion": "eu-west-1",
    });
    assert_eq!(cloud.events(), [json!({"Records": [record]})]);
}

#[tokio::test]
async fn only_the_messages_that_succeeded_are_deleted() {
    let cloud = Cloud::new(|_, _| failures(&["id-b"])).await;
    for body in ["a", "b", "c"] {
        cloud.send_body(body);
    }
    let sources = cloud.start([Trigger::Queue(queue())]).await;
    cloud.until_deleted(&["handle-a", "handle-c"]).await;
    sources.stop().await;
    assert_eq!(cloud.events().iter().map(bodies).collect::<Vec<_>>(), [["a", "b", "c"]]);
    assert_eq!(cloud.deleted(), ["handle-a", "handle-c"]);
}

#[tokio::test]
async fn a_batch_that_fails_as_a_whole_is_not_deleted() {
    let outcomes = [
        InvokeOutcome::Failed("crash".to_owned()),
        InvokeOutcome::Reply("not json".into()),
        failures(&["unknown"]),
        failures(&["id-a", ""]),
        reply(json!({"batchItemFailures": [{"id": "id-a"}]})),
    ];
    for outcome in outcomes {
        let text = format!("{outcome:?}");
        let cloud = Cloud::new(move |_, _| outcome.clone()).await;
        cloud.send_body("a");
        cloud.send_body("b");
        let sources = cloud.start([Trigger::Queue(queue())]).await;
        cloud.until_events(1).await;
        sources.stop().await;
        assert_eq!(cloud.deleted(), Vec::<String>::new(), "{text}");
    }
}

#[tokio::test]
async fn without_item_failures_any_reply_is_a_success() {
    let cloud = Cloud::new(|_, _| failures(&["id-a"])).await;
    cloud.send_body("a");
    let sources = cloud.start([Trigger::Queue(QueueTrigger { report_batch_item_failures: false, ..queue() })]).await;
    cloud.until_deleted(&["handle-a"]).await;
    sources.stop().await;
}

#[tokio::test]
async fn messages_that_no_filter_lets_through_are_deleted_unseen() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    let bodies_sent = [r#"{"kind": "wanted"}"#, r#"{"kind": "other"}"#, "not json", "plain"];
    for body in bodies_sent {
        cloud.send_body(body);
    }
    let filters = vec![json!({"body": {"kind": ["wanted"]}}), json!({"body": ["plain"]})];
    let sources = cloud.start([Trigger::Queue(QueueTrigger { filters, ..queue() })]).await;
    cloud.until(|state| state.deleted.len() == 4).await;
    sources.stop().await;
    assert_eq!(cloud.events().iter().map(bodies).collect::<Vec<_>>(), [[bodies_sent[0], "plain"]]);
}

#[tokio::test]
async fn no_more_batches_are_with_the_function_than_the_maximum_concurrency() {
    let cloud = Cloud::gated(|_, _| reply(json!({}))).await;
    for body in ["a", "b", "c", "d", "e"] {
        cloud.send_body(body);
    }
    let trigger = QueueTrigger { batch_size: 1, maximum_concurrency: Some(2), ..queue() };
    let sources = cloud.start([Trigger::Queue(trigger)]).await;
    for done in 1..=5 {
        cloud.until(|state| state.running == 2.min(6 - done)).await;
        cloud.release();
        cloud.until(|state| state.deleted.len() == done).await;
    }
    sources.stop().await;
    assert_eq!(cloud.state().most_running, 2);
}

#[tokio::test]
async fn a_throttled_batch_is_tried_again_before_its_messages_come_back() {
    let cloud = Cloud::new(|_, n| if n < 3 { InvokeOutcome::Throttled } else { reply(json!({})) }).await;
    cloud.send_body("a");
    let sources = cloud.start([Trigger::Queue(queue())]).await;
    cloud.until_deleted(&["handle-a"]).await;
    sources.stop().await;
    assert_eq!(cloud.events().len(), 3);
}

#[tokio::test]
async fn a_batch_window_gathers_messages_that_come_later() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    cloud.send_body("a");
    let trigger = QueueTrigger { batch_window: Duration::from_secs(300), batch_size: 12, ..queue() };
    let sources = cloud.start([Trigger::Queue(trigger)]).await;
    cloud.until(|state| state.receives == 2).await;
    cloud.send_body("b");
    cloud.until(|state| state.receives == 3).await;
    assert_eq!(cloud.events(), Vec::<Value>::new());
    // A full batch waits no longer.
    for n in 0..10 {
        cloud.send_body(&n.to_string());
    }
    cloud.until_events(1).await;
    assert_eq!(bodies(&cloud.events()[0]).len(), 12);
    sources.stop().await;
}

#[tokio::test]
async fn a_stop_during_the_batch_window_leaves_no_message_behind() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    cloud.send_body("a");
    let sources = cloud.start([Trigger::Queue(QueueTrigger { batch_window: Duration::from_secs(300), ..queue() })]).await;
    cloud.until(|state| state.receives == 2).await;
    sources.stop().await;
    assert_eq!(cloud.deleted(), ["handle-a"]);
}

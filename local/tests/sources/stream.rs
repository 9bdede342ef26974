//! The mapping of a stream.

use std::time::Duration;

use quire_local::{
    sources::InvokeOutcome,
    stack::{StreamTrigger, Trigger},
};
use serde_json::{Value, json};

use crate::{failures, reply, stream, support::*};

fn keys(event: &Value) -> Vec<&str> {
    event["Records"].as_array().unwrap().iter().map(|record| record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap()).collect()
}

fn batches(events: &[Value]) -> Vec<Vec<&str>> {
    events.iter().map(keys).collect()
}

fn sequence<'a>(event: &'a Value, key: &str) -> Option<&'a str> {
    let mut records = event["Records"].as_array().unwrap().iter();
    records.find(|record| record["dynamodb"]["Keys"]["pk"]["S"] == key).map(|record| record["dynamodb"]["SequenceNumber"].as_str().unwrap())
}

#[tokio::test]
async fn inserts_reach_the_function_in_order_and_only_once_across_restarts() {
    let cloud = Cloud::new(|_, _| reply(json!({"batchItemFailures": []}))).await;
    for key in ["a", "b", "c"] {
        cloud.put(key).await;
    }
    cloud.put("b").await;
    let sources = cloud.start([Trigger::Stream(StreamTrigger { batch_size: 2, ..stream() })]).await;
    cloud.until_events(2).await;
    cloud.put("d").await;
    cloud.until_events(3).await;
    sources.stop().await;

    cloud.put("e").await;
    let sources = cloud.start([Trigger::Stream(StreamTrigger { batch_size: 2, ..stream() })]).await;
    cloud.until_events(4).await;
    sources.stop().await;
    let events = cloud.events();
    assert_eq!(batches(&events), [vec!["a", "b"], vec!["c"], vec!["d"], vec!["e"]]);
    assert_eq!(events[0]["Records"][0]["awsRegion"], "eu-west-1");
}

#[tokio::test]
async fn latest_means_from_the_first_start_on() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    cloud.put("before").await;
    let trigger = Trigger::Stream(StreamTrigger { from_trim_horizon: false, ..stream() });
    cloud.start([trigger.clone()]).await.stop().await;
    cloud.put("between").await;
    let sources = cloud.start([trigger]).await;
    cloud.until_events(1).await;
    sources.stop().await;
    assert_eq!(batches(&cloud.events()), [["between"]]);
}

#[tokio::test]
async fn a_batch_that_keeps_failing_is_given_up_and_the_failure_queue_told() {
    let cloud = Cloud::new(|event, _| match keys(event).contains(&"a") {
        true => InvokeOutcome::Failed("crash".to_owned()),
        false => reply(json!({})),
    })
    .await;
    cloud.put("a").await;
    cloud.put("b").await;
    let sources = cloud.start([Trigger::Stream(StreamTrigger { maximum_retry_attempts: Some(2), ..stream() })]).await;
    cloud.until(|state| state.sent.len() == 1).await;
    cloud.put("c").await;
    cloud.until_events(4).await;
    sources.stop().await;

    let events = cloud.events();
    assert_eq!(batches(&events), [vec!["a", "b"], vec!["a", "b"], vec!["a", "b"], vec!["c"]]);
    let sent = &cloud.state().sent[0];
    assert_eq!(sent["QueueUrl"], "http://localhost/000000000000/failures");
    let mut message: Value = serde_json::from_str(sent["MessageBody"].as_str().unwrap()).unwrap();
    let batch = message["DDBStreamBatchInfo"].take();
    assert_eq!(message["timestamp"].take().as_str().unwrap().len(), "2026-01-01T00:00:00.000Z".len());
    assert_eq!(message["requestContext"]["requestId"].take().as_str().unwrap().len(), 36);
    let expected = json!({
        "requestContext": {
            "requestId": null, "functionArn": "arn:aws:lambda:eu-west-1:000000000000:function:quire-Relay",
            "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0", "timestamp": null, "DDBStreamBatchInfo": null,
    });
    assert_eq!(message, expected);
    assert_eq!(batch["batchSize"], 2);
    assert_eq!(batch["startSequenceNumber"].as_str(), sequence(&events[0], "a"));
    assert_eq!(batch["endSequenceNumber"].as_str(), sequence(&events[0], "b"));
    assert_eq!(batch["streamArn"], events[0]["Records"][0]["eventSourceARN"]);
    for arrival in ["approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"] {
        assert_eq!(batch[arrival].as_str().unwrap().len(), "2026-01-01T00:00:00Z".len());
    }
}

#[tokio::test]
async fn bisecting_finds_the_one_poison_record_and_all_others_succeed() {
    let cloud = Cloud::new(|event, _| match keys(event).contains(&"k5") {
        true => InvokeOutcome::Failed("crash".to_owned()),
        false => reply(json!({})),
    })
    .await;
    for n in 0..9 {
        cloud.put(&format!("k{n}")).await;
    }
    let trigger = StreamTrigger { bisect_batch_on_function_error: true, maximum_retry_attempts: Some(1), ..stream() };
    let sources = cloud.start([Trigger::Stream(trigger)]).await;
    cloud.until(|state| state.events.iter().any(|event| keys(event) == ["k6", "k7", "k8"] || keys(event) == ["k8"])).await;
    cloud.until(|state| state.sent.len() == 1).await;
    sources.stop().await;

    let events = cloud.events();
    let succeeded: Vec<_> = events.iter().map(keys).filter(|keys| !keys.contains(&"k5")).flatten().collect();
    assert_eq!(succeeded, ["k0", "k1", "k2", "k3", "k4", "k6", "k7", "k8"]);
    let message: Value = serde_json::from_str(cloud.state().sent[0]["MessageBody"].as_str().unwrap()).unwrap();
    let batch = &message["DDBStreamBatchInfo"];
    assert_eq!(batch["batchSize"], 1);
    assert_eq!(batch["startSequenceNumber"].as_str(), sequence(&events[0], "k5"));
    // One retry of the record alone.
    assert_eq!(events.iter().filter(|event| keys(event) == ["k5"]).count(), 2);
}

#[tokio::test]
async fn a_partial_failure_is_tried_again_from_the_lowest_record_that_failed() {
    for (bisect, expected) in
        [(false, vec![vec!["a", "b", "c", "d"], vec!["b", "c", "d"]]), (true, vec![vec!["a", "b", "c", "d"], vec!["b", "c", "d"]])]
    {
        let cloud = Cloud::new(|event, n| match n {
            1 => failures(&[sequence(event, "c").unwrap(), sequence(event, "b").unwrap()]),
            _ => reply(json!({})),
        })
        .await;
        for key in ["a", "b", "c", "d"] {
            cloud.put(key).await;
        }
        let sources = cloud.start([Trigger::Stream(StreamTrigger { bisect_batch_on_function_error: bisect, ..stream() })]).await;
        cloud.until_events(2).await;
        sources.stop().await;
        assert_eq!(batches(&cloud.events()), expected);
    }
}

#[tokio::test]
async fn a_record_that_the_function_reports_is_set_apart_and_given_up_alone() {
    let cloud = Cloud::new(|event, _| match sequence(event, "b") {
        Some(poison) => failures(&[poison]),
        None => reply(json!({})),
    })
    .await;
    for key in ["a", "b", "c", "d"] {
        cloud.put(key).await;
    }
    let trigger = StreamTrigger { bisect_batch_on_function_error: true, maximum_retry_attempts: Some(0), ..stream() };
    let sources = cloud.start([Trigger::Stream(trigger)]).await;
    cloud.until_events(4).await;
    sources.stop().await;
    assert_eq!(batches(&cloud.events()), [vec!["a", "b", "c", "d"], vec!["b", "c", "d"], vec!["b"], vec!["c", "d"]]);
    let message: Value = serde_json::from_str(cloud.state().sent[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(message["responseContext"], json!({"statusCode": 200, "executedVersion": "$LATEST"}));
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 3);
}

#[tokio::test]
async fn a_restart_in_the_middle_of_failures_goes_on_from_the_checkpoint() {
    let cloud = Cloud::new(|event, n| match n {
        1..=3 => failures(&[sequence(event, "b").unwrap()]),
        _ => reply(json!({})),
    })
    .await;
    for key in ["a", "b", "c"] {
        cloud.put(key).await;
    }
    let sources = cloud.start([Trigger::Stream(stream())]).await;
    cloud.until_events(2).await;
    // Cut off, as by a kill.
    drop(sources);
    let before = cloud.events().len();
    let sources = cloud.start([Trigger::Stream(stream())]).await;
    cloud.until(|state| state.events.len() > before).await;
    sources.stop().await;
    assert_eq!(keys(&cloud.events()[before]), ["b", "c"]);
}

#[tokio::test]
async fn throttling_does_not_use_up_retries() {
    let cloud = Cloud::new(|_, n| if n < 4 { InvokeOutcome::Throttled } else { reply(json!({})) }).await;
    cloud.put("a").await;
    let sources = cloud.start([Trigger::Stream(StreamTrigger { maximum_retry_attempts: Some(0), ..stream() })]).await;
    cloud.until_events(4).await;
    sources.stop().await;
    assert_eq!(cloud.state().sent, Vec::<Value>::new());
}

#[tokio::test]
async fn records_that_are_too_old_go_to_the_failure_queue_untried() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    cloud.put("a").await;
    cloud.put("b").await;
    let sources = cloud.start([Trigger::Stream(StreamTrigger { maximum_record_age: Some(Duration::ZERO), ..stream() })]).await;
    cloud.until(|state| state.sent.len() == 1).await;
    sources.stop().await;
    let message: Value = serde_json::from_str(cloud.state().sent[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(message["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(message["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(message["DDBStreamBatchInfo"]["batchSize"], 2);
    assert_eq!(message.get("responseContext"), None);
    assert_eq!(cloud.events(), Vec::<Value>::new());
}

#[tokio::test]
async fn the_stream_is_trimmed_behind_what_is_done() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    for key in ["a", "b", "c"] {
        cloud.put(key).await;
    }
    let trigger = Trigger::Stream(stream());
    let sources = cloud.start([trigger.clone()]).await;
    cloud.until_events(1).await;
    sources.stop().await;
    assert_eq!(cloud.records().await, 3);
    let sources = cloud.start([trigger]).await;
    cloud.until_records(1).await;
    sources.stop().await;
}

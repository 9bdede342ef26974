//! The event sources, between a fake function, a fake SQS and the real embedded DynamoDB.

mod queue;
mod stream;
mod support;

use std::time::Duration;

use quire_local::{
    sources::InvokeOutcome,
    stack::{QueueTrigger, ScheduleTrigger, StreamTrigger, Trigger},
};
use serde_json::{Value, json};

use self::support::*;

pub(crate) fn queue() -> QueueTrigger {
    QueueTrigger {
        queue_arn: arn("jobs"),
        batch_size: 10,
        batch_window: Duration::ZERO,
        report_batch_item_failures: true,
        maximum_concurrency: None,
        filters: vec![],
        enabled: true,
    }
}

pub(crate) fn stream() -> StreamTrigger {
    StreamTrigger {
        table: "Table".to_owned(),
        batch_size: 100,
        batch_window: Duration::ZERO,
        from_trim_horizon: true,
        report_batch_item_failures: true,
        bisect_batch_on_function_error: false,
        maximum_retry_attempts: None,
        maximum_record_age: None,
        on_failure: Some(arn("failures")),
        parallelization_factor: 1,
        filters: vec![json!({"eventName": ["INSERT"]})],
        enabled: true,
    }
}

pub(crate) fn failures(identifiers: &[&str]) -> InvokeOutcome {
    let failures: Vec<_> = identifiers.iter().map(|identifier| json!({"itemIdentifier": identifier})).collect();
    reply(json!({"batchItemFailures": failures}))
}

pub(crate) fn reply(value: Value) -> InvokeOutcome {
    InvokeOutcome::Reply(value.to_string().into())
}

#[tokio::test]
async fn a_disabled_trigger_does_nothing() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    cloud.put("a").await;
    cloud.send_body("a");
    let triggers = [Trigger::Stream(StreamTrigger { enabled: false, ..stream() }), Trigger::Queue(QueueTrigger { enabled: false, ..queue() })];
    cloud.start(triggers).await.stop().await;
    assert_eq!((cloud.events().len(), cloud.state().receives), (0, 0));
}

#[tokio::test]
async fn what_is_wrong_is_said_at_the_start() {
    let cloud = Cloud::new(|_, _| reply(json!({}))).await;
    let wildcard = vec![json!({"body": [{"wildcard": "*"}]})];
    let schedule = ScheduleTrigger { name: "Often".to_owned(), expression: "rate(0 minutes)".to_owned(), input: None, enabled: true };
    let cases = [
        (vec![Trigger::Queue(QueueTrigger { queue_arn: arn("absent"), ..queue() })], "there is no queue"),
        (vec![Trigger::Queue(QueueTrigger { filters: wildcard.clone(), ..queue() })], "the operator wildcard"),
        (vec![Trigger::Stream(StreamTrigger { filters: wildcard, ..stream() })], "the operator wildcard"),
        (vec![Trigger::Stream(StreamTrigger { table: "Absent".to_owned(), ..stream() })], "there is no table"),
        (vec![Trigger::Stream(StreamTrigger { parallelization_factor: 2, ..stream() })], "ParallelizationFactor"),
        (vec![Trigger::Stream(StreamTrigger { on_failure: Some(arn("absent")), ..stream() })], "failure destination"),
        (vec![Trigger::Stream(stream()), Trigger::Stream(stream())], "more than one event source mapping"),
        (vec![Trigger::Schedule(schedule)], "rate(...) takes"),
    ];
    for (triggers, expected) in cases {
        let error = cloud.try_start(triggers).await.map(drop).unwrap_err().to_string();
        assert!(error.starts_with("Relay: ") && error.contains(expected), "{error}");
    }
}

//! The relay between the outbox and the queues: crashes, refusals, and items that nobody can read.

use quire_local::{
    faults::{Action, Rule},
    service::ServiceError,
};
use quire_tests::{eventually, text};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    aws,
    story::{Story, calls},
};

#[tokio::test]
async fn a_relay_whose_services_fail_publishes_every_event() {
    let story = Story::with_comments(3).await;
    let unavailable = ServiceError { status: StatusCode::SERVICE_UNAVAILABLE, ..ServiceError::client("ServiceUnavailable", "Not now") };
    let mut rules = Vec::new();
    for operation in ["SendMessageBatch", "BatchWriteItem"] {
        let rule = |action| Rule::new(action).function("RelayOutbox").operation(operation);
        rules.push(rule(Action::Fail(unavailable.clone())).times(3));
        rules.push(rule(Action::Fail(ServiceError::client("InvalidSecurity", "Not so"))).times(2));
        rules.push(rule(Action::DropReply));
        rules.push(rule(Action::DropReply).times(3));
    }
    story.survives(rules).await;
}

#[tokio::test]
async fn events_that_the_queue_refuses_at_first_arrive_once() {
    let story = Story::with_comments(3).await;
    let mut undisturbed = story.calls_of("ModerateComment").await;
    let quire = story.begin().await;
    let refusal = Action::Fail(ServiceError::client("OverLimit", "Too many messages in flight"));
    let refused = quire.faults().add(Rule::new(refusal).operation("SendMessageBatch").function("RelayOutbox").times(3));
    story.release(&quire).await;
    story.ends_well(&quire, 0).await;
    assert_eq!(refused.count(), 3);
    // The stream splits what was refused, and the parts may be consumed at the same time.
    let mut calls = calls(&quire, "ModerateComment");
    calls.sort();
    undisturbed.sort();
    assert_eq!(calls, undisturbed);
    quire.stop().await;
}

#[tokio::test]
async fn one_event_that_the_queue_refuses_does_not_hold_back_the_others() {
    let story = Story::with_comments(3).await;
    let quire = story.begin().await;
    aws::set_queue(&quire, "ModerateCommentQueue", "MaximumMessageSize", "1024").await;
    let mut events = story.events.clone();
    let mut large: Value = serde_json::from_str(&story.messages()[1]).expect("JSON");
    large["correlationId"] = json!("c".repeat(1024));
    events[1]["event"]["S"] = json!(large.to_string());
    aws::put(&quire, &events).await;
    eventually(|| async { (aws::items(&quire, "EFFECT#moderate-comment#").await.len() == 2).then_some(()) }).await;
    eventually(|| async {
        // What follows from the others waits in the stream behind the one that is refused.
        let mut left = aws::items(&quire, "OUTBOX#").await;
        left.retain(|item| text(&item["event"]["S"]).contains("\"comment.created\""));
        (left == [events[1].clone()]).then_some(())
    })
    .await;
    aws::set_queue(&quire, "ModerateCommentQueue", "MaximumMessageSize", "262144").await;
    story.ends_well(&quire, 0).await;
    quire.stop().await;
}

#[tokio::test]
async fn a_poison_item_is_given_up_and_its_neighbours_are_published() {
    let story = Story::with_comments(3).await;
    // With ten the last attempt would come after 43 seconds.
    let quire = story.begin_with(&[("MaximumRetryAttempts: 10", "MaximumRetryAttempts: 2")], true).await;
    let key = |sk: &str| json!({"pk": {"S": "OUTBOX#0"}, "sk": {"S": sk}});
    let (mut garbage, mut number) = (key("garbage"), key("number"));
    garbage["event"] = json!({"S": "garbage"});
    number["event"] = json!({"N": "7"});
    let [first, second, third] = story.events.clone().try_into().expect("three events");
    aws::put(&quire, &[garbage, first, number, second, key("nothing")]).await;
    eventually(|| async { (aws::count(&quire, "RelayOutboxFailures").await == 3).then_some(()) }).await;
    aws::put(&quire, &[third]).await;
    story.ends_well(&quire, 3).await;
    for message in aws::take(&quire, "RelayOutboxFailures").await {
        let message: Value = serde_json::from_str(&message).expect("JSON");
        assert_eq!(
            (&message["requestContext"]["condition"], &message["DDBStreamBatchInfo"]["batchSize"]),
            (&json!("RetryAttemptsExhausted"), &json!(1))
        );
    }
    quire.stop().await;
}

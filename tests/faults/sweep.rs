//! The sweep of the outbox: what the relay has left is published, and nothing else.

use std::time::Duration;

use quire_local::{
    faults::{Action, Rule},
    functions::Outcome,
    service::ServiceError,
};
use quire_tests::{Quire, eventually};
use reqwest::StatusCode;
use serde_json::json;

use crate::{aws, events::aged, story::Story};

const TWO_MINUTES: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_sweep_publishes_what_is_older_than_a_minute_and_nothing_else() {
    let mut story = Story::with_comments(3).await;
    for (event, age) in story.events.iter_mut().zip([3600, 61]) {
        *event = aged(event, Duration::from_secs(age));
    }
    let quire = story.begin_with(&[], false).await;
    story.release(&quire).await;
    let [old, _, young] = story.events.clone().try_into().expect("three events");
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    assert_eq!(aws::items(&quire, "OUTBOX#").await, std::slice::from_ref(&young));
    assert_eq!(aws::count(&quire, "ModerateCommentQueue").await, 2);
    // A relay that comes late publishes once more what the sweep has published.
    aws::put(&quire, &[old]).await;
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    assert_eq!(aws::count(&quire, "ModerateCommentQueue").await, 3);

    let quire = Story::over(quire.stop().await, true).await;
    aws::delete(&quire, &young).await;
    aws::put(&quire, &[young]).await;
    story.ends_well(&quire, 0).await;
    quire.stop().await;
}

#[tokio::test]
async fn queues_that_are_down_longer_than_the_stream_keeps_its_records_lose_nothing() {
    let mut story = Story::with_comments(3).await;
    story.events.iter_mut().for_each(|event| *event = aged(event, TWO_MINUTES));
    // With ten the last attempt would come after 43 seconds.
    let quire = story.begin_with(&[("MaximumRetryAttempts: 10", "MaximumRetryAttempts: 1")], true).await;
    let down = Action::Fail(ServiceError { status: StatusCode::SERVICE_UNAVAILABLE, ..ServiceError::client("ServiceUnavailable", "Not now") });
    quire.faults().add(Rule::new(down).operation("SendMessageBatch").times(usize::MAX));
    story.release(&quire).await;
    eventually(|| async { (aws::count(&quire, "RelayOutboxFailures").await > 0).then_some(()) }).await;
    // The sweep finds the queues down too.
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    assert_eq!(aws::items(&quire, "OUTBOX#").await.len(), 3);
    quire.faults().clear();
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    story.ends_well(&quire, 0).await;
    quire.stop().await;
}

#[tokio::test]
async fn a_poison_item_does_not_keep_its_neighbours_from_the_sweep() {
    let mut story = Story::with_comments(3).await;
    story.events.iter_mut().for_each(|event| *event = aged(event, TWO_MINUTES));
    let quire = story.begin_with(&[], false).await;
    let poison: Vec<_> = (0..8).map(|shard| json!({"pk": {"S": format!("OUTBOX#{shard}")}, "sk": {"S": "00"}, "event": {"S": "{}"}})).collect();
    let mut misplaced = aged(&story.events[0], TWO_MINUTES * 2);
    misplaced["sk"] = json!({"S": "01"});
    aws::put(&quire, &poison).await;
    aws::put(&quire, &[misplaced]).await;
    story.release(&quire).await;
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    assert_eq!(aws::items(&quire, "OUTBOX#").await.len(), poison.len() + 1);
    assert_eq!(aws::count(&quire, "ModerateCommentQueue").await, 3);
    quire.stop().await;
}

async fn sweep(quire: &Quire) -> Outcome {
    quire.cloud().functions().invoke("SweepOutbox", "{}".into(), None).await.outcome
}

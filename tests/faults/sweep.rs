//! The sweep of the outbox: what the relay has left is published, and nothing else.

use std::time::Duration;

use quire_local::{
    faults::{Action, Rule},
    functions::Outcome,
    service::ServiceError,
};
use quire_tests::{Quire, eventually, text};
use reqwest::StatusCode;
use serde_json::{Value, json};

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

#[tokio::test]
async fn unreadable_items_hide_nothing_however_many_there_are() {
    let mut story = Story::with_comments(3).await;
    story.events.iter_mut().for_each(|event| *event = aged(event, TWO_MINUTES));
    let quire = story.begin_with(&[], false).await;
    for shard in 0..8 {
        let poison = |number: u32| json!({"pk": {"S": format!("OUTBOX#{shard}")}, "sk": {"S": format!("00{number:04}")}, "event": {"S": "{}"}});
        for start in [0, 100] {
            aws::put(&quire, &(start..start + 100).map(poison).collect::<Vec<_>>()).await;
        }
    }
    story.release(&quire).await;
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    assert_eq!(aws::count(&quire, "ModerateCommentQueue").await, 3);
    quire.stop().await;
}

#[tokio::test]
async fn events_for_a_queue_that_is_down_hide_no_others() {
    let mut story = Story::with_comments(3).await;
    story.events.iter_mut().for_each(|event| *event = aged(event, TWO_MINUTES));
    let quire = story.begin_with(&[], false).await;
    let mut mail = story.events[0].clone();
    let mut event: Value = serde_json::from_str(&text(&mail["event"]["S"])).expect("JSON");
    (event["type"], event["data"]) = (json!("user.password-changed"), json!({"userId": event["actor"]}));
    mail["event"]["S"] = json!(event.to_string());
    let mails: Vec<_> = (1..=150).map(|seconds| aged(&mail, TWO_MINUTES + Duration::from_secs(seconds))).collect();
    for part in mails.chunks(75) {
        aws::put(&quire, part).await;
    }
    story.release(&quire).await;
    aws::call(&quire, "AmazonSQS.DeleteQueue", &json!({"QueueUrl": quire.queue_url("SendEmailQueue")})).await;
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    assert_eq!(aws::count(&quire, "ModerateCommentQueue").await, 3);
    assert_eq!(aws::items(&quire, "OUTBOX#").await.len(), mails.len());
    quire.stop().await;
}

#[tokio::test]
async fn each_sweep_measures_the_age_of_the_oldest_event_for_the_alarm() {
    let mut story = Story::with_comments(2).await;
    let ages = [600, 7200].map(Duration::from_secs);
    story.events.iter_mut().zip(ages).for_each(|(event, age)| *event = aged(event, age));
    let quire = story.begin_with(&[], false).await;
    story.release(&quire).await;
    // One that cannot be read counts too.
    let mut unreadable = aged(&story.events[0], Duration::from_secs(86_400));
    unreadable["event"]["S"] = json!("{}");
    aws::put(&quire, &[unreadable.clone()]).await;
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    aws::delete(&quire, &unreadable).await;
    assert!(matches!(sweep(&quire).await, Outcome::Reply(_)));
    let measured: Vec<Value> = eventually(|| async {
        let lines: Vec<_> = quire.logs().iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
        let measured: Vec<_> = lines.into_iter().filter(|line| line["_aws"].is_object()).collect();
        (measured.len() == 2).then_some(measured)
    })
    .await;
    // The form of Amazon CloudWatch's embedded metric format, version 0.
    let metric = &measured[0]["_aws"]["CloudWatchMetrics"][0];
    assert!(measured[0]["_aws"]["Timestamp"].is_i64() && metric["Dimensions"] == json!([[]]), "{measured:?}");
    assert_eq!(metric["Metrics"], json!([{"Name": "OldestOutboxEventAge", "Unit": "Seconds"}]));
    let age = |line: &Value| line["OldestOutboxEventAge"].as_i64().expect("a number");
    assert!((86_400..86_500).contains(&age(&measured[0])) && age(&measured[1]) == 0, "{measured:?}");
    // The alarm looks at this and at nothing else.
    let template = std::fs::read_to_string(quire_tests::root().join("template.yaml")).expect("the template");
    let alarm = template.split("  OutboxAgeAlarm:\n").nth(1).expect("the alarm");
    assert_eq!(text(&metric["Namespace"]), format!("quire/{}", quire_local::cloud::STACK));
    assert!(alarm.contains("Namespace: !Sub quire/${AWS::StackName}\n      MetricName: OldestOutboxEventAge\n      Statistic: Maximum"));
    quire.stop().await;
}

async fn sweep(quire: &Quire) -> Outcome {
    quire.cloud().functions().invoke("SweepOutbox", "{}".into(), None).await.outcome
}

use std::{cell::Cell, sync::Arc, time::UNIX_EPOCH};

use futures::future::{BoxFuture, FutureExt, ready};
use tokio::sync::{mpsc, watch};

use super::*;
use crate::{
    service::ServiceError,
    sources::{Invoke, Queues, Stop},
};

struct Recorder(mpsc::UnboundedSender<Value>);

impl Invoke for Recorder {
    fn invoke<'a>(&'a self, function: &'a str, event: Bytes) -> BoxFuture<'a, InvokeOutcome> {
        assert_eq!(function, "Sweep");
        self.0.send(serde_json::from_slice(&event).unwrap()).unwrap();
        ready(InvokeOutcome::Failed("which changes nothing".to_owned())).boxed()
    }
}

struct NoQueues;

impl Queues for NoQueues {
    fn call<'a>(&'a self, operation: &'a str, _: Value) -> BoxFuture<'a, Result<Value, ServiceError>> {
        panic!("{operation}")
    }
}

/// The events of the first `minutes` of a schedule that begins at 2026-01-01T00:00:30Z.
async fn events(times: &str, input: Option<&str>, minutes: u64) -> Vec<Value> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let context = Context { region: "eu-west-1".to_owned(), queues: Arc::new(NoQueues), invoker: Arc::new(Recorder(sender)), stop: Stop(stopped) };
    let schedule = Schedule {
        function: "Sweep".to_owned(),
        rule_arn: "arn:rule".to_owned(),
        times: Times::parse(times).unwrap(),
        input: input.map(|input| Bytes::copy_from_slice(input.as_bytes())),
        context,
    };
    let start = UNIX_EPOCH + Duration::from_secs(1_767_225_630);
    let (now, end) = (Cell::new(start), start + Duration::from_secs(60 * minutes));
    let sleep = |time| {
        now.set(now.get() + time);
        stop.send_replace(now.get() > end);
        // The invocations under way have their turn.
        tokio::task::yield_now()
    };
    schedule.run_with(|| now.get(), sleep).await;
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

fn times(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["time"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_rate_fires_first_after_one_period() {
    let events = events("rate(2 minutes)", None, 5).await;
    assert_eq!(times(&events), ["2026-01-01T00:02:30Z", "2026-01-01T00:04:30Z"]);
}

#[tokio::test]
async fn a_cron_fires_at_its_times_with_the_standard_event() {
    let mut events = events("cron(0/2 * * * ? *)", None, 5).await;
    assert_eq!(times(&events), ["2026-01-01T00:02:00Z", "2026-01-01T00:04:00Z"]);
    let id: Uuid = events[0]["id"].take().as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 4);
    let expected = json!({
        "version": "0", "id": null, "detail-type": "Scheduled Event", "source": "aws.events", "account": ACCOUNT,
        "time": "2026-01-01T00:02:00Z", "region": "eu-west-1", "resources": ["arn:rule"], "detail": {},
    });
    assert_eq!(events[0], expected);
}

#[tokio::test]
async fn an_input_takes_the_place_of_the_event() {
    assert_eq!(events("rate(1 minute)", Some(r#"{"full": true}"#), 2).await[0], json!({"full": true}));
}

#[tokio::test]
async fn a_cron_in_the_past_never_fires() {
    assert_eq!(events("cron(0 0 1 1 ? 2020)", None, 5).await, Vec::<Value>::new());
}

#[test]
fn beats_that_were_slept_through_are_left_out() {
    let rate = Times::parse("rate(1 minute)").unwrap();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let following = rate.following(time("2026-01-01T00:00:10Z"), time("2026-01-01T00:05:30Z"));
    assert_eq!(following, Some(time("2026-01-01T00:06:10Z")));
    // A clock that was set back repeats nothing.
    let cron = Times::parse("cron(0 3 * * ? *)").unwrap();
    let following = cron.following(time("2026-01-01T03:00:00Z"), time("2026-01-01T02:59:00Z"));
    assert_eq!(following, Some(time("2026-01-02T03:00:00Z")));
}

#[test]
fn a_wrong_expression_is_an_error() {
    let texts = [
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(5 weeks)",
        "rate(1.5 hours)",
        "rate(minute)",
        "every minute",
        "cron(* * *)",
        "at(2026-01-01T00:00:00)",
    ];
    for text in texts {
        assert!(Times::parse(text).is_err(), "{text}");
    }
}

//! An EventBridge schedule: `rate(...)` and `cron(...)`, in UTC.
//!
//! A rate counts from the start of the local cloud; its first event comes after one period. Time while the local cloud is not running, or the
//! machine sleeps, is not made up for. An invocation that fails is logged and not repeated, where the real service would try it twice more.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Context, InvokeOutcome, cron::Cron};
use crate::{
    service::ACCOUNT,
    stack::{Function, ScheduleTrigger, Stack},
};

/// Longest sleep without a look at the clock, which a sleeping machine or a person may have moved.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// One schedule of a function.
pub(super) struct Schedule {
    function: String,
    rule_arn: String,
    times: Times,
    input: Option<Bytes>,
    context: Context,
}

#[derive(Debug)]
enum Times {
    Every(SignedDuration),
    Cron(Cron),
}

impl Schedule {
    pub(super) fn new(stack: &Stack, function: &Function, trigger: &ScheduleTrigger, context: Context) -> Result<Self, String> {
        let wrong = |reason| format!("schedule {} ({}): {reason}", trigger.name, trigger.expression);
        if let Some(Err(error)) = trigger.input.as_ref().map(|input| serde_json::from_str::<Value>(input)) {
            return Err(wrong(format!("its Input is not JSON: {error}")));
        }
        let rule = format!("{}-{}{}", stack.name, function.logical_id, trigger.name);
        Ok(Self {
            function: function.logical_id.clone(),
            rule_arn: format!("arn:aws:events:{}:{ACCOUNT}:rule/{rule}", stack.region),
            times: Times::parse(&trigger.expression).map_err(wrong)?,
            input: trigger.input.clone().map(Bytes::from),
            context,
        })
    }

    /// Fires until the stop, then waits for the invocations under way. `clock` tells the time.
    pub(super) async fn run(self, clock: impl Fn() -> SystemTime) {
        self.run_with(clock, tokio::time::sleep).await;
    }

    /// As [`Schedule::run`]; `sleep` lets time pass.
    async fn run_with<S: Future<Output = ()>>(self, clock: impl Fn() -> SystemTime, sleep: impl Fn(Duration) -> S) {
        let now = || Timestamp::try_from(clock()).unwrap_or_default();
        let mut invocations = JoinSet::new();
        let mut next = self.times.next(now());
        while let Some(time) = next {
            let left = Duration::try_from(time.duration_since(now())).unwrap_or_default();
            if !left.is_zero() {
                if self.context.stop.unless(sleep(left.min(LONGEST_SLEEP))).await.is_none() {
                    break;
                }
                continue;
            }
            while invocations.try_join_next().is_some() {}
            invocations.spawn(invoke(self.context.clone(), self.function.clone(), self.event(time)));
            next = self.times.following(time, now());
        }
        while invocations.join_next().await.is_some() {}
    }

    fn event(&self, time: Timestamp) -> Bytes {
        let event = json!({
            "version": "0",
            "id": Uuid::new_v4(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": format!("{time:.0}"),
            "region": self.context.region,
            "resources": [self.rule_arn],
            "detail": {},
        });
        self.input.clone().unwrap_or_else(|| Bytes::from(event.to_string()))
    }
}

async fn invoke(context: Context, function: String, event: Bytes) {
    let problem = match context.invoker.invoke(&function, event).await {
        InvokeOutcome::Reply(_) => return,
        InvokeOutcome::Failed(reason) => reason,
        InvokeOutcome::Throttled => "it was throttled".to_owned(),
    };
    tracing::warn!(function, "{function} failed as scheduled: {problem}");
}

impl Times {
    fn parse(expression: &str) -> Result<Self, String> {
        let inside = |name: &str| expression.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        match (inside("rate"), inside("cron")) {
            (Some(rate), _) => parse_rate(rate).map(Self::Every),
            (_, Some(cron)) => Cron::parse(cron).map(Self::Cron),
            _ => Err("a schedule is rate(...) or cron(...)".to_owned()),
        }
    }

    /// The first time after `now`.
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(period) => now.checked_add(*period).ok(),
            Self::Cron(cron) => cron.next(now),
        }
    }

    /// The first time after `now` when the last one was `last`; a rate keeps its beat.
    fn following(&self, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(period) => {
                let missed = now.duration_since(last).as_secs() / period.as_secs();
                last.checked_add(period.checked_mul(i32::try_from(missed + 1).ok()?)?).ok()
            }
            Self::Cron(_) => self.next(now.max(last)),
        }
    }
}

fn parse_rate(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "rate(...) takes a whole number from 1 and minute(s), hour(s) or day(s), singular for 1 alone".to_owned();
    let (value, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let value: u32 = value.parse().ok().filter(|&value| value > 0).ok_or_else(wrong)?;
    let seconds = match (unit, value) {
        ("minute", 1) | ("minutes", 2..) => 60,
        ("hour", 1) | ("hours", 2..) => 3600,
        ("day", 1) | ("days", 2..) => 24 * 3600,
        _ => return Err(wrong()),
    };
    Ok(SignedDuration::from_secs(i64::from(value) * seconds))
}

#[cfg(test)]
mod tests;

//! Workers behind a queue.

use std::{collections::BTreeSet, process::ExitCode};

use futures::future::BoxFuture;
use quire_aws::{BoxError, Setup};
use quire_domain::{Result, Timestamp, event::Event, id::EventId};
use serde_json::Value;
use tracing::Instrument;

use crate::batch::{self, BatchResponse, guarded};

/// Does what one event asks.
pub trait Consume: Send + Sync {
    /// Handles one event. It may come twice, and in any order.
    ///
    /// # Errors
    /// Any error makes the queue deliver the event again, and in the end move it to the dead-letter queue.
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>>;
}

/// Does what many events ask, together.
pub trait ConsumeBatch: Send + Sync {
    /// Handles events and returns the ids of those to be delivered again. Each may come twice, even in one batch, and in any order.
    ///
    /// # Errors
    /// Any error delivers all of them again, and in the end moves them to the dead-letter queue.
    fn consume_batch<'a>(&'a self, events: &'a [Event], now: Timestamp) -> BoxFuture<'a, Result<BTreeSet<EventId>>>;
}

/// Runs the consumer that `start` builds until Lambda ends the process.
pub fn run_queue(start: fn(&Setup) -> Result<Box<dyn Consume>, BoxError>) -> ExitCode {
    batch::run(start, |worker, payload, request_id| {
        Box::pin(async move {
            let messages = Messages::read(payload)?;
            let failed = each(worker, &messages.events, request_id).await;
            Ok(serde_json::to_value(messages.reply(&failed))?)
        })
    })
}

/// Runs the consumer of batches that `start` builds until Lambda ends the process.
pub fn run_queue_batches(start: fn(&Setup) -> Result<Box<dyn ConsumeBatch>, BoxError>) -> ExitCode {
    batch::run(start, |worker, payload, _| {
        Box::pin(async move {
            let messages = Messages::read(payload)?;
            let failed = together(worker, &messages.events).await;
            Ok(serde_json::to_value(messages.reply(&failed))?)
        })
    })
}

/// The messages of one invocation.
struct Messages {
    /// Those that can be read.
    events: Vec<Event>,
    /// The ids of their messages.
    ids: Vec<String>,
    response: BatchResponse,
}

impl Messages {
    fn read(payload: Value) -> Result<Self, BoxError> {
        let mut messages = Self { events: Vec::new(), ids: Vec::new(), response: BatchResponse::default() };
        for record in batch::records(payload)? {
            let id = record.get("messageId").and_then(Value::as_str).ok_or("a record has no messageId")?;
            match serde_json::from_str(record.get("body").and_then(Value::as_str).unwrap_or_default()) {
                Ok(event) => {
                    messages.events.push(event);
                    messages.ids.push(id.to_owned());
                }
                Err(error) => {
                    tracing::error!(messageId = id, error = %error, "A message is no event of ours");
                    messages.response.fail(id);
                }
            }
        }
        Ok(messages)
    }

    /// Names the messages to be delivered again: those that cannot be read, and those of the events that failed, by their places.
    fn reply(mut self, failed: &BTreeSet<usize>) -> BatchResponse {
        for (place, (id, event)) in self.ids.into_iter().zip(&self.events).enumerate() {
            if failed.contains(&place) {
                tracing::error!(messageId = id, eventId = %event.id, "A message will be delivered again");
                self.response.fail(id);
            }
        }
        self.response
    }
}

/// Handles events one by one; the places of those that failed.
async fn each(worker: &dyn Consume, events: &[Event], request_id: &str) -> BTreeSet<usize> {
    let mut failed = BTreeSet::new();
    for (place, event) in events.iter().enumerate() {
        async {
            if let Err(error) = guarded(worker.consume(event, Timestamp::now())).await {
                tracing::error!(eventId = %event.id, error = quire_telemetry::chain(&error), "An event could not be handled");
                failed.insert(place);
            }
        }
        .instrument(quire_telemetry::span(request_id, &event.trace))
        .await;
    }
    failed
}

/// Handles events together; the places of those that failed. Each has a trace of its own, to which its line in the log belongs.
async fn together(worker: &dyn ConsumeBatch, events: &[Event]) -> BTreeSet<usize> {
    let failed = guarded(worker.consume_batch(events, Timestamp::now())).await.unwrap_or_else(|error| {
        tracing::error!(error = quire_telemetry::chain(&error), "Events could not be handled");
        events.iter().map(|event| event.id).collect()
    });
    let (failed, handled): (Vec<_>, Vec<_>) = events.iter().enumerate().partition(|(_, event)| failed.contains(&event.id));
    for (_, Event { id, trace, .. }) in handled {
        tracing::info!(eventId = %id, correlationId = trace.correlation_id, traceparent = trace.traceparent, "An event was handled");
    }
    failed.into_iter().map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use quire_domain::{
        Error,
        event::{EventData, Trace},
        id::{CommentId, PostId},
    };
    use serde_json::json;

    use super::*;

    struct Moody;

    impl Consume for Moody {
        fn consume<'a>(&'a self, event: &'a Event, _: Timestamp) -> BoxFuture<'a, Result<()>> {
            Box::pin(async move {
                match event.trace.correlation_id.as_str() {
                    "panics" => panic!("moody"),
                    "fails" => Err(Error::Contended),
                    _ => Ok(()),
                }
            })
        }
    }

    fn record(id: &str, mood: &str) -> Value {
        let now = Timestamp::from_millis(0);
        let trace = Trace { correlation_id: mood.into(), traceparent: String::new() };
        let data = EventData::CommentCreated { post_id: PostId::generate(now), comment_id: CommentId::generate(now) };
        json!({"messageId": id, "body": serde_json::to_string(&Event::new(data, None, trace, now)).unwrap()})
    }

    impl ConsumeBatch for Moody {
        fn consume_batch<'a>(&'a self, events: &'a [Event], now: Timestamp) -> BoxFuture<'a, Result<BTreeSet<EventId>>> {
            Box::pin(async move {
                let mut failed = BTreeSet::new();
                for event in events {
                    if event.trace.correlation_id == "fails alone" {
                        failed.insert(event.id);
                    } else {
                        self.consume(event, now).await?;
                    }
                }
                Ok(failed)
            })
        }
    }

    fn messages(records: &[Value]) -> Messages {
        Messages::read(json!({ "Records": records })).unwrap()
    }

    fn named(response: &BatchResponse) -> Vec<&str> {
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect()
    }

    fn poison() -> Value {
        json!({"messageId": "poison", "body": "{\"type\": \"unheard of\"}"})
    }

    #[tokio::test]
    async fn each_record_fails_alone() {
        let records = [record("1", "fine"), record("2", "panics"), poison(), record("3", "fails"), record("4", "fine"), json!({"messageId": "5"})];
        let messages = messages(&records);
        let failed = each(&Moody, &messages.events, "request").await;
        assert_eq!(named(&messages.reply(&failed)), ["poison", "5", "2", "3"]);
    }

    #[tokio::test]
    async fn of_a_batch_those_that_failed_are_delivered_again() {
        let twice = record("4", "fails alone");
        let mut again = twice.clone();
        again["messageId"] = json!("5");
        let messages = messages(&[record("1", "fine"), poison(), record("2", "fine"), twice, again]);
        let failed = together(&Moody, &messages.events).await;
        assert_eq!(named(&messages.reply(&failed)), ["poison", "4", "5"]);
    }

    #[tokio::test]
    async fn a_batch_that_fails_or_panics_is_delivered_again_whole() {
        for mood in ["fails", "panics"] {
            let messages = messages(&[record("1", "fine"), record("2", mood)]);
            let failed = together(&Moody, &messages.events).await;
            assert_eq!(named(&messages.reply(&failed)), ["1", "2"], "{mood}");
        }
    }
}

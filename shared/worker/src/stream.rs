//! The worker behind the table's stream.

use std::{collections::BTreeSet, process::ExitCode};

use futures::future::BoxFuture;
use quire_aws::{BoxError, Setup};
use quire_domain::{Result, event::Event, id::EventId};
use serde_json::Value;

use crate::batch::{self, BatchResponse, guarded};

/// Passes on events that were written to the outbox.
pub trait Relay: Send + Sync {
    /// Handles events in the order of the stream and returns the ids of those to be delivered again.
    ///
    /// # Errors
    /// Any error delivers all of them again.
    fn relay<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<BTreeSet<EventId>>>;
}

/// Runs the relay that `start` builds until Lambda ends the process.
pub fn run_stream(start: fn(&Setup) -> Result<Box<dyn Relay>, BoxError>) -> ExitCode {
    batch::run(start, |worker, payload, _| Box::pin(async move { Ok(serde_json::to_value(relay(worker, payload).await?)?) }))
}

/// The stream goes on after the first record that failed, and delivers again all that follow it.
async fn relay(worker: &dyn Relay, payload: Value) -> Result<BatchResponse, BoxError> {
    let mut response = BatchResponse::default();
    let mut sequence_numbers = Vec::new();
    let mut events = Vec::new();
    for record in batch::records(payload)? {
        let number = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str).ok_or("a record has no SequenceNumber")?.to_owned();
        let text = record.pointer("/dynamodb/NewImage/event/S").and_then(Value::as_str).unwrap_or_default();
        match serde_json::from_str::<Event>(text) {
            Ok(event) => {
                sequence_numbers.push(number);
                events.push(event);
            }
            Err(error) => {
                tracing::error!(sequenceNumber = number, error = %error, "An outbox item is no event of ours");
                response.fail(number);
            }
        }
    }
    let failed = guarded(worker.relay(&events)).await.inspect_err(|error| {
        tracing::error!(error = quire_telemetry::chain(error), "Events could not be passed on");
    })?;
    for (number, event) in sequence_numbers.into_iter().zip(&events) {
        let trace = &event.trace;
        if failed.contains(&event.id) {
            response.fail(number);
        } else {
            tracing::info!(eventId = %event.id, correlationId = trace.correlation_id, traceparent = trace.traceparent, "An event was passed on");
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use quire_domain::{
        Timestamp,
        event::{EventData, Trace},
        id::PostId,
    };
    use serde_json::json;

    use super::*;

    struct FailsOn(EventId);

    impl Relay for FailsOn {
        fn relay<'a>(&'a self, _: &'a [Event]) -> BoxFuture<'a, Result<BTreeSet<EventId>>> {
            Box::pin(async move { Ok([self.0].into()) })
        }
    }

    fn event() -> Event {
        let now = Timestamp::from_millis(0);
        let trace = Trace { correlation_id: "c".into(), traceparent: "t".into() };
        Event::new(EventData::PostDrafted { post_id: PostId::generate(now) }, None, trace, now)
    }

    fn record(number: &str, text: &str) -> Value {
        json!({"dynamodb": {"SequenceNumber": number, "NewImage": {"event": {"S": text}}}})
    }

    #[tokio::test]
    async fn what_failed_and_what_cannot_be_read_is_delivered_again() {
        let (good, bad) = (event(), event());
        let text = |event: &Event| serde_json::to_string(event).unwrap();
        let records = [record("1", &text(&good)), record("2", "no event"), record("3", &text(&bad))];
        let response = relay(&FailsOn(bad.id), json!({ "Records": records })).await.unwrap();
        let failed: Vec<_> = response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
        assert_eq!(failed, ["2", "3"]);
    }
}

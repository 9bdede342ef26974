//! Workers behind a queue.

use std::process::ExitCode;

use futures::future::BoxFuture;
use quire_aws::{BoxError, Setup};
use quire_domain::{Result, Timestamp, event::Event};
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

/// Runs the consumer that `start` builds until Lambda ends the process.
pub fn run_queue(start: fn(&Setup) -> Result<Box<dyn Consume>, BoxError>) -> ExitCode {
    batch::run(start, |worker, payload, request_id| Box::pin(async move { Ok(serde_json::to_value(consume(worker, payload, request_id).await?)?) }))
}

async fn consume(worker: &dyn Consume, payload: Value, request_id: &str) -> Result<BatchResponse, BoxError> {
    let mut response = BatchResponse::default();
    for record in batch::records(payload)? {
        let id = record.get("messageId").and_then(Value::as_str).ok_or("a record has no messageId")?;
        let body = record.get("body").and_then(Value::as_str).unwrap_or_default();
        let event: Event = match serde_json::from_str(body) {
            Ok(event) => event,
            Err(error) => {
                tracing::error!(messageId = id, error = %error, "A message is no event of ours");
                response.fail(id);
                continue;
            }
        };
        let span = quire_telemetry::span(request_id, &event.trace);
        async {
            if let Err(error) = guarded(worker.consume(&event, Timestamp::now())).await {
                tracing::error!(messageId = id, eventId = %event.id, error = quire_telemetry::chain(&error), "An event could not be handled");
                response.fail(id);
            }
        }
        .instrument(span)
        .await;
    }
    Ok(response)
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

    #[tokio::test]
    async fn each_record_fails_alone() {
        let poison = json!({"messageId": "poison", "body": "{\"type\": \"unheard of\"}"});
        let records = [record("1", "fine"), record("2", "panics"), poison, record("3", "fails"), record("4", "fine"), json!({"messageId": "5"})];
        let response = consume(&Moody, json!({ "Records": records }), "request").await.unwrap();
        let failed: Vec<_> = response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
        assert_eq!(failed, ["2", "poison", "3", "5"]);
    }
}

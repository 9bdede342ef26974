//! The publisher: SQS.

use std::{collections::BTreeMap, error::Error as StdError};

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};
use aws_types::SdkConfig;
use futures::future::BoxFuture;
use quire_app::ports::Publisher;
use quire_domain::{
    Timestamp,
    event::{Consumer, Event},
    id::EventId,
};

use crate::{Environment, MissingVariable};

/// Seconds that a queue delays a message, most (its quota).
const DELAY_SECONDS: i64 = 900;
/// Entries in one `SendMessageBatch` (its quota). Our events have a few hundred bytes, far under the megabyte that a batch may have.
const BATCH: usize = 10;

/// A queue for each consumer.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    urls: BTreeMap<Consumer, String>,
}

impl Queues {
    /// The queues whose URLs are in the environment, one for each consumer.
    ///
    /// # Errors
    /// [`MissingVariable`], with the name of the first that is not set.
    pub fn from_env(environment: Environment, config: &SdkConfig) -> Result<Self, MissingVariable> {
        let variable = |consumer: Consumer| format!("{}_QUEUE_URL", consumer.name().to_uppercase().replace('-', "_"));
        let url = |consumer: Consumer| Ok((consumer, environment.get(&variable(consumer))?));
        Ok(Self { client: Client::new(config), urls: Consumer::ALL.into_iter().map(url).collect::<Result<_, _>>()? })
    }

    /// Sends at most [`BATCH`] events and returns the ids of those that the queue accepted.
    async fn send(&self, consumer: Consumer, events: &[&Event]) -> Result<Vec<EventId>, Box<dyn StdError + Send + Sync>> {
        let url = self.urls.get(&consumer).ok_or("the consumer has no queue")?;
        let entries = events.iter().enumerate().map(|(index, event)| entry(index, event)).collect::<Result<_, _>>()?;
        let output = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await?;
        for failure in output.failed() {
            tracing::warn!(consumer = consumer.name(), code = failure.code(), "A queue did not accept an event");
        }
        let accepted = output.successful().iter().filter_map(|entry| events.get(entry.id().parse::<usize>().ok()?));
        Ok(accepted.map(|event| event.id).collect())
    }
}

impl Publisher for Queues {
    fn publish<'a>(&'a self, consumer: Consumer, events: &'a [&'a Event]) -> BoxFuture<'a, Vec<EventId>> {
        Box::pin(async move {
            let mut accepted = Vec::with_capacity(events.len());
            for batch in events.chunks(BATCH) {
                match self.send(consumer, batch).await {
                    Ok(ids) => accepted.extend(ids),
                    Err(error) => tracing::warn!(consumer = consumer.name(), error = &*error as &dyn StdError, "A queue did not accept a batch"),
                }
            }
            accepted
        })
    }
}

/// The event as its one JSON text, with what a consumer's tooling wants to see without parsing it.
fn entry(index: usize, event: &Event) -> Result<SendMessageBatchRequestEntry, Box<dyn StdError + Send + Sync>> {
    let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build();
    // A consumer that has it too early emits it again.
    let delay = event.data.not_before().map(|at| at.plus_seconds(1).seconds() - Timestamp::now().seconds());
    Ok(SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(serde_json::to_string(event)?)
        .set_delay_seconds(delay.and_then(|seconds| i32::try_from(seconds.clamp(0, DELAY_SECONDS)).ok()))
        .message_attributes("correlationId", text(&event.trace.correlation_id)?)
        .message_attributes("traceparent", text(&event.trace.traceparent)?)
        .build()?)
}

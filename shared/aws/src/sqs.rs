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
/// Entries in one `SendMessageBatch` (its quota).
const BATCH: usize = 10;
/// Bytes of all messages of one `SendMessageBatch` (its quota): bodies, and names, types and values of attributes.
const BATCH_BYTES: usize = 1024 * 1024;

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

    /// Sends the entries of one batch and returns the positions of those that the queue accepted.
    async fn send(&self, consumer: Consumer, entries: Vec<SendMessageBatchRequestEntry>) -> Result<Vec<usize>, Box<dyn StdError + Send + Sync>> {
        let url = self.urls.get(&consumer).ok_or("the consumer has no queue")?;
        let output = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await?;
        for failure in output.failed() {
            tracing::warn!(consumer = consumer.name(), code = failure.code(), "A queue did not accept an event");
        }
        Ok(output.successful().iter().filter_map(|entry| entry.id().parse().ok()).collect())
    }
}

impl Publisher for Queues {
    fn publish<'a>(&'a self, consumer: Consumer, events: &'a [&'a Event]) -> BoxFuture<'a, Vec<EventId>> {
        Box::pin(async move {
            let mut accepted = Vec::with_capacity(events.len());
            let mut entries = Vec::with_capacity(events.len());
            for (index, event) in events.iter().enumerate() {
                match entry(index, event) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => tracing::error!(eventId = %event.id, error = &*error as &dyn StdError, "An event cannot be a message"),
                }
            }
            for batch in batches(entries, bytes) {
                match self.send(consumer, batch).await {
                    Ok(indexes) => accepted.extend(indexes.into_iter().filter_map(|index| Some(events.get(index)?.id))),
                    Err(error) => tracing::warn!(consumer = consumer.name(), error = &*error as &dyn StdError, "A queue did not accept a batch"),
                }
            }
            accepted
        })
    }
}

/// Divides entries into as few batches as their order and the quotas allow. An entry that is too large for any has one for itself.
fn batches<T>(entries: Vec<T>, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for entry in entries {
        let size = bytes(&entry);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && size <= room => {
                room -= size;
                batch.push(entry);
            }
            _ => {
                room = BATCH_BYTES.saturating_sub(size);
                batches.push(vec![entry]);
            }
        }
    }
    batches
}

/// What an entry counts for.
fn bytes(entry: &SendMessageBatchRequestEntry) -> usize {
    let attributes = entry.message_attributes().into_iter().flatten();
    let attributes = attributes.map(|(name, value)| name.len() + value.data_type().len() + value.string_value().map_or(0, str::len));
    entry.message_body().len() + attributes.sum::<usize>()
}

/// The event as its one JSON text, with what a consumer's tooling wants to see without parsing it.
fn entry(index: usize, event: &Event) -> Result<SendMessageBatchRequestEntry, Box<dyn StdError + Send + Sync>> {
    let text = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build();
    Ok(SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(serde_json::to_string(event)?)
        .set_delay_seconds(delay_seconds(event, Timestamp::now()))
        .message_attributes("correlationId", text(&event.trace.correlation_id)?)
        .message_attributes("traceparent", text(&event.trace.traceparent)?)
        .build()?)
}

/// Seconds that a message is held back; a whole one more rather than less, so that no message comes early but for the quota.
fn delay_seconds(event: &Event, now: Timestamp) -> Option<i32> {
    let millis = event.data.not_before()?.millis() - now.millis();
    let seconds = (millis + 999).div_euclid(1000).clamp(0, DELAY_SECONDS);
    i32::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use quire_domain::{
        event::{EventData, Trace},
        id::{DeliveryId, PostId, WebhookId},
    };

    use super::*;

    #[test]
    fn a_message_is_held_back_for_a_quarter_of_an_hour_at_most() {
        let now = Timestamp::from_millis(1_000_000);
        let delay =
            |data: EventData| delay_seconds(&Event::new(data, None, Trace { correlation_id: String::new(), traceparent: String::new() }, now), now);
        let due = |millis: i64| {
            delay(EventData::WebhookDeliveryDue {
                webhook_id: WebhookId::generate(now),
                delivery_id: DeliveryId::generate(now),
                due: Timestamp::from_millis(now.millis() + millis),
            })
        };
        assert_eq!([-5000, 0, 1, 1000, 1001, 900_000, 5_000_000].map(due), [None, None, Some(1), Some(1), Some(2), Some(900), Some(900)]);
        assert_eq!(delay(EventData::PostDeleted { post_id: PostId::generate(now) }), None);
    }

    #[test]
    fn a_batch_has_ten_entries_and_a_megabyte_at_most() {
        let sizes = |entries: &[usize]| batches(entries.to_vec(), |size| *size);
        assert_eq!(sizes(&[]), [[]; 0] as [[usize; 0]; 0]);
        assert_eq!(sizes(&[1; 25]).iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        assert_eq!(sizes(&[BATCH_BYTES - 1, 1, 1]), [vec![BATCH_BYTES - 1, 1], vec![1]]);
        assert_eq!(sizes(&[1, BATCH_BYTES + 1, 1]), [[1], [BATCH_BYTES + 1], [1]]);
    }
}

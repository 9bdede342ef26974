//! From the outbox to the queues. A crash between publishing and forgetting publishes twice, never zero times.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::BoxFuture;
use quire_domain::{
    Result, Timestamp,
    event::{Consumer, Event},
    id::EventId,
};
use quire_store::{OUTBOX_SHARDS, Store};

use crate::ports::Publisher;

/// Seconds that an event may stay in the outbox before the sweep publishes it.
const SWEEP_AFTER_SECONDS: i64 = 60;
/// Events that the sweep reads at once.
const SWEEP_EVENTS: usize = 100;
/// Events that a queue refuses together before the sweep takes it to be down, and asks it no more: one refused event says nothing.
const REFUSED_EVENTS: usize = 10;

/// The use cases of the outbox.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    publisher: Arc<dyn Publisher>,
}

impl Outbox {
    /// The outbox of `store`, emptied into `publisher`.
    pub fn new(store: Store, publisher: Arc<dyn Publisher>) -> Self {
        Self { store, publisher }
    }

    /// Publishes events to every queue that subscribes to them, then forgets them. Returns the ids of those that are not
    /// published everywhere; they stay in the outbox.
    ///
    /// # Errors
    /// The table's, when published events cannot be forgotten; they are published again.
    pub fn publish<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<BTreeSet<EventId>>> {
        Box::pin(async move { self.publish_except(events, &mut BTreeSet::new()).await })
    }

    /// Publishes what has stayed in the outbox for more than a minute, so that an outage longer than the stream keeps its records
    /// loses nothing. Returns the age in seconds of the oldest event that it found, 0 where it found none.
    ///
    /// Whatever cannot be read or published is passed by, so that it hides nothing behind it.
    ///
    /// # Errors
    /// The table's.
    pub fn sweep(&self, now: Timestamp) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async move {
            let before = now.plus_seconds(-SWEEP_AFTER_SECONDS);
            let (mut published, mut left, mut oldest) = (0, 0, now);
            let mut down = BTreeSet::new();
            for shard in 0..OUTBOX_SHARDS {
                let mut after = None;
                loop {
                    let page = self.store.unpublished(shard, before, after, SWEEP_EVENTS).await?;
                    oldest = page.oldest.map_or(oldest, |at| at.min(oldest));
                    let failed = self.publish_except(&page.events, &mut down).await?.len();
                    left += failed;
                    published += page.events.len() - failed;
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
            }
            if published + left > 0 {
                tracing::info!(published, left, "The outbox had events that the relay has left");
            }
            Ok(now.seconds() - oldest.seconds())
        })
    }

    /// As [`Outbox::publish`], without asking the consumers in `down`, to which those are added that have accepted nothing of
    /// [`REFUSED_EVENTS`] or more.
    async fn publish_except(&self, events: &[Event], down: &mut BTreeSet<Consumer>) -> Result<BTreeSet<EventId>> {
        let mut queues: BTreeMap<Consumer, Vec<&Event>> = BTreeMap::new();
        for event in events {
            for consumer in event.data.consumers() {
                queues.entry(*consumer).or_default().push(event);
            }
        }
        let mut failed = BTreeSet::new();
        for (consumer, events) in &queues {
            let accepted: BTreeSet<_> = match down.contains(consumer) {
                true => BTreeSet::new(),
                false => self.publisher.publish(*consumer, events).await.into_iter().collect(),
            };
            if accepted.is_empty() && events.len() >= REFUSED_EVENTS {
                down.insert(*consumer);
            }
            failed.extend(events.iter().map(|event| event.id).filter(|id| !accepted.contains(id)));
        }
        let published: Vec<_> = events.iter().map(|event| event.id).filter(|id| !failed.contains(id)).collect();
        self.store.forget_events(&published).await?;
        Ok(failed)
    }
}

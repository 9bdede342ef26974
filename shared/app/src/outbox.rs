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
        Box::pin(async move {
            let mut queues: BTreeMap<Consumer, Vec<&Event>> = BTreeMap::new();
            for event in events {
                for consumer in event.data.consumers() {
                    queues.entry(*consumer).or_default().push(event);
                }
            }
            let mut failed = BTreeSet::new();
            for (consumer, events) in &queues {
                let accepted: BTreeSet<_> = self.publisher.publish(*consumer, events).await.into_iter().collect();
                failed.extend(events.iter().map(|event| event.id).filter(|id| !accepted.contains(id)));
            }
            let published: Vec<_> = events.iter().map(|event| event.id).filter(|id| !failed.contains(id)).collect();
            self.store.forget_events(&published).await?;
            Ok(failed)
        })
    }

    /// Publishes what has stayed in the outbox for more than a minute, so that an outage longer than the stream keeps its records
    /// loses nothing.
    ///
    /// # Errors
    /// The table's.
    pub fn sweep(&self, now: Timestamp) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let before = now.plus_seconds(-SWEEP_AFTER_SECONDS);
            let (mut published, mut left) = (0, 0);
            for shard in 0..OUTBOX_SHARDS {
                loop {
                    let events = self.store.unpublished(shard, before, SWEEP_EVENTS).await?;
                    if events.is_empty() {
                        break;
                    }
                    let failed = self.publish(&events).await?.len();
                    left += failed;
                    published += events.len() - failed;
                    // What failed would be read again at once.
                    if failed > 0 {
                        break;
                    }
                }
            }
            if published + left > 0 {
                tracing::info!(published, left, "The outbox had events that the relay has left");
            }
            Ok(())
        })
    }
}

//! The queue `TallyEngagementQueue`: counts what readers did with posts, many events at once.
//!
//! Reads the markers of the events. Writes, for each post, the markers of those that are not counted yet and the sums of what they tell,
//! under the condition that there is the post.

use std::{collections::BTreeSet, process::ExitCode};

use futures::future::BoxFuture;
use quire_app::{Result, tallies::Tallies};
use quire_aws::{BoxError, Setup};
use quire_domain::{Timestamp, event::Event, id::EventId};
use quire_worker::{ConsumeBatch, run_queue_batches};

struct TallyEngagement(Tallies);

fn main() -> ExitCode {
    run_queue_batches(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn ConsumeBatch>, BoxError> {
    Ok(Box::new(TallyEngagement(Tallies::new(setup.store()?))))
}

impl ConsumeBatch for TallyEngagement {
    fn consume_batch<'a>(&'a self, events: &'a [Event], now: Timestamp) -> BoxFuture<'a, Result<BTreeSet<EventId>>> {
        self.0.count(events, now)
    }
}

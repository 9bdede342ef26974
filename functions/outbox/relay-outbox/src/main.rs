//! The table's stream, filtered to new outbox items: publishes events to the queues that subscribe to them.
//!
//! Reads nothing. Sends to queues, then deletes the outbox items.

use std::{collections::BTreeSet, process::ExitCode, sync::Arc};

use futures::future::BoxFuture;
use quire_app::{Result, outbox::Outbox};
use quire_aws::{BoxError, Setup, sqs::Queues};
use quire_domain::{event::Event, id::EventId};
use quire_worker::{Relay, run_stream};

struct RelayOutbox(Outbox);

fn main() -> ExitCode {
    run_stream(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Relay>, BoxError> {
    let queues = Queues::from_env(setup.environment, &setup.aws)?;
    Ok(Box::new(RelayOutbox(Outbox::new(setup.store()?, Arc::new(queues)))))
}

impl Relay for RelayOutbox {
    fn relay<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<BTreeSet<EventId>>> {
        self.0.publish(events)
    }
}

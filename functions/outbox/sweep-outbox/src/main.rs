//! Each minute: publishes events that have stayed in the outbox for more than a minute.
//!
//! Reads each shard of the outbox. Sends to queues, then deletes the outbox items.

use std::{process::ExitCode, sync::Arc};

use futures::future::BoxFuture;
use quire_app::{Result, outbox::Outbox};
use quire_aws::{BoxError, Setup, sqs::Queues};
use quire_domain::Timestamp;
use quire_worker::{Tick, run_schedule};

struct SweepOutbox(Outbox);

fn main() -> ExitCode {
    run_schedule(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Tick>, BoxError> {
    let queues = Queues::from_env(setup.environment, &setup.aws)?;
    Ok(Box::new(SweepOutbox(Outbox::new(setup.store()?, Arc::new(queues)))))
}

impl Tick for SweepOutbox {
    fn tick(&self, now: Timestamp) -> BoxFuture<'_, Result<()>> {
        self.0.sweep(now)
    }
}

//! Each minute: publishes events that have stayed in the outbox for more than a minute.
//!
//! Reads each shard of the outbox. Sends to queues, then deletes the outbox items, and tells the age of the oldest event as a metric.

use std::{process::ExitCode, sync::Arc};

use futures::future::BoxFuture;
use quire_app::{Result, outbox::Outbox};
use quire_aws::{BoxError, Setup, sqs::Queues};
use quire_domain::Timestamp;
use quire_worker::{Tick, run_schedule};

struct SweepOutbox {
    outbox: Outbox,
    namespace: String,
}

fn main() -> ExitCode {
    run_schedule(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Tick>, BoxError> {
    let queues = Queues::from_env(setup.environment, &setup.aws)?;
    let namespace = setup.environment.get("METRICS_NAMESPACE")?;
    Ok(Box::new(SweepOutbox { outbox: Outbox::new(setup.store()?, Arc::new(queues)), namespace }))
}

impl Tick for SweepOutbox {
    fn tick(&self, now: Timestamp) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let age = self.outbox.sweep(now).await?;
            quire_telemetry::metric(&self.namespace, "OldestOutboxEventAge", "Seconds", age, now);
            Ok(())
        })
    }
}

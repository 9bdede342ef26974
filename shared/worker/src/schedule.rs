//! Workers behind a schedule.

use std::process::ExitCode;

use futures::future::BoxFuture;
use quire_aws::{BoxError, Setup};
use quire_domain::{Result, Timestamp};
use serde_json::Value;

use crate::batch::{self, guarded};

/// Does what is due.
pub trait Tick: Send + Sync {
    /// Runs once. A run may be skipped, come late or twice.
    ///
    /// # Errors
    /// Any error is the failure of the invocation; the next run tries again.
    fn tick(&self, now: Timestamp) -> BoxFuture<'_, Result<()>>;
}

/// Runs the worker that `start` builds until Lambda ends the process.
pub fn run_schedule(start: fn(&Setup) -> Result<Box<dyn Tick>, BoxError>) -> ExitCode {
    batch::run(start, |worker, _, request_id| {
        Box::pin(async move {
            guarded(worker.tick(Timestamp::now())).await.inspect_err(|error| {
                tracing::error!(requestId = request_id, error = quire_telemetry::chain(error), "A scheduled run failed");
            })?;
            Ok(Value::Null)
        })
    })
}

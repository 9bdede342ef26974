//! The queue `EraseUserQueue`: erases an account, step by step.
//!
//! Reads and removes what the account owns, leaves its comments without author and words, gives up its claims, and removes its export.
//! Writes the tombstone of the account with its entry in the ledger of erasures, and an event where there is more to do. What is gone stays
//! gone, so an event that comes again finds nothing to do.

use std::{process::ExitCode, sync::Arc};

use futures::future::BoxFuture;
use quire_app::{Result, erasure::Erasures};
use quire_aws::{BoxError, Setup, s3::S3};
use quire_domain::{Timestamp, event::Event};
use quire_worker::{Consume, run_queue};

struct EraseUser(Erasures);

fn main() -> ExitCode {
    run_queue(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Consume>, BoxError> {
    let posts = setup.environment.get("ERASED_POSTS")?.parse()?;
    let exports = S3::new(setup.environment, &setup.environment.get("EXPORT_BUCKET")?)?;
    Ok(Box::new(EraseUser(Erasures::new(setup.store()?, Arc::new(exports), posts))))
}

impl Consume for EraseUser {
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.erase(event, now)
    }
}

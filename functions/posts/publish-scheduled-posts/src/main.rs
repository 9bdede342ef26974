//! Each minute: publishes scheduled posts whose time has come.
//!
//! Reads the list of scheduled posts and each post that is due. Writes the post, its listings, the counts of its tags and its event.

use std::process::ExitCode;

use futures::future::BoxFuture;
use quire_app::{Result, publishing::Publishing};
use quire_aws::{BoxError, Setup};
use quire_domain::Timestamp;
use quire_worker::{Tick, run_schedule};

struct PublishScheduledPosts(Publishing);

fn main() -> ExitCode {
    run_schedule(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Tick>, BoxError> {
    Ok(Box::new(PublishScheduledPosts(Publishing::new(setup.store()?))))
}

impl Tick for PublishScheduledPosts {
    fn tick(&self, now: Timestamp) -> BoxFuture<'_, Result<()>> {
        // A run continues no request: it begins a trace.
        self.0.run(quire_telemetry::trace(None, None), now)
    }
}

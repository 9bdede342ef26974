//! The queue `FanOutPostQueue`: puts a published post into the feeds of its author's followers.
//!
//! Reads the post and the followers. Writes one entry for each follower, in batches; writing an entry again changes nothing.

use std::process::ExitCode;

use futures::future::BoxFuture;
use quire_app::{Result, feeds::Feeds};
use quire_aws::{BoxError, Setup};
use quire_domain::{Timestamp, event::Event};
use quire_worker::{Consume, run_queue};

struct FanOutPost(Feeds);

fn main() -> ExitCode {
    run_queue(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Consume>, BoxError> {
    Ok(Box::new(FanOutPost(Feeds::new(setup.store()?))))
}

impl Consume for FanOutPost {
    fn consume<'a>(&'a self, event: &'a Event, _: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.fan_out(event)
    }
}

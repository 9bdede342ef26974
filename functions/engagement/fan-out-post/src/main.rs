//! The queue `FanOutPostQueue`: puts a published post into the feeds of a page of its author's followers.
//!
//! Reads the post, whether its author is pulled, and a page of followers. Writes one entry for each follower, in batches; writing an entry
//! again changes nothing. Then, in one transaction, the event for the next page and the marker of this one; or that the author is pulled.

use std::process::ExitCode;

use futures::future::BoxFuture;
use quire_app::{
    Result,
    fan_out::{FanOut, Reach},
};
use quire_aws::{BoxError, Setup};
use quire_domain::{Timestamp, event::Event};
use quire_worker::{Consume, run_queue};

struct FanOutPost(FanOut);

fn main() -> ExitCode {
    run_queue(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Consume>, BoxError> {
    let number = |name| setup.environment.number(name);
    let reach = Reach { page: usize::try_from(number("FAN_OUT_PAGE")?)?, followers: number("FAN_OUT_FOLLOWERS")?.into() };
    Ok(Box::new(FanOutPost(FanOut::new(setup.store()?, reach))))
}

impl Consume for FanOutPost {
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.take(event, now)
    }
}

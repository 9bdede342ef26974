//! The queue `ModerateCommentQueue`: approves a new or changed comment or holds it for a person.
//!
//! Reads the comment and those before it. Writes the comment, its place among those to moderate, the number of the post's comments,
//! the marker of the event and `comment.approved` or `comment.held`, in one transaction.

use std::process::ExitCode;

use futures::future::BoxFuture;
use quire_app::{Result, moderation::Moderation};
use quire_aws::{BoxError, Setup};
use quire_domain::{Timestamp, event::Event, moderation::BlockedWords};
use quire_worker::{Consume, run_queue};

struct ModerateComment(Moderation);

fn main() -> ExitCode {
    run_queue(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Consume>, BoxError> {
    let blocked = BlockedWords::parse(&setup.environment.get("BLOCKED_WORDS")?);
    Ok(Box::new(ModerateComment(Moderation::new(setup.store()?, blocked))))
}

impl Consume for ModerateComment {
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.moderate(event, now)
    }
}

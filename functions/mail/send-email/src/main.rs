//! The queue `SendEmailQueue`: mails a token that somebody asked for, what was done to an account, or news that it wants.
//!
//! Reads the claim of the address, the account, and the newest token or the marker of the event; for news the comment or follower, and what
//! the account wants. Writes the token, of which it stores only a hash, or a new key of unsubscribing before the mail is sent, and that it is
//! sent, or a marker, afterwards.

use std::{process::ExitCode, sync::Arc};

use futures::future::BoxFuture;
use quire_app::{
    Result,
    mails::{Links, Mails},
};
use quire_aws::{BoxError, Setup, ses::Ses};
use quire_domain::{Timestamp, event::Event};
use quire_worker::{Consume, run_queue};

struct SendEmail(Mails);

fn main() -> ExitCode {
    run_queue(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Consume>, BoxError> {
    let mailer = Ses::new(&setup.aws, setup.environment.get("MAIL_FROM")?);
    let links = Links::to(&setup.environment.get("FRONT_END_URL")?, &setup.environment.get("ISSUER")?);
    Ok(Box::new(SendEmail(Mails::new(setup.store()?, Arc::new(mailer), links))))
}

impl Consume for SendEmail {
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.send(event, now)
    }
}

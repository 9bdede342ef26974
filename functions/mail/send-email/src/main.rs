//! The queue `SendEmailQueue`: mails a token that somebody asked for, or what was done to an account.
//!
//! Reads the claim of the address, the account, and the newest token or the marker of the event. Writes the token, of which it stores only
//! a hash, before the mail is sent, and that it is sent, or the marker, afterwards.

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
    let links = Links::to(&setup.environment.get("FRONT_END_URL")?);
    Ok(Box::new(SendEmail(Mails::new(setup.store()?, Arc::new(mailer), links))))
}

impl Consume for SendEmail {
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.send(event, now)
    }
}

//! The queue `DeliverWebhookQueue`: makes the deliveries of an event to the webhooks that want it, and tries those that are due.
//!
//! Reads the webhooks; or a delivery, its webhook, how well that answers, and its secrets, which KMS opens. Writes deliveries and
//! `webhook.delivery-due` for each; or the attempt, what it says of the endpoint, the message of the next one, and `webhook.paused`.

use std::{process::ExitCode, sync::Arc};

use futures::future::BoxFuture;
use quire_app::{Result, deliveries::Deliveries};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_domain::{Timestamp, event::Event};
use quire_webhooks::Sender;
use quire_worker::{Consume, run_queue};

struct DeliverWebhook(Deliveries);

fn main() -> ExitCode {
    run_queue(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Consume>, BoxError> {
    let vault = Arc::new(Kms::new(&setup.aws, setup.environment.get("WEBHOOK_KEY_ID")?));
    let sender = Sender::new(&setup.environment.get("WEBHOOK_ALLOWED_NETWORKS")?, &setup.environment.get("WEBHOOK_AUTHORITIES")?)?;
    Ok(Box::new(DeliverWebhook(Deliveries::new(setup.store()?, vault, Arc::new(sender)))))
}

impl Consume for DeliverWebhook {
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.handle(event, now)
    }
}

//! `POST /api/v1/webhooks`: makes a webhook, by an admin.
//!
//! Reads nothing. Writes the webhook, how many there are, and its secret, encrypted by KMS, in one transaction. The reply holds the secret, so
//! it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::webhooks::{IssuedWebhookView, NewWebhook, WebhookSecretChanges};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_edge::{Body, Created, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Arc::new(Kms::new(&setup.aws, setup.environment.get("WEBHOOK_KEY_ID")?));
    let router = Router::new().route("/api/v1/webhooks", post(handle)).with_state(WebhookSecretChanges::new(setup.store()?, vault));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(webhooks): State<WebhookSecretChanges>,
    SignedIn(call): SignedIn,
    Body(input): Body<NewWebhook>,
) -> Result<Created<IssuedWebhookView>> {
    let webhook = webhooks.create(&call, input).await?;
    Ok(Created::unversioned(format!("/api/v1/webhooks/{}", webhook.shown.webhook_id), webhook))
}

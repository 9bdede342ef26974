//! `POST /api/v1/webhooks/{webhookId}/secrets`: makes another secret of a webhook, by an admin; the one before stays good for a day.
//!
//! Reads the secrets. Writes them, encrypted by KMS. The reply holds the secret, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::webhooks::{WebhookSecretChanges, WebhookSecretView};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_domain::id::WebhookId;
use quire_edge::{Id, Issued, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Arc::new(Kms::new(&setup.aws, setup.environment.get("WEBHOOK_KEY_ID")?));
    let secrets = WebhookSecretChanges::new(setup.store()?, vault);
    let router = Router::new().route("/api/v1/webhooks/{webhookId}/secrets", post(handle)).with_state(secrets);
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(secrets): State<WebhookSecretChanges>, SignedIn(call): SignedIn, Id(id): Id<WebhookId>) -> Result<Issued<WebhookSecretView>> {
    Ok(Issued(secrets.rotate(&call, id).await?))
}

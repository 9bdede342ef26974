//! `POST /api/v1/webhooks/{webhookId}/pings`: has a test sent to a webhook, by an admin.
//!
//! Reads the webhook. Writes a delivery and `webhook.delivery-due`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::webhooks::{DeliveryView, Webhooks};
use quire_aws::{BoxError, Setup};
use quire_domain::id::WebhookId;
use quire_edge::{Accepted, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/webhooks/{webhookId}/pings", post(handle)).with_state(Webhooks::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(webhooks): State<Webhooks>, SignedIn(call): SignedIn, Id(id): Id<WebhookId>) -> Result<Accepted<DeliveryView>> {
    Ok(Accepted(webhooks.ping(&call, id).await?))
}

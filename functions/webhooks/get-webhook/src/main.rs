//! `GET /api/v1/webhooks/{webhookId}`: a webhook, for admins.
//!
//! Reads the webhook. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::webhooks::{WebhookView, Webhooks};
use quire_aws::{BoxError, Setup};
use quire_domain::id::WebhookId;
use quire_edge::{Entity, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/webhooks/{webhookId}", get(handle)).with_state(Webhooks::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(State(webhooks): State<Webhooks>, SignedIn(call): SignedIn, Id(id): Id<WebhookId>) -> Result<Entity<WebhookView>> {
    Ok(Entity(webhooks.get(&call, id).await?))
}

//! `PATCH /api/v1/webhooks/{webhookId}`: changes a webhook, or switches it on or off, by an admin.
//!
//! Reads the webhook. Writes it.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::patch};
use quire_app::webhooks::{WebhookView, Webhooks};
use quire_aws::{BoxError, Setup};
use quire_domain::{id::WebhookId, webhook::WebhookPatch};
use quire_edge::{Entity, Id, IfMatch, Patch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/webhooks/{webhookId}", patch(handle)).with_state(Webhooks::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(webhooks): State<Webhooks>,
    SignedIn(call): SignedIn,
    Id(id): Id<WebhookId>,
    IfMatch(precondition): IfMatch,
    Patch(patch): Patch<WebhookPatch>,
) -> Result<Entity<WebhookView>> {
    Ok(Entity(webhooks.update(&call, id, patch, precondition).await?))
}

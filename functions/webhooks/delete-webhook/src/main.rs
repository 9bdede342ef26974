//! `DELETE /api/v1/webhooks/{webhookId}`: removes a webhook, by an admin; it is told nothing more.
//!
//! Reads the webhook and its secrets. Removes both and counts it off, in one transaction. Its deliveries go when their time is over.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::webhooks::Webhooks;
use quire_aws::{BoxError, Setup};
use quire_domain::id::WebhookId;
use quire_edge::{Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/webhooks/{webhookId}", delete(handle)).with_state(Webhooks::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(webhooks): State<Webhooks>,
    SignedIn(call): SignedIn,
    Id(id): Id<WebhookId>,
    IfMatch(precondition): IfMatch,
) -> Result<StatusCode> {
    webhooks.delete(&call, id, precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

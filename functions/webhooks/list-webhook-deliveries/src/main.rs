//! `GET /api/v1/webhooks/{webhookId}/deliveries`: what a webhook was told, newest first, for admins.
//!
//! Reads the webhook and one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{
    page::PageRequest,
    webhooks::{DeliveryView, Webhooks},
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::WebhookId;
use quire_edge::{Id, List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/webhooks/{webhookId}/deliveries", get(handle)).with_state(Webhooks::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(webhooks): State<Webhooks>,
    SignedIn(call): SignedIn,
    Id(id): Id<WebhookId>,
    Query(page): Query<PageRequest>,
    query: RawQuery,
) -> Result<List<DeliveryView>> {
    Ok(List::new(webhooks.deliveries(&call, id, &page).await?, query))
}

//! `GET /api/v1/webhooks`: all webhooks, newest first, for admins.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{
    page::PageRequest,
    webhooks::{WebhookView, Webhooks},
};
use quire_aws::{BoxError, Setup};
use quire_edge::{List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/webhooks", get(handle)).with_state(Webhooks::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(webhooks): State<Webhooks>,
    SignedIn(call): SignedIn,
    Query(page): Query<PageRequest>,
    query: RawQuery,
) -> Result<List<WebhookView>> {
    Ok(List::new(webhooks.list(&call, &page).await?, query))
}

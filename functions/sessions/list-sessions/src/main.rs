//! `GET /api/v1/sessions`: where the caller is signed in, newest first.
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
    sessions::{OwnSessions, SessionSummaryView},
};
use quire_aws::{BoxError, Setup};
use quire_edge::{List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/sessions", get(handle)).with_state(OwnSessions::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(sessions): State<OwnSessions>,
    SignedIn(call): SignedIn,
    Query(page): Query<PageRequest>,
    query: RawQuery,
) -> Result<List<SessionSummaryView>> {
    Ok(List::new(sessions.list(&call, &page).await?, query))
}

//! `DELETE /api/v1/sessions/{sessionId}`: ends a session of the caller's.
//!
//! Reads the session. Removes it and writes an entry of the audit trail, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::sessions::OwnSessions;
use quire_aws::{BoxError, Setup};
use quire_domain::id::SessionId;
use quire_edge::{Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/sessions/{sessionId}", delete(handle)).with_state(OwnSessions::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(sessions): State<OwnSessions>, SignedIn(call): SignedIn, Id(id): Id<SessionId>) -> Result<StatusCode> {
    sessions.delete(&call, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

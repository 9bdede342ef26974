//! `DELETE /api/v1/sessions`: signs the caller out everywhere.
//!
//! Reads the caller's sessions. Removes fifty of them in one transaction, the first with an entry of the audit trail, until there are none.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::sessions::OwnSessions;
use quire_aws::{BoxError, Setup};
use quire_edge::{Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/sessions", delete(handle)).with_state(OwnSessions::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(sessions): State<OwnSessions>, SignedIn(call): SignedIn) -> Result<StatusCode> {
    sessions.delete_all(&call).await?;
    Ok(StatusCode::NO_CONTENT)
}

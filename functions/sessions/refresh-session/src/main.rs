//! `POST /api/v1/sessions/refresh`: the next tokens of a session, for its refresh token.
//!
//! Reads the account, the session and the signing keys. Writes the session with the hash of the next refresh token, and the next signing key
//! when it is due. For a token that was used before, removes the session and writes an entry of the audit trail and `session.reused`, in
//! one transaction. The reply holds tokens, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::sessions::{SessionRefresh, SessionView, Sessions};
use quire_aws::{BoxError, Setup};
use quire_edge::{Body, Public, Result, Route, Shown};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    Ok(Route::public(Router::new().route("/api/v1/sessions/refresh", post(handle)).with_state(setup.sessions(None)?)).with_rates(setup.rates()?))
}

async fn handle(State(sessions): State<Sessions>, Public(call): Public, Body(input): Body<SessionRefresh>) -> Result<Shown<SessionView>> {
    Ok(Shown(sessions.refresh(&call, &input).await?))
}

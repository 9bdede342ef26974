//! `POST /api/v1/sessions/refresh`: the next tokens of a session, for its refresh token.
//!
//! Reads the account, the session and the signing keys. Writes the session with the hash of the next refresh token, and the next signing key
//! when it is due. For a token that was used before, removes the session and writes an entry of the audit trail and `session.reused`, in
//! one transaction. The reply holds tokens, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::sessions::{SessionRefresh, SessionView, Sessions};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_edge::{Body, Public, Result, Route, Shown};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Kms::new(&setup.aws, setup.environment.get("SIGNING_KEY_ID")?);
    let sessions = Sessions::new(setup.store()?, Arc::new(vault), setup.issuer()?, setup.session_rules(None)?);
    Ok(Route::public(Router::new().route("/api/v1/sessions/refresh", post(handle)).with_state(sessions)).with_rates(setup.rates()?))
}

async fn handle(State(sessions): State<Sessions>, Public(call): Public, Body(input): Body<SessionRefresh>) -> Result<Shown<SessionView>> {
    Ok(Shown(sessions.refresh(&call, &input).await?))
}

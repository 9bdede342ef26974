//! `POST /api/v1/sessions/refresh`: the next tokens of a session, for its refresh token.
//!
//! Reads the account, the session and the signing keys. Writes the session with the hash of the next refresh token, and the next signing key
//! when it is due. For a token that was used before, removes the session and writes an entry of the audit trail and `session.reused`, in
//! one transaction. The reply holds tokens, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::sessions::{SessionRefresh, SessionRules, SessionView, Sessions};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_edge::{Body, Once, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Kms::new(&setup.aws, setup.environment.get("SIGNING_KEY_ID")?);
    let wants_verified_email = setup.environment.flag("REQUIRE_VERIFIED_EMAIL")?;
    let rules = SessionRules { first_admin: None, wants_verified_email, lifetimes: setup.lifetimes()? };
    let sessions = Sessions::new(setup.store()?, Arc::new(vault), setup.issuer()?, rules);
    Ok(Route::public(Router::new().route("/api/v1/sessions/refresh", post(handle)).with_state(sessions)).with_rates(setup.rates()?))
}

async fn handle(State(sessions): State<Sessions>, Public(call): Public, Body(input): Body<SessionRefresh>) -> Result<Once<SessionView>> {
    Ok(Once(sessions.refresh(&call, &input).await?))
}

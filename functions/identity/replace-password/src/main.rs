//! `PUT /api/v1/users/{userId}/password`: changes the password of the account that asks, which gives the present one, and signs it out
//! elsewhere.
//!
//! Reads the account, its credential and the sessions. Removes the other sessions; writes the credential, `user.password-changed` and an
//! entry of the audit trail, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::put};
use quire_app::passwords::{PasswordReplacement, Passwords};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Body, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/password", put(handle)).with_state(Passwords::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(passwords): State<Passwords>,
    SignedIn(call): SignedIn,
    Id(id): Id<UserId>,
    Body(input): Body<PasswordReplacement>,
) -> Result<StatusCode> {
    passwords.replace(&call, id, &input).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `PUT /api/v1/password-resets/{token}`: sets another password of an account, with a token that was mailed to it, and signs it out
//! everywhere.
//!
//! Reads the account, its credential, the token and the sessions. Writes the credential, the beginning of the use of the token,
//! `user.password-changed` and an entry of the audit trail; removes the sessions; writes the account, its places in lists, and the token,
//! which is used up. Each is one transaction, and after a crash between them the same request goes on.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::put};
use quire_app::{
    one_time::ResetToken,
    passwords::{PasswordReset, Passwords},
};
use quire_aws::{BoxError, Setup};
use quire_edge::{Body, Id, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/password-resets/{token}", put(handle)).with_state(Passwords::new(setup.store()?));
    Ok(Route::public(router).with_rates(setup.rates()?))
}

async fn handle(
    State(passwords): State<Passwords>,
    Public(call): Public,
    Id(token): Id<ResetToken>,
    Body(input): Body<PasswordReset>,
) -> Result<StatusCode> {
    passwords.reset(&call, &token, &input).await?;
    Ok(StatusCode::NO_CONTENT)
}

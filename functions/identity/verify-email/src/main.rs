//! `PUT /api/v1/email-verifications/{token}`: shows that an e-mail address is an account's own, with a token that was mailed to it.
//!
//! Reads the account and the token. Writes the account, its places in lists, the token, which is used up, and an entry of the audit trail,
//! in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::put};
use quire_app::{one_time::VerificationToken, verification::EmailVerifications};
use quire_aws::{BoxError, Setup};
use quire_edge::{Id, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/email-verifications/{token}", put(handle)).with_state(EmailVerifications::new(setup.store()?));
    Ok(Route::public(router).with_rates(setup.rates()?))
}

async fn handle(State(verifications): State<EmailVerifications>, Public(call): Public, Id(token): Id<VerificationToken>) -> Result<StatusCode> {
    verifications.complete(&call, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `POST /api/v1/email-verifications`: has a token mailed that verifies the e-mail address of an account, if there is one.
//!
//! Reads nothing, or the record of a repeated request. Writes `user.email-verification-requested`. Whether there is such an account is
//! looked up by the worker that mails the token, so that the reply is the same for every address, and takes the same time.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::post};
use quire_app::verification::{EmailVerifications, NewEmailVerification};
use quire_aws::{BoxError, Setup};
use quire_edge::{Body, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/email-verifications", post(handle)).with_state(EmailVerifications::new(setup.store()?));
    Ok(Route::public(router).with_rates(setup.rates()?))
}

async fn handle(
    State(verifications): State<EmailVerifications>,
    Public(call): Public,
    Body(input): Body<NewEmailVerification>,
) -> Result<StatusCode> {
    verifications.request(&call, &input).await?;
    Ok(StatusCode::ACCEPTED)
}

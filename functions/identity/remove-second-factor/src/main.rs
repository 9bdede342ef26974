//! `POST /api/v1/users/{userId}/second-factor/removal`: turns the second factor off; by the account itself, with its password and a code.
//!
//! Reads the account, its credential and its second factor. Removes the factor and writes the account, its places in lists, entries of the
//! audit trail and `user.second-factor-changed`, in one transaction, and counts the try.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use quire_app::{
    second_factor::SecondFactors,
    second_factor_changes::{SecondFactorChanges, SecondFactorRemoval},
};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_domain::id::UserId;
use quire_edge::{Body, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Arc::new(Kms::new(&setup.aws, setup.environment.get("SECOND_FACTOR_KEY_ID")?));
    let factors = SecondFactors::new(setup.store()?, vault);
    let changes = SecondFactorChanges::new(setup.store()?, factors, &setup.environment.get("ISSUER")?);
    let router = Router::new().route("/api/v1/users/{userId}/second-factor/removal", post(handle)).with_state(changes);
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(changes): State<SecondFactorChanges>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Body(input): Body<SecondFactorRemoval>,
) -> Result<StatusCode> {
    changes.remove(&call, user, input).await?;
    Ok(StatusCode::NO_CONTENT)
}

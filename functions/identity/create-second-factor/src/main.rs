//! `POST /api/v1/users/{userId}/second-factor`: makes the secret of a second factor, which waits for its first code; by the account itself,
//! with its password.
//!
//! Reads the account, its credential and its second factor. Writes the second factor, encrypted by KMS, and counts the try. The reply holds
//! the secret, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::{
    second_factor::SecondFactors,
    second_factor_changes::{NewSecondFactor, PendingSecondFactorView, SecondFactorChanges},
};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_domain::id::UserId;
use quire_edge::{Body, Created, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Arc::new(Kms::new(&setup.aws, setup.environment.get("SECOND_FACTOR_KEY_ID")?));
    let factors = SecondFactors::new(setup.store()?, vault);
    let changes = SecondFactorChanges::new(setup.store()?, factors, &setup.environment.get("ISSUER")?);
    let router = Router::new().route("/api/v1/users/{userId}/second-factor", post(handle)).with_state(changes);
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(changes): State<SecondFactorChanges>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Body(input): Body<NewSecondFactor>,
) -> Result<Created<PendingSecondFactorView>> {
    Ok(Created::unversioned(format!("/api/v1/users/{user}/second-factor"), changes.start(&call, user, input).await?))
}

//! `PUT /api/v1/users/{userId}/second-factor`: turns the second factor on, by its first code; by the account itself.
//!
//! Reads the account and its second factor. Writes both, the account's places in lists, entries of the audit trail and
//! `user.second-factor-changed`, in one transaction, and counts the try. The reply holds the recovery codes, so it is not recorded.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::put};
use quire_app::{
    second_factor::SecondFactors,
    second_factor_changes::{RecoveryCodesView, SecondFactorChanges, SecondFactorConfirmation},
};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_domain::id::UserId;
use quire_edge::{Body, Id, Result, Route, Shown, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Arc::new(Kms::new(&setup.aws, setup.environment.get("SECOND_FACTOR_KEY_ID")?));
    let factors = SecondFactors::new(setup.store()?, vault);
    let changes = SecondFactorChanges::new(setup.store()?, factors, &setup.environment.get("ISSUER")?);
    let router = Router::new().route("/api/v1/users/{userId}/second-factor", put(handle)).with_state(changes);
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(changes): State<SecondFactorChanges>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Body(input): Body<SecondFactorConfirmation>,
) -> Result<Shown<RecoveryCodesView>> {
    Ok(Shown(changes.confirm(&call, user, input).await?))
}

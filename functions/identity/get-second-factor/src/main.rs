//! `GET /api/v1/users/{userId}/second-factor`: whether the second factor is on, for the account itself.
//!
//! Reads the second factor. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::second_factor_changes::{SecondFactorView, SecondFactorViews};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Id, Result, Route, Shown, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/second-factor", get(handle)).with_state(SecondFactorViews::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(State(factors): State<SecondFactorViews>, SignedIn(call): SignedIn, Id(user): Id<UserId>) -> Result<Shown<SecondFactorView>> {
    Ok(Shown(factors.get(&call, user).await?))
}

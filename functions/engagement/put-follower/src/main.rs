//! `PUT /api/v1/users/{userId}/followers/{followerId}`: the caller, who is the follower, follows another account.
//!
//! Reads the account and its newest posts. Writes that it is followed, in one transaction, and then its posts into the caller's feed.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::put};
use quire_app::follows::Follows;
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{FollowerId, Id, IfNoneExists, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/followers/{followerId}", put(handle)).with_state(Follows::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(follows): State<Follows>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Id(FollowerId(follower)): Id<FollowerId>,
    IfNoneExists(only_new): IfNoneExists,
) -> Result<StatusCode> {
    follows.follow(&call, user, follower, only_new).await?;
    Ok(StatusCode::NO_CONTENT)
}

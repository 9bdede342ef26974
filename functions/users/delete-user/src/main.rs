//! `DELETE /api/v1/users/{userId}`: switches an account off for good and asks to have it erased, by itself or an admin.
//!
//! Reads the account, the one that asks and, where it is an admin's, who the admins are. Writes the account, its places in lists, who
//! the admins are, and `user.erasure-requested`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::user_changes::UserChanges;
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}", delete(handle)).with_state(UserChanges::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(users): State<UserChanges>,
    SignedIn(call): SignedIn,
    Id(id): Id<UserId>,
    IfMatch(precondition): IfMatch,
) -> Result<StatusCode> {
    users.request_erasure(&call, id, precondition).await?;
    Ok(StatusCode::ACCEPTED)
}

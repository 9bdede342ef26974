//! `PUT /api/v1/users/{userId}`: replaces what an account says of itself, by itself or an admin, who may also switch it on or off.
//!
//! Another address wants the password of who asks. Reads the account, the one that asks, its credential and, where it is an admin that is
//! switched, who the admins are. Removes the sessions of an account that is switched on again. Writes the account, its places
//! in lists, its claims to a new name or address instead of the old ones, and who the admins are, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::put};
use quire_app::{
    user_changes::UserChanges,
    users::{UserReplacement, UserView},
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Body, Entity, Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}", put(handle)).with_state(UserChanges::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(users): State<UserChanges>,
    SignedIn(call): SignedIn,
    Id(id): Id<UserId>,
    IfMatch(precondition): IfMatch,
    Body(UserReplacement(edit)): Body<UserReplacement>,
) -> Result<Entity<UserView>> {
    Ok(Entity(users.edit(&call, id, edit, precondition).await?))
}

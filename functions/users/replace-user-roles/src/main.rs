//! `PUT /api/v1/users/{userId}/roles`: gives an account exactly these roles, by an admin; nobody raises themselves, and the last
//! admin stays one.
//!
//! Reads the account, the one that asks and, where it becomes or stops being an admin, who the admins are. Writes the account, its
//! places in lists, and who the admins are, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::put};
use quire_app::{
    user_changes::UserChanges,
    users::{RoleReplacement, UserView},
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Body, Entity, Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/roles", put(handle)).with_state(UserChanges::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(users): State<UserChanges>,
    SignedIn(call): SignedIn,
    Id(id): Id<UserId>,
    IfMatch(precondition): IfMatch,
    Body(RoleReplacement(roles)): Body<RoleReplacement>,
) -> Result<Entity<UserView>> {
    Ok(Entity(users.assign_roles(&call, id, roles, precondition).await?))
}

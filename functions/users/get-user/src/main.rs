//! `GET /api/v1/users/{userId}`: an account, with its address for itself and for admins.
//!
//! Reads the account. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::users::{UserView, Users};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Anyone, Entity, Id, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}", get(handle)).with_state(Users::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(State(users): State<Users>, Anyone(call): Anyone, Id(id): Id<UserId>) -> Result<Entity<UserView>> {
    Ok(Entity(users.get(&call, id).await?))
}

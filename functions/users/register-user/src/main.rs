//! `POST /api/v1/users`: opens an account.
//!
//! Reads nothing, or the record of a repeated request. Writes the account, its credential, its claims to a username and an
//! address, and `user.registered`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::users::{NewUser, Registrations, UserView};
use quire_aws::{BoxError, Setup};
use quire_edge::{Body, Created, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let registrations = Registrations::new(setup.store()?, &setup.environment.get("NEW_ACCOUNT_ROLES")?)?;
    Ok(Route::public(Router::new().route("/api/v1/users", post(handle)).with_state(registrations)).with_rates(setup.rates()?))
}

async fn handle(State(users): State<Registrations>, Public(call): Public, Body(input): Body<NewUser>) -> Result<Created<UserView>> {
    let user = users.register(&call, input).await?;
    Ok(Created::at(format!("/api/v1/users/{}", user.user_id), user))
}

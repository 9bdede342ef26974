//! `GET /api/v1/users`: accounts, newest first, for admins; with `?role=` and `?isActive=` some of them.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::users::{UserQuery, UserView, Users};
use quire_aws::{BoxError, Setup};
use quire_edge::{List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users", get(handle)).with_state(Users::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(State(users): State<Users>, SignedIn(call): SignedIn, Query(wanted): Query<UserQuery>, query: RawQuery) -> Result<List<UserView>> {
    Ok(List::new(users.list(&call, &wanted).await?, query))
}

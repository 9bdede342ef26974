//! `GET /api/v1/users/{userId}/identities`: the accounts at other providers that sign in to an account, for itself.
//!
//! Reads them, in one item.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::identities::{IdentityView, LinkedIdentities};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Id, List, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let identities = LinkedIdentities::new(setup.store()?);
    let router = Router::new().route("/api/v1/users/{userId}/identities", get(handle)).with_state(identities);
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(identities): State<LinkedIdentities>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    query: RawQuery,
) -> Result<List<IdentityView>> {
    Ok(List::new(identities.list(&call, user).await?, query))
}

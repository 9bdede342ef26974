//! `GET /api/v1/users/{userId}/following`: whom an account follows, newest first.
//!
//! Reads the account and one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{
    follows::{FollowView, Follows},
    page::PageRequest,
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Id, List, Public, Query, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/following", get(handle)).with_state(Follows::new(setup.store()?));
    Ok(Route::public(router))
}

async fn handle(
    State(follows): State<Follows>,
    Public(_): Public,
    Id(user): Id<UserId>,
    Query(page): Query<PageRequest>,
    query: RawQuery,
) -> Result<List<FollowView>> {
    Ok(List::new(follows.following(user, &page).await?, query))
}

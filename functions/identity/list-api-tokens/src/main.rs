//! `GET /api/v1/users/{userId}/tokens`: the API tokens of an account, newest first, for itself and admins.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{
    api_tokens::{ApiTokenView, ApiTokens},
    page::PageRequest,
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Id, List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/tokens", get(handle)).with_state(ApiTokens::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(tokens): State<ApiTokens>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Query(page): Query<PageRequest>,
    query: RawQuery,
) -> Result<List<ApiTokenView>> {
    Ok(List::new(tokens.list(&call, user, &page).await?, query))
}

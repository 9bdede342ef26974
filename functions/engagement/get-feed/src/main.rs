//! `GET /api/v1/feed`: published posts of those whom the caller follows, newest first.
//!
//! Reads one page of the caller's feed, and its posts and authors in one batch; and the posts of authors whose posts have no entries in feeds.
//! Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{feeds::Feeds, page::PageRequest, posts::PostListItem};
use quire_aws::{BoxError, Setup};
use quire_edge::{List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/feed", get(handle)).with_state(Feeds::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(feeds): State<Feeds>,
    SignedIn(call): SignedIn,
    Query(page): Query<PageRequest>,
    query: RawQuery,
) -> Result<List<PostListItem>> {
    Ok(List::new(feeds.read(&call, &page).await?, query))
}

//! `GET /api/v1/posts/{postId}/revisions`: the versions of a post, newest first, for its author and for editors.
//!
//! Reads the post and one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{
    page::PageRequest,
    posts::{Posts, RevisionListItem},
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Id, List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/revisions", get(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(posts): State<Posts>,
    SignedIn(call): SignedIn,
    Id(id): Id<PostId>,
    Query(page): Query<PageRequest>,
    query: RawQuery,
) -> Result<List<RevisionListItem>> {
    Ok(List::new(posts.revisions(&call, id, &page).await?, query))
}

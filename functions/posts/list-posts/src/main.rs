//! `GET /api/v1/posts`: posts of an author, with a tag, with a status, in a language, newest first; those that are not published only for
//! their author and for editors.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::posts::{PostListItem, PostQuery, Posts};
use quire_aws::{BoxError, Setup};
use quire_edge::{Anyone, List, Query, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts", get(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(posts): State<Posts>,
    Anyone(call): Anyone,
    Query(PostQuery { filter, selection, page }): Query<PostQuery>,
    query: RawQuery,
) -> Result<List<PostListItem>> {
    Ok(List::new(posts.list(&call, &filter, &page).await?, query).only(selection))
}

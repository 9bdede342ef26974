//! `GET /api/v1/posts/{postId}/comments`: the comments of a post that the caller may see, oldest first.
//!
//! Reads the post and one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::comments::{CommentQuery, CommentView, Comments};
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Anyone, Id, List, Query, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/comments", get(handle)).with_state(Comments::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(comments): State<Comments>,
    Anyone(call): Anyone,
    Id(post): Id<PostId>,
    Query(wanted): Query<CommentQuery>,
    query: RawQuery,
) -> Result<List<CommentView>> {
    Ok(List::new(comments.list(&call, post, &wanted).await?, query))
}

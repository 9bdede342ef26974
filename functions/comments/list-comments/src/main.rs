//! `GET /api/v1/posts/{postId}/comments`: the comments of a post that the caller may see, oldest first.
//!
//! Reads the post and one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{FromRef, State},
    routing::get,
};
use quire_app::{
    comments::{CommentView, Comments},
    page::PageRequest,
    tokens::Tokens,
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Anyone, Id, List, Query, Result, Route};

#[derive(Clone, FromRef)]
struct Deps {
    comments: Comments,
    tokens: Tokens,
}

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let deps = Deps { comments: Comments::new(setup.store()?), tokens: setup.tokens()? };
    let tokens = deps.tokens.clone();
    Ok(Route::with_tokens(Router::new().route("/api/v1/posts/{postId}/comments", get(handle)).with_state(deps), tokens))
}

async fn handle(
    State(comments): State<Comments>,
    Anyone(call): Anyone,
    Id(post): Id<PostId>,
    Query(page): Query<PageRequest>,
) -> Result<List<CommentView>> {
    Ok(List::new(comments.list(&call, post, &page).await?, &page, ""))
}

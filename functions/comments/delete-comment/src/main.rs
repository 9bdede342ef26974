//! `DELETE /api/v1/posts/{postId}/comments/{commentId}`: removes the author and the words of a comment; it keeps its place.
//!
//! Reads the post and the comment. Writes the comment, its place among those to moderate and the number of the post's comments, in one
//! transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::comments::Comments;
use quire_aws::{BoxError, Setup};
use quire_domain::id::{CommentId, PostId};
use quire_edge::{Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/comments/{commentId}", delete(handle)).with_state(Comments::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(comments): State<Comments>,
    SignedIn(call): SignedIn,
    Id(post): Id<PostId>,
    Id(comment): Id<CommentId>,
    IfMatch(precondition): IfMatch,
) -> Result<StatusCode> {
    comments.delete(&call, (post, comment), &precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

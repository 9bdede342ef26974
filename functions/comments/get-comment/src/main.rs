//! `GET /api/v1/posts/{postId}/comments/{commentId}`: a comment that the caller may see.
//!
//! Reads the post and the comment. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::comments::{CommentView, Comments};
use quire_aws::{BoxError, Setup};
use quire_domain::id::{CommentId, PostId};
use quire_edge::{Anyone, Entity, Id, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/comments/{commentId}", get(handle)).with_state(Comments::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(comments): State<Comments>,
    Anyone(call): Anyone,
    Id(post): Id<PostId>,
    Id(comment): Id<CommentId>,
) -> Result<Entity<CommentView>> {
    Ok(Entity(comments.get(&call, post, comment).await?))
}

//! `PUT /api/v1/posts/{postId}/comments/{commentId}/status`: approves, holds or rejects a comment, by a moderator.
//!
//! Reads the post and the comment. Writes the comment, its place among those to moderate and the number of the post's comments, in one
//! transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::put};
use quire_app::comments::{CommentStatusReplacement, CommentView, Comments};
use quire_aws::{BoxError, Setup};
use quire_domain::id::{CommentId, PostId};
use quire_edge::{Body, Entity, Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/comments/{commentId}/status", put(handle)).with_state(Comments::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(comments): State<Comments>,
    SignedIn(call): SignedIn,
    Id(post): Id<PostId>,
    Id(comment): Id<CommentId>,
    IfMatch(precondition): IfMatch,
    Body(replacement): Body<CommentStatusReplacement>,
) -> Result<Entity<CommentView>> {
    Ok(Entity(comments.decide(&call, (post, comment), replacement.status, &precondition).await?))
}

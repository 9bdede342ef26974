//! `PUT /api/v1/posts/{postId}/comments/{commentId}`: replaces the words of the caller's comment, which is moderated again.
//!
//! Reads the post and the comment. Writes the comment, its place among those to moderate, the number of the post's comments and
//! `comment.updated`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::put};
use quire_app::comments::{CommentReplacement, CommentView, Comments};
use quire_aws::{BoxError, Setup};
use quire_domain::id::{CommentId, PostId};
use quire_edge::{Body, Entity, Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/comments/{commentId}", put(handle)).with_state(Comments::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(comments): State<Comments>,
    SignedIn(call): SignedIn,
    Id(post): Id<PostId>,
    Id(comment): Id<CommentId>,
    IfMatch(precondition): IfMatch,
    Body(replacement): Body<CommentReplacement>,
) -> Result<Entity<CommentView>> {
    Ok(Entity(comments.edit(&call, (post, comment), replacement.into(), &precondition).await?))
}

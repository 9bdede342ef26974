//! `POST /api/v1/posts/{postId}/comments`: comments on a published post, or answers a comment. Others see the comment once it is approved.
//!
//! Reads the post and the comment that is answered, or the record of a repeated request. Writes the comment, its place among those to
//! moderate and `comment.created`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::comments::{CommentView, Comments, NewComment};
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Body, Created, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/comments", post(handle)).with_state(Comments::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(comments): State<Comments>,
    SignedIn(call): SignedIn,
    Id(post): Id<PostId>,
    Body(input): Body<NewComment>,
) -> Result<Created<CommentView>> {
    let comment = comments.create(&call, post, input).await?;
    Ok(Created::at(format!("/api/v1/posts/{post}/comments/{}", comment.comment_id), comment))
}

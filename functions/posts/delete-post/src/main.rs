//! `DELETE /api/v1/posts/{postId}`: deletes a post for everybody.
//!
//! Reads the post, or what stays of it. Deletes the post and its places in lists; writes what stays of it, the counts of its tags and
//! `post.deleted`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::posts::Posts;
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Id, IfMatch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}", delete(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(posts): State<Posts>, SignedIn(call): SignedIn, Id(id): Id<PostId>, IfMatch(precondition): IfMatch) -> Result<StatusCode> {
    posts.delete(&call, id, precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

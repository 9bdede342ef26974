//! `PATCH /api/v1/posts/{postId}`: changes a post, or publishes it.
//!
//! Reads the post. Writes the post, its places in lists, its claim to a new slug, and `post.updated` or `post.published`, in one
//! transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::patch};
use quire_app::posts::{PostView, Posts};
use quire_aws::{BoxError, Setup};
use quire_domain::{id::PostId, post::PostPatch};
use quire_edge::{Entity, Id, IfMatch, Patch, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}", patch(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(posts): State<Posts>,
    SignedIn(call): SignedIn,
    Id(id): Id<PostId>,
    IfMatch(precondition): IfMatch,
    Patch(patch): Patch<PostPatch>,
) -> Result<Entity<PostView>> {
    Ok(Entity(posts.update(&call, id, patch, precondition).await?))
}

//! `PATCH /api/v1/posts/{postId}`: changes a post; schedules, publishes or archives it.
//!
//! Reads the post and its counts. Writes the post, its places in lists, what it said before, its claim to a new slug, the counts of its tags
//! and `post.updated` or what its new status asks for, in one transaction.

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

//! `GET /api/v1/posts/{postId}`: a post; a draft only for its author and for editors.
//!
//! Reads the post. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::posts::{PostView, Posts};
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Anyone, Entity, Id, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}", get(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(State(posts): State<Posts>, Anyone(call): Anyone, Id(id): Id<PostId>) -> Result<Entity<PostView>> {
    Ok(Entity(posts.get(&call, id).await?))
}

//! `GET /api/v1/posts/{postId}`: a post; a draft only for its author and for editors.
//!
//! Reads the post. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{FromRef, State},
    http::HeaderMap,
    routing::get,
};
use quire_app::{
    posts::{PostView, Posts},
    tokens::Tokens,
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Anyone, Entity, Id, Result, Route};

#[derive(Clone, FromRef)]
struct Deps {
    posts: Posts,
    tokens: Tokens,
}

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let deps = Deps { posts: Posts::new(setup.store()?), tokens: setup.tokens()? };
    let tokens = deps.tokens.clone();
    Ok(Route::with_tokens(Router::new().route("/api/v1/posts/{postId}", get(handle)).with_state(deps), tokens))
}

async fn handle(State(posts): State<Posts>, Anyone(call): Anyone, Id(id): Id<PostId>, headers: HeaderMap) -> Result<Entity<PostView>> {
    Ok(Entity::new(posts.get(&call, id).await?, &headers))
}

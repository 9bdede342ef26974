//! `GET /api/v1/posts/{postId}/revisions/{version}`: a post as one of its versions was, for its author and for editors.
//!
//! Reads the post, and the version if it is not the present one. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::posts::{Posts, RevisionView};
use quire_aws::{BoxError, Setup};
use quire_domain::{id::PostId, revision::RevisionNumber};
use quire_edge::{Entity, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/revisions/{version}", get(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(posts): State<Posts>,
    SignedIn(call): SignedIn,
    Id(id): Id<PostId>,
    Id(number): Id<RevisionNumber>,
) -> Result<Entity<RevisionView>> {
    Ok(Entity(posts.revision(&call, id, number).await?))
}

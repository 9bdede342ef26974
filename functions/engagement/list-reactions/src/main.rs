//! `GET /api/v1/posts/{postId}/reactions`: who reacted to a post, and how.
//!
//! Reads the post and one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::reactions::{ReactionQuery, ReactionView, Reactions};
use quire_aws::{BoxError, Setup};
use quire_domain::id::PostId;
use quire_edge::{Anyone, Id, List, Query, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/reactions", get(handle)).with_state(Reactions::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(reactions): State<Reactions>,
    Anyone(call): Anyone,
    Id(post): Id<PostId>,
    Query(wanted): Query<ReactionQuery>,
    query: RawQuery,
) -> Result<List<ReactionView>> {
    Ok(List::new(reactions.list(&call, post, &wanted).await?, query))
}

//! `GET /api/v1/comments`: the comments of all posts that are held, pending or rejected, oldest first, for moderators.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::comments::{CommentView, Comments, ModerationQuery};
use quire_aws::{BoxError, Setup};
use quire_edge::{List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/comments", get(handle)).with_state(Comments::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(comments): State<Comments>,
    SignedIn(call): SignedIn,
    Query(wanted): Query<ModerationQuery>,
    query: RawQuery,
) -> Result<List<CommentView>> {
    Ok(List::new(comments.list_moderation(&call, &wanted).await?, query))
}

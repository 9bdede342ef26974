//! `PUT /api/v1/posts/{postId}/reactions/{kind}`: reacts to a published post, if the caller has not.
//!
//! Reads the post and the reaction. Writes the reaction and counts it, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::put};
use quire_app::reactions::Reactions;
use quire_aws::{BoxError, Setup};
use quire_domain::{id::PostId, reaction::Kind};
use quire_edge::{Id, IfNoneExists, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/reactions/{kind}", put(handle)).with_state(Reactions::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(reactions): State<Reactions>,
    SignedIn(call): SignedIn,
    Id(post): Id<PostId>,
    Id(kind): Id<Kind>,
    IfNoneExists(only_new): IfNoneExists,
) -> Result<StatusCode> {
    reactions.put(&call, post, kind, only_new).await?;
    Ok(StatusCode::NO_CONTENT)
}

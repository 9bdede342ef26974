//! `DELETE /api/v1/posts/{postId}/reactions/{kind}`: takes a reaction of the caller back, if there is one.
//!
//! Reads the post and the reaction. Removes the reaction, and takes it out of the count, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::reactions::Reactions;
use quire_aws::{BoxError, Setup};
use quire_domain::{id::PostId, reaction::Kind};
use quire_edge::{Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts/{postId}/reactions/{kind}", delete(handle)).with_state(Reactions::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(reactions): State<Reactions>, SignedIn(call): SignedIn, Id(post): Id<PostId>, Id(kind): Id<Kind>) -> Result<StatusCode> {
    reactions.delete(&call, post, kind).await?;
    Ok(StatusCode::NO_CONTENT)
}

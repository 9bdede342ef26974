//! `POST /api/v1/posts`: drafts a post for the signed-in author.
//!
//! Reads nothing, or the record of a repeated request. Writes the post, its place in the author's list, its claim to a slug and
//! `post.drafted`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::posts::{PostView, Posts};
use quire_aws::{BoxError, Setup};
use quire_domain::post::Draft;
use quire_edge::{Body, Created, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts", post(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(posts): State<Posts>, SignedIn(call): SignedIn, Body(input): Body<Draft>) -> Result<Created<PostView>> {
    let post = posts.create(&call, input).await?;
    Ok(Created::at(format!("/api/v1/posts/{}", post.post_id), post))
}

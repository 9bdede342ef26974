//! `POST /api/v1/posts`: drafts a post for the signed-in author.
//!
//! Reads nothing, or the record of a repeated request. Writes the post, its place in the author's list, its claim to a slug and
//! `post.drafted`, in one transaction.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{FromRef, State},
    routing::post,
};
use quire_app::{
    posts::{NewPost, PostView, Posts},
    tokens::Tokens,
};
use quire_aws::{BoxError, Setup};
use quire_edge::{Body, Created, Result, Route, SignedIn};

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
    Ok(Route::with_tokens(Router::new().route("/api/v1/posts", post(handle)).with_state(deps), tokens))
}

async fn handle(State(posts): State<Posts>, SignedIn(call): SignedIn, Body(input): Body<NewPost>) -> Result<Created<PostView>> {
    let post = posts.create(&call, input).await?;
    Ok(Created::at(format!("/api/v1/posts/{}", post.post_id), post))
}

//! `GET /api/v1/posts`: published posts, newest first; with `?author=` all posts of that author, for the author and for editors.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::{
    Error,
    page::PageRequest,
    posts::{PostListItem, Posts},
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Anyone, List, Query, Result, Route};
use serde::Deserialize;

#[derive(Deserialize)]
struct Parameters {
    author: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts", get(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(State(posts): State<Posts>, Anyone(call): Anyone, Query(parameters): Query<Parameters>) -> Result<List<PostListItem>> {
    let Parameters { author, limit, cursor } = parameters;
    let page = PageRequest { limit, cursor };
    let Some(author) = author else { return Ok(List::new(posts.list_published(&call, &page).await?, &page, "")) };
    let owner: UserId = author.parse().map_err(|_| Error::field("/author", "is not an id"))?;
    Ok(List::new(posts.list_owned(&call, owner, &page).await?, &page, &format!("author={owner}&")))
}

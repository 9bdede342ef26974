//! `GET /api/v1/posts`: published posts, newest first; with `?author=` all posts of that author, for the author and for editors.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{
    input::{Fields, Input},
    page::PageRequest,
    posts::{PostListItem, Posts},
};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Anyone, List, Query, Result, Route};

struct Parameters {
    author: Option<UserId>,
    page: PageRequest,
}

impl Input for Parameters {
    fn read(fields: &mut Fields) -> Option<Self> {
        let (author, page) = (fields.optional("author", str::parse), PageRequest::read(fields));
        Some(Self { author: author?, page: page? })
    }
}

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/posts", get(handle)).with_state(Posts::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(posts): State<Posts>,
    Anyone(call): Anyone,
    Query(Parameters { author, page }): Query<Parameters>,
    query: RawQuery,
) -> Result<List<PostListItem>> {
    let page = match author {
        None => posts.list_published(&call, &page).await?,
        Some(author) => posts.list_owned(&call, author, &page).await?,
    };
    Ok(List::new(page, query))
}

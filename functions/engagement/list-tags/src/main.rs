//! `GET /api/v1/tags`: the tags of published posts, in the order of the alphabet.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::{
    page::PageRequest,
    tags::{TagView, Tags},
};
use quire_aws::{BoxError, Setup};
use quire_edge::{List, Query, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/tags", get(handle)).with_state(Tags::new(setup.store()?));
    Ok(Route::public(router))
}

async fn handle(State(tags): State<Tags>, Query(page): Query<PageRequest>, query: RawQuery) -> Result<List<TagView>> {
    Ok(List::new(tags.list(&page).await?, query))
}

//! `GET /openapi.json` and `GET /docs`: the contract of this API, for machines and for people.
//!
//! Reads nothing. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    http::{HeaderMap, header},
    response::Response,
    routing::get,
};
use quire_aws::{BoxError, Setup};
use quire_edge::{Result, Route, reply::still};

/// It changes only when this function is deployed anew.
const CACHING: &str = "public, max-age=300";

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(_: &Setup) -> Result<Route, BoxError> {
    Ok(Route::fixed(Router::new().route("/openapi.json", get(contract)).route("/docs", get(page))))
}

async fn contract(headers: HeaderMap) -> Response {
    still(&headers, "application/json", quire_contract::JSON, [(header::CACHE_CONTROL, CACHING)])
}

async fn page(headers: HeaderMap) -> Response {
    let own = [(header::CACHE_CONTROL, CACHING), (header::CONTENT_SECURITY_POLICY, quire_contract::PAGE_POLICY)];
    still(&headers, "text/html; charset=utf-8", quire_contract::PAGE, own)
}

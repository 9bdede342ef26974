//! `GET /openapi.json` and `GET /docs`: the contract of this API, for machines and for people.
//!
//! Reads nothing. Writes nothing.

use std::process::ExitCode;

use axum::{Router, http::header, response::IntoResponse, routing::get};
use quire_aws::{BoxError, Setup};
use quire_edge::{Result, Route};

/// It changes only when this function is deployed anew.
const CACHING: &str = "public, max-age=300";

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(_: &Setup) -> Result<Route, BoxError> {
    Ok(Route::fixed(Router::new().route("/openapi.json", get(contract)).route("/docs", get(page))))
}

async fn contract() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, CACHING), (header::ETAG, quire_contract::JSON_TAG)];
    (headers, quire_contract::JSON)
}

async fn page() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, CACHING),
        (header::ETAG, quire_contract::PAGE_TAG),
        (header::CONTENT_SECURITY_POLICY, quire_contract::PAGE_POLICY),
    ];
    (headers, quire_contract::PAGE)
}

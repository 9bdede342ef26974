//! `ANY /{proxy+}`: what no other route takes: 405 for a known address, 404 for an unknown one, and the methods of an address for `OPTIONS`.
//!
//! Reads nothing. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::any,
};
use quire_aws::{BoxError, Setup};
use quire_edge::{Problem, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(_: &Setup) -> Result<Route, BoxError> {
    Ok(Route::public(Router::new().route("/{*path}", any(handle))))
}

async fn handle(method: Method, uri: Uri) -> Response {
    let Some(methods) = quire_contract::methods(uri.path()) else { return Problem::not_found().into_response() };
    // The names of methods are visible ASCII.
    let allow = HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static(""));
    if method == Method::OPTIONS {
        (StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response()
    } else {
        Problem::method_not_allowed().with_header(header::ALLOW, allow).into_response()
    }
}

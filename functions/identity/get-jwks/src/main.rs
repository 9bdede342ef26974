//! `GET /.well-known/jwks.json`: the public keys of access tokens.
//!
//! Reads the public halves of the signing keys. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, response::Response, routing::get};
use quire_app::keys::Keys;
use quire_aws::{BoxError, Setup};
use quire_edge::{Public, Result, Route, reply};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    Ok(Route::fixed(Router::new().route("/.well-known/jwks.json", get(handle)).with_state(Keys::new(setup.store()?))))
}

async fn handle(State(keys): State<Keys>, Public(call): Public) -> Result<Response> {
    Ok(reply::key_set(&keys.jwks(call.now).await?))
}

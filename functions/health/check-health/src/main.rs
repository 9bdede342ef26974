//! `GET /health/live`: the function runs. `GET /health/ready`: the table answers.
//!
//! Reads one item that does not exist. Writes nothing.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use quire_app::health::Health;
use quire_aws::{BoxError, Setup};
use quire_edge::{Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/health/live", get(live)).route("/health/ready", get(ready));
    Ok(Route::fixed(router.with_state(Health::new(setup.store()?))))
}

async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn ready(State(health): State<Health>) -> Result<StatusCode> {
    health.check().await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `GET /api/v1/users/{userId}/exports/{exportId}`: how far an export of the caller's account is, with a link to it once it is ready.
//!
//! Reads the account and its newest export. The link is signed with what the function proves itself with, and asks nobody.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::get};
use quire_app::exports::{ExportView, Exports};
use quire_aws::{BoxError, Setup, s3::S3};
use quire_domain::id::{ExportId, UserId};
use quire_edge::{Id, Once, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let files = S3::new(setup.environment, &setup.environment.get("EXPORT_BUCKET")?)?;
    let exports = Exports::new(setup.store()?, Arc::new(files));
    let router = Router::new().route("/api/v1/users/{userId}/exports/{exportId}", get(handle)).with_state(exports);
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(exports): State<Exports>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Id(export): Id<ExportId>,
) -> Result<Once<ExportView>> {
    Ok(Once(exports.get(&call, user, export).await?))
}

//! `POST /api/v1/users/{userId}/exports`: asks for a copy of all that the caller's account owns.
//!
//! Reads the account and its newest export. Writes the export, an entry of the audit trail and `user.export-requested`, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::exports::{ExportRequests, ExportView};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{AcceptedAt, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/exports", post(handle)).with_state(ExportRequests::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(exports): State<ExportRequests>, SignedIn(call): SignedIn, Id(user): Id<UserId>) -> Result<AcceptedAt<ExportView>> {
    let export = exports.request(&call, user).await?;
    Ok(AcceptedAt::new(format!("/api/v1/users/{user}/exports/{}", export.export_id), export))
}

//! `GET /api/v1/audit-events`: the audit trail, newest first, for admins; with `?subject=`, `?actor=` and `?type=` some of it.
//!
//! Reads one page. Writes nothing.

use std::process::ExitCode;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use quire_app::audit::{AuditEventView, AuditQuery, AuditTrail};
use quire_aws::{BoxError, Setup};
use quire_edge::{List, Query, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/audit-events", get(handle)).with_state(AuditTrail::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?))
}

async fn handle(
    State(trail): State<AuditTrail>,
    SignedIn(call): SignedIn,
    Query(wanted): Query<AuditQuery>,
    query: RawQuery,
) -> Result<List<AuditEventView>> {
    Ok(List::new(trail.list(&call, &wanted).await?, query))
}

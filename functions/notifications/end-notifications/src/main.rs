//! `GET /api/v1/unsubscriptions/{token}` and `POST /api/v1/unsubscriptions/{token}`: ends mail of one kind by a link in it (RFC 8058), without
//! signing in. The first is a page that asks, and changes nothing, because programs open links that nobody has clicked.
//!
//! Reads and writes what the account wants to be mailed about.

use std::process::ExitCode;

use axum::{
    Router,
    extract::State,
    http::header,
    response::{Html, IntoResponse},
    routing::get,
};
use quire_app::notifications::{Notifications, UnsubscribeToken};
use quire_aws::{BoxError, Setup};
use quire_edge::{Id, Public, Result, Route};

/// The form goes to the page's own address.
const POLICY: &str = "default-src 'none'; form-action 'self'; frame-ancestors 'none'";
const QUESTION: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Unsubscribe</title></head><body>\n\
    <p>Do you want no more mail of this kind?</p>\n<form method=\"post\"><button>Unsubscribe</button></form>\n</body></html>\n";
const ANSWER: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Unsubscribed</title></head><body>\n\
    <p>You will get no more mail of this kind.</p>\n</body></html>\n";

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/unsubscriptions/{token}", get(ask).post(end));
    Ok(Route::fixed(router.with_state(Notifications::new(setup.store()?))).with_rates(setup.rates()?))
}

async fn ask(Id(_): Id<UnsubscribeToken>) -> impl IntoResponse {
    page(QUESTION)
}

async fn end(State(notifications): State<Notifications>, Public(call): Public, Id(token): Id<UnsubscribeToken>) -> Result<impl IntoResponse> {
    notifications.unsubscribe(&call, &token).await?;
    Ok(page(ANSWER))
}

fn page(html: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html))
}

//! `GET /api/v1/users/{userId}/notification-preferences`: what an account wants to be mailed about, for itself.
//!
//! Reads it, in one item.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use quire_app::notifications::{NotificationPreferencesView, Notifications};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Id, Result, Route, Shown, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/notification-preferences", get(handle));
    Ok(Route::with_tokens(router.with_state(Notifications::new(setup.store()?)), setup.tokens()?))
}

async fn handle(
    State(notifications): State<Notifications>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
) -> Result<Shown<NotificationPreferencesView>> {
    Ok(Shown(notifications.preferences(&call, user).await?))
}

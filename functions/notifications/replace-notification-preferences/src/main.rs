//! `PUT /api/v1/users/{userId}/notification-preferences`: sets what an account wants to be mailed about, by itself.
//!
//! Reads the account and what it wanted. Writes what it wants.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::put};
use quire_app::notifications::{NotificationPreferencesReplacement, NotificationPreferencesView, Notifications};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Body, Id, Result, Route, Shown, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/notification-preferences", put(handle));
    Ok(Route::with_tokens(router.with_state(Notifications::new(setup.store()?)), setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(notifications): State<Notifications>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Body(replacement): Body<NotificationPreferencesReplacement>,
) -> Result<Shown<NotificationPreferencesView>> {
    Ok(Shown(notifications.replace(&call, user, replacement).await?))
}

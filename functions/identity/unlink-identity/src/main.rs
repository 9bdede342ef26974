//! `DELETE /api/v1/users/{userId}/identities/{provider}`: an account at another provider signs in to this one no more.
//!
//! Reads the account, whether it has a password, and its identities. Writes these, gives up the claim, and enters `identity.unlinked`
//! into the audit trail, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::identities::LinkedIdentities;
use quire_aws::{BoxError, Setup};
use quire_domain::{id::UserId, identity::ProviderName};
use quire_edge::{Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let identities = LinkedIdentities::new(setup.store()?);
    let router = Router::new().route("/api/v1/users/{userId}/identities/{provider}", delete(handle)).with_state(identities);
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(identities): State<LinkedIdentities>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Id(provider): Id<ProviderName>,
) -> Result<StatusCode> {
    identities.unlink(&call, user, provider).await?;
    Ok(StatusCode::NO_CONTENT)
}

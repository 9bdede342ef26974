//! `DELETE /api/v1/users/{userId}/tokens/{tokenId}`: revokes an API token, by its account or an admin. Its last access token ends within
//! ten minutes.
//!
//! Reads the token. Removes it, counts it off and writes entries of the audit trail, in one transaction.

use std::process::ExitCode;

use axum::{Router, extract::State, http::StatusCode, routing::delete};
use quire_app::api_tokens::ApiTokens;
use quire_aws::{BoxError, Setup};
use quire_domain::id::{ApiTokenId, UserId};
use quire_edge::{Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let router = Router::new().route("/api/v1/users/{userId}/tokens/{tokenId}", delete(handle)).with_state(ApiTokens::new(setup.store()?));
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(State(tokens): State<ApiTokens>, SignedIn(call): SignedIn, Id(user): Id<UserId>, Id(token): Id<ApiTokenId>) -> Result<StatusCode> {
    tokens.revoke(&call, user, token).await?;
    Ok(StatusCode::NO_CONTENT)
}

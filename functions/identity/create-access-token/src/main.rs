//! `POST /api/v1/access-tokens`: an access token for ten minutes, in exchange for an API token.
//!
//! Reads the API token, its account and the signing keys. Notes once an hour that the API token was used, and writes the next signing key
//! when it is due. The reply holds a token, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::access_tokens::{AccessTokenView, AccessTokens, NewAccessToken};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_edge::{Body, Issued, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Arc::new(Kms::new(&setup.aws, setup.environment.get("SIGNING_KEY_ID")?));
    let flag = |name| setup.environment.flag(name);
    let tokens = AccessTokens::new(setup.store()?, vault, setup.issuer()?, flag("REQUIRE_VERIFIED_EMAIL")?, flag("REQUIRE_ADMIN_SECOND_FACTOR")?);
    Ok(Route::public(Router::new().route("/api/v1/access-tokens", post(handle)).with_state(tokens)).with_rates(setup.rates()?))
}

async fn handle(State(tokens): State<AccessTokens>, Public(call): Public, Body(input): Body<NewAccessToken>) -> Result<Issued<AccessTokenView>> {
    Ok(Issued(tokens.exchange(&call, input).await?))
}

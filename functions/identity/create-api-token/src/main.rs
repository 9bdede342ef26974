//! `POST /api/v1/users/{userId}/tokens`: makes an API token of the caller's account.
//!
//! Reads the account. Writes the token, how many there are, entries of the audit trail and `api-token.created`, in one transaction. The
//! reply holds the token, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::api_tokens::{ApiTokenCreation, IssuedApiTokenView, NewApiToken};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Body, Created, Id, Result, Route, SignedIn};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let creation = ApiTokenCreation::new(setup.store()?, setup.environment.flag("REQUIRE_VERIFIED_EMAIL")?);
    let router = Router::new().route("/api/v1/users/{userId}/tokens", post(handle)).with_state(creation);
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(tokens): State<ApiTokenCreation>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Body(input): Body<NewApiToken>,
) -> Result<Created<IssuedApiTokenView>> {
    let token = tokens.create(&call, user, input).await?;
    Ok(Created::unversioned(format!("/api/v1/users/{user}/tokens/{}", token.shown.token_id), token))
}

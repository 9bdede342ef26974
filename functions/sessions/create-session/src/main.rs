//! `POST /api/v1/sessions`: signs in with a password, and with a code if the account has a second factor.
//!
//! Reads the claim of the name, the account, its credential, its second factor and the signing keys. Writes the session, that a code was
//! used, and the next signing key when it is due. The account that the template names becomes the first admin, in the transaction that makes its session. The reply
//! holds a token, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::{
    second_factor::SecondFactors,
    sessions::{NewSession, SessionView, Sessions},
};
use quire_aws::{BoxError, Setup, kms::Kms};
use quire_edge::{Body, Created, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let vault = Kms::new(&setup.aws, setup.environment.get("SIGNING_KEY_ID")?);
    let first_admin = match setup.environment.get("FIRST_ADMIN")? {
        none if none.is_empty() => None,
        id => Some(id.parse().map_err(|error| format!("FIRST_ADMIN {error}"))?),
    };
    let flag = |name| setup.environment.flag(name);
    let secrets = Kms::new(&setup.aws, setup.environment.get("SECOND_FACTOR_KEY_ID")?);
    let factors = SecondFactors::new(setup.store()?, Arc::new(secrets));
    let sessions = Sessions::new(
        setup.store()?,
        Arc::new(vault),
        setup.issuer()?,
        first_admin,
        flag("REQUIRE_VERIFIED_EMAIL")?,
        factors,
        flag("REQUIRE_ADMIN_SECOND_FACTOR")?,
    );
    Ok(Route::public(Router::new().route("/api/v1/sessions", post(handle)).with_state(sessions)).with_rates(setup.rates()?))
}

async fn handle(State(sessions): State<Sessions>, Public(call): Public, Body(input): Body<NewSession>) -> Result<Created<SessionView>> {
    let session = sessions.create(&call, input).await?;
    Ok(Created::unversioned(format!("/api/v1/sessions/{}", session.session_id), session))
}

//! `POST /api/v1/sessions`: signs in with a password, and with a code if the account has a second factor.
//!
//! Counts the try for the address and for the name. Reads the claim of the name, the account, its credential, its second factor and the signing keys.
//! Writes that a code was used, the session and an entry of the audit trail, and the next signing key when it is due; then takes the counts back. The account that the
//! template names becomes the first admin, in the transaction that makes its session. A password that is hashed as passwords once were is
//! hashed again. The reply holds tokens, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::process::ExitCode;

use axum::{Router, extract::State, routing::post};
use quire_app::sessions::{NewSession, SessionView, SignIn};
use quire_aws::{BoxError, Setup};
use quire_edge::{Body, Created, Origin, Public, Result, Route};

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    Ok(Route::public(Router::new().route("/api/v1/sessions", post(handle)).with_state(setup.sign_in()?)).with_rates(setup.rates()?))
}

async fn handle(
    State(sign_in): State<SignIn>,
    Public(call): Public,
    Origin(client): Origin,
    Body(input): Body<NewSession>,
) -> Result<Created<SessionView>> {
    let session = sign_in.create(&call, &client, input).await?;
    Ok(Created::unversioned(format!("/api/v1/sessions/{}", session.session_id), session))
}

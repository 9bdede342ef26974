//! `POST /api/v1/users/{userId}/identities`: begins to link an account at another provider, which goes on in the browser.
//!
//! Asks the provider what it publishes, if that is not known yet. Writes the sign-in, which only the browser that gets the cookie can finish.
//! The reply holds a secret, so it is not recorded: an `Idempotency-Key` has no effect here.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::post};
use quire_app::identities::{NewIdentity, SignInView, SignIns};
use quire_aws::{BoxError, Setup};
use quire_domain::id::UserId;
use quire_edge::{Body, Id, Once, Result, Route, SignedIn, WithSignIn};
use quire_oidc::Providers;

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let sign_ins = SignIns::new(setup.store()?, Arc::new(Providers::from_env(|name| setup.environment.get(name))?));
    let router = Router::new().route("/api/v1/users/{userId}/identities", post(handle)).with_state(sign_ins);
    Ok(Route::with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

async fn handle(
    State(sign_ins): State<SignIns>,
    SignedIn(call): SignedIn,
    Id(user): Id<UserId>,
    Body(input): Body<NewIdentity>,
) -> Result<WithSignIn<Once<SignInView>>> {
    let begun = sign_ins.link(&call, user, input).await?;
    Ok(WithSignIn(Once(begun.view), begun.binding))
}

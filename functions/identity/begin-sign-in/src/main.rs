//! `GET /api/v1/identity/{provider}/authorize`: sends a browser to another provider to sign in there.
//!
//! Asks the provider what it publishes, if that is not known yet. Writes the sign-in, which only the browser that gets the cookie can finish.

use std::{process::ExitCode, sync::Arc};

use axum::{Router, extract::State, routing::get};
use quire_app::identities::SignIns;
use quire_aws::{BoxError, Setup};
use quire_domain::identity::ProviderName;
use quire_edge::{Elsewhere, Id, Public, Result, Route, WithSignIn};
use quire_oidc::Providers;

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let sign_ins = SignIns::new(setup.store()?, Arc::new(Providers::from_env(|name| setup.environment.get(name))?));
    Ok(Route::public(Router::new().route("/api/v1/identity/{provider}/authorize", get(handle)).with_state(sign_ins)))
}

async fn handle(State(sign_ins): State<SignIns>, Public(call): Public, Id(provider): Id<ProviderName>) -> Result<WithSignIn<Elsewhere>> {
    let begun = sign_ins.begin(&call, provider).await?;
    Ok(WithSignIn(Elsewhere(begun.view.authorization_url), begun.binding))
}

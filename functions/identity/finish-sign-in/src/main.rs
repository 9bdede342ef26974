//! `GET /api/v1/identity/{provider}/callback`: signs in, or links, whoever comes back from another provider.
//!
//! Reads the sign-in, who has the identity, the account and the signing keys; asks the provider. Removes the sign-in first, so that it
//! works once. Writes the account with its claims and identity if it is new, or the identity that is linked, with the entry in the audit
//! trail, in one transaction; then the session, and the next signing key when it is due.

use std::{process::ExitCode, sync::Arc};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use quire_app::{
    identities::{Callback, Finished, SignInEnds},
    users::Registrations,
};
use quire_aws::{BoxError, Setup};
use quire_domain::identity::ProviderName;
use quire_edge::{Created, Id, Once, Origin, Public, Query, Result, Route, SignInCookie, WithoutSignIn};
use quire_oidc::Providers;

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let environment = setup.environment;
    let sessions = setup.sessions(setup.first_admin()?)?;
    let registrations = Registrations::new(setup.store()?, &environment.get("NEW_ACCOUNT_ROLES")?)?;
    let providers = Arc::new(Providers::from_env(|name| environment.get(name))?);
    let sign_ins = SignInEnds::new(setup.store()?, providers, sessions, registrations);
    Ok(Route::public(Router::new().route("/api/v1/identity/{provider}/callback", get(handle)).with_state(sign_ins)))
}

async fn handle(
    State(sign_ins): State<SignInEnds>,
    Public(call): Public,
    Origin(client): Origin,
    Id(provider): Id<ProviderName>,
    SignInCookie(binding): SignInCookie,
    Query(callback): Query<Callback>,
) -> Result<WithoutSignIn<Response>> {
    Ok(WithoutSignIn(match sign_ins.finish(&call, &client, provider, binding, callback).await? {
        Finished::SignedIn(session) => Created::unversioned(format!("/api/v1/sessions/{}", session.session_id), session).into_response(),
        Finished::Linked(identity) => Once(identity).into_response(),
    }))
}

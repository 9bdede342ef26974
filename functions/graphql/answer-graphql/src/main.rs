//! `ANY /graphql`: the whole domain for clients that ask for exactly what they need, by GET and POST.
//!
//! Reads and writes what the use cases behind the fields read and write: one batch for the things of one kind on one level.

mod context;
mod failure;
mod http;
mod input;
mod loader;
mod page;
mod scan;
mod schema;
mod types;

use std::{process::ExitCode, sync::Arc};

use axum::{Router, routing::get};
use quire_app::{
    access_tokens::AccessTokens,
    api_tokens::{ApiTokenCreation, ApiTokens},
    audit::AuditTrail,
    comments::Comments,
    exports::{ExportRequests, Exports},
    feeds::Feeds,
    follows::Follows,
    identities::LinkedIdentities,
    notifications::Notifications,
    passwords::Passwords,
    persisted::PersistedDocuments,
    posts::Posts,
    reactions::Reactions,
    second_factor::SecondFactors,
    second_factor_changes::{SecondFactorChanges, SecondFactorViews},
    sessions::OwnSessions,
    tags::Tags,
    user_changes::UserChanges,
    users::{Registrations, Users},
    verification::EmailVerifications,
    webhooks::{WebhookSecretChanges, Webhooks},
};
use quire_aws::{BoxError, Setup, kms::Kms, s3::S3};
use quire_edge::Route;

use context::UseCases;
use http::Service;

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let store = setup.store()?;
    let environment = setup.environment;
    let vault = Arc::new(Kms::new(&setup.aws, environment.get("SIGNING_KEY_ID")?));
    let secrets = Arc::new(Kms::new(&setup.aws, environment.get("SECOND_FACTOR_KEY_ID")?));
    let factors = SecondFactors::new(store.clone(), secrets);
    let webhook_vault = Arc::new(Kms::new(&setup.aws, environment.get("WEBHOOK_KEY_ID")?));
    let files = Arc::new(S3::new(environment, &environment.get("EXPORT_BUCKET")?)?);
    let wants_verified_email = environment.flag("REQUIRE_VERIFIED_EMAIL")?;
    let wants_admin_second_factor = environment.flag("REQUIRE_ADMIN_SECOND_FACTOR")?;
    let cases = UseCases {
        users: Users::new(store.clone()),
        registrations: Registrations::new(store.clone(), &environment.get("NEW_ACCOUNT_ROLES")?)?,
        user_changes: UserChanges::new(store.clone()),
        sign_in: setup.sign_in()?,
        sessions: setup.sessions(None)?,
        own_sessions: OwnSessions::new(store.clone()),
        passwords: Passwords::new(store.clone()),
        verifications: EmailVerifications::new(store.clone()),
        notifications: Notifications::new(store.clone()),
        posts: Posts::new(store.clone()),
        comments: Comments::new(store.clone()),
        reactions: Reactions::new(store.clone()),
        follows: Follows::new(store.clone()),
        feeds: Feeds::new(store.clone()),
        tags: Tags::new(store.clone()),
        access_tokens: AccessTokens::new(store.clone(), vault, setup.issuer()?, wants_verified_email, wants_admin_second_factor),
        api_tokens: ApiTokens::new(store.clone()),
        api_token_creation: ApiTokenCreation::new(store.clone(), wants_verified_email),
        second_factor_views: SecondFactorViews::new(store.clone()),
        second_factor_changes: SecondFactorChanges::new(store.clone(), factors, &environment.get("ISSUER")?),
        identities: LinkedIdentities::new(store.clone()),
        export_requests: ExportRequests::new(store.clone()),
        exports: Exports::new(store.clone(), files),
        webhooks: Webhooks::new(store.clone()),
        webhook_secrets: WebhookSecretChanges::new(store.clone(), webhook_vault),
        audit: AuditTrail::new(store.clone()),
        documents: PersistedDocuments::new(store),
    };
    let schema = Arc::new(schema::schema(environment.flag("INTROSPECTION")?));
    let service = Service { cases: Arc::new(cases), schema, has_page: environment.flag("GRAPHIQL")? };
    let router = Router::new().route("/graphql", get(http::by_get).post(http::by_post)).with_state(service);
    Ok(Route::fixed_with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

//! `ANY /rpc/{service}/{method}`: Connect and gRPC-Web, by POST and, for methods without side effects, by GET.
//!
//! Reads and writes what the operation does that has the name of the method.

mod ask;
mod dispatch;
mod failure;
mod methods;
mod transport;

use std::process::ExitCode;

use axum::{Router, routing::any};
use quire_app::{
    comments::Comments,
    feeds::Feeds,
    follows::Follows,
    posts::Posts,
    reactions::Reactions,
    sessions::{OwnSessions, Sessions, SignIn},
    tags::Tags,
    user_changes::UserChanges,
    users::{Registrations, Users},
};
use quire_aws::{BoxError, Setup};
use quire_domain::limits;
use quire_edge::Route;

use dispatch::Methods;

/// The use cases behind the methods.
struct App {
    registrations: Registrations,
    users: Users,
    user_changes: UserChanges,
    sign_in: SignIn,
    sessions: Sessions,
    own_sessions: OwnSessions,
    posts: Posts,
    comments: Comments,
    reactions: Reactions,
    follows: Follows,
    feeds: Feeds,
    tags: Tags,
}

impl App {
    fn new(setup: &Setup) -> Result<Self, BoxError> {
        Ok(Self {
            registrations: Registrations::new(setup.store()?, &setup.environment.get("NEW_ACCOUNT_ROLES")?)?,
            users: Users::new(setup.store()?),
            user_changes: UserChanges::new(setup.store()?),
            sign_in: setup.sign_in()?,
            sessions: setup.sessions(None)?,
            own_sessions: OwnSessions::new(setup.store()?),
            posts: Posts::new(setup.store()?),
            comments: Comments::new(setup.store()?),
            reactions: Reactions::new(setup.store()?),
            follows: Follows::new(setup.store()?),
            feeds: Feeds::new(setup.store()?),
            tags: Tags::new(setup.store()?),
        })
    }
}

fn main() -> ExitCode {
    quire_edge::run(route)
}

fn route(setup: &Setup) -> Result<Route, BoxError> {
    let service = transport::service(Methods::new(App::new(setup)?), limits::BODY_BYTES);
    let router = Router::new().route("/rpc/{service}/{method}", any(transport::answer::<Methods>)).with_state(service);
    Ok(Route::fixed_with_tokens(router, setup.tokens()?).with_rates(setup.rates()?))
}

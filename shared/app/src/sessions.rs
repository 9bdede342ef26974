//! Sessions: how they begin, go on and end.

mod own;
mod refresh;
mod sign_in;
mod throttle;

use std::sync::Arc;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    admins::Admins,
    audit::{AuditData, SignInMethod},
    error::Credentials,
    id::{SessionId, UserId},
    session::{Lifetimes, Session},
    signing::TOKEN_SECONDS,
    user::User,
};
use quire_store::{Commit, Key, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use crate::{
    Call,
    call::Client,
    change::ATTEMPTS,
    ports::KeyVault,
    tokens::{Issuer, TokenIssuer},
};

pub(crate) use own::end_all;
pub use own::{OwnSessions, SessionSummaryView};
use refresh::Halves;
pub use refresh::SessionRefresh;
pub use sign_in::{NewSession, SignIn};

/// Begins sessions of accounts that have proved themselves, and goes on with them.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    tokens: TokenIssuer,
    rules: SessionRules,
}

/// What a deployment decides of sessions.
#[derive(Debug, Clone, Copy)]
pub struct SessionRules {
    /// While there is no admin, this account becomes one by signing in.
    pub first_admin: Option<UserId>,
    /// Whether accounts without a verified e-mail address may read and not write.
    pub wants_verified_email: bool,
    /// Whether an admin without a second factor gets no token of an admin.
    pub wants_admin_second_factor: bool,
    /// How long sessions last.
    pub lifetimes: Lifetimes,
}

/// A session as its owner sees it, once for each refresh token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Names the session.
    pub session_id: SessionId,
    /// The account.
    pub user_id: UserId,
    /// A bearer token (RFC 6750).
    #[serde(serialize_with = "expose")]
    pub access_token: SecretString,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds that the token is valid.
    pub expires_in: i64,
    /// What gives the next tokens, once.
    #[serde(serialize_with = "expose")]
    pub refresh_token: SecretString,
    /// When the session ends unless its refresh token is used before.
    pub refresh_expires_at: Timestamp,
    /// When the session began.
    pub created_at: Timestamp,
    /// When the session ends, however much it is used.
    pub expires_at: Timestamp,
}

/// Replies that show a secret once are the only places where one is written out.
pub(crate) fn expose<S: Serializer>(token: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose_secret())
}

impl SessionView {
    fn of(session: &Session, access_token: SecretString, refresh_token: SecretString) -> Self {
        Self {
            session_id: session.id,
            user_id: session.user_id,
            access_token,
            token_type: "Bearer",
            expires_in: TOKEN_SECONDS,
            refresh_token,
            refresh_expires_at: session.expires,
            created_at: session.created_at,
            expires_at: session.ends,
        }
    }
}

impl Sessions {
    /// Sessions whose tokens are signed by keys of `vault`.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>, issuer: Issuer, rules: SessionRules) -> Self {
        let tokens = TokenIssuer::new(store.clone(), vault, issuer);
        Self { store, tokens, rules }
    }

    /// Begins a session of an account that has proved itself.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if the account is not active; [`Error::Contended`].
    pub(crate) fn begin<'a>(
        &'a self,
        call: &'a Call,
        client: &'a Client,
        mut user: User,
        method: SignInMethod,
    ) -> BoxFuture<'a, Result<SessionView>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                match self.try_begin(call, client, &user, method).await {
                    // It changed while it became the first admin, or another request made it one.
                    Err(Error::VersionMismatch) => user = self.store.get(Key::user(user.id)).await?.ok_or_else(wrong_password)?,
                    outcome => return outcome,
                }
            }
            Err(Error::Contended)
        })
    }

    async fn try_begin(&self, call: &Call, client: &Client, user: &User, method: SignInMethod) -> Result<SessionView> {
        let now = call.now;
        let mut commit = Commit::new(Some(user.id), call.trace.clone(), now);
        let first_admin = self.first_admin(user, now).await?;
        if let Some((admin, admins)) = &first_admin {
            let changed = AuditData::RolesChanged { roles: admin.roles.clone() };
            commit = commit.update(user, admin).create(admins).audit(Some(user.id), changed);
        }
        let user = first_admin.as_ref().map_or(user, |(admin, _)| admin);
        let id = SessionId::generate(now);
        let token = Halves::generate(user.id, id)?;
        let session = Session::begin(user, id, self.rules.lifetimes, token.stored(), client.device.clone(), now)?;
        let access_token = self.access_token(call, user, id).await?;
        self.store.commit(commit.create(&session).audit(Some(user.id), AuditData::SessionCreated { session_id: id, method })).await?;
        Ok(SessionView::of(&session, access_token, token.text()))
    }

    async fn access_token(&self, call: &Call, user: &User, session: SessionId) -> Result<SecretString> {
        let SessionRules { wants_verified_email, wants_admin_second_factor, .. } = self.rules;
        let granted = (user.id, user.granted_roles(wants_admin_second_factor), user.access(wants_verified_email));
        self.tokens.issue(granted, Some(session), &call.trace, call.now).await
    }

    /// The account as the first admin, where signing in makes it that.
    async fn first_admin(&self, user: &User, now: Timestamp) -> Result<Option<(User, Admins)>> {
        if self.rules.first_admin != Some(user.id) || user.is_admin() {
            return Ok(None);
        }
        let admins: Option<Admins> = self.store.get(Key::admins()).await?;
        // Another sign-in has made it one since the account was read.
        if admins.as_ref().is_some_and(|admins| admins.ids.contains(&user.id)) {
            return Err(Error::VersionMismatch);
        }
        user.first_admin(self.rules.first_admin, admins.as_ref(), now)
    }
}

fn wrong_password() -> Error {
    Error::Unauthenticated(Credentials::WrongPassword)
}

//! Signing in.

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    admins::Admins,
    error::Credentials,
    id::{SessionId, UserId},
    signing::TOKEN_SECONDS,
    text::{Email, Password, Username},
    user::{Credential, User},
};
use quire_store::{Claim, Commit, Key, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use crate::{
    Call,
    change::ATTEMPTS,
    input::{Fields, Input},
    password,
    ports::KeyVault,
    tokens::{Issuer, TokenIssuer},
};

/// Seconds that a session lasts.
const SESSION_SECONDS: i64 = 30 * 24 * 60 * 60;

/// The use cases of sessions.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    tokens: TokenIssuer,
    first_admin: Option<UserId>,
    wants_verified_email: bool,
}

/// What a person sends to sign in.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The account's username or its e-mail address.
    pub username: String,
    /// Its password.
    pub password: Password,
}

impl Input for NewSession {
    fn read(fields: &mut Fields) -> Option<Self> {
        // Whatever was typed is compared and not judged.
        let username = fields.required("username", |text| Ok::<_, Infallible>(text.to_owned()));
        let password = fields.required("password", |text| Ok::<_, Infallible>(Password::typed(&text.into())));
        Some(Self { username: username?, password: password? })
    }
}

/// A new session as its owner sees it, once.
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
    /// When the session began.
    pub created_at: Timestamp,
    /// When the session ends.
    pub expires_at: Timestamp,
}

/// The reply to a sign-in is the one place where a token is written out.
fn expose<S: Serializer>(token: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose_secret())
}

impl Sessions {
    /// Sessions whose tokens are signed by keys of `vault`. While there is no admin, `first_admin` becomes one by signing in. Where a
    /// verified e-mail address is wanted, accounts without one may read and not write.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>, issuer: Issuer, first_admin: Option<UserId>, wants_verified_email: bool) -> Self {
        Self { tokens: TokenIssuer::new(store.clone(), vault, issuer), store, first_admin, wants_verified_email }
    }

    /// Signs in with a password. Nothing is recorded for a repeated request: the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for a wrong password, an unknown name and an account that is not active;
    /// [`Error::Contended`].
    pub fn create<'a>(&'a self, call: &'a Call, input: NewSession) -> BoxFuture<'a, Result<SessionView>> {
        Box::pin(async move {
            let mut user = self.authenticate(&input).await?;
            for _ in 0..ATTEMPTS {
                match self.begin(call, &user).await {
                    // It changed while it became the first admin, or another request made it one.
                    Err(Error::VersionMismatch) => user = self.store.get(Key::user(user.id)).await?.ok_or_else(wrong_password)?,
                    outcome => return outcome,
                }
            }
            Err(Error::Contended)
        })
    }

    /// Starts a session of an account that has proved itself.
    pub(crate) fn begin<'a>(&'a self, call: &'a Call, user: &'a User) -> BoxFuture<'a, Result<SessionView>> {
        Box::pin(async move {
            let now = call.now;
            let mut commit = Commit::new(Some(user.id), call.trace.clone(), now);
            let first_admin = self.first_admin(user, now).await?;
            if let Some((admin, admins)) = &first_admin {
                commit = commit.update(user, admin).create(admins);
            }
            let user = first_admin.as_ref().map_or(user, |(admin, _)| admin);
            let session = user.sign_in(SessionId::generate(now), SESSION_SECONDS, now)?;
            let access = user.access(self.wants_verified_email);
            let token = self.tokens.issue((user.id, user.roles.clone(), access), Some(session.id), &call.trace, now).await?;
            self.store.commit(commit.create(&session)).await?;
            Ok(SessionView {
                session_id: session.id,
                user_id: user.id,
                access_token: token,
                token_type: "Bearer",
                expires_in: TOKEN_SECONDS,
                created_at: session.created_at,
                expires_at: session.expires,
            })
        })
    }

    /// The account as the first admin, where signing in makes it that.
    async fn first_admin(&self, user: &User, now: Timestamp) -> Result<Option<(User, Admins)>> {
        if self.first_admin != Some(user.id) || user.is_admin() {
            return Ok(None);
        }
        let admins: Option<Admins> = self.store.get(Key::admins()).await?;
        // Another sign-in has made it one since the account was read.
        if admins.as_ref().is_some_and(|admins| admins.ids.contains(&user.id)) {
            return Err(Error::VersionMismatch);
        }
        user.first_admin(self.first_admin, admins.as_ref(), now)
    }

    /// The account with this name and password. An unknown name costs the same reads and the same comparison as a known one.
    async fn authenticate(&self, input: &NewSession) -> Result<User> {
        let name = input.username.trim();
        let claim = if name.contains('@') { Email::parse(name).ok().map(Claim::Email) } else { Username::parse(name).ok().map(Claim::Username) };
        let id = match &claim {
            Some(claim) => self.store.owner_of(claim).await?.and_then(|owner| owner.parse().ok()),
            None => None,
        };
        let id = id.unwrap_or_else(|| UserId::generate(Timestamp::from_millis(0)));
        let (user, credential) = self.store.get_both::<User, Credential>(Key::user(id), Key::credential(id)).await?;
        let hash = credential.as_ref().map_or(password::NOBODY, |credential| &credential.password_hash);
        let matches = password::matches(&input.password, hash);
        // The claim of a name is that of all names which look like it, and the name may have changed since the claim was read.
        let is_named = |user: &User| match &claim {
            Some(Claim::Username(username)) => user.username == *username,
            Some(Claim::Email(email)) => user.email == *email,
            Some(Claim::Slug(_) | Claim::Identity { .. }) | None => false,
        };
        user.filter(|user| matches && credential.is_some() && is_named(user)).ok_or_else(wrong_password)
    }
}

fn wrong_password() -> Error {
    Error::Unauthenticated(Credentials::WrongPassword)
}

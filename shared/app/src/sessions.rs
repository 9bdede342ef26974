//! Signing in.

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    error::Credentials,
    id::{SessionId, UserId},
    policy::Role,
    signing::TOKEN_SECONDS,
    text::{Email, Password, Username},
    user::{Credential, User},
};
use quire_store::{Claim, Commit, Key, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{
    Call,
    input::{Fields, Input},
    keys::Signer,
    password,
    ports::KeyVault,
    tokens::{Claims, Issuer},
};

/// Seconds that a session lasts.
const SESSION_SECONDS: i64 = 30 * 24 * 60 * 60;
/// Who the tokens are for: clients of this API's own sign-in (RFC 9068 wants a client).
const CLIENT_ID: &str = "quire";

/// The use cases of sessions.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    signer: Signer,
    issuer: Arc<Issuer>,
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
    /// Sessions whose tokens are signed by keys of `vault`.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>, issuer: Issuer) -> Self {
        let signer = Signer::new(store.clone(), vault);
        Self { store, signer, issuer: Arc::new(issuer) }
    }

    /// Signs in with a password. Nothing is recorded for a repeated request: the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for a wrong password, an unknown name and an account that is not active.
    pub fn create<'a>(&'a self, call: &'a Call, input: NewSession) -> BoxFuture<'a, Result<SessionView>> {
        Box::pin(async move {
            let now = call.now;
            let user = self.authenticate(&input).await?;
            let session = user.sign_in(SessionId::generate(now), SESSION_SECONDS, now)?;
            let claims = Claims {
                iss: self.issuer.issuer.clone(),
                aud: self.issuer.audience.clone(),
                sub: user.id.to_string(),
                client_id: CLIENT_ID.into(),
                iat: now.seconds(),
                nbf: now.seconds(),
                exp: now.seconds() + TOKEN_SECONDS,
                jti: Uuid::new_v4().to_string(),
                sid: session.id.to_string(),
                roles: user.roles.iter().map(Role::to_string).collect(),
            };
            let token = self.signer.sign(&claims, &call.trace, now).await?;
            self.store.commit(Commit::new(Some(user.id), call.trace.clone(), now).create(&session)).await?;
            Ok(SessionView {
                session_id: session.id,
                user_id: user.id,
                access_token: token.into(),
                token_type: "Bearer",
                expires_in: TOKEN_SECONDS,
                created_at: session.created_at,
                expires_at: session.expires,
            })
        })
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
        let user: Option<User> = self.store.get(Key::user(id)).await?;
        let credential: Option<Credential> = self.store.get(Key::credential(id)).await?;
        let hash = credential.as_ref().map_or(password::NOBODY, |credential| &credential.password_hash);
        let matches = password::matches(&input.password, hash);
        user.filter(|_| matches && credential.is_some()).ok_or(Error::Unauthenticated(Credentials::WrongPassword))
    }
}

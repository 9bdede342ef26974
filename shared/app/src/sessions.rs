//! Signing in, and staying signed in.

mod own;
mod refresh;
mod throttle;

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    admins::Admins,
    audit::{AuditData, Refusal, SignInMethod},
    error::Credentials,
    id::{SessionId, UserId},
    session::{Lifetimes, Session},
    signing::TOKEN_SECONDS,
    text::{Email, Password, Username},
    user::{Credential, User},
};
use quire_store::{Claim, Commit, CommitError, Key, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

use crate::{
    Call,
    call::Client,
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    password,
    ports::KeyVault,
    tokens::{Issuer, TokenIssuer},
};

pub(crate) use own::end_all;
pub use own::{OwnSessions, SessionSummaryView};
use refresh::Halves;
pub use refresh::SessionRefresh;
use throttle::Throttle;

/// The use cases of signing in.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    tokens: TokenIssuer,
    throttle: Throttle,
    rules: SessionRules,
}

/// What a deployment decides of sessions.
#[derive(Debug, Clone, Copy)]
pub struct SessionRules {
    /// While there is no admin, this account becomes one by signing in.
    pub first_admin: Option<UserId>,
    /// Whether accounts without a verified e-mail address may read and not write.
    pub wants_verified_email: bool,
    /// How long sessions last.
    pub lifetimes: Lifetimes,
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

/// The replies that give a session are the one place where tokens are written out.
fn expose<S: Serializer>(token: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
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

/// What somebody typed to say who they are.
struct TypedName {
    /// The same for all spellings of one name.
    canonical: String,
    /// What an account with this name has claimed; nothing where no account can have it.
    claim: Option<Claim>,
}

impl TypedName {
    fn parse(text: &str) -> Self {
        let name = text.trim();
        let claim = if name.contains('@') { Email::parse(name).ok().map(Claim::Email) } else { Username::parse(name).ok().map(Claim::Username) };
        Self { canonical: name.to_lowercase(), claim }
    }

    /// The claim of a name is that of all names which look like it, and the name may have changed since the claim was read.
    fn names(&self, user: &User) -> bool {
        match &self.claim {
            Some(Claim::Username(username)) => user.username == *username,
            Some(Claim::Email(email)) => user.email == *email,
            Some(Claim::Slug(_)) | None => false,
        }
    }
}

/// An account and the password that it was proved with.
struct Proved {
    user: User,
    credential: Credential,
}

impl Sessions {
    /// Sessions whose tokens are signed by keys of `vault`.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>, issuer: Issuer, rules: SessionRules) -> Self {
        Self { tokens: TokenIssuer::new(store.clone(), vault, issuer), throttle: Throttle::new(store.clone()), store, rules }
    }

    /// Signs in with a password. Nothing is recorded for a repeated request: the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for a wrong password, an unknown name and an account that is not active;
    /// [`Error::TooManyAttempts`], before anything is compared; [`Error::Contended`].
    pub fn create<'a>(&'a self, call: &'a Call, client: &'a Client, input: NewSession) -> BoxFuture<'a, Result<SessionView>> {
        Box::pin(async move {
            let name = TypedName::parse(&input.username);
            let attempt = match self.throttle.admit(&name.canonical, client.address, call.now).await? {
                Ok(attempt) => attempt,
                Err(wait) => {
                    let (user, _) = self.find(&name).await?;
                    self.refuse(call, user.as_ref(), Refusal::Throttled).await?;
                    return Err(Error::TooManyAttempts(wait));
                }
            };
            let Proved { user, credential } = self.authenticate(call, &name, &input.password).await?;
            let session = self.begin(call, client, user, SignInMethod::Password).await?;
            self.still_proved(call, &session, &credential, &input.password).await?;
            // The session is there. What follows makes the next sign-in better, and its failure this one no worse.
            self.throttle.succeeded(&attempt, call.now).await;
            self.rehash(call, &credential, &input.password).await;
            Ok(session)
        })
    }

    /// The active account with this name and password. An unknown name costs the same reads, the same comparison and the same writes as a
    /// known one.
    async fn authenticate(&self, call: &Call, name: &TypedName, password: &Password) -> Result<Proved> {
        let (user, credential) = self.find(name).await?;
        let hash = credential.as_ref().map_or(password::NOBODY, |credential| &credential.password_hash);
        let matches = password::matches(password, hash);
        match (user, credential) {
            (Some(user), Some(credential)) if matches && user.is_active => Ok(Proved { user, credential }),
            (user, _) => {
                self.refuse(call, user.as_ref(), Refusal::WrongPassword).await?;
                Err(wrong_password())
            }
        }
    }

    /// The account with a name, and what the one that has claimed it is proved with.
    async fn find(&self, name: &TypedName) -> Result<(Option<User>, Option<Credential>)> {
        let id = match &name.claim {
            Some(claim) => self.store.owner_of(claim).await?.and_then(|owner| owner.parse().ok()),
            None => None,
        };
        let id = id.unwrap_or_else(|| UserId::generate(Timestamp::from_millis(0)));
        let (user, credential) = self.store.get_both::<User, Credential>(Key::user(id), Key::credential(id)).await?;
        Ok((user.filter(|user| name.names(user)), credential))
    }

    /// Ends a session that has just begun if the account has another password by now. Whoever sets one ends the sessions after that: so
    /// either they have found this one, or it is found here that the password is another.
    async fn still_proved(&self, call: &Call, session: &SessionView, credential: &Credential, password: &Password) -> Result<()> {
        let now: Option<Credential> = self.store.get(Key::credential(session.user_id)).await?;
        // Hashed anew by another sign-in, it is the same password.
        if now.is_some_and(|now| now.version == credential.version || password::matches(password, &now.password_hash)) {
            return Ok(());
        }
        if let Some(session) = self.store.get::<Session>(Key::session(session.user_id, session.session_id)).await? {
            let commit = Commit::new(None, call.trace.clone(), call.now).end(&session);
            made(self.store.commit(commit).await)?;
        }
        Err(wrong_password())
    }

    /// Enters a failure into the audit trail.
    async fn refuse(&self, call: &Call, account: Option<&User>, reason: Refusal) -> Result<()> {
        let account = account.map(|user| user.id);
        let commit = Commit::new(None, call.trace.clone(), call.now).audit(account, AuditData::SessionRefused { reason });
        Ok(self.store.commit(commit).await?)
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
            commit = commit.update(user, admin).create(admins);
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
        let access = user.access(self.rules.wants_verified_email);
        self.tokens.issue((user.id, user.roles.clone(), access), Some(session), &call.trace, call.now).await
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

    /// Hashes the password again, as passwords are hashed now, if it was hashed otherwise.
    async fn rehash(&self, call: &Call, credential: &Credential, password: &Password) {
        if !password::is_outdated(&credential.password_hash) {
            return;
        }
        let outcome = async {
            let password_hash = password::hash(password)?;
            let after = Credential { user_id: credential.user_id, password_hash, version: credential.version + 1 };
            let commit = Commit::new(Some(credential.user_id), call.trace.clone(), call.now).update(credential, &after);
            match self.store.commit(commit).await {
                // Somebody has just chosen another password.
                Ok(()) | Err(CommitError::Stale) => Ok(()),
                Err(error) => Err(Error::from(error)),
            }
        };
        if let Err(error) = outcome.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "A password could not be hashed again");
        }
    }
}

fn wrong_password() -> Error {
    Error::Unauthenticated(Credentials::WrongPassword)
}

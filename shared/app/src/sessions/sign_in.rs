//! Signing in with a password.

use std::convert::Infallible;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    audit::{AuditData, Refusal},
    id::UserId,
    session::Session,
    text::{Email, Password, Username},
    user::{Credential, User},
};
use quire_store::{Claim, Commit, CommitError, Key};
use secrecy::SecretString;

use super::{SessionView, Sessions, throttle::Throttle, wrong_password};
use crate::{
    Call,
    call::Client,
    change::made,
    input::{Fields, Input},
    password,
    second_factor::SecondFactors,
};

/// Signs in with passwords.
#[derive(Clone)]
pub struct SignIn {
    sessions: Sessions,
    throttle: Throttle,
    second_factors: SecondFactors,
}

/// What a person sends to sign in.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The account's username or its e-mail address.
    pub username: String,
    /// Its password.
    pub password: Password,
    /// A code of its second factor, or one that recovers it.
    pub code: Option<SecretString>,
}

impl Input for NewSession {
    fn read(fields: &mut Fields) -> Option<Self> {
        // Whatever was typed is compared and not judged.
        let username = fields.required("username", |text| Ok::<_, Infallible>(text.to_owned()));
        let password = fields.required("password", |text| Ok::<_, Infallible>(Password::typed(&text.into())));
        let code = fields.optional("code", |text| Ok::<_, Infallible>(text.into()));
        Some(Self { username: username?, password: password?, code: code? })
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
            Some(Claim::EmailHash(_) | Claim::Slug(_) | Claim::Identity { .. }) | None => false,
        }
    }
}

/// An account and the password that it was proved with.
struct Proved {
    user: User,
    credential: Credential,
}

impl SignIn {
    /// Begins sessions of `sessions`.
    pub fn new(sessions: Sessions, second_factors: SecondFactors) -> Self {
        Self { throttle: Throttle::new(sessions.store.clone()), sessions, second_factors }
    }

    /// Signs in with a password, and a code if the account has a second factor. Nothing is recorded for a repeated request: the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for a wrong password, an unknown name and an account that is not active; others for a right
    /// password with a code that is missing or wrong; [`Error::TooManyTries`]; [`Error::TooManyAttempts`], before anything is compared; [`Error::Contended`].
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
            // A wrong code leaves the try counted as a failure, as a wrong password does.
            let method = self.second_factors.prove(call, &user, input.code.as_ref()).await?;
            let session = self.sessions.begin(call, client, user, method).await?;
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
            Some(claim) => self.sessions.store.owner_of(claim).await?.and_then(|owner| owner.parse().ok()),
            None => None,
        };
        let id = id.unwrap_or_else(|| UserId::generate(Timestamp::from_millis(0)));
        let (user, credential) = self.sessions.store.get_both::<User, Credential>(Key::user(id), Key::credential(id)).await?;
        Ok((user.filter(|user| name.names(user)), credential))
    }

    /// Ends a session that has just begun if the account has another password by now. Whoever sets one ends the sessions after that: so
    /// either they have found this one, or it is found here that the password is another.
    async fn still_proved(&self, call: &Call, session: &SessionView, credential: &Credential, password: &Password) -> Result<()> {
        let now: Option<Credential> = self.sessions.store.get(Key::credential(session.user_id)).await?;
        // Hashed anew by another sign-in, it is the same password.
        if now.is_some_and(|now| now.version == credential.version || password::matches(password, &now.password_hash)) {
            return Ok(());
        }
        if let Some(session) = self.sessions.store.get::<Session>(Key::session(session.user_id, session.session_id)).await? {
            let commit = Commit::new(None, call.trace.clone(), call.now).end(&session);
            made(self.sessions.store.commit(commit).await)?;
        }
        Err(wrong_password())
    }

    /// Enters a failure into the audit trail.
    async fn refuse(&self, call: &Call, account: Option<&User>, reason: Refusal) -> Result<()> {
        let account = account.map(|user| user.id);
        let commit = Commit::new(None, call.trace.clone(), call.now).audit(account, AuditData::SessionRefused { reason });
        Ok(self.sessions.store.commit(commit).await?)
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
            match self.sessions.store.commit(commit).await {
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

//! Signing in at another provider (OpenID Connect Core 1.0, authorization code flow), and the identities that accounts have there.
//!
//! What binds a sign-in to its browser is one random value that only the browser keeps: the table has its hash, and the nonce and the
//! PKCE verifier are derived from it. Whoever reads the table can finish no sign-in.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    audit::{AuditData, SignInMethod},
    error::{Credentials, Kind},
    event::EventData,
    id::UserId,
    identity::{Identities, Identity, ProviderName, SignIn},
    limits,
    policy::{self, Action},
    text::{Email, Username},
    user::{Credential, Registration, User},
};
use quire_store::{Claim, Commit, CommitError, Key, Store};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Call,
    call::Client,
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    opaque,
    page::PageView,
    ports::{Answer, Handshake, IdentityProviders, Proved, ProviderError},
    sessions::{SessionView, Sessions},
    users::Registrations,
};

/// Random bytes of a state and of what the browser keeps.
const SECRET: usize = 32;
/// Their characters as base64url.
const SECRET_CHARS: usize = 43;

/// Begins sign-ins.
#[derive(Clone)]
pub struct SignIns {
    store: Store,
    providers: Arc<dyn IdentityProviders>,
}

/// Finishes sign-ins.
#[derive(Clone)]
pub struct SignInEnds {
    store: Store,
    providers: Arc<dyn IdentityProviders>,
    sessions: Sessions,
    registrations: Registrations,
}

/// The identities of accounts.
#[derive(Debug, Clone)]
pub struct LinkedIdentities {
    store: Store,
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Where it goes on, for the browser.
    pub view: SignInView,
    /// What the browser keeps until it comes back.
    pub binding: SecretString,
}

/// A sign-in that has begun, as its browser sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignInView {
    /// The provider's page.
    pub authorization_url: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Which identity somebody wants to link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdentity {
    /// Where it is.
    pub provider: ProviderName,
}

impl Input for NewIdentity {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { provider: fields.required("provider", ProviderName::parse)? })
    }
}

/// What the provider makes the browser bring back, as a query (RFC 6749, section 4.1.2).
#[derive(Debug, Clone)]
pub struct Callback {
    state: SecretString,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
enum Outcome {
    Code(Answer),
    /// The provider, or the person there, gave none.
    Refusal,
}

impl Input for Callback {
    fn read(fields: &mut Fields) -> Option<Self> {
        let text =
            |most| move |text: &str| if text.len() <= most { Ok(text.to_owned()) } else { Err(format!("must have at most {most} characters")) };
        let state = fields.required("state", text(SECRET_CHARS));
        let code = fields.optional("code", text(limits::PROVIDER_CODE_CHARS));
        let error = fields.optional("error", text(limits::PROVIDER_CODE_CHARS));
        let issuer = fields.optional("iss", text(limits::WEB_ADDRESS_CHARS));
        let (state, code, error, issuer) = (state?, code?, error?, issuer?);
        let outcome = match (code, error) {
            (_, Some(_)) => Outcome::Refusal,
            (Some(code), None) => Outcome::Code(Answer { code: code.into(), issuer }),
            (None, None) => return fields.refuse("code", "is required"),
        };
        Some(Self { state: state.into(), outcome })
    }
}

/// What came of a sign-in at a provider.
#[derive(Debug)]
pub enum Finished {
    /// Somebody is signed in.
    SignedIn(SessionView),
    /// The identity signs in from now on.
    Linked(IdentityView),
}

/// An identity as its account sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityView {
    /// Where it is.
    pub provider: ProviderName,
    /// Since when it signs in here.
    pub linked_at: Timestamp,
}

impl From<Identity> for IdentityView {
    fn from(Identity { provider, issuer: _, subject: _, linked_at }: Identity) -> Self {
        Self { provider, linked_at }
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unknown => Self::NotFound(Kind::Provider),
            ProviderError::Unavailable { retry_after, source } => Self::ProviderUnavailable { retry_after, source },
            ProviderError::Refused(source) => Self::SignInRefused(source),
        }
    }
}

impl SignIns {
    /// Sign-ins at `providers`.
    pub fn new(store: Store, providers: Arc<dyn IdentityProviders>) -> Self {
        Self { store, providers }
    }

    /// Begins to sign in somebody who is not known yet.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ProviderUnavailable`].
    pub fn begin<'a>(&'a self, call: &'a Call, provider: ProviderName) -> BoxFuture<'a, Result<Begun>> {
        Box::pin(self.start(call, provider, None))
    }

    /// Begins to link an identity to the account that asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::NotFound`], [`Error::ProviderUnavailable`].
    pub fn link<'a>(&'a self, call: &'a Call, user: UserId, input: NewIdentity) -> BoxFuture<'a, Result<Begun>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageIdentities, Some(user))?;
            self.start(call, input.provider, Some(user)).await
        })
    }

    async fn start(&self, call: &Call, provider: ProviderName, link: Option<UserId>) -> Result<Begun> {
        let (state, binding) = (random()?, random()?);
        let expires = call.now.plus_seconds(limits::SIGN_IN_SECONDS);
        let sign_in = SignIn { state: hash(&state), binding: hash(&binding), provider, link, expires };
        let handshake = handshake(state, &binding);
        let authorization_url = self.providers.authorization(&sign_in.provider, &handshake, call.now).await?;
        self.store.commit(Commit::new(link, call.trace.clone(), call.now).create(&sign_in)).await?;
        Ok(Begun { view: SignInView { authorization_url, expires_at: expires }, binding })
    }
}

impl SignInEnds {
    /// Sign-ins at `providers`, which end in `sessions` and open accounts as `registrations` do.
    pub fn new(store: Store, providers: Arc<dyn IdentityProviders>, sessions: Sessions, registrations: Registrations) -> Self {
        Self { store, providers, sessions, registrations }
    }

    /// Finishes a sign-in with what the browser has kept and what it brings from the provider, once. Nothing is spent while the provider
    /// does not answer.
    ///
    /// # Errors
    /// [`Error::SignInInvalid`], [`Error::SignInRefused`], [`Error::ProviderEmailUnverified`], [`Error::AccountExists`],
    /// [`Error::IdentityTaken`], [`Error::NotFound`], [`Error::ProviderUnavailable`], [`Error::Unauthenticated`] for an account with a second
    /// factor, [`Error::Contended`].
    pub fn finish<'a>(
        &'a self,
        call: &'a Call,
        client: &'a Client,
        provider: ProviderName,
        binding: Option<SecretString>,
        callback: Callback,
    ) -> BoxFuture<'a, Result<Finished>> {
        Box::pin(async move {
            let binding = binding.filter(|binding| binding.expose_secret().len() == SECRET_CHARS).ok_or(Error::SignInInvalid)?;
            let sign_in: Option<SignIn> = self.store.get(Key::sign_in(&hash(&callback.state))).await?;
            let is_its_own = |sign_in: &SignIn| {
                opaque::matches(binding.expose_secret().as_bytes(), &sign_in.binding) && sign_in.provider == provider && sign_in.expires > call.now
            };
            let sign_in = sign_in.filter(is_its_own).ok_or(Error::SignInInvalid)?;
            self.providers.ready(&provider, call.now).await?;
            self.spend(call, &sign_in).await?;
            let answer = match callback.outcome {
                Outcome::Code(answer) => answer,
                Outcome::Refusal => return Err(Error::SignInRefused("the provider gave no code".into())),
            };
            let proved = self.providers.identify(&provider, &answer, &handshake(callback.state, &binding), call.now).await?;
            if proved.subject.is_empty() || proved.subject.len() > limits::PROVIDER_SUBJECT_CHARS {
                return Err(Error::SignInRefused("the subject is too long".into()));
            }
            match sign_in.link {
                Some(user) => self.link(call, user, provider, &proved).await.map(Finished::Linked),
                None => self.sign_in(call, client, provider, &proved).await.map(Finished::SignedIn),
            }
        })
    }

    /// A sign-in works once: of two requests at the same time one finds it gone.
    async fn spend(&self, call: &Call, sign_in: &SignIn) -> Result<()> {
        let commit = Commit::new(sign_in.link, call.trace.clone(), call.now).remove(sign_in);
        if made(self.store.commit(commit).await)? { Ok(()) } else { Err(Error::SignInInvalid) }
    }

    async fn sign_in(&self, call: &Call, client: &Client, provider: ProviderName, proved: &Proved) -> Result<SessionView> {
        let identity = identity(provider, proved, call.now);
        for attempt in 0..ATTEMPTS {
            let Some(user) = self.store.owner_of(&Claim::identity(&identity)).await?.and_then(|owner| owner.parse().ok()) else {
                match self.register(call, &identity, proved, attempt).await {
                    // Another request has opened it, or somebody has the name: the next attempt finds the account or another name.
                    Ok(()) | Err(Error::IdentityTaken | Error::UsernameTaken) => continue,
                    Err(error) => return Err(error),
                }
            };
            let user: Option<User> = self.store.get(Key::user(user)).await?;
            let user = user.filter(|user| user.is_active).ok_or_else(|| Error::SignInRefused("the account is not active".into()))?;
            // A provider's word does not stand for a factor of ours: such an account signs in with its password and a code.
            if user.second_factor_at.is_some() {
                return Err(Error::Unauthenticated(Credentials::SecondFactorRequired));
            }
            return self.sessions.begin(call, client, user, SignInMethod::Provider).await;
        }
        Err(Error::Contended)
    }

    /// Opens an account that only the identity signs in to.
    async fn register(&self, call: &Call, identity: &Identity, proved: &Proved, attempt: usize) -> Result<()> {
        let email = verified_email(proved)?;
        let number = if attempt == 0 { None } else { Some(number()?) };
        let username = Username::suggested(proved.username.as_deref().unwrap_or(email.as_str()), number);
        let registration = Registration { username, email, display_name: None, bio: None };
        let (user, registered) = User::register(registration, self.registrations.roles.clone(), UserId::generate(call.now), call.now);
        let user = User { email_verified_at: Some(call.now), ..user };
        let commit = Commit::new(Some(user.id), call.trace.clone(), call.now)
            // First, because it tells most: two requests of one identity have the same address and name too.
            .claim(Claim::identity(identity), &user.id)
            .claim(Claim::Email(user.email.clone()), &user.id)
            .claim(Claim::Username(user.username.clone()), &user.id)
            .create(&user)
            .create(&Identities::first(user.id, identity.clone()))
            .audit(Some(user.id), AuditData::IdentityLinked { provider: identity.provider.to_string() })
            .emit([registered, EventData::IdentityLinked { user_id: user.id, provider: identity.provider.to_string() }]);
        match self.store.commit(commit).await {
            Err(CommitError::Claimed(Claim::Email(_))) => Err(Error::AccountExists),
            outcome => Ok(outcome?),
        }
    }

    /// Links an identity to the account that began this.
    async fn link(&self, call: &Call, id: UserId, provider: ProviderName, proved: &Proved) -> Result<IdentityView> {
        verified_email(proved)?;
        let identity = identity(provider, proved, call.now);
        for _ in 0..ATTEMPTS {
            let (user, before): (Option<User>, Option<Identities>) = self.store.get_both(Key::user(id), Key::identities(id)).await?;
            user.filter(|user| user.is_active).ok_or_else(|| Error::SignInRefused("the account is not active".into()))?;
            let commit = Commit::new(Some(id), call.trace.clone(), call.now).claim(Claim::identity(&identity), &id);
            let commit = match &before {
                None => commit.create(&Identities::first(id, identity.clone())),
                Some(before) => match before.link(identity.clone())? {
                    None => return linked(before, &identity.provider),
                    Some(after) => commit.update(before, &after),
                },
            };
            let commit = commit
                .audit(Some(id), AuditData::IdentityLinked { provider: identity.provider.to_string() })
                .emit([EventData::IdentityLinked { user_id: id, provider: identity.provider.to_string() }]);
            if made(self.store.commit(commit).await)? {
                return Ok(identity.into());
            }
        }
        Err(Error::Contended)
    }
}

impl LinkedIdentities {
    /// The identities in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The identities of the account that asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn list<'a>(&'a self, call: &'a Call, user: UserId) -> BoxFuture<'a, Result<PageView<IdentityView>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageIdentities, Some(user))?;
            let identities: Option<Identities> = self.store.get(Key::identities(user)).await?;
            Ok(PageView::whole(identities.map(|identities| identities.identities).unwrap_or_default()))
        })
    }

    /// Unlinks an identity from the account that asks. One that is not linked is gone already.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::LastSignInMethod`], [`Error::Contended`].
    pub fn unlink<'a>(&'a self, call: &'a Call, id: UserId, provider: ProviderName) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageIdentities, Some(id))?;
            for _ in 0..ATTEMPTS {
                let mut found = self.store.find(vec![Key::user(id), Key::credential(id), Key::identities(id)]).await?;
                let user: Option<User> = found.take(&Key::user(id))?;
                user.ok_or(Error::Unauthenticated(Credentials::InvalidToken))?.principal()?;
                let has_password = found.take::<Credential>(&Key::credential(id))?.is_some();
                let Some(before) = found.take::<Identities>(&Key::identities(id))? else { return Ok(()) };
                let Some((after, gone)) = before.unlink(&provider, has_password)? else { return Ok(()) };
                let commit = Commit::new(Some(id), call.trace.clone(), call.now)
                    .update(&before, &after)
                    .release(&Claim::identity(&gone), &id)
                    .audit(Some(id), AuditData::IdentityUnlinked { provider: gone.provider.to_string() });
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }
}

/// The view of an identity that was linked before.
fn linked(identities: &Identities, provider: &ProviderName) -> Result<IdentityView> {
    let linked = identities.identities.iter().find(|identity| identity.provider == *provider);
    linked.cloned().map(IdentityView::from).ok_or(Error::IdentityTaken)
}

fn identity(provider: ProviderName, proved: &Proved, now: Timestamp) -> Identity {
    Identity { provider, issuer: proved.issuer.clone(), subject: proved.subject.clone(), linked_at: now }
}

/// The address that the provider vouches for. One that is no address here cannot have an account here.
fn verified_email(proved: &Proved) -> Result<Email> {
    let email = proved.email.as_deref().filter(|_| proved.email_verified).and_then(|email| Email::parse(email).ok());
    email.ok_or(Error::ProviderEmailUnverified)
}

fn handshake(state: SecretString, binding: &SecretString) -> Handshake {
    let derived = |purpose: &str| {
        let text = Zeroizing::new(format!("{purpose}:{}", binding.expose_secret()));
        SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())))
    };
    Handshake { state, nonce: derived("nonce"), verifier: derived("verifier") }
}

fn hash(secret: &SecretString) -> String {
    opaque::hash(secret.expose_secret().as_bytes())
}

fn random() -> Result<SecretString> {
    let mut bytes = Zeroizing::new([0; SECRET]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| Error::internal("making a secret", error))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()).into())
}

fn number() -> Result<u16> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal("making a username", error))?;
    Ok(u16::from_le_bytes(bytes))
}

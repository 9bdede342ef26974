//! Turning the second factor on and off. Each way in or out wants the password again, or a code that its owner alone can make.

use std::{collections::BTreeSet, convert::Infallible};

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    audit::AuditData,
    error::{Credentials, Kind},
    event::EventData,
    id::UserId,
    limits,
    policy::{self, Action},
    second_factor::SecondFactor,
    text::Password,
    user::{Credential, User},
};
use quire_store::{Commit, Key, Store};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::{Serialize, Serializer, ser::SerializeSeq};

use crate::{
    Call,
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    password, rates,
    second_factor::{self, SecondFactors, Used},
    sessions::expose,
};

/// Random bytes of a secret (RFC 4226, section 4: 160 bits).
const SECRET_BYTES: usize = 20;

/// Turns second factors on and off.
#[derive(Clone)]
pub struct SecondFactorChanges {
    store: Store,
    factors: SecondFactors,
    /// Who asks for the codes, as an authenticator shows it.
    label: String,
}

/// Reads whether second factors are on.
#[derive(Debug, Clone)]
pub struct SecondFactorViews {
    store: Store,
}

/// What a person sends to begin.
#[derive(Debug, Clone)]
pub struct NewSecondFactor {
    /// The account's password.
    pub password: Password,
}

impl Input for NewSecondFactor {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { password: password(fields)? })
    }
}

/// What a person sends to turn it on.
#[derive(Debug, Clone)]
pub struct SecondFactorConfirmation {
    /// What the authenticator shows.
    pub code: SecretString,
}

impl Input for SecondFactorConfirmation {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { code: code(fields)? })
    }
}

/// What a person sends to turn it off.
#[derive(Debug, Clone)]
pub struct SecondFactorRemoval {
    /// The account's password.
    pub password: Password,
    /// What the authenticator shows, or a recovery code.
    pub code: SecretString,
}

impl Input for SecondFactorRemoval {
    fn read(fields: &mut Fields) -> Option<Self> {
        let (password, code) = (password(fields), code(fields));
        Some(Self { password: password?, code: code? })
    }
}

fn password(fields: &mut Fields) -> Option<Password> {
    fields.required("password", password::typed)
}

fn code(fields: &mut Fields) -> Option<SecretString> {
    fields.required("code", |text| Ok::<_, Infallible>(text.into()))
}

/// A second factor that waits for its first code, as its owner sees it, once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingSecondFactorView {
    /// To type into an authenticator: base32.
    #[serde(serialize_with = "expose")]
    pub secret: SecretString,
    /// To show to one, as a picture: `otpauth://totp/…`.
    #[serde(serialize_with = "expose")]
    pub uri: SecretString,
    /// Until when the first code must come.
    pub expires_at: Timestamp,
}

/// The codes that recover an account, as its owner sees them, once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodesView {
    /// Each works once.
    #[serde(serialize_with = "expose_all")]
    pub recovery_codes: Vec<SecretString>,
}

fn expose_all<S: Serializer>(codes: &[SecretString], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(codes.len()))?;
    for code in codes {
        list.serialize_element(code.expose_secret())?;
    }
    list.end()
}

/// Whether a second factor is on, for its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactorView {
    /// Whether signing in takes a code.
    pub is_enabled: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled_at: Option<Timestamp>,
    /// Recovery codes that were not used.
    pub recovery_codes_left: usize,
}

impl SecondFactorViews {
    /// The second factors in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether the second factor of an account is on, for that account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::InsufficientScope`].
    pub fn get<'a>(&'a self, call: &'a Call, id: UserId) -> BoxFuture<'a, Result<SecondFactorView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageSecondFactor, Some(id))?;
            let factor: Option<SecondFactor> = self.store.get(Key::second_factor(id)).await?;
            let (enabled_at, left) = factor.map_or((None, 0), |factor| (factor.enabled_at, factor.recovery_hashes.len()));
            Ok(SecondFactorView { is_enabled: enabled_at.is_some(), enabled_at, recovery_codes_left: left })
        })
    }
}

impl SecondFactorChanges {
    /// The second factors in `store`; codes are asked for by the host of `issuer`, the base URL of the deployment.
    pub fn new(store: Store, factors: SecondFactors, issuer: &str) -> Self {
        let host = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        let label = host.split(['/', ':']).next().unwrap_or_default().to_owned();
        Self { store, factors, label }
    }

    /// Makes a secret that waits for its first code, for somebody who knows the password. Nothing is recorded for a repeated request: the
    /// reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] also for a wrong password, [`Error::Forbidden`], [`Error::InsufficientScope`],
    /// [`Error::SecondFactorEnabled`], [`Error::TooManyTries`], [`Error::Contended`].
    pub fn start<'a>(&'a self, call: &'a Call, id: UserId, input: NewSecondFactor) -> BoxFuture<'a, Result<PendingSecondFactorView>> {
        Box::pin(async move {
            self.admit(call, id).await?;
            let mut secret = Zeroizing::new([0; SECRET_BYTES]);
            getrandom::fill(secret.as_mut_slice()).map_err(|error| Error::internal("making a second factor", error))?;
            for _ in 0..ATTEMPTS {
                let (user, before) = self.reauthenticated(id, &input.password).await?;
                if before.as_ref().is_some_and(|before| before.enabled_at.is_some()) {
                    return Err(Error::SecondFactorEnabled);
                }
                let ciphertext = self.factors.seal(id, secret.as_slice()).await?;
                let after = SecondFactor::start(before.as_ref(), id, ciphertext, call.now)?;
                let commit = Commit::new(Some(id), call.trace.clone(), call.now);
                let commit = match &before {
                    Some(before) => commit.update(before, &after),
                    None => commit.create(&after),
                };
                if made(self.store.commit(commit).await)? {
                    return self.shown(&user, secret.as_slice(), &after);
                }
            }
            Err(Error::Contended)
        })
    }

    /// Turns the second factor on, by its first code. Nothing is recorded for a repeated request: the reply holds secrets.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] also for a wrong code, [`Error::Forbidden`], [`Error::InsufficientScope`], [`Error::NotFound`] if none
    /// waits, [`Error::SecondFactorEnabled`], [`Error::TooManyTries`], [`Error::Contended`].
    pub fn confirm<'a>(&'a self, call: &'a Call, id: UserId, input: SecondFactorConfirmation) -> BoxFuture<'a, Result<RecoveryCodesView>> {
        Box::pin(async move {
            self.admit(call, id).await?;
            let codes = (0..limits::RECOVERY_CODES).map(|_| second_factor::recovery_code(id)).collect::<Result<Vec<_>>>()?;
            let (recovery_codes, hashes): (Vec<_>, BTreeSet<_>) = codes.into_iter().unzip();
            for _ in 0..ATTEMPTS {
                let (user, factor) = self.store.get_both::<User, SecondFactor>(Key::user(id), Key::second_factor(id)).await?;
                let user = active(user)?;
                let factor = factor.ok_or(Error::NotFound(Kind::SecondFactor))?.pending(call.now)?;
                let step = self.factors.step(&factor, input.code.expose_secret(), call.now).await?;
                let step = step.ok_or(Error::Unauthenticated(Credentials::WrongCode))?;
                let commit = Commit::new(Some(id), call.trace.clone(), call.now)
                    .update(&factor, &factor.enable(step, hashes.clone(), call.now))
                    .update(&user, &user.with_second_factor(Some(call.now), call.now)?)
                    .audit(Some(id), AuditData::SecondFactorEnabled {})
                    .emit([EventData::SecondFactorChanged { user_id: id, is_enabled: true }]);
                if made(self.store.commit(commit).await)? {
                    return Ok(RecoveryCodesView { recovery_codes });
                }
            }
            Err(Error::Contended)
        })
    }

    /// Turns the second factor off, for somebody who knows the password and has a code.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] also for a wrong password or code, [`Error::Forbidden`], [`Error::InsufficientScope`],
    /// [`Error::NotFound`] if it is off, [`Error::TooManyTries`], [`Error::Contended`].
    pub fn remove<'a>(&'a self, call: &'a Call, id: UserId, input: SecondFactorRemoval) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.admit(call, id).await?;
            for _ in 0..ATTEMPTS {
                let (user, factor) = self.reauthenticated(id, &input.password).await?;
                let factor = factor.ok_or(Error::NotFound(Kind::SecondFactor))?.enabled()?;
                let used = self.factors.use_code(&factor, &input.code, call.now).await?;
                let Used { is_recovery, .. } = used.ok_or(Error::Unauthenticated(Credentials::WrongCode))?;
                let mut commit = Commit::new(Some(id), call.trace.clone(), call.now)
                    .remove(&factor)
                    .update(&user, &user.with_second_factor(None, call.now)?)
                    .audit(Some(id), AuditData::SecondFactorDisabled {})
                    .emit([EventData::SecondFactorChanged { user_id: id, is_enabled: false }]);
                if is_recovery {
                    commit = commit.audit(Some(id), AuditData::SecondFactorRecovered {});
                }
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    /// Lets the account itself try, as often as it may.
    async fn admit(&self, call: &Call, id: UserId) -> Result<()> {
        policy::require(&call.principal, Action::ManageSecondFactor, Some(id))?;
        rates::count_try(&self.store, id, call.now).await
    }

    /// The account and its second factor, if this is its password.
    async fn reauthenticated(&self, id: UserId, typed: &Password) -> Result<(User, Option<SecondFactor>)> {
        let keys = [Key::user(id), Key::credential(id), Key::second_factor(id)];
        let mut found = self.store.find(keys.to_vec()).await?;
        let [user, credential, factor] = &keys;
        let user = active(found.take(user)?)?;
        let credential: Option<Credential> = found.take(credential)?;
        if !credential.is_some_and(|credential| password::matches(typed, &credential.password_hash)) {
            return Err(Error::Unauthenticated(Credentials::WrongPassword));
        }
        Ok((user, found.take(factor)?))
    }

    fn shown(&self, user: &User, secret: &[u8], factor: &SecondFactor) -> Result<PendingSecondFactorView> {
        let builder = second_factor::builder(secret).with_issuer(Some(self.label.as_str())).with_account_name(user.username.as_str());
        let totp = second_factor::totp(builder)?;
        let uri = totp.to_url().map_err(|error| Error::internal("showing a second factor", error))?;
        Ok(PendingSecondFactorView { secret: totp.secret().to_base32().into(), uri: uri.into(), expires_at: factor.confirm_until() })
    }
}

/// An account that is there and active, or the same error as for a wrong token.
fn active(user: Option<User>) -> Result<User> {
    let user = user.ok_or(Error::Unauthenticated(Credentials::InvalidToken))?;
    user.principal()?;
    Ok(user)
}

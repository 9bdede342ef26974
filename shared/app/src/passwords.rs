//! New passwords: with a mailed token, or with the present password.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result,
    audit::AuditData,
    error::Credentials,
    event::EventData,
    id::UserId,
    one_time::{OneTimeToken, Purpose},
    password_rules::{self, Known},
    policy::{self, Action},
    text::{Email, Password},
    user::{Credential, User},
};
use quire_store::{Commit, Key, Store, email_hash};

use crate::{
    Call,
    change::{ATTEMPTS, made},
    idempotency::commit_once,
    input::{Fields, Input},
    one_time::{self, ResetToken},
    password, rates,
    sessions::end_all,
};

/// The use cases of passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    store: Store,
}

/// What a person sends to be mailed a token.
#[derive(Debug, Clone)]
pub struct NewPasswordReset {
    /// The address of the account.
    pub email: Email,
}

impl Input for NewPasswordReset {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { email: fields.required("email", Email::parse)? })
    }
}

/// What a person sends with a mailed token.
#[derive(Debug, Clone)]
pub struct PasswordReset {
    /// The password from now on.
    pub password: Password,
}

impl Input for PasswordReset {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { password: fields.required("password", |text| Password::parse(&text.into()))? })
    }
}

/// What a person sends to change a password.
#[derive(Debug, Clone)]
pub struct PasswordReplacement {
    /// The password until now.
    pub current: Password,
    /// The password from now on.
    pub new: Password,
}

impl Input for PasswordReplacement {
    fn read(fields: &mut Fields) -> Option<Self> {
        let current = fields.required("currentPassword", password::typed);
        let new = fields.required("newPassword", |text| Password::parse(&text.into()));
        Some(Self { current: current?, new: new? })
    }
}

impl Passwords {
    /// The accounts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Asks for a mail with a token. Whether there is such an account is not looked at, and so it is not told.
    ///
    /// # Errors
    /// The table's.
    pub fn request_reset<'a>(&'a self, call: &'a Call, input: &'a NewPasswordReset) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let email = &input.email;
            let requested = EventData::PasswordResetRequested { email_hash: email_hash(email) };
            let commit = Commit::new(call.principal.user_id(), call.trace.clone(), call.now).emit([requested]);
            commit_once(&self.store, call, "create-password-reset", email, async { Ok(((), commit)) }).await
        })
    }

    /// Sets the password of the account that a token was mailed to, and ends all its sessions.
    ///
    /// The password comes first, so that nobody signs in with the old one any more; then the sessions end; then the token is used up. After
    /// a crash in between, the same request goes on where this one has ended, and one with another password does not.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a token that is wrong, used, replaced, too old or for an address that the account has no longer;
    /// [`Error::Invalid`] for a password that is easy to guess; [`Error::Contended`].
    pub fn reset<'a>(&'a self, call: &'a Call, token: &'a ResetToken, input: &'a PasswordReset) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let ResetToken(shown) = token;
            let (id, purpose) = (shown.user_id, Purpose::PasswordReset);
            let keys = [Key::user(id), Key::credential(id), Key::one_time_token(id, purpose)];
            for _ in 0..ATTEMPTS {
                let mut found = self.store.find(keys.to_vec()).await?;
                let (user, credential) = (found.take::<User>(&keys[0])?, found.take::<Credential>(&keys[1])?);
                let (user, mut stored) = one_time::usable(shown, purpose, user, found.take(&keys[2])?, call.now)?;
                if stored.is_begun {
                    if !credential.is_some_and(|credential| password::matches(&input.password, &credential.password_hash)) {
                        return Err(Error::NotFound(purpose.kind()));
                    }
                } else {
                    check(&input.password, &user, "/password")?;
                    let begun = stored.begun();
                    let commit = self.set(call, &user, credential.as_ref(), &input.password)?;
                    if !made(self.store.commit(commit.update(&stored, &begun)).await)? {
                        continue;
                    }
                    stored = begun;
                }
                end_all(&self.store, call, id, None).await?;
                if made(self.store.commit(self.finish(call, &user, &stored)?).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    /// Changes the password of the account that asks, and ends its other sessions, before and after: one that had just begun with the old
    /// password may have been missed before.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], also for a wrong password; [`Error::Forbidden`], [`Error::InsufficientScope`]; [`Error::Invalid`] for a
    /// password that is easy to guess; [`Error::TooManyTries`]; [`Error::Contended`].
    pub fn replace<'a>(&'a self, call: &'a Call, id: UserId, input: &'a PasswordReplacement) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if policy::reaches(&call.principal, Action::EditUser)? != id {
                return Err(Error::Forbidden(Action::EditUser));
            }
            rates::count_try(&self.store, id, call.now).await?;
            for _ in 0..ATTEMPTS {
                let (user, credential) = self.store.get_both::<User, Credential>(Key::user(id), Key::credential(id)).await?;
                let user = user.filter(|user| user.is_active).ok_or(Error::Unauthenticated(Credentials::InvalidToken))?;
                let credential = credential.filter(|credential| password::matches(&input.current, &credential.password_hash));
                let credential = credential.ok_or(Error::Unauthenticated(Credentials::WrongPassword))?;
                check(&input.new, &user, "/newPassword")?;
                end_all(&self.store, call, id, call.session).await?;
                if made(self.store.commit(self.set(call, &user, Some(&credential), &input.new)?).await)? {
                    return end_all(&self.store, call, id, call.session).await;
                }
            }
            Err(Error::Contended)
        })
    }

    /// Sets a password in the place of another, if there is one.
    fn set(&self, call: &Call, user: &User, before: Option<&Credential>, password: &Password) -> Result<Commit> {
        let version = before.map_or(1, |before| before.version + 1);
        let after = Credential { user_id: user.id, password_hash: password::hash(password)?, version };
        let commit = Commit::new(Some(user.id), call.trace.clone(), call.now);
        let commit = match before {
            Some(before) => commit.update(before, &after),
            None => commit.create(&after),
        };
        Ok(commit.audit(Some(user.id), AuditData::PasswordChanged {}).emit([EventData::PasswordChanged { user_id: user.id }]))
    }

    /// Uses a token up. Whoever had it has read a mail to the address.
    fn finish(&self, call: &Call, user: &User, stored: &OneTimeToken) -> Result<Commit> {
        let commit = Commit::new(Some(user.id), call.trace.clone(), call.now).update(stored, &stored.used());
        let verified = user.verify_email(call.now)?;
        Ok(match verified == *user {
            true => commit,
            false => commit.update(user, &verified).audit(Some(user.id), AuditData::EmailVerified {}),
        })
    }
}

/// Checks that a password is not easy to guess.
fn check(password: &Password, user: &User, pointer: &str) -> Result<()> {
    let User { username, email, display_name, .. } = user;
    let known = Known { username, email, display_name: display_name.as_ref() };
    password_rules::check(password, known).map_err(|error| Error::field(pointer, error.to_string()))
}

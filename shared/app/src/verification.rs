//! Showing that an e-mail address is one's own.

use futures::future::BoxFuture;
use quire_domain::{Error, Result, audit::AuditData, event::EventData, one_time::Purpose, text::Email};
use quire_store::{Commit, Key, Store, email_hash};

use crate::{
    Call,
    change::{ATTEMPTS, made},
    idempotency::commit_once,
    input::{Fields, Input},
    one_time::{self, VerificationToken},
};

/// The use cases of verification.
#[derive(Debug, Clone)]
pub struct EmailVerifications {
    store: Store,
}

/// What a person sends to be mailed a token.
#[derive(Debug, Clone)]
pub struct NewEmailVerification {
    /// The address of the account.
    pub email: Email,
}

impl Input for NewEmailVerification {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { email: fields.required("email", Email::parse)? })
    }
}

impl EmailVerifications {
    /// The accounts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Asks for a mail with a token. Whether there is such an account is not looked at, and so it is not told.
    ///
    /// # Errors
    /// The table's.
    pub fn request<'a>(&'a self, call: &'a Call, input: &'a NewEmailVerification) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let email = &input.email;
            let requested = EventData::EmailVerificationRequested { email_hash: email_hash(email) };
            let commit = Commit::new(call.principal.user_id(), call.trace.clone(), call.now).emit([requested]);
            commit_once(&self.store, call, "create-email-verification", email, async { Ok(((), commit)) }).await
        })
    }

    /// Verifies the address that a token was mailed to.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a token that is wrong, used, replaced, too old or for an address that the account has no longer;
    /// [`Error::Contended`].
    pub fn complete<'a>(&'a self, call: &'a Call, token: &'a VerificationToken) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let VerificationToken(shown) = token;
            let (id, purpose) = (shown.user_id, Purpose::EmailVerification);
            for _ in 0..ATTEMPTS {
                let (user, stored) = self.store.get_both(Key::user(id), Key::one_time_token(id, purpose)).await?;
                let (user, stored) = one_time::usable(shown, purpose, user, stored, call.now)?;
                let mut commit = Commit::new(Some(id), call.trace.clone(), call.now).update(&stored, &stored.used());
                let verified = user.verify_email(call.now)?;
                if verified != user {
                    commit = commit.update(&user, &verified).audit(Some(id), AuditData::EmailVerified {});
                }
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }
}

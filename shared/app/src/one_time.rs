//! Mailed tokens as people show them.

use std::str::FromStr;

use quire_domain::{
    Error, Result, Timestamp,
    id::{EventId, UserId},
    one_time::{OneTimeToken, Purpose},
    user::User,
};
use secrecy::SecretString;

use crate::opaque::{self, Opaque};

/// Random bytes of a token.
const BYTES: usize = 32;

/// A token for any purpose.
pub(crate) type Secret = Opaque<BYTES>;

/// The text is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a token")]
pub struct InvalidToken;

/// A token that verifies an e-mail address.
pub struct VerificationToken(pub(crate) Secret);

/// A token that sets another password.
pub struct ResetToken(pub(crate) Secret);

impl FromStr for VerificationToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        Opaque::parse(prefix(Purpose::EmailVerification), text).map(Self).ok_or(InvalidToken)
    }
}

impl FromStr for ResetToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        Opaque::parse(prefix(Purpose::PasswordReset), text).map(Self).ok_or(InvalidToken)
    }
}

/// A new token for an event: what is stored of its secret, and the text to mail.
pub(crate) fn generate(user: UserId, purpose: Purpose, event: EventId) -> Result<(String, SecretString)> {
    let token = Secret::generate(user, event.uuid())?;
    Ok((opaque::hash(token.secret()), token.text(prefix(purpose))))
}

/// The account and the stored token, if the one that is shown may be used.
///
/// # Errors
/// [`Error::NotFound`], the same whatever is wrong.
pub(crate) fn usable(
    shown: &Secret,
    purpose: Purpose,
    user: Option<User>,
    stored: Option<OneTimeToken>,
    now: Timestamp,
) -> Result<(User, OneTimeToken)> {
    let missing = || Error::NotFound(purpose.kind());
    let (user, stored) = user.zip(stored).ok_or_else(missing)?;
    let is_right = stored.usable(&user, shown.id, now).is_some_and(|hash| opaque::matches(shown.secret(), hash));
    if is_right { Ok((user, stored)) } else { Err(missing()) }
}

fn prefix(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::EmailVerification => "qev_",
        Purpose::PasswordReset => "qpr_",
    }
}

//! Tokens that are mailed and used once: whoever shows one has read the mail.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Timestamp,
    error::Kind,
    event::Event,
    id::{EventId, UserId},
    limits,
    text::Email,
    user::User,
};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Shows that an address is the account's own.
    EmailVerification,
    /// Gives the account another password.
    PasswordReset,
}

/// The newest token of an account for one purpose. It stays when it is used, so that the event that asked for it is known to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneTimeToken {
    /// The account.
    pub user_id: UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// The event that asked for it, which names it.
    pub event_id: EventId,
    /// Where it was mailed to.
    pub email: Email,
    /// Hash of the secret; none once it is used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hash: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends. Compared, not left to the table's time to live.
    pub ends: Timestamp,
    /// Whether the mail is out.
    pub is_sent: bool,
    /// Whether what it is for has begun, and only the same request may go on with it.
    pub is_begun: bool,
    /// Counts changes, from 1.
    pub version: u64,
}

impl Purpose {
    /// Seconds that a token is good for.
    pub fn seconds(self) -> i64 {
        match self {
            Self::EmailVerification => limits::EMAIL_VERIFICATION_SECONDS,
            Self::PasswordReset => limits::PASSWORD_RESET_SECONDS,
        }
    }

    /// What is missing where there is no such token.
    pub fn kind(self) -> Kind {
        match self {
            Self::EmailVerification => Kind::EmailVerification,
            Self::PasswordReset => Kind::PasswordReset,
        }
    }

    /// Whether an account is mailed a token of this purpose at all.
    pub fn concerns(self, user: &User) -> bool {
        user.is_active
            && match self {
                Self::EmailVerification => user.email_verified_at.is_none(),
                Self::PasswordReset => true,
            }
    }
}

impl OneTimeToken {
    /// Whether `event` is to be answered with a mail to `email`, given the token `before`. An event is answered once, however often it
    /// comes, and one that is older than the last mail to the address, or less than a minute younger, is answered by that mail.
    pub fn is_due(before: Option<&Self>, email: &Email, event: &Event) -> bool {
        let Some(before) = before else { return true };
        if before.event_id == event.id {
            return !before.is_sent;
        }
        before.email != *email || event.occurred_at >= before.created_at.plus_seconds(limits::MAIL_SECONDS)
    }

    /// A token of `user` for `event`, in the place of `before`.
    pub fn issue(before: Option<&Self>, user: &User, purpose: Purpose, event_id: EventId, hash: String, now: Timestamp) -> Self {
        Self {
            user_id: user.id,
            purpose,
            event_id,
            email: user.email.clone(),
            hash: Some(hash),
            created_at: now,
            ends: now.plus_seconds(purpose.seconds()),
            is_sent: false,
            is_begun: false,
            version: before.map_or(1, |before| before.version + 1),
        }
    }

    /// The hash that the secret of a token with this id must have, if `user` may still use it at `now`: the address that it went to must
    /// be the account's.
    pub fn usable(&self, user: &User, id: Uuid, now: Timestamp) -> Option<&str> {
        let is_right = self.event_id.uuid() == id && self.email == user.email && user.is_active && now < self.ends;
        self.hash.as_deref().filter(|_| is_right)
    }

    /// The token once its mail is out.
    #[must_use]
    pub fn sent(&self) -> Self {
        Self { is_sent: true, version: self.version + 1, ..self.clone() }
    }

    /// The token once what it is for has begun.
    #[must_use]
    pub fn begun(&self) -> Self {
        Self { is_begun: true, version: self.version + 1, ..self.clone() }
    }

    /// The token once it is used.
    #[must_use]
    pub fn used(&self) -> Self {
        Self { hash: None, version: self.version + 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{EventData, Trace},
        policy::Roles,
        text::Username,
        user::Registration,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn user() -> User {
        let (username, email) = (Username::parse("ada").unwrap(), Email::parse("ada@example.com").unwrap());
        let registration = Registration { username, email, display_name: None, bio: None };
        User::register(registration, Roles::new(), UserId::generate(at(0)), at(0)).0
    }

    fn event(seconds: i64) -> Event {
        let trace = Trace { correlation_id: "c".into(), traceparent: String::new() };
        Event::new(EventData::UserRegistered { user_id: user().id }, None, trace, at(seconds))
    }

    #[test]
    fn an_event_is_answered_once_and_one_a_minute() {
        let (user, first) = (user(), event(100));
        assert!(OneTimeToken::is_due(None, &user.email, &first));
        let token = OneTimeToken::issue(None, &user, Purpose::PasswordReset, first.id, "h".into(), at(110));
        assert!(OneTimeToken::is_due(Some(&token), &user.email, &first), "its mail is not out");
        let token = token.sent();
        assert!(!OneTimeToken::is_due(Some(&token), &user.email, &first));
        assert!(!OneTimeToken::is_due(Some(&token.used()), &user.email, &first));
        for (seconds, due) in [(50, false), (111, false), (169, false), (170, true)] {
            assert_eq!(OneTimeToken::is_due(Some(&token), &user.email, &event(seconds)), due, "{seconds}");
        }
        let other = Email::parse("lovelace@example.com").unwrap();
        assert!(OneTimeToken::is_due(Some(&token), &other, &event(111)), "nobody has been mailed there");
    }

    #[test]
    fn a_token_is_good_for_its_account_its_address_and_its_time() {
        let (user, event) = (user(), event(0));
        let token = OneTimeToken::issue(None, &user, Purpose::PasswordReset, event.id, "h".into(), at(0));
        let id = event.id.uuid();
        assert_eq!(token.usable(&user, id, at(899)), Some("h"));
        assert_eq!(token.usable(&user, id, at(900)), None, "expired");
        assert_eq!(token.usable(&user, Uuid::nil(), at(1)), None, "replaced");
        assert_eq!(token.used().usable(&user, id, at(1)), None, "used");
        let moved = User { email: Email::parse("lovelace@example.com").unwrap(), ..user.clone() };
        assert_eq!(token.usable(&moved, id, at(1)), None, "another address");
        assert_eq!(token.usable(&User { is_active: false, ..user }, id, at(1)), None, "switched off");
    }
}

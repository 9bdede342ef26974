//! Sessions: how long they last, and what a refresh token that is shown does to one.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Credentials, Error, Result},
    id::{SessionId, UserId},
    limits,
    user::User,
};

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Seconds after which a session ends, however much it is used.
    pub session: i64,
    /// Seconds after which a session ends that is not used.
    pub idle: i64,
}

/// A sign-in that lasts until it expires or is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Names the session; the `sid` of its access tokens.
    pub id: SessionId,
    /// The account that signed in.
    pub user_id: UserId,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it last signed in or showed its refresh token.
    pub last_used_at: Timestamp,
    /// When the session ends, however much it is used.
    pub ends: Timestamp,
    /// When the session ends unless it is used. Compared, not left to the table's time to live.
    pub expires: Timestamp,
    /// What the client said it was when it signed in, coarsely.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<String>,
    /// What its refresh token is known by.
    pub refresh: RefreshToken,
    /// Counts changes, from 1.
    pub version: u64,
}

/// The refresh token of a session, of which only hashes are stored. One half of it, the family, stays; the other rotates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshToken {
    /// Hash of the half that stays: who knows it has had a token of this session.
    pub family: String,
    /// Hash of the half that rotates.
    pub current: String,
    /// What came before, once it has rotated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<Rotated>,
}

/// A rotating half that has a successor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// Its hash.
    pub hash: String,
    /// When it was replaced.
    pub at: Timestamp,
    /// Random bytes that made its successor of it, so that whoever shows it again at once gets the same one.
    pub nonce: String,
}

/// What somebody has shown, compared with what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Whether the family is right.
    pub family: bool,
    /// Whether the rotating half is the current one.
    pub current: bool,
    /// Whether the rotating half is the one before.
    pub previous: bool,
}

/// What a refresh token that was shown does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is used up, and its successor takes its place.
    Rotate,
    /// It was used up a moment ago and the reply was lost: it gets the same successor.
    Replay,
    /// It was used up before: two have it, and one of them is not the owner.
    Reuse,
    /// It is no token of this session, or the session is over.
    Refuse,
}

impl Session {
    /// The session of an account that has proved itself.
    ///
    /// # Errors
    /// The same error as for a wrong password if the account is not active.
    pub fn begin(user: &User, id: SessionId, lifetimes: Lifetimes, refresh: RefreshToken, device: Option<String>, now: Timestamp) -> Result<Self> {
        if !user.is_active {
            return Err(Error::Unauthenticated(Credentials::WrongPassword));
        }
        let ends = now.plus_seconds(lifetimes.session);
        let expires = ends.min(now.plus_seconds(lifetimes.idle));
        Ok(Self { id, user_id: user.id, created_at: now, last_used_at: now, ends, expires, device, refresh, version: 1 })
    }

    /// Whether the session is over.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    /// What is to be done with somebody who shows a refresh token.
    pub fn judge(&self, shown: Shown, now: Timestamp) -> Verdict {
        let Shown { family, current, previous } = shown;
        let just_now = |rotated: &Rotated| now <= rotated.at.plus_seconds(limits::REFRESH_REPLAY_SECONDS);
        // Whoever does not know the family has never had a token of it: to end the session would be theirs to choose.
        if !family || self.has_expired(now) {
            Verdict::Refuse
        } else if current {
            Verdict::Rotate
        } else if previous && self.refresh.previous.as_ref().is_some_and(just_now) {
            Verdict::Replay
        } else {
            Verdict::Reuse
        }
    }

    /// The session with the next rotating half.
    #[must_use]
    pub fn rotated(&self, current: String, nonce: String, lifetimes: Lifetimes, now: Timestamp) -> Self {
        let previous = Some(Rotated { hash: self.refresh.current.clone(), at: now, nonce });
        let refresh = RefreshToken { family: self.refresh.family.clone(), current, previous };
        let expires = self.ends.min(now.plus_seconds(lifetimes.idle));
        Self { last_used_at: now, expires, refresh, version: self.version + 1, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        text::{Email, Username},
        user::Registration,
    };

    const LIFETIMES: Lifetimes = Lifetimes { session: 1000, idle: 300 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn user() -> User {
        let (username, email) = (Username::parse("ada").unwrap(), Email::parse("ada@example.com").unwrap());
        let registration = Registration { username, email, display_name: None, bio: None };
        User::register(registration, [].into(), UserId::generate(at(0)), at(0)).0
    }

    fn session() -> Session {
        let refresh = RefreshToken { family: "f".into(), current: "1".into(), previous: None };
        Session::begin(&user(), SessionId::generate(at(0)), LIFETIMES, refresh, None, at(0)).unwrap()
    }

    #[test]
    fn a_session_lasts_while_it_is_used_and_not_longer_than_sessions_do() {
        let mut session = session();
        assert_eq!((session.ends, session.expires), (at(1000), at(300)));
        assert!(!session.has_expired(at(299)) && session.has_expired(at(300)));
        for (now, expires) in [(200, 500), (400, 700), (600, 900), (800, 1000), (999, 1000)] {
            session = session.rotated(now.to_string(), "n".into(), LIFETIMES, at(now));
            assert_eq!((session.last_used_at, session.expires, session.created_at), (at(now), at(expires), at(0)));
        }
        assert_eq!(session.version, 6);
    }

    #[test]
    fn an_account_that_is_not_active_begins_no_session() {
        let refresh = session().refresh;
        let user = User { is_active: false, ..user() };
        assert!(Session::begin(&user, SessionId::generate(at(0)), LIFETIMES, refresh, None, at(0)).is_err());
    }

    #[test]
    fn a_token_is_used_once_and_forgiven_for_ten_seconds() {
        let session = session().rotated("2".into(), "n".into(), LIFETIMES, at(100));
        let judge = |family, current, previous, seconds| session.judge(Shown { family, current, previous }, at(seconds));
        assert_eq!(judge(true, true, false, 101), Verdict::Rotate);
        assert_eq!(
            [judge(true, false, true, 99), judge(true, false, true, 110), judge(true, false, true, 111)],
            [Verdict::Replay, Verdict::Replay, Verdict::Reuse]
        );
        assert_eq!(judge(true, false, false, 101), Verdict::Reuse);
        for (current, previous) in [(false, false), (true, false), (false, true)] {
            assert_eq!(judge(false, current, previous, 101), Verdict::Refuse, "a forgery changes nothing");
            assert_eq!(judge(true, current, previous, 400), Verdict::Refuse, "a session that is over is only over");
        }
    }
}

//! Refresh tokens: used once, for the next two tokens of a session.

use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use quire_domain::{
    Error, Result,
    audit::AuditData,
    error::Credentials,
    event::EventData,
    id::{SessionId, UserId},
    session::{RefreshToken, Session, Shown, Verdict},
    user::User,
};
use quire_store::{Commit, Key};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::Sha256;

use super::{SessionView, Sessions};
use crate::{
    Call,
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    opaque::{self, Opaque},
};

/// What refresh tokens begin with.
const PREFIX: &str = "qrt_";
/// Bytes of each half.
const HALF: usize = 32;

/// What a client sends to stay signed in.
#[derive(Debug, Clone)]
pub struct SessionRefresh {
    /// The refresh token that it got last.
    pub refresh_token: SecretString,
}

impl Input for SessionRefresh {
    fn read(fields: &mut Fields) -> Option<Self> {
        let refresh_token = fields.required("refreshToken", |text| Ok::<_, std::convert::Infallible>(SecretString::from(text)));
        Some(Self { refresh_token: refresh_token? })
    }
}

/// A refresh token: the half that stays for the session, and the half that rotates.
pub(super) struct Halves(Opaque<{ 2 * HALF }>);

impl Halves {
    /// The first token of a session.
    pub(super) fn generate(user: UserId, session: SessionId) -> Result<Self> {
        Opaque::generate(user, session.uuid()).map(Self)
    }

    /// The token of a text, or nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Opaque::parse(PREFIX, text).map(Self)
    }

    fn key(&self) -> (UserId, SessionId) {
        (self.0.user_id, SessionId::from_uuid(self.0.id))
    }

    fn family(&self) -> &[u8] {
        &self.0.secret()[..HALF]
    }

    fn rotating(&self) -> &[u8] {
        &self.0.secret()[HALF..]
    }

    /// What is stored of the first token of a session.
    pub(super) fn stored(&self) -> RefreshToken {
        RefreshToken { family: opaque::hash(self.family()), current: opaque::hash(self.rotating()), previous: None }
    }

    /// The text that its owner gets, once.
    pub(super) fn text(&self) -> SecretString {
        self.0.text(PREFIX)
    }

    /// How much of it is what is stored. Takes the same time for every token.
    fn compare(&self, stored: &RefreshToken) -> Shown {
        let previous = stored.previous.as_ref().map_or(stored.current.as_str(), |rotated| &rotated.hash);
        let previous = opaque::matches(self.rotating(), previous);
        Shown {
            family: opaque::matches(self.family(), &stored.family),
            current: opaque::matches(self.rotating(), &stored.current),
            previous: previous && stored.previous.is_some(),
        }
    }

    /// The token that follows. Only this one and the nonce together tell it.
    fn successor(&self, nonce: &[u8]) -> Result<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.rotating()).map_err(|error| Error::internal("deriving a token", error))?;
        mac.update(nonce);
        let rotating = Zeroizing::new(<[u8; HALF]>::from(mac.finalize().into_bytes()));
        let mut secret = Zeroizing::new([0; 2 * HALF]);
        secret[..HALF].copy_from_slice(self.family());
        secret[HALF..].copy_from_slice(rotating.as_slice());
        Ok(Self(Opaque::new(self.0.user_id, self.0.id, *secret)))
    }
}

impl Sessions {
    /// The next tokens of a session, for its refresh token. The account is read as it is now. A token that was used before ends the
    /// session, unless that was seconds ago: then the reply was lost, and the same refresh token is given again.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same whatever is wrong; [`Error::Contended`].
    pub fn refresh<'a>(&'a self, call: &'a Call, input: &'a SessionRefresh) -> BoxFuture<'a, Result<SessionView>> {
        Box::pin(async move {
            let refused = || Error::Unauthenticated(Credentials::InvalidRefreshToken);
            let token = Halves::parse(input.refresh_token.expose_secret()).ok_or_else(refused)?;
            let (user_id, id) = token.key();
            for _ in 0..ATTEMPTS {
                let (user, session) = self.store.get_both::<User, Session>(Key::user(user_id), Key::session(user_id, id)).await?;
                let session = session.ok_or_else(refused)?;
                let active = user.filter(|user| user.is_active).ok_or_else(refused);
                match session.judge(token.compare(&session.refresh), call.now) {
                    Verdict::Refuse => return Err(refused()),
                    Verdict::Reuse => {
                        if self.end_reused(call, &session).await? {
                            return Err(refused());
                        }
                    }
                    Verdict::Rotate => {
                        if let Some(view) = self.rotate(call, &active?, &session, &token).await? {
                            return Ok(view);
                        }
                    }
                    Verdict::Replay => return self.replay(call, &active?, &session, &token).await,
                }
            }
            Err(Error::Contended)
        })
    }

    /// Puts the successor in the token's place, unless the session has changed or is gone.
    async fn rotate(&self, call: &Call, user: &User, session: &Session, token: &Halves) -> Result<Option<SessionView>> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|error| Error::internal("making a token", error))?;
        let successor = token.successor(&nonce)?;
        let after = session.rotated(opaque::hash(successor.rotating()), hex::encode(nonce), self.rules.lifetimes, call.now);
        let access_token = self.access_token(call, user, session.id).await?;
        let commit = Commit::new(Some(user.id), call.trace.clone(), call.now).update(session, &after);
        let is_made = made(self.store.commit(commit).await)?;
        Ok(is_made.then(|| SessionView::of(&after, access_token, successor.text())))
    }

    /// The successor that the token has already.
    async fn replay(&self, call: &Call, user: &User, session: &Session, token: &Halves) -> Result<SessionView> {
        let broken = || Error::internal("replaying a token", "the session does not tell its successor");
        let previous = session.refresh.previous.as_ref().ok_or_else(broken)?;
        let successor = token.successor(&hex::decode(&previous.nonce).map_err(|_| broken())?)?;
        if !opaque::matches(successor.rotating(), &session.refresh.current) {
            return Err(broken());
        }
        Ok(SessionView::of(session, self.access_token(call, user, session.id).await?, successor.text()))
    }

    /// Ends a session of which somebody else may have a token, unless it has changed or is gone.
    async fn end_reused(&self, call: &Call, session: &Session) -> Result<bool> {
        let (user_id, session_id) = (session.user_id, session.id);
        let commit = Commit::new(None, call.trace.clone(), call.now)
            .end(session)
            .emit([EventData::SessionReused { user_id, session_id }])
            .audit(Some(user_id), AuditData::SessionReused { session_id });
        made(self.store.commit(commit).await)
    }
}

#[cfg(test)]
mod tests {
    use quire_domain::Timestamp;

    use super::*;

    fn token() -> Halves {
        let now = Timestamp::from_millis(1);
        Halves::generate(UserId::generate(now), SessionId::generate(now)).unwrap()
    }

    #[test]
    fn a_successor_keeps_its_family_and_follows_from_token_and_nonce_only() {
        let first = token();
        let second = first.successor(b"nonce").unwrap();
        assert_eq!((second.key(), second.family()), (first.key(), first.family()));
        assert_ne!(second.rotating(), first.rotating());
        assert_eq!(first.successor(b"nonce").unwrap().rotating(), second.rotating());
        assert_ne!(first.successor(b"other").unwrap().rotating(), second.rotating());
        assert_ne!(token().successor(b"nonce").unwrap().rotating(), second.rotating());
    }

    #[test]
    fn a_token_is_compared_half_by_half() {
        let (first, other) = (token(), token());
        let stored = first.stored();
        assert_eq!(first.compare(&stored), Shown { family: true, current: true, previous: false });
        assert_eq!(first.successor(b"n").unwrap().compare(&stored), Shown { family: true, current: false, previous: false });
        assert_eq!(other.compare(&stored), Shown { family: false, current: false, previous: false });
        let text = first.text();
        assert_eq!(Halves::parse(text.expose_secret()).unwrap().compare(&stored), first.compare(&stored));
        assert_eq!(text.expose_secret().len(), 4 + 128);
    }
}

//! What accounts want to be mailed about, and how they end it without signing in (RFC 8058).

use std::str::FromStr;

use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use quire_domain::{
    Error, Result, Timestamp,
    error::{Credentials, Kind},
    event::Trace,
    id::UserId,
    notification::{NotificationPreferences, Topic, UnsubscribeKey},
    policy::{self, Action},
    user::User,
};
use quire_store::{Commit, Key, Store};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::{
    Call,
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    one_time::InvalidToken,
    opaque::Opaque,
};

/// Tells people and secret scanners what they have found.
const PREFIX: &str = "qun_";
/// Bytes of a key and of what it makes.
const BYTES: usize = 32;

/// The use cases of notifications.
#[derive(Debug, Clone)]
pub struct Notifications {
    store: Store,
}

/// What an account wants to be mailed about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationPreferencesView {
    /// Comments on its posts, and answers to its comments.
    pub comments: bool,
    /// New followers.
    pub followers: bool,
}

impl From<NotificationPreferences> for NotificationPreferencesView {
    fn from(preferences: NotificationPreferences) -> Self {
        let NotificationPreferences { user_id: _, comments, followers, unsubscribe_key: _, version: _ } = preferences;
        Self { comments, followers }
    }
}

/// All that an account says of what it wants to be mailed about.
#[derive(Debug, Clone, Copy)]
pub struct NotificationPreferencesReplacement {
    /// Comments on its posts, and answers to its comments.
    pub comments: bool,
    /// New followers.
    pub followers: bool,
}

impl Input for NotificationPreferencesReplacement {
    fn read(fields: &mut Fields) -> Option<Self> {
        let mut required = |name: &str| fields.flag(name)?.or_else(|| fields.refuse(name, "is required"));
        let (comments, followers) = (required("comments"), required("followers"));
        Some(Self { comments: comments?, followers: followers? })
    }
}

/// A token that ends the notifications of one topic. It is good for as long as the account keeps its key.
pub struct UnsubscribeToken(Opaque<BYTES>);

impl FromStr for UnsubscribeToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        Opaque::parse(PREFIX, text).map(Self).ok_or(InvalidToken)
    }
}

impl Notifications {
    /// The preferences in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// What the account that asks wants to be mailed about.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn preferences<'a>(&'a self, call: &'a Call, user: UserId) -> BoxFuture<'a, Result<NotificationPreferencesView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageNotifications, Some(user))?;
            let preferences = self.store.get(Key::notification_preferences(user)).await?;
            Ok(preferences.unwrap_or_else(|| NotificationPreferences::new(user)).into())
        })
    }

    /// Sets what the account that asks wants to be mailed about.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::Contended`].
    pub fn replace<'a>(
        &'a self,
        call: &'a Call,
        id: UserId,
        input: NotificationPreferencesReplacement,
    ) -> BoxFuture<'a, Result<NotificationPreferencesView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageNotifications, Some(id))?;
            for _ in 0..ATTEMPTS {
                let (user, before) = self.store.get_both::<User, _>(Key::user(id), Key::notification_preferences(id)).await?;
                user.ok_or(Error::Unauthenticated(Credentials::InvalidToken))?.principal()?;
                let before = before.unwrap_or_else(|| NotificationPreferences::new(id));
                let after = before.with(input.comments, input.followers);
                if self.changed(&before, &after, Commit::new(Some(id), call.trace.clone(), call.now)).await? {
                    return Ok(after.into());
                }
            }
            Err(Error::Contended)
        })
    }

    /// Ends the notifications that a token is for; again does nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a token that is wrong or of an account that is gone; [`Error::Contended`].
    pub fn unsubscribe<'a>(&'a self, call: &'a Call, token: &'a UnsubscribeToken) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let UnsubscribeToken(shown) = token;
            let missing = || Error::NotFound(Kind::Unsubscription);
            let topic = Topic::ALL.into_iter().find(|topic| id(*topic) == shown.id).ok_or_else(missing)?;
            for _ in 0..ATTEMPTS {
                let before: Option<NotificationPreferences> = self.store.get(Key::notification_preferences(shown.user_id)).await?;
                let before = before.ok_or_else(missing)?;
                let key = before.unsubscribe_key.as_ref().ok_or_else(missing)?;
                signature(key, topic)?.verify_slice(shown.secret()).map_err(|_| missing())?;
                let commit = Commit::new(Some(shown.user_id), call.trace.clone(), call.now);
                if self.changed(&before, &before.without(topic), commit).await? {
                    tracing::info!(userId = %shown.user_id, topic = topic.name(), "An account wants no more mail of a kind");
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    /// The preferences of an account with a key that makes tokens, given those that were read.
    pub(crate) async fn with_key(&self, preferences: NotificationPreferences, trace: &Trace, now: Timestamp) -> Result<NotificationPreferences> {
        let mut before = preferences;
        for _ in 0..ATTEMPTS {
            if before.unsubscribe_key.is_some() {
                return Ok(before);
            }
            let mut bytes = [0; BYTES];
            getrandom::fill(&mut bytes).map_err(|error| Error::internal("making a key", error))?;
            let after = before.with_key(UnsubscribeKey::new(hex::encode(bytes)));
            if self.changed(&before, &after, Commit::new(None, trace.clone(), now)).await? {
                return Ok(after);
            }
            let newer = self.store.get(Key::notification_preferences(before.user_id)).await?;
            before = newer.unwrap_or_else(|| NotificationPreferences::new(before.user_id));
        }
        Err(Error::Contended)
    }

    /// Whether the change was made: not if somebody else was faster.
    async fn changed(&self, before: &NotificationPreferences, after: &NotificationPreferences, commit: Commit) -> Result<bool> {
        let commit = match before.version {
            _ if after == before => return Ok(true),
            0 => commit.create(after),
            _ => commit.update(before, after),
        };
        made(self.store.commit(commit).await)
    }
}

/// The text of the token that ends the notifications of a topic.
pub(crate) fn token(user: UserId, key: &UnsubscribeKey, topic: Topic) -> Result<SecretString> {
    let secret: [u8; BYTES] = signature(key, topic)?.finalize().into_bytes().into();
    Ok(Opaque::<BYTES>::new(user, id(topic), secret).text(PREFIX))
}

fn signature(key: &UnsubscribeKey, topic: Topic) -> Result<Hmac<Sha256>> {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).map_err(|error| Error::internal("signing a token", error))?;
    Ok(mac.chain_update(topic.name()))
}

/// Names a topic in tokens.
fn id(topic: Topic) -> Uuid {
    match topic {
        Topic::Comments => Uuid::from_u128(1),
        Topic::Followers => Uuid::from_u128(2),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_is_for_one_account_one_key_and_one_topic() {
        let user = UserId::generate(Timestamp::from_millis(1));
        let keys = ["a", "b"].map(|text| UnsubscribeKey::new(text.into()));
        let texts: Vec<_> = keys.iter().flat_map(|key| Topic::ALL.map(|topic| token(user, key, topic).unwrap())).collect();
        for (index, text) in texts.iter().enumerate() {
            let UnsubscribeToken(shown) = text.expose_secret().parse().unwrap();
            let (key, topic) = (index / 2, Topic::ALL[index % 2]);
            assert_eq!((shown.user_id, shown.id), (user, id(topic)));
            for (other_key, other_topic) in [(0, Topic::Comments), (0, Topic::Followers), (1, Topic::Comments), (1, Topic::Followers)] {
                let is_right = signature(&keys[other_key], other_topic).unwrap().verify_slice(shown.secret()).is_ok();
                assert_eq!(is_right, (other_key, other_topic) == (key, topic));
            }
        }
        assert!("qun_".parse::<UnsubscribeToken>().is_err() && "qev_".parse::<UnsubscribeToken>().is_err());
    }
}

//! Who follows whom, and what comes into a follower's feed.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Result},
    id::{PostId, UserId},
    limits,
    policy::{self, Action, Principal},
};

/// That one account follows another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Follow {
    /// Who is followed.
    pub user_id: UserId,
    /// Who follows.
    pub follower_id: UserId,
    /// Since when.
    pub created_at: Timestamp,
}

/// A post in the feed of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedEntry {
    /// Whose feed it is.
    pub user_id: UserId,
    /// The post.
    pub post_id: PostId,
    /// Who wrote the post.
    pub author_id: UserId,
    /// When the post was published.
    pub published_at: Timestamp,
}

/// That the posts of an author are looked for when a feed is read: too many follow them to write each post into every feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pulled {
    /// The author.
    pub author_id: UserId,
    /// Since when their posts are not written into feeds.
    pub since: Timestamp,
    /// Until when; absent while they are not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
    /// Counts changes, from 1.
    pub version: u64,
}

impl Pulled {
    /// From now on.
    pub fn begin(author_id: UserId, before: Option<&Self>, now: Timestamp) -> Self {
        Self { author_id, since: now, until: None, version: before.map_or(1, |before| before.version + 1) }
    }

    /// Until now. Posts that were published in between are looked for as long as they are in feeds.
    #[must_use]
    pub fn end(self, now: Timestamp) -> Self {
        Self { until: Some(now), version: self.version + 1, ..self }
    }

    /// Whether new posts are written into no feed.
    pub fn goes_on(&self) -> bool {
        self.until.is_none()
    }

    /// When no feed lacks a post any more because of it.
    pub fn expires(&self) -> Option<Timestamp> {
        self.until.map(leaves_feeds)
    }
}

/// When a post that was published at `at` leaves all feeds.
pub fn leaves_feeds(at: Timestamp) -> Timestamp {
    at.plus_seconds(limits::FEED_SECONDS)
}

impl Follow {
    /// Makes `principal` follow an account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`] for a follower who is not the principal, [`Error::Invalid`] for somebody who
    /// would follow themselves.
    pub fn begin(principal: &Principal, user_id: UserId, follower_id: UserId, now: Timestamp) -> Result<Self> {
        policy::require(principal, Action::Follow, Some(follower_id))?;
        if user_id == follower_id {
            return Err(Error::field("/followerId", "must be another account than the one that is followed"));
        }
        Ok(Self { user_id, follower_id, created_at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    #[test]
    fn an_author_is_looked_for_until_all_that_was_not_written_into_feeds_has_left_them() {
        let (at, later) = (Timestamp::from_millis(0), Timestamp::from_millis(1));
        let begun = Pulled::begin(UserId::generate(at), None, at);
        assert_eq!((begun.goes_on(), begun.expires(), begun.version), (true, None, 1));
        let ended = begun.end(later);
        assert_eq!((ended.goes_on(), ended.expires(), ended.version), (false, Some(leaves_feeds(later)), 2));
        let again = Pulled::begin(ended.author_id, Some(&ended), later);
        assert_eq!((again.goes_on(), again.expires(), again.version), (true, None, 3));
    }

    #[test]
    fn one_follows_others_and_for_oneself_only() {
        let at = Timestamp::from_millis(0);
        let (me, other) = (UserId::generate(at), UserId::generate(at));
        let principal = Principal::user(me, [Role::Reader].into());
        assert_eq!(Follow::begin(&principal, other, me, at).unwrap(), Follow { user_id: other, follower_id: me, created_at: at });
        assert!(matches!(Follow::begin(&principal, other, other, at), Err(Error::Forbidden(Action::Follow))));
        assert!(matches!(Follow::begin(&principal, me, me, at), Err(Error::Invalid(_))));
        assert!(matches!(Follow::begin(&Principal::Anonymous, me, me, at), Err(Error::Unauthenticated(_))));
    }
}

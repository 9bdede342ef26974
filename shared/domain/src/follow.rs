//! Who follows whom, and what comes into a follower's feed.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Result},
    id::{PostId, UserId},
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

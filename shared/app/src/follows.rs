//! Who follows whom.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    cursor::{Followed, Position},
    error::Kind,
    event::EventData,
    follow::{self, FeedEntry, Follow},
    id::UserId,
    limits,
    policy::{self, Action},
    post::{PostSummary, Status},
    user::User,
};
use quire_store::{Commit, CommitError, Key, Order, Page, Pages, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    change::{ATTEMPTS, made},
    page::{PageRequest, PageView, walk},
};

/// Posts of an author that are looked at together for published ones.
const LOOK_AT: usize = 100;
/// How often posts are looked at for one new follower. Who has hundreds of newer drafts has fewer posts in the feeds of new followers.
const LOOKS: usize = 3;

/// The use cases of following.
#[derive(Debug, Clone)]
pub struct Follows {
    store: Store,
}

/// Who follows whom, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FollowView {
    /// Who is followed.
    pub user_id: UserId,
    /// Who follows.
    pub follower_id: UserId,
    /// Since when.
    pub created_at: Timestamp,
}

impl From<Follow> for FollowView {
    fn from(follow: Follow) -> Self {
        let Follow { user_id, follower_id, created_at } = follow;
        Self { user_id, follower_id, created_at }
    }
}

impl Follows {
    /// Who follows whom in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Makes the principal follow an account. Its newest posts are in the principal's feed afterwards.
    ///
    /// What is published from the commit on is fanned out to this follower, and what was published before is found after it: no post
    /// falls between. A request that dies before the feed is filled is repeated whole.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`] for another follower, [`Error::Invalid`], [`Error::NotFound`],
    /// [`Error::VersionMismatch`] for one that is there although it must be new.
    pub fn follow<'a>(&'a self, call: &'a Call, user: UserId, follower: UserId, only_new: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let follow = Follow::begin(&call.principal, user, follower, call.now)?;
            let exists = || if only_new { Err(Error::VersionMismatch) } else { Ok(()) };
            if self.present(user, follower).await?.is_some() {
                exists()?;
            } else {
                let commit = Commit::new(Some(follower), call.trace.clone(), call.now).create(&follow);
                let commit = commit.emit([EventData::UserFollowed { user_id: user, follower_id: follower }]);
                match self.store.commit(commit).await {
                    Err(CommitError::Stale) => exists()?,
                    outcome => outcome?,
                }
            }
            self.fill_feed(user, follower, call.now).await
        })
    }

    /// Makes the principal follow an account no longer. Its posts leave the principal's feed at once.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`] for another follower, [`Error::NotFound`], [`Error::Contended`].
    pub fn unfollow<'a>(&'a self, call: &'a Call, user: UserId, follower: UserId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::Follow, Some(follower))?;
            for _ in 0..ATTEMPTS {
                let Some(follow) = self.present(user, follower).await? else { return Ok(()) };
                let commit = Commit::new(Some(follower), call.trace.clone(), call.now).remove(&follow);
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    /// Who follows an account, newest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::NotFound`].
    pub fn followers<'a>(&'a self, user: UserId, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<FollowView>>> {
        Box::pin(async move { self.list(user, Key::followers(user), |follow| follow.follower_id, page).await })
    }

    /// Whom an account follows, newest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::NotFound`].
    pub fn following<'a>(&'a self, follower: UserId, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<FollowView>>> {
        Box::pin(async move { self.list(follower, Key::following(follower), |follow| follow.user_id, page).await })
    }

    async fn list(&self, of: UserId, partition: String, other: fn(&Follow) -> UserId, page: &PageRequest) -> Result<PageView<FollowView>> {
        let pages = page.pages::<Followed>(partition, Order::Descending)?;
        self.store.get::<User>(Key::user(of)).await?.ok_or(Error::NotFound(Kind::User))?;
        let position = |follow: &Follow| Followed { since: follow.created_at, id: other(follow) };
        let (follows, next) = walk(&self.store, pages, &position, |_| true).await?;
        Ok(PageView::new(follows, position, next))
    }

    /// Puts the newest posts of `author` into the feed of `user`. They are those drafted last, out of the list of all that the author has.
    async fn fill_feed(&self, author: UserId, user: UserId, now: Timestamp) -> Result<()> {
        let mut entries = Vec::new();
        let mut pages = Pages { partition: Key::owner(author), prefix: "POST#", after: None, order: Order::Descending, limit: LOOK_AT };
        for _ in 0..LOOKS {
            let Page { items, more } = self.store.page::<PostSummary>(pages.clone()).await?;
            pages.after = items.last().map(|post| post.id.sort_key()).or(pages.after);
            let published = items.into_iter().filter(|post| post.status == Status::Published);
            let entry = |post: PostSummary| Some(FeedEntry { user_id: user, post_id: post.id, author_id: author, published_at: post.published_at? });
            let kept = published.filter_map(entry).filter(|entry| follow::leaves_feeds(entry.published_at) > now);
            entries.extend(kept.take(limits::FEED_BACKFILL - entries.len()));
            if !more || entries.len() == limits::FEED_BACKFILL {
                break;
            }
        }
        Ok(self.store.put_feed_entries(&entries).await?)
    }

    /// That `follower` follows an account, which there must be.
    async fn present(&self, user: UserId, follower: UserId) -> Result<Option<Follow>> {
        let (followed, follow) = self.store.get_both::<User, Follow>(Key::user(user), Key::follow(follower, user)).await?;
        followed.ok_or(Error::NotFound(Kind::User))?;
        Ok(follow)
    }
}

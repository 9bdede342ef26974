//! Published posts, written into the feeds of their author's followers in pages, each of which is one message.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    cursor::{Followed, Position},
    event::{Consumer, Event, EventData},
    follow::{self, FeedEntry, Follow, Pulled},
    id::UserId,
    limits,
    post::{Post, Status},
};
use quire_store::{Commit, CommitError, Key, Order, Page, Pages, Store};

/// How far posts are fanned out.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// Followers whose feeds are written for one message.
    pub page: usize,
    /// Followers up to which an author's posts are written into feeds.
    pub followers: u64,
}

/// Writes posts into feeds.
#[derive(Debug, Clone)]
pub struct FanOut {
    store: Store,
    reach: Reach,
}

impl FanOut {
    /// The feeds in `store`.
    pub fn new(store: Store, reach: Reach) -> Self {
        Self { store, reach }
    }

    /// Puts the post of a `post.published` event into the feeds of its author's first followers, or that of a `post.fan-out-continued` event
    /// into those of the next ones, and emits the event for the others. An entry has one place in a feed, so a second delivery writes the
    /// same entries again; the marker of the event is in one transaction with the event that follows, so that it does not follow twice.
    ///
    /// Going through the followers counts them. An author who has too many is pulled from then on: posts are written into no feed, and
    /// readers look for them. The next posts are counted all the same, and one for which the count is low enough ends that.
    ///
    /// # Errors
    /// [`Error::Internal`] for an event of another type; [`Error::Contended`] or whatever the table gives, so that the event is delivered
    /// again.
    pub fn take<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (post_id, after, before) = match &event.data {
                EventData::PostPublished { post_id } => (*post_id, None, 0),
                EventData::PostFanOutContinued { post_id, after, followers } => (*post_id, Some(*after), *followers),
                _ => return Err(Error::internal("fanning out a post", "the event is neither post.published nor post.fan-out-continued")),
            };
            let post: Option<Post> = self.store.get(Key::post(post_id)).await?;
            let published = post.filter(|post| post.status == Status::Published);
            let Some(Post { author_id, published_at: Some(published_at), .. }) = published else {
                tracing::info!(postId = %post_id, "A post is not published any more");
                return Ok(());
            };
            if follow::leaves_feeds(published_at) <= now {
                return Ok(());
            }
            let pulled: Option<Pulled> = self.store.get(Key::pulled(author_id)).await?;
            let pages = Pages {
                partition: Key::followers(author_id),
                prefix: "",
                after: after.map(|position| position.sort_key()),
                order: Order::Ascending,
                limit: self.reach.page,
            };
            let Page { items, more } = self.store.page::<Follow>(pages).await?;
            let followers = before + items.len() as u64;
            let goes_on = pulled.as_ref().is_some_and(Pulled::goes_on);
            let mut commit = Commit::new(None, event.trace.clone(), now).effect(Consumer::FanOutPost, event.id);
            if followers > self.reach.followers {
                if goes_on {
                    return Ok(());
                }
                if self.has_room(author_id).await? {
                    let begun = Pulled::begin(author_id, pulled.as_ref(), now);
                    commit = match &pulled {
                        Some(before) => commit.update(before, &begun),
                        None => commit.create(&begun),
                    };
                    tracing::info!(authorId = %author_id, followers, "An author is pulled from now on");
                    return self.commit(commit).await;
                }
                tracing::warn!(authorId = %author_id, followers, "An author has many followers, and no more authors can be pulled");
            }
            if !goes_on {
                let entry = |follow: &Follow| FeedEntry { user_id: follow.follower_id, post_id, author_id, published_at };
                self.store.put_feed_entries(&items.iter().map(entry).collect::<Vec<_>>()).await?;
            }
            let last = items.last().map(|follow| Followed { since: follow.created_at, id: follow.follower_id });
            match (last.filter(|_| more), pulled) {
                (Some(after), _) => self.commit(commit.emit([EventData::PostFanOutContinued { post_id, after, followers }])).await,
                (None, Some(pulled)) if goes_on => {
                    tracing::info!(authorId = %author_id, followers, "An author is not pulled any more");
                    self.commit(commit.update(&pulled, &pulled.clone().end(now))).await
                }
                (None, _) => {
                    tracing::info!(postId = %post_id, followers, "A post was put into feeds");
                    Ok(())
                }
            }
        })
    }

    /// Whether one more author can be pulled. Two that begin at once may be one too many, which does no harm.
    async fn has_room(&self, author: UserId) -> Result<bool> {
        let pages = Pages { partition: Key::PULLED.into(), prefix: "", after: None, order: Order::Ascending, limit: limits::PULLED_AUTHORS };
        let present: Vec<Pulled> = self.store.page(pages).await?.items;
        Ok(present.len() < limits::PULLED_AUTHORS || present.iter().any(|pulled| pulled.author_id == author))
    }

    async fn commit(&self, commit: Commit) -> Result<()> {
        match self.store.commit(commit).await {
            Err(CommitError::AlreadyDone) => Ok(()),
            // Another post of the author was faster; the event comes again.
            Err(CommitError::Stale) => Err(Error::Contended),
            outcome => Ok(outcome?),
        }
    }
}

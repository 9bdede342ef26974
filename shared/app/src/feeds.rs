//! Feeds: the posts of those whom an account follows.
//!
//! A feed's entries are written when a post is published, and say only which post may be there. Whether it still is published, and
//! whether its author still is followed, is read with the page.

use std::collections::HashSet;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result,
    cursor::{Followed, Position, Published},
    event::{Event, EventData},
    follow::{FeedEntry, Follow},
    policy::{self, Action},
    post::{Post, PostSummary, Status},
};
use quire_store::{Key, Order, Page, Pages, Store};

use crate::{
    Call,
    page::{PageRequest, PageView, QUERIES},
    posts::PostListItem,
};

/// Followers that are read, and whose feeds are written, together.
const FOLLOWERS: usize = 500;

/// The use cases of feeds.
#[derive(Debug, Clone)]
pub struct Feeds {
    store: Store,
}

impl Feeds {
    /// The feeds in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Published posts of those whom the principal follows, newest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn read<'a>(&'a self, call: &'a Call, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<PostListItem>>> {
        Box::pin(async move {
            let me = policy::require(&call.principal, Action::ReadFeed, call.principal.user_id())?;
            let limit = page.limit;
            let mut last: Option<Published> = page.position()?;
            let mut posts: Vec<PostSummary> = Vec::new();
            let mut more = true;
            // A page is short rather than slow where most entries are of posts that are gone or of authors who are not followed any more.
            for _ in 0..QUERIES {
                let after = last.map(|position| position.sort_key());
                let pages = Pages { partition: Key::feed(me), prefix: "", after, order: Order::Descending, limit: limit - posts.len() };
                let page: Page<FeedEntry> = self.store.page(pages).await?;
                last = page.items.last().map(position).or(last);
                more = page.more;
                let followed: HashSet<_> = page.items.iter().map(|entry| Key::follow(me, entry.author_id)).collect();
                let keys = page.items.iter().map(|entry| Key::published_post(position(entry)));
                let mut found = self.store.find(keys.chain(followed).collect()).await?;
                for entry in page.items.iter().filter(|entry| found.has(&Key::follow(me, entry.author_id))).collect::<Vec<_>>() {
                    posts.extend(found.take::<PostSummary>(&Key::published_post(position(entry)))?);
                }
                if !more || posts.len() == limit {
                    break;
                }
            }
            Ok(PageView::new(posts, last.filter(|_| more)))
        })
    }

    /// Puts the post of a `post.published` event into the feeds of its author's followers. An entry has one place in a feed, so a second
    /// delivery writes the same entries again.
    ///
    /// # Errors
    /// [`Error::Internal`] for an event of another type; whatever the table gives, so that the event is delivered again.
    pub fn fan_out<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let EventData::PostPublished { post_id } = event.data else {
                return Err(Error::internal("fanning out a post", "the event is not post.published"));
            };
            let post: Option<Post> = self.store.get(Key::post(post_id)).await?;
            let Some(Post { author_id, published_at: Some(published_at), .. }) = post.filter(|post| post.status == Status::Published) else {
                tracing::info!(postId = %post_id, "A post is not published any more");
                return Ok(());
            };
            let mut pages = Pages { partition: Key::followers(author_id), prefix: "", after: None, order: Order::Ascending, limit: FOLLOWERS };
            let mut feeds = 0;
            loop {
                let Page { items, more } = self.store.page::<Follow>(pages.clone()).await?;
                let entries: Vec<_> =
                    items.iter().map(|follow| FeedEntry { user_id: follow.follower_id, post_id, author_id, published_at }).collect();
                self.store.put_feed_entries(&entries).await?;
                feeds += entries.len();
                pages.after = items.last().map(|follow| Followed { since: follow.created_at, id: follow.follower_id }.sort_key()).or(pages.after);
                if !more {
                    break;
                }
            }
            tracing::info!(postId = %post_id, feeds, "A post was put into feeds");
            Ok(())
        })
    }
}

fn position(entry: &FeedEntry) -> Published {
    Published { at: entry.published_at, id: entry.post_id }
}

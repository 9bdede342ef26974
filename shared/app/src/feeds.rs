//! Feeds: the posts of those whom an account follows.
//!
//! A feed's entries are written when a post is published, and say only which post may be there. Whether it still is published, and
//! whether its author still is followed, is read with the page. The posts of a few authors with very many followers have no entries: they
//! are looked for in the lists of those authors, and stand on the page in their place.

use std::collections::HashSet;

use futures::future::{BoxFuture, try_join_all};
use quire_domain::{
    Result, Timestamp,
    cursor::{Position, Published},
    follow::{self, FeedEntry, Pulled},
    id::UserId,
    limits,
    policy::{self, Action},
    post::PostSummary,
};
use quire_store::{Key, Order, Page, Pages, Store};

use crate::{
    Call,
    page::{PageRequest, PageView, QUERIES, merge},
    posts::{self, PostListItem},
};

/// The use cases of feeds.
#[derive(Debug, Clone)]
pub struct Feeds {
    store: Store,
}

/// Posts from one place, newest first, and where it goes on, if it does.
type Part = (Vec<PostSummary>, Option<Published>);

impl Feeds {
    /// The feeds in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Published posts of those whom the principal follows, newest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`].
    ///
    /// [`Error::Invalid`]: crate::Error::Invalid
    /// [`Error::Unauthenticated`]: crate::Error::Unauthenticated
    /// [`Error::Forbidden`]: crate::Error::Forbidden
    pub fn read<'a>(&'a self, call: &'a Call, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<PostListItem>>> {
        Box::pin(async move {
            let me = policy::require(&call.principal, Action::ReadFeed, call.principal.user_id())?;
            let after: Option<Published> = page.position()?;
            let entries = self.entries(me, after, page.limit, call.now).await?;
            let pulled = self.pulled(me, after, page.limit, call.now).await?;
            let (posts, next) = merge(pulled.into_iter().chain([entries]), page.limit, posts::position);
            Ok(PageView::new(posts, posts::position, next))
        })
    }

    /// The posts that have entries in the feed of `me`.
    async fn entries(&self, me: UserId, after: Option<Published>, limit: usize, now: Timestamp) -> Result<Part> {
        let mut last = after;
        let mut posts: Vec<PostSummary> = Vec::new();
        let mut more = true;
        // A page is short rather than slow where most entries are of posts that are gone or of authors who are not followed any more.
        for _ in 0..QUERIES {
            let after = last.map(|position| position.sort_key());
            let pages = Pages { partition: Key::feed(me), prefix: "", after, order: Order::Descending, limit: limit - posts.len() };
            let mut page: Page<FeedEntry> = self.store.page(pages).await?;
            let read = page.items.len();
            page.items.retain(|entry| follow::leaves_feeds(entry.published_at) > now);
            last = page.items.last().map(place).or(last);
            // What follows one that is too old is older still.
            more = page.more && page.items.len() == read;
            let followed: HashSet<_> = page.items.iter().map(|entry| Key::follow(me, entry.author_id)).collect();
            let keys = page.items.iter().map(|entry| Key::published_post(place(entry)));
            let mut found = self.store.find(keys.chain(followed).collect()).await?;
            for entry in page.items.iter().filter(|entry| found.has(&Key::follow(me, entry.author_id))).collect::<Vec<_>>() {
                posts.extend(found.take::<PostSummary>(&Key::published_post(place(entry)))?);
            }
            if !more || posts.len() == limit {
                break;
            }
        }
        Ok((posts, last.filter(|_| more)))
    }

    /// The posts of each author who is pulled and whom `me` follows.
    async fn pulled(&self, me: UserId, after: Option<Published>, limit: usize, now: Timestamp) -> Result<Vec<Part>> {
        // Twice as many as may be: two that begin at once may be one too many.
        let most = 2 * limits::PULLED_AUTHORS;
        let pages = Pages { partition: Key::PULLED.into(), prefix: "", after: None, order: Order::Ascending, limit: most };
        let mut authors: Vec<Pulled> = self.store.page(pages).await?.items;
        authors.retain(|author| author.expires().is_none_or(|expires| expires > now));
        if authors.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.store.find(authors.iter().map(|author| Key::follow(me, author.author_id)).collect()).await?;
        let followed = authors.into_iter().map(|author| author.author_id).filter(|author| found.has(&Key::follow(me, *author)));
        let after = after.map(|position| position.sort_key());
        try_join_all(followed.map(|author| {
            let pages = Pages { partition: Key::authored_by(author), prefix: "", after: after.clone(), order: Order::Descending, limit };
            async move {
                let mut page: Page<PostSummary> = self.store.page(pages).await?;
                let read = page.items.len();
                page.items.retain(|post| follow::leaves_feeds(posts::position(post).at) > now);
                let next = page.items.last().map(posts::position).filter(|_| page.more && page.items.len() == read);
                Ok((page.items, next))
            }
        }))
        .await
    }
}

fn place(entry: &FeedEntry) -> Published {
    Published { at: entry.published_at, id: entry.post_id }
}

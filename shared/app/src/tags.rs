//! Tags.

use futures::future::BoxFuture;
use quire_domain::{Result, details::Tag};
use quire_store::{Key, Order, Store};
use serde::{Deserialize, Serialize};

use crate::page::{PageRequest, PageView, walk};

/// The use cases of tags.
#[derive(Debug, Clone)]
pub struct Tags {
    store: Store,
}

/// A tag as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TagView {
    /// The tag.
    pub tag: Tag,
    /// Published posts that have it.
    pub post_count: u64,
}

/// The count of a tag as the table holds it: the tag is its sort key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagCount {
    sk: Tag,
    post_count: u64,
}

impl From<TagCount> for TagView {
    fn from(TagCount { sk, post_count }: TagCount) -> Self {
        Self { tag: sk, post_count }
    }
}

impl Tags {
    /// The tags in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The tags of published posts, in the order of the alphabet. One query a page, and a few more where most tags have no posts any more.
    ///
    /// # Errors
    /// [`quire_domain::Error::Invalid`] for a wrong cursor.
    pub fn list<'a>(&'a self, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<TagView>>> {
        Box::pin(async move {
            let pages = page.pages::<Tag>(Key::TAGS.to_owned(), Order::Ascending)?;
            let (tags, next) = walk(&self.store, pages, |count: &TagCount| count.sk.clone(), |count| count.post_count > 0).await?;
            Ok(PageView::new(tags, |count| count.sk.clone(), next))
        })
    }
}

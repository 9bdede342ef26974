//! Pages of lists.

use std::{collections::BTreeMap, convert::Infallible};

use quire_domain::{Error, Result, cursor::Position, limits};
use quire_store::{Order, Pages, Store};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::input::{Fields, Input};

/// Queries for one page before it is returned short, with a cursor, where most items are not for the reader.
pub(crate) const QUERIES: usize = 5;

/// Which page a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Most items, 1 to 100; 20 if the client names no number.
    pub limit: usize,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// A page as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageView<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The cursor of each item, after which a page may begin as well; for GraphQL alone.
    #[serde(skip)]
    pub cursors: Vec<String>,
}

impl Input for PageRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let limit = fields.optional("limit", |text| match text.parse() {
            Ok(limit @ 1..=limits::PAGE_MAX) => Ok(limit),
            _ => Err(format!("must be 1 to {}", limits::PAGE_MAX)),
        });
        let cursor = fields.optional("cursor", |text| Ok::<_, Infallible>(text.to_owned()));
        Some(Self { limit: limit?.unwrap_or(limits::PAGE_DEFAULT), cursor: cursor? })
    }
}

impl PageRequest {
    pub(crate) fn position<P: Position>(&self) -> Result<Option<P>> {
        self.cursor.as_deref().map(P::parse).transpose().map_err(|error| Error::field("/cursor", error.to_string()))
    }

    /// This page of a partition.
    pub(crate) fn pages<P: Position>(&self, partition: String, order: Order) -> Result<Pages> {
        let after = self.position::<P>()?.map(|position| position.sort_key());
        Ok(Pages { partition, prefix: "", after, order, limit: self.limit })
    }
}

impl<T> PageView<T> {
    /// A page of `items`, each with its position, and where the next one begins, if there may be one.
    pub(crate) fn new<I: Into<T>, P: Position>(items: impl IntoIterator<Item = I>, position: impl Fn(&I) -> P, next: Option<P>) -> Self {
        let (cursors, items) = items.into_iter().map(|item| (position(&item).cursor(), item.into())).unzip();
        Self { items, next_cursor: next.map(|position| position.cursor()), cursors }
    }

    /// A list of one page.
    pub(crate) fn whole(items: impl IntoIterator<Item: Into<T>>) -> Self {
        Self { items: items.into_iter().map(Into::into).collect(), next_cursor: None, cursors: Vec::new() }
    }
}

/// The items of a partition that `keep` keeps, and where the next page begins, if there may be more. A page is one query where all is kept;
/// where little is, it is short rather than slow.
pub(crate) async fn walk<T: DeserializeOwned, P: Position>(
    store: &Store,
    mut pages: Pages,
    position: impl Fn(&T) -> P,
    keep: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<P>)> {
    let limit = pages.limit;
    let mut kept = Vec::new();
    let mut last = None;
    for _ in 0..QUERIES {
        pages.limit = limit - kept.len();
        let page = store.page::<T>(pages.clone()).await?;
        last = page.items.last().map(&position).or(last);
        pages.after = last.as_ref().map(Position::sort_key).or(pages.after);
        kept.extend(page.items.into_iter().filter(&keep));
        if !page.more {
            return Ok((kept, None));
        }
        if kept.len() == limit {
            break;
        }
    }
    Ok((kept, last))
}

/// One page of lists that are read from the same position on, newest first: each with the items that it gave, and where it goes on, if it
/// does. What stands in several of them is on the page once. Nothing older than where the first of them ends is on it: what the others
/// have there comes with the next page.
pub(crate) fn merge<T, P: Position>(
    lists: impl IntoIterator<Item = (Vec<T>, Option<P>)>,
    limit: usize,
    position: impl Fn(&T) -> P,
) -> (Vec<T>, Option<P>) {
    let mut merged = BTreeMap::new();
    let mut end: Option<String> = None;
    for (items, next) in lists {
        end = end.max(next.map(|next| next.sort_key()));
        for item in items {
            merged.entry(position(&item).sort_key()).or_insert(item);
        }
    }
    let newest = merged.into_iter().rev().take_while(|(key, _)| end.as_ref().is_none_or(|end| key >= end));
    let mut items: Vec<T> = newest.map(|(_, item)| item).collect();
    if items.len() <= limit {
        return (items, end.and_then(|end| P::from_sort_key(&end)));
    }
    items.truncate(limit);
    let next = items.last().map(position);
    (items, next)
}

#[cfg(test)]
mod tests {
    use quire_domain::{Timestamp, cursor::Published, id::PostId};

    use super::*;

    /// What one list gives from a position on: a page of at most `limit` and where it goes on.
    fn page(list: &[Published], after: Option<&Published>, limit: usize) -> (Vec<Published>, Option<Published>) {
        let left: Vec<_> = list.iter().filter(|item| after.is_none_or(|after| item.sort_key() < after.sort_key())).copied().collect();
        let items: Vec<_> = left.iter().take(limit).copied().collect();
        let next = items.last().filter(|_| left.len() > limit).copied();
        (items, next)
    }

    #[test]
    fn merged_pages_give_everything_once_and_in_order() {
        const POSTS: u8 = 5;
        let place = |number: u8| {
            let at = Timestamp::from_millis(number.into());
            Published { at, id: PostId::generate(at) }
        };
        let newest_first: Vec<_> = (0..POSTS).rev().map(place).collect();
        // The posts that are in a list, by the bits of a number.
        let list =
            |bits: u8| newest_first.iter().enumerate().filter(move |(index, _)| bits >> index & 1 == 1).map(|(_, post)| *post).collect::<Vec<_>>();
        for (one, other) in (0..1 << POSTS).flat_map(|one| (0..1 << POSTS).map(move |other| (one, other))) {
            let lists = [list(one), list(other)];
            for limit in 1..=4 {
                let (mut merged, mut after) = (Vec::new(), None);
                loop {
                    let pages = lists.iter().map(|list| page(list, after.as_ref(), limit));
                    let (items, next) = merge(pages, limit, |item| *item);
                    assert!(items.len() <= limit);
                    merged.extend(items);
                    if next.is_none() {
                        break;
                    }
                    after = next;
                }
                assert_eq!(merged, list(one | other), "{one:b} and {other:b} by {limit}");
            }
        }
    }
}

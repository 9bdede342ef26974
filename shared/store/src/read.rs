//! Reads: one item by its key, or one page of a partition. Nothing scans.

use std::{collections::HashMap, error::Error as StdError};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeValue, KeysAndAttributes},
};
use futures::future::BoxFuture;
use quire_domain::{
    Error, Timestamp,
    counts::PostCounts,
    cursor::{Position, Published},
    event::{Consumer, Event},
    id::{EventId, PostId},
    post::Post,
};
use serde::de::DeserializeOwned;

use crate::{
    Store,
    commit::Recorded,
    entity::{Entity, Item, attributes},
    key::{IdempotencyScope, Key, OUTBOX_SHARDS, outbox_bound},
    retry,
};

/// Keys in one `BatchGetItem` (its quota).
const BATCH_READS: usize = 100;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The table did not answer; the read can be repeated.
    #[error("the table did not answer")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The table refused the read, or holds something unreadable.
    #[error("the table could not be read")]
    Broken(#[source] Box<dyn StdError + Send + Sync>),
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(source) => Self::Unavailable(source),
            ReadError::Broken(source) => Self::internal("reading the table", source),
        }
    }
}

/// In which order a page lists its items, by sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// A page of a partition.
#[derive(Debug, Clone)]
pub struct Pages {
    /// Partition key.
    pub partition: String,
    /// What sort keys begin with; empty for all.
    pub prefix: &'static str,
    /// Sort key after which the page begins, in its order.
    pub after: Option<String>,
    /// In which order.
    pub order: Order,
    /// Most items on the page.
    pub limit: usize,
}

/// Items of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, at most as many as were asked for.
    pub items: Vec<T>,
    /// Whether more follow.
    pub more: bool,
}

/// Events that are not published yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// Those that can be read, oldest first.
    pub events: Vec<Event>,
    /// When the oldest of all was written, whether it can be read or not.
    pub oldest: Option<Timestamp>,
    /// Sort key after which there are more.
    pub next: Option<String>,
}

/// Items that were read by their keys.
#[derive(Debug)]
pub struct Found(HashMap<Key, Item>);

impl Found {
    /// Whether there is an item at `key`.
    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// Takes what is at `key`, if anything is.
    ///
    /// # Errors
    /// [`ReadError::Broken`].
    pub fn take<T: DeserializeOwned>(&mut self, key: &Key) -> Result<Option<T>, ReadError> {
        self.0.remove(key).map(parse).transpose()
    }
}

impl Store {
    /// One entity by its key, as the last acknowledged write left it. One read of 4 KB is one read unit.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn get<T: Entity>(&self, key: Key) -> Result<Option<T>, ReadError> {
        self.get_item(key).await?.map(parse).transpose()
    }

    /// One page of a partition, as the last acknowledged writes left it: one query.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn page<T: DeserializeOwned>(&self, pages: Pages) -> Result<Page<T>, ReadError> {
        let limit = pages.limit;
        let items = self.query(pages).await?;
        let more = items.len() > limit;
        let items = items.into_iter().take(limit).map(parse).collect::<Result<_, _>>()?;
        Ok(Page { items, more })
    }

    /// The keys of the first items of a partition.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn keys(&self, partition: String, limit: usize) -> BoxFuture<'_, Result<Vec<Key>, ReadError>> {
        Box::pin(async move {
            let items = self.query(Pages { partition, prefix: "", after: None, order: Order::Ascending, limit }).await?;
            Ok(items.iter().take(limit).filter_map(key_of).collect())
        })
    }

    /// What is at these keys, each of which stands there once, as the last acknowledged writes left it: one batch for 100 of them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn find(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Found, ReadError>> {
        Box::pin(async move {
            let mut found = HashMap::with_capacity(keys.len());
            for chunk in keys.chunks(BATCH_READS) {
                let mut left: Vec<_> = chunk.iter().cloned().map(attributes).collect();
                for attempt in 1.. {
                    let wanted = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true).build();
                    let wanted = wanted.map_err(|error| ReadError::Broken(error.into()))?;
                    let output = self.client.batch_get_item().request_items(&self.table, wanted).send().await.map_err(read_error)?;
                    let items = output.responses.unwrap_or_default().remove(&self.table).unwrap_or_default();
                    found.extend(items.into_iter().filter_map(|item| Some((key_of(&item)?, item))));
                    left = output.unprocessed_keys.unwrap_or_default().remove(&self.table).map(|rest| rest.keys).unwrap_or_default();
                    if left.is_empty() {
                        break;
                    }
                    if attempt == retry::ATTEMPTS {
                        return Err(ReadError::Unavailable("keys stayed unprocessed".into()));
                    }
                    tokio::time::sleep(retry::backoff(attempt)).await;
                }
            }
            Ok(Found(found))
        })
    }

    /// Two entities by their keys, which differ, as the last acknowledged writes left each of them: one batch.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn get_both<A: Entity, B: Entity>(&self, one: Key, other: Key) -> Result<(Option<A>, Option<B>), ReadError> {
        let mut found = self.find(vec![one.clone(), other.clone()]).await?;
        Ok((found.take(&one)?, found.take(&other)?))
    }

    /// A post with what readers did with it, as the last acknowledged writes left them: one query.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn post(&self, id: PostId) -> BoxFuture<'_, Result<Option<(Post, PostCounts)>, ReadError>> {
        Box::pin(async move {
            let (first, last) = (Key::post_counts(id), Key::post(id));
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":pk", AttributeValue::S(first.pk.clone()))
                .expression_attribute_values(":first", AttributeValue::S(first.sk.clone()))
                .expression_attribute_values(":last", AttributeValue::S(last.sk.clone()))
                .consistent_read(true);
            let mut items = request.send().await.map_err(read_error)?.items.unwrap_or_default();
            let mut take = |key: Key| {
                let index = items.iter().position(|item| item.get("sk") == Some(&AttributeValue::S(key.sk.clone())))?;
                Some(items.swap_remove(index))
            };
            let (counts, post) = (take(first), take(last));
            let counts = counts.map(parse).transpose()?.unwrap_or_default();
            Ok(post.map(parse).transpose()?.map(|post| (post, counts)))
        })
    }

    /// Posts that are scheduled for `now` or earlier, oldest first, by their places: an item that cannot be read does not hold back the
    /// others.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn due_posts(&self, now: Timestamp, after: Option<Published>, limit: usize) -> BoxFuture<'_, Result<Page<Published>, ReadError>> {
        Box::pin(async move {
            let after = after.map(|position| position.sort_key());
            let pages = Pages { partition: Key::SCHEDULED.into(), prefix: "", after, order: Order::Ascending, limit };
            let items = self.query(pages).await?;
            let until = Key::scheduled_until(now);
            let is_full = items.len() > limit;
            let keys = items.iter().take(limit).filter_map(|item| item.get("sk")?.as_s().ok());
            let due: Vec<_> = keys.filter(|sk| **sk < until).filter_map(|sk| Published::from_sort_key(sk)).collect();
            Ok(Page { more: is_full && due.len() == limit, items: due })
        })
    }

    /// Who has a unique value, as the text of an id.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn owner_of(&self, claim: &crate::Claim) -> Result<Option<String>, ReadError> {
        let item = self.get_item(Key::claim(claim)).await?;
        Ok(item.and_then(|mut item| match item.remove("owner") {
            Some(AttributeValue::S(owner)) => Some(owner),
            _ => None,
        }))
    }

    /// Whether a consumer has done what an event asks.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn is_done(&self, consumer: Consumer, event: EventId) -> Result<bool, ReadError> {
        Ok(self.get_item(Key::effect(consumer, event)).await?.is_some())
    }

    /// The outcome recorded under an idempotency key, unless it has expired.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn recorded(&self, scope: &IdempotencyScope<'_>, now: Timestamp) -> Result<Option<Recorded>, ReadError> {
        let recorded: Option<Recorded> = self.get_item(Key::idempotency(scope)).await?.map(parse).transpose()?;
        Ok(recorded.filter(|recorded| recorded.expires_at >= now.seconds()))
    }

    /// A page of the events of one shard of the outbox from before `before`, oldest first: `limit` items at most that come after the sort key
    /// `after`. An event that cannot be read is left out and logged; it stays in the table.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn unpublished(&self, shard: u8, before: Timestamp, after: Option<String>, limit: usize) -> Result<Unpublished, ReadError> {
        let bound = outbox_bound(before);
        let pages = Pages { partition: Key::outbox_shard(shard % OUTBOX_SHARDS), prefix: "", after, order: Order::Ascending, limit };
        let items = self.query(pages).await?;
        let old: Vec<_> = items.into_iter().filter(|item| sort_key(item).is_some_and(|sk| *sk < bound)).collect();
        let last = old.get(limit.wrapping_sub(1)).and_then(sort_key);
        let next = last.filter(|_| old.len() > limit).cloned();
        let oldest = old.iter().find_map(|item| Some(sort_key(item)?.parse::<EventId>().ok()?.made_at()));
        let events = old.into_iter().take(limit).filter_map(readable_event).collect();
        Ok(Unpublished { events, oldest, next })
    }

    /// Whether the table answers.
    ///
    /// # Errors
    /// [`ReadError`] if it does not.
    pub async fn probe(&self) -> Result<(), ReadError> {
        self.get_item(Key::health()).await.map(drop)
    }

    pub(crate) fn get_item(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, ReadError>> {
        Box::pin(async move {
            let request = self.client.get_item().table_name(&self.table).set_key(Some(attributes(key))).consistent_read(true);
            Ok(request.send().await.map_err(read_error)?.item)
        })
    }

    /// One item more than the page holds, if there are so many.
    fn query(&self, pages: Pages) -> BoxFuture<'_, Result<Vec<Item>, ReadError>> {
        Box::pin(async move {
            let Pages { partition, prefix, after, order, limit } = pages;
            let most = limit + 1;
            let condition = if prefix.is_empty() { "pk = :pk" } else { "pk = :pk AND begins_with(sk, :prefix)" };
            let mut values = Item::from([(":pk".into(), AttributeValue::S(partition.clone()))]);
            if !prefix.is_empty() {
                values.insert(":prefix".into(), AttributeValue::S(prefix.to_owned()));
            }
            let mut start = after.map(|sk| attributes(Key { pk: partition, sk }));
            let mut items = Vec::new();
            // A page ends early only where it holds more than a megabyte.
            loop {
                let request = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .key_condition_expression(condition)
                    .set_expression_attribute_values(Some(values.clone()))
                    .set_exclusive_start_key(start)
                    .scan_index_forward(order == Order::Ascending)
                    .consistent_read(true)
                    .limit(i32::try_from(most - items.len()).unwrap_or(i32::MAX));
                let output = request.send().await.map_err(read_error)?;
                items.extend(output.items.unwrap_or_default());
                start = output.last_evaluated_key;
                if start.is_none() || items.len() >= most {
                    return Ok(items);
                }
            }
        })
    }
}

fn sort_key(item: &Item) -> Option<&String> {
    item.get("sk")?.as_s().ok()
}

fn key_of(item: &Item) -> Option<Key> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Key { pk: text("pk")?, sk: text("sk")? })
}

fn parse<T: DeserializeOwned>(item: Item) -> Result<T, ReadError> {
    serde_dynamo::from_item(item).map_err(|error| ReadError::Broken(error.into()))
}

fn readable_event(item: Item) -> Option<Event> {
    let text = item.get("event").and_then(|event| event.as_s().ok());
    let event: Option<Event> = text.and_then(|text| serde_json::from_str(text).ok());
    // An event in another place than its own could not be removed, and would be published again and again.
    let event = event.filter(|event| attributes(Key::outbox(event.id)).iter().all(|(name, value)| item.get(name) == Some(value)));
    if event.is_none() {
        tracing::error!(key = ?item.get("sk"), "An outbox item cannot be read; it is left where it is");
    }
    event
}

pub(crate) fn read_error<E, R>(error: SdkError<E, R>) -> ReadError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if crate::retry::is_passing(&error) { ReadError::Unavailable(error.into()) } else { ReadError::Broken(error.into()) }
}

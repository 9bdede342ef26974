//! The one way to write: everything that a use case changes, in a single `TransactWriteItems`.

use std::error::Error as StdError;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Delete, DeleteRequest, Put, PutRequest, TransactWriteItem, Update, WriteRequest,
        builders::DeleteBuilder,
    },
};
use futures::future::BoxFuture;
use quire_domain::{
    Error, Timestamp,
    audit::{AuditData, AuditEvent},
    event::{Consumer, Event, EventData, Trace},
    follow::FeedEntry,
    id::{AuditId, EventId, UserId},
    limits,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Store,
    entity::{self, Counter, Entity, Item, Listing, attributes, place},
    key::{Claim, IdempotencyScope, Key},
    retry,
};

/// Requests in one `BatchWriteItem` (its quota).
const BATCH_WRITES: usize = 25;

/// Entities with their version conditions, uniqueness claims, events, entries of the audit trail and, if given, the idempotency record or
/// the marker of an effect: all of it is written or nothing is. At most 100 items and 4 MB (quota of `TransactWriteItems`).
#[derive(Debug)]
pub struct Commit {
    now: Timestamp,
    actor: Option<UserId>,
    trace: Trace,
    writes: Vec<Write>,
    audits: Vec<(Option<UserId>, AuditData)>,
    broken: Option<serde_dynamo::Error>,
}

/// The outcome of a request with an idempotency key, as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Hash of the request, without its secrets.
    pub fingerprint: String,
    /// What the use case returned, as JSON.
    pub outcome: String,
    /// Epoch seconds after which the record means nothing.
    pub expires_at: i64,
}

/// Why a commit changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another entity has this value.
    #[error("a unique value is taken")]
    Claimed(Claim),
    /// There are as many of these as there may be.
    #[error("a counter is at its limit")]
    Full,
    /// An entity has changed since it was read, or exists already.
    #[error("an entity has another version than expected")]
    Stale,
    /// A request with this idempotency key was recorded before.
    #[error("a request with this idempotency key was recorded before")]
    AlreadyRecorded,
    /// The consumer has done this before.
    #[error("the effect has happened before")]
    AlreadyDone,
    /// Others kept writing to the same items.
    #[error("too many concurrent writes to the same items")]
    Contended,
    /// The table did not answer. Whether the commit happened is not known.
    #[error("the table did not answer")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The commit is malformed or not allowed.
    #[error("the table refused the commit")]
    Broken(#[source] Box<dyn StdError + Send + Sync>),
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Claimed(Claim::Username(_)) => Self::UsernameTaken,
            CommitError::Claimed(Claim::Email(_) | Claim::EmailHash(_)) => Self::EmailTaken,
            CommitError::Claimed(Claim::Slug(_)) => Self::SlugTaken,
            // Whose limit it is, its use case knows better if it is not that of API tokens.
            CommitError::Full => Self::TooManyApiTokens,
            CommitError::Claimed(Claim::Identity { .. }) => Self::IdentityTaken,
            CommitError::Stale => Self::VersionMismatch,
            CommitError::AlreadyRecorded | CommitError::Contended => Self::Contended,
            CommitError::Unavailable(source) => Self::Unavailable(source),
            error @ (CommitError::AlreadyDone | CommitError::Broken(_)) => Self::internal("writing to the table", error),
        }
    }
}

#[derive(Debug, Clone)]
struct Write {
    item: TransactWriteItem,
    on_condition: OnCondition,
}

/// What it means that the condition of a write does not hold, in falling order of what the caller must know first.
#[derive(Debug, Clone)]
enum OnCondition {
    Recorded,
    Done,
    Claimed(Claim),
    Full,
    Stale,
}

impl Commit {
    /// An empty commit for a request of `actor` at `now`.
    pub fn new(actor: Option<UserId>, trace: Trace, now: Timestamp) -> Self {
        Self { now, actor, trace, writes: Vec::new(), audits: Vec::new(), broken: None }
    }

    /// Writes an entity that must not exist yet.
    #[must_use]
    pub fn create<T: Entity>(mut self, entity: &T) -> Self {
        let put = Put::builder().condition_expression("attribute_not_exists(pk)");
        self.put(put, entity::item(entity), OnCondition::Stale);
        self.list(entity.listings()).count(&[], &entity.counted_in())
    }

    /// Replaces an entity that must still have the version of `before`.
    #[must_use]
    pub fn update<T: Entity>(mut self, before: &T, after: &T) -> Self {
        let put = Put::builder()
            .condition_expression("version = :version")
            .expression_attribute_values(":version", AttributeValue::N(before.version().to_string()));
        self.put(put, entity::item(after), OnCondition::Stale);
        let mut listings = after.listings();
        for Listing { key, item } in before.listings() {
            match listings.iter().position(|listing| listing.key == key) {
                None => self.delete(Delete::builder(), key),
                // What a list says already is not written again.
                Some(index) if item.is_ok() && item.as_ref().ok() == listings[index].item.as_ref().ok() => drop(listings.swap_remove(index)),
                Some(_) => {}
            }
        }
        self.list(listings).count(&before.counted_in(), &after.counted_in())
    }

    /// Writes an entity, whatever is in its place.
    #[must_use]
    pub fn write<T: Entity>(mut self, entity: &T) -> Self {
        self.put(Put::builder(), entity::item(entity), OnCondition::Stale);
        self.list(entity.listings())
    }

    /// Removes an entity that must still be as it was read, which its version tells if it has one, and its copies in lists.
    #[must_use]
    pub fn remove<T: Entity>(mut self, entity: &T) -> Self {
        let mut item = match serde_dynamo::to_item::<_, Item>(entity) {
            Ok(item) => item,
            Err(error) => {
                self.broken = Some(error);
                return self;
            }
        };
        if item.contains_key("version") {
            item.retain(|name, _| name == "version");
        }
        let mut delete = Delete::builder();
        let mut conditions = Vec::with_capacity(item.len());
        for (index, (name, value)) in item.into_iter().enumerate() {
            conditions.push(format!("#a{index} = :a{index}"));
            delete = delete.expression_attribute_names(format!("#a{index}"), name).expression_attribute_values(format!(":a{index}"), value);
        }
        self.delete(delete.condition_expression(conditions.join(" AND ")), entity.key());
        for Listing { key, .. } in entity.listings() {
            self.delete(Delete::builder(), key);
        }
        self.count(&entity.counted_in(), &[])
    }

    /// Removes an entity that must still be there, whatever has become of it, and its copies in lists.
    #[must_use]
    pub fn end<T: Entity>(mut self, entity: &T) -> Self {
        self.delete(Delete::builder().condition_expression("attribute_exists(pk)"), entity.key());
        for Listing { key, .. } in entity.listings() {
            self.delete(Delete::builder(), key);
        }
        self.count(&entity.counted_in(), &[])
    }

    /// Removes what is at `key`, if anything is.
    #[must_use]
    pub fn erase(mut self, key: Key) -> Self {
        self.delete(Delete::builder(), key);
        self
    }

    /// Writes nothing, but the commit fails with [`CommitError::Stale`] unless there is something at `key`.
    #[must_use]
    pub fn require(mut self, key: Key) -> Self {
        let check = ConditionCheck::builder().table_name("").set_key(Some(attributes(key))).condition_expression("attribute_exists(pk)");
        let item = TransactWriteItem::builder().set_condition_check(check.build().ok()).build();
        self.writes.push(Write { item, on_condition: OnCondition::Stale });
        self
    }

    /// Adds to counters, which are numbers from 0 at `key`. Nothing is written where nothing is added.
    #[must_use]
    pub fn add(mut self, key: Key, counters: &[(&str, i64)]) -> Self {
        let counters: Vec<_> = counters.iter().filter(|(_, delta)| *delta != 0).collect();
        if counters.is_empty() {
            return self;
        }
        let mut update = Update::builder().table_name("").set_key(Some(attributes(key)));
        let mut additions = Vec::with_capacity(counters.len());
        for (index, (name, delta)) in counters.into_iter().enumerate() {
            additions.push(format!("#c{index} :c{index}"));
            update = update
                .expression_attribute_names(format!("#c{index}"), *name)
                .expression_attribute_values(format!(":c{index}"), AttributeValue::N(delta.to_string()));
        }
        let update = update.update_expression(format!("ADD {}", additions.join(", "))).build().ok();
        self.writes.push(Write { item: TransactWriteItem::builder().set_update(update).build(), on_condition: OnCondition::Stale });
        self
    }

    /// Adds one to a counter that may not exceed `most`; else the commit fails with [`CommitError::Full`].
    fn add_up_to(mut self, counter: &Counter, most: u64) -> Self {
        let update = Update::builder()
            .table_name("")
            .set_key(Some(attributes(counter.key.clone())))
            .update_expression("ADD #count :one")
            .condition_expression("attribute_not_exists(#count) OR #count < :most")
            .expression_attribute_names("#count", counter.attribute)
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .expression_attribute_values(":most", AttributeValue::N(most.to_string()))
            .build()
            .ok();
        self.writes.push(Write { item: TransactWriteItem::builder().set_update(update).build(), on_condition: OnCondition::Full });
        self
    }

    /// Claims a unique value for `owner`, the text of an id, who may have it already.
    #[must_use]
    pub fn claim(mut self, claim: Claim, owner: &impl ToString) -> Self {
        let owner = AttributeValue::S(owner.to_string());
        let put = Put::builder()
            .condition_expression("attribute_not_exists(pk) OR #owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", owner.clone());
        let item = place(Key::claim(&claim), Item::from([("owner".into(), owner)]));
        self.put(put, Ok(item), OnCondition::Claimed(claim));
        self
    }

    /// Gives up a unique value of `owner`, the text of an id, so that another may claim it.
    #[must_use]
    pub fn release(mut self, claim: &Claim, owner: &impl ToString) -> Self {
        let delete = Delete::builder()
            .condition_expression("attribute_not_exists(pk) OR #owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", AttributeValue::S(owner.to_string()));
        self.delete(delete, Key::claim(claim));
        self
    }

    /// Emits events. Those that nobody subscribes to are not stored.
    #[must_use]
    pub fn emit(mut self, events: impl IntoIterator<Item = EventData>) -> Self {
        for data in events.into_iter().filter(|data| !data.consumers().is_empty()) {
            let event = Event::new(data, self.actor, self.trace.clone(), self.now);
            match serde_json::to_string(&event) {
                Ok(text) => {
                    let item = place(Key::outbox(event.id), Item::from([("event".into(), AttributeValue::S(text))]));
                    self.put(Put::builder().condition_expression("attribute_not_exists(pk)"), Ok(item), OnCondition::Stale);
                }
                Err(error) => self.broken = Some(serde::ser::Error::custom(error)),
            }
        }
        self
    }

    /// Enters what was done, to the account `subject` if it was done to one, into the audit trail.
    #[must_use]
    pub fn audit(mut self, subject: Option<UserId>, data: AuditData) -> Self {
        self.audits.push((subject, data));
        self
    }

    fn with_trail(mut self, days: u32) -> Self {
        for (subject, data) in std::mem::take(&mut self.audits) {
            let entry = AuditEvent {
                id: AuditId::generate(self.now),
                occurred_at: self.now,
                actor: self.actor,
                subject,
                correlation_id: self.trace.correlation_id.clone(),
                data,
                expires_at: self.now.seconds() + i64::from(days) * 24 * 60 * 60,
            };
            self = self.create(&entry);
        }
        self
    }

    /// Records what the use case returns, for requests that repeat this one.
    #[must_use]
    pub fn record(mut self, scope: &IdempotencyScope<'_>, fingerprint: String, outcome: String) -> Self {
        let expires_at = self.now.seconds() + limits::IDEMPOTENCY_SECONDS;
        let put = Put::builder()
            .condition_expression("attribute_not_exists(pk) OR expiresAt < :now")
            .expression_attribute_values(":now", AttributeValue::N(self.now.seconds().to_string()));
        let key = Key::idempotency(scope);
        // The outcome may be an account, which must be found when that is erased.
        if let (None, Some(account)) = (scope.caller, self.actor) {
            let expires = Item::from([("expiresAt".into(), AttributeValue::N(expires_at.to_string()))]);
            self.put(Put::builder(), Ok(place(Key::nobodys_record(account, &key), expires)), OnCondition::Stale);
        }
        let item = serde_dynamo::to_item(Recorded { fingerprint, outcome, expires_at }).map(|item| place(key, item));
        self.put(put, item, OnCondition::Recorded);
        self
    }

    /// Marks that `consumer` does here what an event asks; a second commit of the same effect fails with [`CommitError::AlreadyDone`].
    #[must_use]
    pub fn effect(mut self, consumer: Consumer, event: EventId) -> Self {
        let expires = (self.now.seconds() + limits::EFFECT_SECONDS).to_string();
        let item = place(Key::effect(consumer, event), Item::from([("expiresAt".into(), AttributeValue::N(expires))]));
        self.put(Put::builder().condition_expression("attribute_not_exists(pk)"), Ok(item), OnCondition::Done);
        self
    }

    fn list(mut self, listings: Vec<Listing>) -> Self {
        for Listing { key, item } in listings {
            self.put(Put::builder(), item.map(|item| place(key, item)), OnCondition::Stale);
        }
        self
    }

    fn put(&mut self, put: aws_sdk_dynamodb::types::builders::PutBuilder, item: Result<Item, serde_dynamo::Error>, on_condition: OnCondition) {
        match item {
            // The table's name is set when the commit is sent.
            Ok(item) => {
                let put = put.table_name("").set_item(Some(item)).build().ok();
                self.writes.push(Write { item: TransactWriteItem::builder().set_put(put).build(), on_condition });
            }
            Err(error) => self.broken = Some(error),
        }
    }

    fn count(mut self, before: &[Counter], after: &[Counter]) -> Self {
        let left = before.iter().filter(|counter| !after.contains(counter)).map(|counter| (counter, -1));
        let entered = after.iter().filter(|counter| !before.contains(counter)).map(|counter| (counter, 1));
        for (counter, delta) in left.chain(entered) {
            self = match counter.most {
                Some(most) if delta > 0 => self.add_up_to(counter, most),
                _ => self.add(counter.key.clone(), &[(counter.attribute, delta)]),
            };
        }
        self
    }

    fn delete(&mut self, delete: DeleteBuilder, key: Key) {
        let delete = delete.table_name("").set_key(Some(attributes(key))).build().ok();
        self.writes.push(Write { item: TransactWriteItem::builder().set_delete(delete).build(), on_condition: OnCondition::Stale });
    }
}

impl Store {
    /// Writes a commit, whole or not at all. Sent again where it met another commit on the same items; each attempt carries a
    /// client token, so that a lost reply does not make it happen twice.
    ///
    /// # Errors
    /// [`CommitError`], after which nothing has changed except where it says so.
    pub fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            let commit = commit.with_trail(self.audit_days);
            if let Some(error) = commit.broken {
                return Err(CommitError::Broken(error.into()));
            }
            let items: Vec<_> = commit.writes.iter().map(|write| self.in_table(write.item.clone())).collect();
            for attempt in 1..=retry::ATTEMPTS {
                let request = self.client.transact_write_items().set_transact_items(Some(items.clone()));
                let Err(error) = request.client_request_token(Uuid::new_v4().to_string()).send().await else { return Ok(()) };
                if let Some(error) = failure(error, &commit.writes) {
                    return Err(error);
                }
                tokio::time::sleep(retry::backoff(attempt)).await;
            }
            Err(CommitError::Contended)
        })
    }

    /// Removes events that are published. Removing one again does nothing.
    ///
    /// # Errors
    /// [`CommitError::Contended`], [`CommitError::Unavailable`] or [`CommitError::Broken`]; some may be removed.
    pub fn forget_events<'a>(&'a self, events: &'a [EventId]) -> BoxFuture<'a, Result<(), CommitError>> {
        Box::pin(async move {
            let deletions = events.iter().filter_map(|id| deletion(Key::outbox(*id))).collect();
            self.write_batches(deletions).await
        })
    }

    /// Removes items, each by itself: removing one again does nothing. They are no part of a commit because nothing follows from them.
    ///
    /// # Errors
    /// As [`Store::forget_events`]; some may be removed.
    pub fn erase(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move { self.write_batches(keys.into_iter().filter_map(deletion).collect()).await })
    }

    /// Writes feed entries, each by itself: writing one again changes nothing. They are no part of a commit because they follow from
    /// posts and followers, and those decide when a feed is read.
    ///
    /// # Errors
    /// As [`Store::forget_events`]; some may be written.
    pub fn put_feed_entries<'a>(&'a self, entries: &'a [FeedEntry]) -> BoxFuture<'a, Result<(), CommitError>> {
        Box::pin(async move {
            let put = |entry: &FeedEntry| {
                let item = entity::item(entry).map_err(|error| CommitError::Broken(error.into()))?;
                let request = PutRequest::builder().set_item(Some(item)).build().map_err(|error| CommitError::Broken(error.into()))?;
                Ok(WriteRequest::builder().put_request(request).build())
            };
            self.write_batches(entries.iter().map(put).collect::<Result<_, CommitError>>()?).await
        })
    }

    pub(crate) async fn write_batches(&self, requests: Vec<WriteRequest>) -> Result<(), CommitError> {
        for chunk in requests.chunks(BATCH_WRITES) {
            let mut left = chunk.to_vec();
            for attempt in 1.. {
                let request = self.client.batch_write_item().request_items(&self.table, left);
                let output = request.send().await.map_err(|error| match retry::is_passing(&error) {
                    true => CommitError::Unavailable(error.into()),
                    false => CommitError::Broken(error.into()),
                })?;
                left = output.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
                if left.is_empty() {
                    break;
                }
                if attempt == retry::ATTEMPTS {
                    return Err(CommitError::Contended);
                }
                tokio::time::sleep(retry::backoff(attempt)).await;
            }
        }
        Ok(())
    }

    fn in_table(&self, mut item: TransactWriteItem) -> TransactWriteItem {
        if let Some(put) = &mut item.put {
            put.table_name.clone_from(&self.table);
        }
        if let Some(delete) = &mut item.delete {
            delete.table_name.clone_from(&self.table);
        }
        if let Some(update) = &mut item.update {
            update.table_name.clone_from(&self.table);
        }
        if let Some(check) = &mut item.condition_check {
            check.table_name.clone_from(&self.table);
        }
        item
    }
}

/// The typed cause of a failed attempt, or `None` if it only met others and can be sent again.
fn failure<R>(error: SdkError<TransactWriteItemsError, R>, writes: &[Write]) -> Option<CommitError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return match retry::is_passing(&error) {
            _ if error.code() == Some("TransactionInProgressException") => None,
            true => Some(CommitError::Unavailable(error.into())),
            false => Some(CommitError::Broken(error.into())),
        };
    };
    let reasons = cancelled.cancellation_reasons();
    let failed = |reason: &CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    let mut conditions: Vec<_> = writes.iter().zip(reasons).filter(|(_, reason)| failed(reason)).map(|(write, _)| &write.on_condition).collect();
    conditions.sort_by_key(|condition| match condition {
        OnCondition::Recorded => 0,
        OnCondition::Done => 1,
        OnCondition::Claimed(_) => 2,
        OnCondition::Full => 3,
        OnCondition::Stale => 4,
    });
    match conditions.first() {
        Some(OnCondition::Recorded) => Some(CommitError::AlreadyRecorded),
        Some(OnCondition::Done) => Some(CommitError::AlreadyDone),
        Some(OnCondition::Claimed(claim)) => Some(CommitError::Claimed(claim.clone())),
        Some(OnCondition::Full) => Some(CommitError::Full),
        Some(OnCondition::Stale) => Some(CommitError::Stale),
        None if reasons.iter().all(|reason| is_passing_reason(reason.code())) => None,
        None => Some(CommitError::Broken(error.into())),
    }
}

fn deletion(key: Key) -> Option<WriteRequest> {
    let request = DeleteRequest::builder().set_key(Some(attributes(key))).build().ok()?;
    Some(WriteRequest::builder().delete_request(request).build())
}

fn is_passing_reason(code: Option<&str>) -> bool {
    matches!(code, None | Some("None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"))
}

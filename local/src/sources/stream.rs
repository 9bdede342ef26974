//! The event source mapping of a table's stream.
//!
//! The records that pass the filters go to the function in order, one batch at a time. A batch that fails is tried again, split or given up
//! as the mapping says; nothing behind it is read before that. The position is saved after each batch, so a restart repeats at most one.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use super::{
    Context, InvokeOutcome, back_off,
    batch::{self, EventSize},
    checkpoints::Checkpoints,
    filter::Filters,
    queue_url,
};
use crate::{
    dynamodb::{DynamoDb, Record},
    stack::{StreamTrigger, Table},
};

const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// One mapping.
pub(super) struct Mapping {
    /// Logical id of the function.
    pub(super) function: String,
    pub(super) function_arn: String,
    pub(super) trigger: StreamTrigger,
    pub(super) table: Table,
    pub(super) stream_arn: String,
    pub(super) filters: Filters,
    /// Name under which the position is saved.
    pub(super) name: String,
    /// Everything up to and with it is done.
    pub(super) position: u64,
    pub(super) checkpoints: Checkpoints,
    pub(super) dynamodb: DynamoDb,
    pub(super) context: Context,
}

/// Some records that go to the function together.
struct Batch {
    records: Vec<Record>,
    /// Failures so far that count against `MaximumRetryAttempts`.
    failures: u32,
    /// Invocations so far that the first record was in.
    invocations: u32,
    /// Whether the last of them ended in an error, rather than in a list of failures.
    function_error: bool,
}

impl Batch {
    fn new(records: Vec<Record>) -> Self {
        Self { records, failures: 0, invocations: 0, function_error: false }
    }
}

/// What came of one try.
enum Outcome {
    Done,
    Throttled,
    /// The records before this index are done, the others are not.
    Failed {
        from: usize,
        function_error: bool,
        reason: String,
    },
}

impl Mapping {
    /// Works until the stop, then until the invocation under way is done.
    pub(super) async fn run(mut self) {
        let mut changes = self.dynamodb.changes();
        while let Some((records, through)) = self.gather(&mut changes, self.position).await {
            if self.deliver(records).await.is_none() {
                return;
            }
            self.position = through;
            self.save(through).await;
        }
    }

    /// The next batch, with at least one record, and the position behind it; `None` at the stop.
    async fn gather(&self, changes: &mut watch::Receiver<()>, mut position: u64) -> Option<(Vec<Record>, u64)> {
        // Enough for a batch of which some do not pass the filters.
        let limit = self.trigger.batch_size.clamp(100, 1000);
        let (mut records, mut size, mut deadline, mut failures) = (vec![], EventSize::default(), None, 0);
        loop {
            changes.borrow_and_update();
            let page = match self.context.stop.unless(self.dynamodb.stream(&self.table, position, limit)).await? {
                Ok(page) => page,
                Err(error) => {
                    failures += 1;
                    tracing::error!(function = self.function, "The stream of {} cannot be read: {error}", self.table.name);
                    self.context.stop.sleep(back_off(failures, LONGEST_BACK_OFF)).await?;
                    continue;
                }
            };
            let drained = page.len() < limit;
            let advanced = !page.is_empty();
            for record in page {
                if self.passes(&record.event) {
                    if records.len() == self.trigger.batch_size.max(1) || !size.admit(&record.event) {
                        return Some((records, position));
                    }
                    position = record.sequence;
                    records.push(record);
                } else {
                    position = record.sequence;
                }
            }
            if !drained {
                continue;
            }
            if records.is_empty() {
                if advanced {
                    self.save(position).await;
                }
                // The sender lives in the database, which `self` keeps.
                self.context.stop.unless(changes.changed()).await?.ok()?;
                continue;
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.trigger.batch_window);
            let full = records.len() >= self.trigger.batch_size;
            if full || self.context.stop.unless(tokio::time::timeout_at(deadline, changes.changed())).await?.is_err() {
                return Some((records, position));
            }
        }
    }

    fn passes(&self, event: &Value) -> bool {
        // The real service leaves no record of a write that changes nothing; the embedded engine does.
        let change = &event["dynamodb"];
        let unchanged = event["eventName"] == "MODIFY" && change["NewImage"].is_object() && change["NewImage"] == change["OldImage"];
        !unchanged && self.filters.pass(|_| event)
    }

    /// Brings records to the function until each is done or given up; `None` if the stop came first.
    async fn deliver(&self, records: Vec<Record>) -> Option<()> {
        let mut waiting = VecDeque::from([Batch::new(records)]);
        let mut throttles = 0;
        while let Some(mut batch) = waiting.pop_front() {
            let expired = self.expired(&batch.records);
            if expired > 0 {
                let rest = batch.records.split_off(expired);
                if !rest.is_empty() {
                    waiting.push_front(Batch { records: rest, ..batch });
                }
                self.give_up(&batch, "RecordAgeExceeded").await;
                continue;
            }
            match self.invoke(&batch.records).await {
                Outcome::Done => {
                    throttles = 0;
                    self.save_behind(&batch.records).await;
                }
                Outcome::Throttled => {
                    throttles += 1;
                    waiting.push_front(batch);
                    self.context.stop.sleep(back_off(throttles, LONGEST_BACK_OFF)).await?;
                }
                Outcome::Failed { from, function_error, reason } => {
                    throttles = 0;
                    let count = batch.records.len();
                    tracing::warn!(function = self.function, "{} failed with record {} of {count}: {reason}", self.function, from + 1);
                    (batch.invocations, batch.function_error) = (batch.invocations + 1, function_error);
                    self.after_failure(batch, from, &mut waiting).await?;
                }
            }
        }
        Some(())
    }

    /// Decides what happens with a batch of which the records from index `from` on failed.
    async fn after_failure(&self, mut batch: Batch, from: usize, waiting: &mut VecDeque<Batch>) -> Option<()> {
        let splits = self.trigger.bisect_batch_on_function_error && batch.records.len() > 1;
        if splits {
            // A reply that names a record says where to split: before it, or behind it if it is the first. An error says nothing.
            let middle = match from {
                0 if batch.function_error => batch.records.len() / 2,
                0 => 1,
                from => from,
            };
            let rest = batch.records.split_off(middle);
            waiting.push_front(Batch { records: rest, ..batch });
            if from > 0 {
                self.save_behind(&batch.records).await;
            } else {
                waiting.push_front(batch);
            }
            // Splitting takes nothing from the retries, and it ends by itself.
            return Some(());
        }
        if from > 0 {
            let rest = batch.records.split_off(from);
            self.save_behind(&batch.records).await;
            // The count belongs to the record in front, which has failed for the first time.
            batch = Batch { records: rest, failures: 0, ..batch };
        }
        batch.failures += 1;
        if self.trigger.maximum_retry_attempts.is_some_and(|most| batch.failures > most) {
            self.give_up(&batch, "RetryAttemptsExhausted").await;
        } else {
            let wait = back_off(batch.failures, LONGEST_BACK_OFF);
            waiting.push_front(batch);
            self.context.stop.sleep(wait).await?;
        }
        Some(())
    }

    async fn invoke(&self, records: &[Record]) -> Outcome {
        let event = batch::event(records.iter().map(|record| &record.event));
        let whole = |reason: String| Outcome::Failed { from: 0, function_error: true, reason };
        let reply = match self.context.invoker.invoke(&self.function, event).await {
            InvokeOutcome::Reply(reply) => reply,
            InvokeOutcome::Failed(reason) => return whole(reason),
            InvokeOutcome::Throttled => return Outcome::Throttled,
        };
        if !self.trigger.report_batch_item_failures {
            return Outcome::Done;
        }
        let failed = match batch::failed_items(&reply) {
            Ok(failed) => failed,
            Err(reason) => return whole(reason),
        };
        let mut first = None;
        for id in failed {
            let Some(index) = records.iter().position(|record| *number(record) == *id) else {
                return whole(format!("its reply names {id}, which is not in the batch"));
            };
            first = Some(first.map_or(index, |first: usize| first.min(index)));
        }
        first.map_or(Outcome::Done, |from| Outcome::Failed { from, function_error: false, reason: "as its reply says".to_owned() })
    }

    /// How many records at the front are too old.
    fn expired(&self, records: &[Record]) -> usize {
        let Some(most) = self.trigger.maximum_record_age else { return 0 };
        let now = SystemTime::now();
        records.iter().take_while(|record| now.duration_since(record.created).is_ok_and(|age| age > most)).count()
    }

    /// Tells the failure destination of a batch, and goes on behind it.
    async fn give_up(&self, batch: &Batch, condition: &str) {
        let (Some(first), Some(last)) = (batch.records.first(), batch.records.last()) else { return };
        let range = (number(first), number(last));
        let count = batch.records.len();
        tracing::warn!(
            function = self.function,
            "{} gave up {count} records of {}, {} to {}: {condition}",
            self.function,
            self.table.name,
            range.0,
            range.1
        );
        if let Some(destination) = &self.trigger.on_failure {
            let mut message = json!({
                "requestContext": {
                    "requestId": Uuid::new_v4(),
                    "functionArn": self.function_arn,
                    "condition": condition,
                    "approximateInvokeCount": batch.invocations,
                },
                "version": "1.0",
                "timestamp": format!("{:.3}", Timestamp::now()),
                "DDBStreamBatchInfo": {
                    "shardId": dynoxide::streams::shard_id(&self.table.name),
                    "startSequenceNumber": range.0,
                    "endSequenceNumber": range.1,
                    "approximateArrivalOfFirstRecord": arrival(first),
                    "approximateArrivalOfLastRecord": arrival(last),
                    "batchSize": count,
                    "streamArn": self.stream_arn,
                },
            });
            if batch.invocations > 0 {
                message["responseContext"] = json!({"statusCode": 200, "executedVersion": "$LATEST"});
                if batch.function_error {
                    message["responseContext"]["functionError"] = json!("Unhandled");
                }
            }
            let request = json!({"QueueUrl": queue_url(destination), "MessageBody": message.to_string()});
            if let Err(error) = self.context.queues.call("SendMessage", request).await {
                // The real service drops the message, too, when its destination does not take it.
                tracing::error!(function = self.function, "The failure destination {destination} did not take {message}: {error}");
            }
        }
        self.save_behind(&batch.records).await;
    }

    async fn save_behind(&self, records: &[Record]) {
        if let Some(last) = records.last() {
            self.save(last.sequence).await;
        }
    }

    async fn save(&self, position: u64) {
        if let Err(error) = self.checkpoints.set(&self.name, position).await {
            tracing::error!(function = self.function, "The stream position of {} cannot be saved: {error}", self.name);
        }
    }
}

fn number(record: &Record) -> &Value {
    &record.event["dynamodb"]["SequenceNumber"]
}

fn arrival(record: &Record) -> String {
    Timestamp::try_from(record.created).map_or_else(|_| String::new(), |time| format!("{time:.0}"))
}

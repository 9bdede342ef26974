//! The event source mapping of an SQS queue.
//!
//! One task receives batches; as many as `MaximumConcurrency` allows are with the function at a time. What the function does not confirm is
//! left alone and becomes visible again after the queue's visibility timeout.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{
    Context, InvokeOutcome, back_off,
    batch::{self, EventSize},
    filter::Filters,
    queue_url,
};
use crate::{
    service::ServiceError,
    stack::{Function, Queue, QueueTrigger},
};

/// Concurrent invocations of a mapping that sets no maximum; the real service begins with five pollers, too.
const CONCURRENCY: usize = 5;
/// Most messages in one receive or delete.
const SQS_BATCH: usize = 10;
/// Longest wait of a receive, in seconds.
const LONG_POLL: u64 = 20;
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);

/// One mapping.
pub(super) struct Mapping {
    function: String,
    trigger: QueueTrigger,
    filters: Filters,
    /// How long an invocation that is throttled is tried again, so that its messages are not given to somebody else in the meantime.
    patience: Duration,
    context: Context,
}

struct Message {
    id: String,
    receipt_handle: String,
    /// The record as the function gets it.
    record: Value,
}

impl Mapping {
    pub(super) fn new(function: &Function, trigger: QueueTrigger, queue: &Queue, filters: Filters, context: Context) -> Self {
        let visibility = queue.attributes.get("VisibilityTimeout").and_then(|seconds| seconds.parse().ok()).unwrap_or(30);
        Self { function: function.logical_id.clone(), trigger, filters, patience: Duration::from_secs(visibility) / 2, context }
    }

    /// Works until the stop, then until the batches under way are done.
    pub(super) async fn run(self) {
        let mapping = Arc::new(self);
        let permits = Arc::new(Semaphore::new(mapping.trigger.maximum_concurrency.unwrap_or(CONCURRENCY)));
        let mut batches = JoinSet::new();
        while let Some(Ok(permit)) = mapping.context.stop.unless(permits.clone().acquire_owned()).await {
            let Some(messages) = mapping.gather().await else { break };
            while batches.try_join_next().is_some() {}
            let mapping = mapping.clone();
            batches.spawn(async move {
                mapping.process(messages).await;
                drop(permit);
            });
        }
        while batches.join_next().await.is_some() {}
    }

    /// Receives a batch with at least one message, or `None` at the stop.
    async fn gather(&self) -> Option<Vec<Message>> {
        let mut failures = 0;
        let mut batch = loop {
            match self.context.stop.unless(self.receive(self.trigger.batch_size, LONG_POLL)).await? {
                Ok(messages) if messages.is_empty() => failures = 0,
                Ok(messages) => break messages,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(function = self.function, "{} cannot receive from {}: {error}", self.function, self.trigger.queue_arn);
                    self.context.stop.sleep(back_off(failures, LONGEST_BACK_OFF)).await?;
                }
            }
        };
        let deadline = Instant::now() + self.trigger.batch_window;
        while let missing @ 1.. = self.trigger.batch_size.saturating_sub(batch.len()) {
            // A receive waits for whole seconds.
            let left = deadline.saturating_duration_since(Instant::now());
            let wait @ 1.. = (left + Duration::from_millis(500)).as_secs() else { break };
            // At the stop, or if the queue fails now, what is there already is still a batch.
            let Some(Ok(more)) = self.context.stop.unless(self.receive(missing, wait.min(LONG_POLL))).await else { break };
            batch.extend(more);
        }
        Some(batch)
    }

    async fn receive(&self, most: usize, wait: u64) -> Result<Vec<Message>, ServiceError> {
        let request = json!({
            "QueueUrl": queue_url(&self.trigger.queue_arn),
            "MaxNumberOfMessages": most.clamp(1, SQS_BATCH),
            "WaitTimeSeconds": wait,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let reply = self.context.queues.call("ReceiveMessage", request).await?;
        let messages = reply["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(messages.iter().map(|message| self.message(message)).collect())
    }

    fn message(&self, message: &Value) -> Message {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
        let attributes: Map<_, _> = attributes.map(|(name, attribute)| (name.clone(), message_attribute(attribute))).collect();
        let mut record = json!({
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": attributes,
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.trigger.queue_arn,
            "awsRegion": self.context.region,
        });
        if let Some(md5) = message.get("MD5OfMessageAttributes") {
            record["md5OfMessageAttributes"] = md5.clone();
        }
        Message { id: text("MessageId"), receipt_handle: text("ReceiptHandle"), record }
    }

    /// Takes a batch to the function, in as many events as its size needs, and deletes what is done.
    async fn process(&self, messages: Vec<Message>) {
        let (messages, filtered): (Vec<_>, Vec<_>) = messages.iter().partition(|message| self.passes(&message.record));
        self.delete(&filtered).await;
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
            let mut size = EventSize::default();
            let fitting = rest.iter().take(self.trigger.batch_size.max(1)).take_while(|message| size.admit(&message.record)).count();
            let (batch, later) = rest.split_at(fitting);
            rest = later;
            match self.invoke(batch).await {
                Ok(failed) => {
                    let done: Vec<_> = batch.iter().copied().filter(|message| !failed.contains(&message.id)).collect();
                    self.delete(&done).await;
                }
                Err(reason) => {
                    let count = batch.len();
                    tracing::warn!(function = self.function, "{} failed with a batch of {count} messages: {reason}", self.function);
                }
            }
        }
    }

    /// A pattern that looks into the body compares it as JSON, any other as text.
    fn passes(&self, record: &Value) -> bool {
        let mut parsed = record.clone();
        if let Some(body) = record["body"].as_str().and_then(|body| serde_json::from_str(body).ok()) {
            parsed["body"] = body;
        }
        self.filters.pass(|pattern| if pattern.looks_inside("body") { &parsed } else { record })
    }

    /// The ids of the messages that failed; an error if all of them did.
    async fn invoke(&self, batch: &[&Message]) -> Result<HashSet<String>, String> {
        let event = batch::event(batch.iter().map(|message| &message.record));
        let started = Instant::now();
        let mut throttles = 0;
        let reply = loop {
            match self.context.invoker.invoke(&self.function, event.clone()).await {
                InvokeOutcome::Reply(reply) => break reply,
                InvokeOutcome::Failed(reason) => return Err(reason),
                InvokeOutcome::Throttled if started.elapsed() < self.patience => {
                    throttles += 1;
                    let stopped = || "it was throttled until the stop".to_owned();
                    self.context.stop.sleep(back_off(throttles, LONGEST_BACK_OFF)).await.ok_or_else(stopped)?;
                }
                InvokeOutcome::Throttled => return Err("it was throttled for too long".to_owned()),
            }
        };
        if !self.trigger.report_batch_item_failures {
            return Ok(HashSet::new());
        }
        let failed: HashSet<_> = batch::failed_items(&reply)?.into_iter().collect();
        match failed.iter().find(|id| batch.iter().all(|message| message.id != **id)) {
            Some(unknown) => Err(format!("its reply names {unknown}, which is not in the batch")),
            None => Ok(failed),
        }
    }

    async fn delete(&self, messages: &[&Message]) {
        for messages in messages.chunks(SQS_BATCH) {
            let entry = |(n, message): (usize, &&Message)| json!({"Id": n.to_string(), "ReceiptHandle": message.receipt_handle});
            let entries: Vec<_> = messages.iter().enumerate().map(entry).collect();
            let request = json!({"QueueUrl": queue_url(&self.trigger.queue_arn), "Entries": entries});
            let problem = match self.context.queues.call("DeleteMessageBatch", request).await {
                Ok(reply) => match reply["Failed"].as_array() {
                    Some(failed) if !failed.is_empty() => json!(failed).to_string(),
                    _ => continue,
                },
                Err(error) => error.to_string(),
            };
            tracing::warn!(function = self.function, "Messages of {} could not be deleted and will come again: {problem}", self.trigger.queue_arn);
        }
    }
}

fn message_attribute(attribute: &Value) -> Value {
    let mut converted = json!({"dataType": attribute["DataType"], "stringListValues": [], "binaryListValues": []});
    for (theirs, ours) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
        if let Some(value) = attribute.get(theirs) {
            converted[ours] = value.clone();
        }
    }
    converted
}

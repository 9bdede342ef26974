//! Receiving messages, and giving up on those that were received too often.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    error::{Result, in_range, refused, unsupported},
    message::{MessageAttributes, md5, md5_of_attributes},
    receipt::Receipt,
    send::sequence_number,
    store::{JsonText, Queue, Session},
};

/// The `SenderId` of every message: a service does not learn who calls it.
const SENDER_ID: &str = "AIDAQUIRELOCALSENDER";

/// Messages that may be received. A FIFO group gives its first messages only, and none while one of it is in flight.
const STANDARD: &str = "SELECT * FROM messages WHERE queue = ?1 AND visible <= ?2 ORDER BY visible, position LIMIT ?3";
const FIFO: &str = "SELECT * FROM messages AS m INDEXED BY messages_in_order
                    WHERE queue = ?1 AND group_id IS NOT NULL AND visible <= ?2 AND NOT EXISTS (
                        SELECT 1 FROM messages AS other INDEXED BY messages_by_group
                        WHERE other.queue = m.queue AND other.group_id = m.group_id AND other.visible > ?2
                        AND (other.receipt IS NOT NULL OR other.position < m.position))
                    ORDER BY position LIMIT ?3";

/// What one look for messages came to.
pub(super) struct Attempt {
    pub(super) messages: Vec<Value>,
    /// How long the caller would wait for messages.
    pub(super) wait: Duration,
    /// When a message of the queue becomes visible, if one is hidden now.
    pub(super) next_visible: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Request {
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    receive_request_attempt_id: Option<Value>,
}

struct Stored {
    position: i64,
    id: String,
    body: String,
    attributes: MessageAttributes,
    trace: Option<String>,
    group_id: Option<String>,
    dedup_id: Option<String>,
    sent: i64,
    receives: i64,
    receives_here: i64,
    first_received: Option<i64>,
    source_arn: Option<String>,
}

impl Stored {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: row.get("position")?,
            id: row.get("id")?,
            body: row.get("body")?,
            attributes: serde_json::from_value(row.get::<_, JsonText>("attributes")?.0).unwrap_or_default(),
            trace: row.get("trace")?,
            group_id: row.get("group_id")?,
            dedup_id: row.get("dedup_id")?,
            sent: row.get("sent")?,
            receives: row.get("receives")?,
            receives_here: row.get("receives_here")?,
            first_received: row.get("first_received")?,
            source_arn: row.get("source_arn")?,
        })
    }

    fn system_attribute(&self, name: &str, fifo: bool) -> Option<String> {
        match name {
            "SenderId" => Some(SENDER_ID.to_owned()),
            "SentTimestamp" => Some(self.sent.to_string()),
            "ApproximateReceiveCount" => Some(self.receives.to_string()),
            "ApproximateFirstReceiveTimestamp" => self.first_received.map(|time| time.to_string()),
            "SequenceNumber" => fifo.then(|| sequence_number(self.position)),
            "MessageDeduplicationId" => self.dedup_id.clone(),
            "MessageGroupId" => self.group_id.clone(),
            "AWSTraceHeader" => self.trace.clone(),
            "DeadLetterQueueSourceArn" => self.source_arn.clone(),
            _ => None,
        }
    }
}

const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

impl Session<'_> {
    pub(super) fn receive(&self, mut request: Value) -> Result<Attempt> {
        let queue = self.take_queue(&mut request)?;
        let request: Request = super::error::parse(request)?;
        if request.receive_request_attempt_id.is_some() {
            return Err(unsupported("ReceiveRequestAttemptId is not supported by the local cloud."));
        }
        for name in request.attribute_names.iter().chain(&request.message_system_attribute_names) {
            if name != "All" && !SYSTEM_ATTRIBUTES.contains(&name.as_str()) {
                return Err(refused("InvalidAttributeName", format!("Unknown Attribute {name}.")));
            }
        }
        let wanted = in_range("MaxNumberOfMessages", request.max_number_of_messages, 1..=10)?.unwrap_or(1);
        let wait = in_range("WaitTimeSeconds", request.wait_time_seconds, 0..=20)?;
        let wait = wait.unwrap_or_else(|| queue.attributes.number("ReceiveMessageWaitTimeSeconds"));
        let hidden = in_range("VisibilityTimeout", request.visibility_timeout, 0..=43_200)?;
        let visible = self.now + 1000 * hidden.unwrap_or_else(|| queue.attributes.number("VisibilityTimeout"));

        let mut messages = Vec::new();
        for message in self.take_messages(&queue, wanted, visible)? {
            messages.push(present(&message, &queue, &request));
        }
        let mut next = self.db.prepare_cached("SELECT min(visible) FROM messages WHERE queue = ?1 AND visible > ?2")?;
        let next_visible = next.query_row((&queue.name, self.now), |row| row.get(0))?;
        Ok(Attempt { messages, wait: Duration::from_secs(wait.unsigned_abs()), next_visible })
    }

    /// Hides up to `wanted` messages until `visible` and gives them, each with its new receipt handle.
    fn take_messages(&self, queue: &Queue, wanted: i64, visible: i64) -> Result<Vec<(Stored, Receipt)>> {
        // While the dead-letter queue does not exist, its messages stay where they are.
        let redrive = match queue.attributes.redrive() {
            Some(redrive) => self.find_arn(&redrive.target_arn)?.map(|target| (target, redrive.max_receives)),
            None => None,
        };
        loop {
            let mut select = self.db.prepare_cached(if queue.is_fifo() { FIFO } else { STANDARD })?;
            let found = select.query_map((&queue.name, self.now, wanted), Stored::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
            let exhausted = !found.is_empty();
            let mut taken = Vec::new();
            for mut message in found {
                match &redrive {
                    Some((target, max_receives)) if message.receives_here >= *max_receives => self.give_up(&message, queue, target)?,
                    _ => {
                        let receipt = Receipt::new(&queue.name, message.position, self.now);
                        message.receives += 1;
                        message.first_received.get_or_insert(self.now);
                        let mut update = self.db.prepare_cached(
                            "UPDATE messages SET visible = ?2, receipt = ?3, first_received = ?4, receives = receives + 1,
                             receives_here = receives_here + 1 WHERE position = ?1",
                        )?;
                        update.execute((message.position, visible, receipt.handle(), message.first_received))?;
                        taken.push((message, receipt));
                    }
                }
            }
            // Another look is needed only when everything found went to the dead-letter queue.
            if !taken.is_empty() || !exhausted {
                return Ok(taken);
            }
        }
    }

    /// Moves a message to the dead-letter queue. In a FIFO queue its retention period begins anew, in a standard queue it does not.
    fn give_up(&self, message: &Stored, queue: &Queue, target: &Queue) -> Result<()> {
        let mut update = self.db.prepare_cached(
            "UPDATE messages SET queue = ?2, source_arn = ?3, visible = ?4, retained = iif(?5, ?4, retained), receipt = NULL, receives_here = 0
             WHERE position = ?1",
        )?;
        update.execute((message.position, &target.name, self.arn(&queue.name), self.now, queue.is_fifo()))?;
        Ok(())
    }
}

/// A message as the caller asked to see it.
fn present((message, receipt): &(Stored, Receipt), queue: &Queue, request: &Request) -> Value {
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": receipt.handle(),
        "MD5OfBody": md5(&message.body),
        "Body": message.body,
    });
    let asked = |name: &str| {
        let mut names = request.attribute_names.iter().chain(&request.message_system_attribute_names);
        names.any(|asked| asked == "All" || asked == name)
    };
    let mut system = Map::new();
    for name in SYSTEM_ATTRIBUTES.into_iter().filter(|name| asked(name)) {
        system.extend(message.system_attribute(name, queue.is_fifo()).map(|value| (name.to_owned(), json!(value))));
    }
    if !system.is_empty() {
        shown["Attributes"] = json!(system);
    }
    let mut attributes = message.attributes.clone();
    attributes.retain(|name, _| request.message_attribute_names.iter().any(|pattern| is_match(pattern, name)));
    if let Some(digest) = md5_of_attributes(&attributes) {
        shown["MD5OfMessageAttributes"] = json!(digest);
        shown["MessageAttributes"] = json!(attributes);
    }
    shown
}

/// `All`, `.*`, a prefix as `order.*`, or a name.
fn is_match(pattern: &str, name: &str) -> bool {
    pattern == "All" || pattern.strip_suffix(".*").map_or(pattern == name, |prefix| name.starts_with(prefix))
}

//! Sending messages.

use rusqlite::OptionalExtension;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    error::{Result, coded, in_range, invalid, missing, not_for_this_type, parse},
    message::{MessageAttributes, check_attributes, check_text, md5, md5_of_attributes, size, trace_header},
    store::{Queue, Session},
};

/// Time in which a FIFO queue recognises a deduplication id.
const DEDUPLICATION_MS: i64 = 5 * 60 * 1000;

/// Most bytes in all messages of one batch.
const MAX_BATCH_BYTES: usize = 1_048_576;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Outgoing {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    #[serde(default)]
    message_system_attributes: MessageAttributes,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// A message on its way into a queue.
pub(super) struct NewMessage<'a> {
    pub(super) id: &'a str,
    pub(super) body: &'a str,
    /// JSON object.
    pub(super) attributes: &'a str,
    pub(super) trace: Option<&'a str>,
    pub(super) group_id: Option<&'a str>,
    pub(super) dedup_id: Option<&'a str>,
    pub(super) visible: i64,
}

impl Session<'_> {
    pub(super) fn send_batch(&self, request: Value) -> Result<Value> {
        let entries = request["Entries"].as_array().into_iter().flatten();
        // An entry that cannot be read fails on its own later.
        let sizes = entries.map(|entry| {
            let body = entry["MessageBody"].as_str().unwrap_or_default();
            let attributes = serde_json::from_value(entry["MessageAttributes"].clone()).unwrap_or_default();
            size(body, &attributes)
        });
        let total: usize = sizes.sum();
        if total > MAX_BATCH_BYTES {
            let message = format!("Batch requests cannot be longer than {MAX_BATCH_BYTES} bytes. You have sent {total} bytes.");
            return Err(coded("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", message));
        }
        self.batch(request, Self::send)
    }

    pub(super) fn send(&self, queue: &Queue, request: Value) -> Result<Value> {
        let message: Outgoing = parse(request)?;
        let body = message.message_body.as_deref().filter(|body| !body.is_empty()).ok_or_else(|| missing("MessageBody"))?;
        check_text(body)?;
        check_attributes(&message.message_attributes)?;
        let trace = trace_header(&message.message_system_attributes)?;
        let limit = queue.attributes.number("MaximumMessageSize");
        if i64::try_from(size(body, &message.message_attributes)).is_ok_and(|size| size > limit) {
            return Err(invalid(format!("One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes.")));
        }
        let delay = in_range("DelaySeconds", message.delay_seconds, 0..=900)?;
        if let (true, Some(delay @ 1..)) = (queue.is_fifo(), delay) {
            return Err(not_for_this_type("DelaySeconds", delay));
        }
        let group_id = check_token("MessageGroupId", message.message_group_id.as_deref())?;
        let dedup_id = check_token("MessageDeduplicationId", message.message_deduplication_id.as_deref())?;

        let id = Uuid::new_v4().to_string();
        let attributes = json!(message.message_attributes).to_string();
        let delay = delay.filter(|_| !queue.is_fifo()).unwrap_or_else(|| queue.attributes.number("DelaySeconds"));
        let mut new = NewMessage { id: &id, body, attributes: &attributes, trace, group_id, dedup_id, visible: self.now + 1000 * delay };
        let mut reply = json!({"MD5OfMessageBody": md5(body)});
        if let Some(digest) = md5_of_attributes(&message.message_attributes) {
            reply["MD5OfMessageAttributes"] = json!(digest);
        }
        if let Some(digest) = md5_of_attributes(&message.message_system_attributes) {
            reply["MD5OfMessageSystemAttributes"] = json!(digest);
        }
        if queue.is_fifo() {
            let group = group_id.ok_or_else(|| missing("MessageGroupId"))?;
            let of_content = queue.attributes.get("ContentBasedDeduplication") == Some("true");
            let digest = of_content.then(|| hex::encode(Sha256::digest(body)));
            new.dedup_id = dedup_id.or(digest.as_deref());
            let dedup_id = new.dedup_id.ok_or_else(|| {
                invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
            })?;
            let scope = if queue.attributes.get("DeduplicationScope") == Some("messageGroup") { group } else { "" };
            let (id, position) = self.send_once(queue, scope, dedup_id, &new)?;
            reply["MessageId"] = json!(id);
            reply["SequenceNumber"] = json!(sequence_number(position));
        } else {
            if let Some(dedup_id) = dedup_id {
                return Err(not_for_this_type("MessageDeduplicationId", dedup_id));
            }
            self.insert(&queue.name, &new)?;
            reply["MessageId"] = json!(id);
        }
        Ok(reply)
    }

    /// Inserts a message unless its deduplication id was seen lately; gives the id and position of the one message.
    fn send_once(&self, queue: &Queue, scope: &str, dedup_id: &str, new: &NewMessage<'_>) -> Result<(String, i64)> {
        self.db.prepare_cached("DELETE FROM deduplications WHERE queue = ?1 AND expires <= ?2")?.execute((&queue.name, self.now))?;
        let mut select = self.db.prepare_cached("SELECT id, position FROM deduplications WHERE queue = ?1 AND scope = ?2 AND dedup_id = ?3")?;
        if let Some(first) = select.query_row((&queue.name, scope, dedup_id), |row| Ok((row.get(0)?, row.get(1)?))).optional()? {
            return Ok(first);
        }
        let position = self.insert(&queue.name, new)?;
        let mut insert = self.db.prepare_cached("INSERT INTO deduplications VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        insert.execute((&queue.name, scope, dedup_id, new.id, position, self.now + DEDUPLICATION_MS))?;
        Ok((new.id.to_owned(), position))
    }

    /// Puts a message at the end of a queue; gives its position.
    pub(super) fn insert(&self, queue: &str, new: &NewMessage<'_>) -> Result<i64> {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO messages (queue, id, body, attributes, trace, group_id, dedup_id, sent, retained, visible)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
        )?;
        let NewMessage { id, body, attributes, trace, group_id, dedup_id, visible } = new;
        Ok(insert.insert((queue, id, body, attributes, trace, group_id, dedup_id, self.now, visible))?)
    }
}

/// Twenty digits, so that texts sort as the numbers do.
pub(super) fn sequence_number(position: i64) -> String {
    format!("{position:020}")
}

/// Checks a group id or a deduplication id: 1 to 128 printable ASCII characters.
fn check_token<'a>(parameter: &str, value: Option<&'a str>) -> Result<Option<&'a str>> {
    match value {
        Some(text) if text.is_empty() || text.len() > 128 || !text.chars().all(|c| c.is_ascii_graphic()) => Err(super::error::invalid_value(
            parameter,
            text,
            &format!("{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."),
        )),
        value => Ok(value),
    }
}

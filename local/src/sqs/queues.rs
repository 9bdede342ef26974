//! Operations on queues as a whole.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    attributes::Attributes,
    error::{Result, coded, in_range, invalid, invalid_value, missing, no_queue, parse, refused, unsupported},
    store::{Queue, Session, is_fifo},
};
use crate::service::ACCOUNT;

/// Between two purges of one queue.
const PURGE_INTERVAL_MS: i64 = 60_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateQueue {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetQueueUrl {
    queue_name: Option<String>,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

/// What the two listings have in common.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Page {
    queue_name_prefix: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AttributeNames {
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SetAttributes {
    attributes: Option<BTreeMap<String, String>>,
}

/// A request with no member besides the queue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Session<'_> {
    pub(super) fn create_queue(&self, request: Value) -> Result<Value> {
        let request: CreateQueue = parse(request)?;
        let name = request.queue_name.ok_or_else(|| missing("QueueName"))?;
        if !request.tags.is_empty() {
            return Err(unsupported("Queue tags are not supported by the local cloud."));
        }
        let fifo = request.attributes.get("FifoQueue").is_some_and(|value| value == "true");
        check_name(&name, fifo)?;
        if let Some(queue) = self.find(&name)? {
            let mut asked = queue.attributes.clone();
            for (attribute, value) in &request.attributes {
                asked.set(attribute, value)?;
                if asked.get(attribute) != queue.attributes.get(attribute) {
                    let message = format!("A queue already exists with the same name and a different value for attribute {attribute}");
                    return Err(coded("QueueNameExists", "QueueAlreadyExists", message));
                }
            }
            return Ok(json!({"QueueUrl": self.url(&name)}));
        }
        let attributes = self.changed(&name, Attributes::defaults(fifo), &request.attributes)?;
        let mut insert = self.db.prepare_cached("INSERT INTO queues (name, created, modified, attributes) VALUES (?1, ?2, ?2, ?3)")?;
        insert.execute((&name, self.now, attributes.json().to_string()))?;
        Ok(json!({"QueueUrl": self.url(&name)}))
    }

    pub(super) fn delete_queue(&self, mut request: Value) -> Result<Value> {
        let queue = self.take_queue(&mut request)?;
        let Nothing {} = parse(request)?;
        self.db.execute("DELETE FROM queues WHERE name = ?1", [&queue.name])?;
        Ok(json!({}))
    }

    pub(super) fn get_queue_url(&self, request: Value) -> Result<Value> {
        let request: GetQueueUrl = parse(request)?;
        let name = request.queue_name.ok_or_else(|| missing("QueueName"))?;
        if request.owner.is_some_and(|owner| owner != ACCOUNT) {
            return Err(no_queue());
        }
        let queue = self.find(&name)?.ok_or_else(no_queue)?;
        Ok(json!({"QueueUrl": self.url(&queue.name)}))
    }

    pub(super) fn list_queues(&self, request: Value) -> Result<Value> {
        let page: Page = parse(request)?;
        let prefix = page.queue_name_prefix.clone().unwrap_or_default();
        self.page(page, "QueueUrls", |queue| queue.name.starts_with(&prefix))
    }

    pub(super) fn list_dead_letter_source_queues(&self, mut request: Value) -> Result<Value> {
        let target = self.arn(&self.take_queue(&mut request)?.name);
        let page: Page = parse(request)?;
        if page.queue_name_prefix.is_some() {
            return Err(refused("SerializationException", "unknown field `QueueNamePrefix`"));
        }
        self.page(page, "queueUrls", |queue| queue.attributes.redrive().is_some_and(|redrive| redrive.target_arn == target))
    }

    fn page(&self, page: Page, member: &str, chosen: impl Fn(&Queue) -> bool) -> Result<Value> {
        let limit = in_range("MaxResults", page.max_results, 1..=1000)?;
        let after = match &page.next_token {
            Some(token) => STANDARD.decode(token).ok().and_then(|name| String::from_utf8(name).ok()),
            None => Some(String::new()),
        };
        let after = after.ok_or_else(|| invalid("Invalid or expired next token."))?;
        let size = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1000);
        let mut names: Vec<String> = Vec::new();
        for name in self.names(&after)? {
            if names.len() <= size && self.find(&name)?.is_some_and(|queue| chosen(&queue)) {
                names.push(name);
            }
        }
        let more = names.len() > size;
        names.truncate(size);
        let mut reply = json!({member: names.iter().map(|name| self.url(name)).collect::<Vec<_>>()});
        // Only a caller that asked for pages gets to know of a next one.
        if let (true, Some(_), Some(last)) = (more, limit, names.last()) {
            reply["NextToken"] = json!(STANDARD.encode(last));
        }
        Ok(reply)
    }

    /// Names of queues after one of them, in order.
    pub(super) fn names(&self, after: &str) -> Result<Vec<String>> {
        let mut statement = self.db.prepare_cached("SELECT name FROM queues WHERE name > ?1 ORDER BY name")?;
        let names = statement.query_map([after], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(names)
    }

    pub(super) fn get_queue_attributes(&self, mut request: Value) -> Result<Value> {
        let queue = self.take_queue(&mut request)?;
        let request: AttributeNames = parse(request)?;
        let mut all: BTreeMap<String, String> = queue.attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        all.insert("QueueArn".to_owned(), self.arn(&queue.name));
        all.insert("CreatedTimestamp".to_owned(), (queue.created / 1000).to_string());
        all.insert("LastModifiedTimestamp".to_owned(), (queue.modified / 1000).to_string());
        let counts = "SELECT count(*) FILTER (WHERE visible <= ?2),
                             count(*) FILTER (WHERE visible > ?2 AND receipt IS NULL),
                             count(*) FILTER (WHERE visible > ?2 AND receipt IS NOT NULL)
                      FROM messages WHERE queue = ?1";
        let [visible, delayed, in_flight]: [i64; 3] =
            self.db.prepare_cached(counts)?.query_row((&queue.name, self.now), |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
        all.insert("ApproximateNumberOfMessages".to_owned(), visible.to_string());
        all.insert("ApproximateNumberOfMessagesDelayed".to_owned(), delayed.to_string());
        all.insert("ApproximateNumberOfMessagesNotVisible".to_owned(), in_flight.to_string());

        let mut reply = Map::new();
        for name in &request.attribute_names {
            match all.get(name) {
                _ if name == "All" => reply.extend(all.iter().map(|(name, value)| (name.clone(), json!(value)))),
                Some(value) => drop(reply.insert(name.clone(), json!(value))),
                // An attribute that this queue could have, but has not.
                None if is_known(name) => {}
                None => return Err(refused("InvalidAttributeName", format!("Unknown Attribute {name}."))),
            }
        }
        Ok(if reply.is_empty() { json!({}) } else { json!({"Attributes": reply}) })
    }

    pub(super) fn set_queue_attributes(&self, mut request: Value) -> Result<Value> {
        let queue = self.take_queue(&mut request)?;
        let request: SetAttributes = parse(request)?;
        let attributes = self.changed(&queue.name, queue.attributes, &request.attributes.ok_or_else(|| missing("Attributes"))?)?;
        let mut update = self.db.prepare_cached("UPDATE queues SET attributes = ?2, modified = ?3 WHERE name = ?1")?;
        update.execute((&queue.name, attributes.json().to_string(), self.now))?;
        Ok(json!({}))
    }

    pub(super) fn purge_queue(&self, mut request: Value) -> Result<Value> {
        let queue = self.take_queue(&mut request)?;
        let Nothing {} = parse(request)?;
        if queue.purged.is_some_and(|purged| self.now - purged < PURGE_INTERVAL_MS) {
            let message = format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name);
            return Err(coded("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", message));
        }
        self.db.execute("DELETE FROM messages WHERE queue = ?1", [&queue.name])?;
        self.db.execute("UPDATE queues SET purged = ?2 WHERE name = ?1", (&queue.name, self.now))?;
        Ok(json!({}))
    }

    /// Attributes of a queue after a request to set some.
    fn changed(&self, name: &str, mut attributes: Attributes, asked: &BTreeMap<String, String>) -> Result<Attributes> {
        for (attribute, value) in asked {
            attributes.set(attribute, value)?;
        }
        attributes.check()?;
        if let (true, Some(redrive)) = (asked.contains_key("RedrivePolicy"), attributes.redrive()) {
            let invalid = |reason| invalid_value("RedrivePolicy", attributes.get("RedrivePolicy").unwrap_or_default(), reason);
            let target = self.find_arn(&redrive.target_arn)?.ok_or_else(|| invalid("Dead letter target does not exist."))?;
            if target.is_fifo() != is_fifo(name) {
                return Err(invalid("Dead-letter queue must be same type of queue as the source."));
            }
        }
        Ok(attributes)
    }
}

fn is_known(attribute: &str) -> bool {
    const OPTIONAL: [&str; 5] = ["RedrivePolicy", "Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"];
    OPTIONAL.contains(&attribute) || Attributes::defaults(true).get(attribute).is_some()
}

fn check_name(name: &str, fifo: bool) -> Result<()> {
    let stem = if fifo { name.strip_suffix(".fifo") } else { Some(name) };
    let plain = stem.is_some_and(|stem| !stem.is_empty() && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    if plain && name.len() <= 80 {
        return Ok(());
    }
    Err(invalid(if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    }))
}

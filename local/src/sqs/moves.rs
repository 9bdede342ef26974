//! Move tasks: messages of a dead-letter queue go back to where they came from, or elsewhere.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    error::{Error, Result, in_range, invalid, missing, parse, refused, unsupported},
    send::NewMessage,
    store::{Queue, Session},
};

/// Messages moved in one transaction, so that a long task does not hold up other operations.
const STEP: i64 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Start {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    source_arn: Option<String>,
    max_results: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Cancel {
    task_handle: Option<String>,
}

struct Move {
    number: i64,
    handle: String,
    source: String,
    destination: Option<String>,
    rate: Option<i64>,
    status: String,
    failure: Option<String>,
    started: i64,
    to_move: i64,
    moved: i64,
}

impl Move {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get("number")?,
            handle: row.get("handle")?,
            source: row.get("source")?,
            destination: row.get("destination")?,
            rate: row.get("rate")?,
            status: row.get("status")?,
            failure: row.get("failure")?,
            started: row.get("started")?,
            to_move: row.get("to_move")?,
            moved: row.get("moved")?,
        })
    }
}

impl Session<'_> {
    pub(super) fn start_move(&self, request: Value) -> Result<Value> {
        let request: Start = parse(request)?;
        let source = request.source_arn.ok_or_else(|| missing("SourceArn"))?;
        let queue = self.find_arn(&source)?.ok_or_else(|| not_found("SourceArn"))?;
        let rate = in_range("MaxNumberOfMessagesPerSecond", request.max_number_of_messages_per_second, 1..=500)?;
        if let Some(destination) = &request.destination_arn {
            let destination = self.find_arn(destination)?.ok_or_else(|| not_found("DestinationArn"))?;
            if destination.name == queue.name {
                return Err(invalid("Source queue arn and destination queue arn cannot be the same."));
            }
            if destination.is_fifo() != queue.is_fifo() {
                return Err(invalid("Source and destination queues must be of the same type."));
            }
        }
        if !self.is_dead_letter_queue(&source)? {
            return Err(invalid("Source queue must be configured as a Dead Letter Queue."));
        }
        let select = "SELECT count(*) FROM moves WHERE source = ?1 AND status = 'RUNNING'";
        if self.db.query_row(select, [&source], |row| row.get::<_, i64>(0))? > 0 {
            return Err(unsupported("There is already a task running. Only one active task is allowed for a source queue arn at a given time."));
        }
        let handle = Uuid::new_v4().to_string();
        self.db.execute(
            "INSERT INTO moves (handle, source, destination, rate, status, started, to_move)
             VALUES (?1, ?2, ?3, ?4, 'RUNNING', ?5, (SELECT count(*) FROM messages WHERE queue = ?6 AND visible <= ?5))",
            (&handle, &source, &request.destination_arn, rate, self.now, &queue.name),
        )?;
        Ok(json!({"TaskHandle": handle}))
    }

    pub(super) fn list_moves(&self, request: Value) -> Result<Value> {
        let request: List = parse(request)?;
        let source = request.source_arn.ok_or_else(|| missing("SourceArn"))?;
        self.find_arn(&source)?.ok_or_else(|| not_found("SourceArn"))?;
        let limit = in_range("MaxResults", request.max_results, 1..=10)?.unwrap_or(1);
        let mut select = self.db.prepare("SELECT * FROM moves WHERE source = ?1 ORDER BY number DESC LIMIT ?2")?;
        let mut results = Vec::new();
        for task in select.query_map((&source, limit), Move::read)? {
            let task = task?;
            let mut result = json!({
                "Status": task.status,
                "SourceArn": task.source,
                "ApproximateNumberOfMessagesMoved": task.moved,
                "ApproximateNumberOfMessagesToMove": task.to_move,
                "StartedTimestamp": task.started,
            });
            let handle = (task.status == "RUNNING").then(|| json!(task.handle));
            let optional = [
                ("TaskHandle", handle),
                ("DestinationArn", task.destination.map(|arn| json!(arn))),
                ("MaxNumberOfMessagesPerSecond", task.rate.map(|rate| json!(rate))),
                ("FailureReason", task.failure.map(|failure| json!(failure))),
            ];
            for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                result[name] = value;
            }
            results.push(result);
        }
        Ok(json!({"Results": results}))
    }

    pub(super) fn cancel_move(&self, request: Value) -> Result<Value> {
        let request: Cancel = parse(request)?;
        let handle = request.task_handle.ok_or_else(|| missing("TaskHandle"))?;
        let task = self.db.query_row("SELECT * FROM moves WHERE handle = ?1", [&handle], Move::read).optional()?;
        let task = task.ok_or_else(|| refused("ResourceNotFoundException", "Task does not exist."))?;
        if task.status != "RUNNING" {
            return Err(unsupported("Only active tasks can be cancelled."));
        }
        self.end(&task, "CANCELLED", None)?;
        Ok(json!({"ApproximateNumberOfMessagesMoved": task.moved}))
    }

    /// Does what is due of all running tasks; gives the time until more is due.
    pub(super) fn advance_moves(&self) -> Result<Option<Duration>> {
        let mut select = self.db.prepare_cached("SELECT * FROM moves WHERE status = 'RUNNING'")?;
        let tasks = select.query_map([], Move::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut pause = None;
        for task in tasks {
            let due = task.rate.map_or(STEP, |rate| (1 + rate * (self.now - task.started) / 1000 - task.moved).clamp(0, STEP));
            if self.advance(&task, due)? {
                let next = task.rate.map_or(Duration::ZERO, |rate| Duration::from_millis(1000 / rate.unsigned_abs().max(1)));
                pause = Some(pause.map_or(next, |pause: Duration| pause.min(next)));
            }
        }
        Ok(pause)
    }

    /// Moves up to `due` messages; tells whether the task goes on.
    fn advance(&self, task: &Move, due: i64) -> Result<bool> {
        let Some(source) = self.find_arn(&task.source)? else {
            self.end(task, "FAILED", Some("AWS.SimpleQueueService.NonExistentQueue"))?;
            return Ok(false);
        };
        self.expire(&source)?;
        let mut select =
            self.db.prepare_cached("SELECT position, source_arn FROM messages WHERE queue = ?1 AND visible <= ?2 ORDER BY position LIMIT ?3")?;
        // One more than is due shows whether the task is at its end.
        let found = select.query_map((&source.name, self.now, due + 1), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(i64, Option<String>)> = found.collect::<rusqlite::Result<_>>()?;
        let mut left = due;
        for (position, origin) in &found {
            if left == 0 {
                return Ok(true);
            }
            let Some(destination) = task.destination.as_ref().or(origin.as_ref()) else {
                self.end(task, "FAILED", Some("CouldNotDetermineMessageSource"))?;
                return Ok(false);
            };
            let Some(destination) = self.find_arn(destination)? else {
                self.end(task, "FAILED", Some("AWS.SimpleQueueService.NonExistentQueue"))?;
                return Ok(false);
            };
            self.resend(*position, &destination)?;
            self.db.prepare_cached("UPDATE moves SET moved = moved + 1 WHERE number = ?1")?.execute([task.number])?;
            left -= 1;
        }
        self.end(task, "COMPLETED", None)?;
        Ok(false)
    }

    /// A moved message is a new one: new id, new time, no receives.
    fn resend(&self, position: i64, destination: &Queue) -> Result<()> {
        type Content = (String, String, Option<String>, Option<String>, Option<String>);
        let mut delete = self.db.prepare_cached("DELETE FROM messages WHERE position = ?1 RETURNING body, attributes, trace, group_id, dedup_id")?;
        let (body, attributes, trace, group_id, dedup_id): Content =
            delete.query_row([position], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
        let new = NewMessage {
            id: &Uuid::new_v4().to_string(),
            body: &body,
            attributes: &attributes,
            trace: trace.as_deref(),
            group_id: group_id.as_deref(),
            dedup_id: dedup_id.as_deref(),
            visible: self.now,
        };
        self.insert(&destination.name, &new)?;
        Ok(())
    }

    fn end(&self, task: &Move, status: &str, failure: Option<&str>) -> Result<()> {
        self.db.execute("UPDATE moves SET status = ?2, failure = ?3 WHERE number = ?1", (task.number, status, failure))?;
        Ok(())
    }

    fn is_dead_letter_queue(&self, arn: &str) -> Result<bool> {
        for name in self.names("")? {
            if self.find(&name)?.and_then(|queue| queue.attributes.redrive()).is_some_and(|redrive| redrive.target_arn == arn) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn not_found(parameter: &str) -> Error {
    refused("ResourceNotFoundException", format!("The resource that you specified for the {parameter} parameter doesn't exist."))
}

//! The queues on disk: one SQLite file, one transaction for each operation, and the time as an argument.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use serde_json::Value;

use super::{
    attributes::Attributes,
    error::{Error, Result, missing, no_queue, refused, unsupported},
    receive::Attempt,
};
use crate::service::{ACCOUNT, ServiceError};

/// Raised with each incompatible change of the schema.
const SCHEMA_VERSION: i64 = 1;

pub(super) struct Store {
    db: Connection,
    region: String,
    base_url: String,
}

impl Store {
    pub(super) fn open(path: &Path, region: &str, base_url: &str) -> std::result::Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let db = Connection::open(path)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // What a commit wrote to the log belongs to the operating system, which keeps it when this process is killed.
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.set_prepared_statement_cache_capacity(64);
        match db.pragma_query_value(None, "user_version", |row| row.get(0))? {
            0i64 => db.execute_batch(&format!("BEGIN; {} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;", include_str!("schema.sql")))?,
            SCHEMA_VERSION => {}
            other => return Err(format!("its format is version {other}, this program knows version {SCHEMA_VERSION}").into()),
        }
        Ok(Self { db, region: region.to_owned(), base_url: base_url.trim_end_matches('/').to_owned() })
    }

    /// Rows changed so far. It tells whether an operation may have made a message visible to somebody.
    pub(super) fn changes(&self) -> u64 {
        self.db.total_changes()
    }

    /// Every operation but `ReceiveMessage`.
    pub(super) fn apply(&mut self, operation: &str, request: Value, now: i64) -> std::result::Result<Value, ServiceError> {
        self.transact(now, |session| match operation {
            "CreateQueue" => session.create_queue(request),
            "DeleteQueue" => session.delete_queue(request),
            "GetQueueUrl" => session.get_queue_url(request),
            "ListQueues" => session.list_queues(request),
            "ListDeadLetterSourceQueues" => session.list_dead_letter_source_queues(request),
            "GetQueueAttributes" => session.get_queue_attributes(request),
            "SetQueueAttributes" => session.set_queue_attributes(request),
            "PurgeQueue" => session.purge_queue(request),
            "SendMessage" => session.single(request, Session::send),
            "SendMessageBatch" => session.send_batch(request),
            "DeleteMessage" => session.single(request, Session::delete),
            "DeleteMessageBatch" => session.batch(request, Session::delete),
            "ChangeMessageVisibility" => session.single(request, Session::change_visibility),
            "ChangeMessageVisibilityBatch" => session.batch(request, Session::change_visibility),
            "StartMessageMoveTask" => session.start_move(request),
            "ListMessageMoveTasks" => session.list_moves(request),
            "CancelMessageMoveTask" => session.cancel_move(request),
            "AddPermission" | "RemovePermission" | "TagQueue" | "UntagQueue" | "ListQueueTags" => {
                Err(unsupported(format!("{operation} is not supported by the local cloud.")))
            }
            _ => Err(refused("InvalidAction", format!("The action {operation} is not valid for this service."))),
        })
    }

    /// One look for messages.
    pub(super) fn receive(&mut self, request: Value, now: i64) -> std::result::Result<Attempt, ServiceError> {
        self.transact(now, |session| session.receive(request))
    }

    /// Does what is due of running move tasks; gives the time until more is due, if anything runs.
    pub(super) fn advance_moves(&mut self, now: i64) -> std::result::Result<Option<std::time::Duration>, ServiceError> {
        self.transact(now, |session| session.advance_moves())
    }

    fn transact<T>(&mut self, now: i64, work: impl FnOnce(&Session<'_>) -> Result<T>) -> std::result::Result<T, ServiceError> {
        let Self { db, region, base_url } = self;
        let run = || {
            let db = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let session = Session { db, region, base_url, now };
            let value = work(&session)?;
            session.db.commit()?;
            Ok(value)
        };
        run().map_err(|error: Error| error.into())
    }
}

/// One operation at work: its transaction and its time.
pub(super) struct Session<'a> {
    pub(super) db: Transaction<'a>,
    pub(super) now: i64,
    region: &'a str,
    base_url: &'a str,
}

/// A queue as it stands.
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) purged: Option<i64>,
    pub(super) attributes: Attributes,
}

impl Queue {
    pub(super) fn is_fifo(&self) -> bool {
        is_fifo(&self.name)
    }
}

/// A queue's name tells its type, as `CreateQueue` sees to.
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

impl Session<'_> {
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.base_url)
    }

    pub(super) fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", self.region)
    }

    pub(super) fn find(&self, name: &str) -> Result<Option<Queue>> {
        let mut statement = self.db.prepare_cached("SELECT name, created, modified, purged, attributes FROM queues WHERE name = ?1")?;
        let queue = statement.query_row([name], |row| {
            let attributes: Value = row.get::<_, JsonText>(4)?.0;
            Ok(Queue {
                name: row.get(0)?,
                created: row.get(1)?,
                modified: row.get(2)?,
                purged: row.get(3)?,
                attributes: Attributes::stored(&attributes),
            })
        });
        Ok(queue.optional()?)
    }

    /// The queue of this region and account that an ARN names.
    pub(super) fn find_arn(&self, arn: &str) -> Result<Option<Queue>> {
        match arn.rsplit_once(':') {
            Some((_, name)) if self.arn(name) == arn => self.find(name),
            _ => Ok(None),
        }
    }

    /// Takes `QueueUrl` out of a request and finds its queue by account and name, because the port changes between starts.
    pub(super) fn take_queue(&self, request: &mut Value) -> Result<Queue> {
        let url = take_text(request, "QueueUrl")?.ok_or_else(|| missing("QueueUrl"))?;
        let mut segments = url.rsplit('/');
        let (name, account) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        if account != ACCOUNT {
            return Err(no_queue());
        }
        let queue = self.find(name)?.ok_or_else(no_queue)?;
        self.expire(&queue)?;
        Ok(queue)
    }

    /// Forgets what is older than the queue's retention period.
    pub(super) fn expire(&self, queue: &Queue) -> Result<()> {
        let oldest = self.now - 1000 * queue.attributes.number("MessageRetentionPeriod");
        self.db.prepare_cached("DELETE FROM messages WHERE queue = ?1 AND retained <= ?2")?.execute((&queue.name, oldest))?;
        Ok(())
    }

    /// An operation on one message, which an entry of a batch may ask for as well.
    fn single(&self, mut request: Value, operation: impl Fn(&Self, &Queue, Value) -> Result<Value>) -> Result<Value> {
        let queue = self.take_queue(&mut request)?;
        operation(self, &queue, request)
    }
}

/// Takes a text out of a request, so that what remains can be read on its own.
pub(super) fn take_text(request: &mut Value, name: &str) -> Result<Option<String>> {
    let members = request.as_object_mut().ok_or_else(|| refused("SerializationException", "The request must be a JSON object."))?;
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(refused("SerializationException", format!("{name} must be a string."))),
    }
}

/// A column that holds JSON.
pub(super) struct JsonText(pub(super) Value);

impl rusqlite::types::FromSql for JsonText {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(JsonText).map_err(|error| rusqlite::types::FromSqlError::Other(Box::new(error)))
    }
}

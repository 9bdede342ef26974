//! Reads and trims the streams of tables.
//!
//! The engine numbers a table's records upwards and keeps them in one SQLite table with no index, for ever. The index and the trimming here
//! keep the cost of a write from growing with the length of the stream.

use std::{
    sync::PoisonError,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use dynoxide::{
    actions::{get_records::GetRecordsRequest, get_shard_iterator::encode_shard_iterator},
    streams::shard_id,
};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{DynamoDb, Error, blocking};
use crate::stack::Table;

/// What the engine adds to a number of its own to make a `SequenceNumber` of 21 digits.
const SEQUENCE_OFFSET: u128 = 100_000_000_000_000_000_000;
/// Records deleted in one transaction, so that no write waits long.
const TRIM_STEP: usize = 500;

/// One change of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Position in the stream. Positions rise, with gaps.
    pub sequence: u64,
    /// When the change was made, to the second.
    pub created: SystemTime,
    /// The record as a function gets it in `Records`.
    pub event: Value,
}

/// Which records of a stream are no longer needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// Those up to and with this position.
    Through(u64),
    /// Those older than this.
    OlderThan(Duration),
}

/// Makes the index that the engine's own queries use.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         CREATE INDEX IF NOT EXISTS quire_stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER));",
    )
}

impl DynamoDb {
    /// ARN of the stream of a table.
    pub async fn stream_arn(&self, table: &Table) -> Result<String, Error> {
        let (database, table) = (self.inner.database.clone(), table.clone());
        blocking(move || {
            let found = database.get_table_metadata(&table.name)?.filter(|found| found.stream_enabled);
            let label = found.and_then(|found| found.stream_label).ok_or(Error::NoStream(table.name))?;
            Ok(format!("{}/stream/{label}", table.arn))
        })
        .await
    }

    /// The first records after a position (0: from the oldest), in order; at most `limit`, and never more than 1,000.
    pub async fn stream(&self, table: &Table, after: u64, limit: usize) -> Result<Vec<Record>, Error> {
        let arn = self.stream_arn(table).await?;
        let region = table.arn.split(':').nth(3).unwrap_or_default().to_owned();
        let (database, name) = (self.inner.database.clone(), table.name.clone());
        blocking(move || {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let shard_iterator = encode_shard_iterator(&name, &shard_id(&name), after);
            let page = database.get_records(GetRecordsRequest { shard_iterator, limit: Some(limit) })?;
            let mut records = Vec::with_capacity(page.records.len());
            for record in page.records {
                let number = record.dynamodb.sequence_number.parse::<u128>().ok();
                let sequence = number.and_then(|number| u64::try_from(number.checked_sub(SEQUENCE_OFFSET)?).ok());
                let sequence = sequence.ok_or_else(|| corrupt(&record.dynamodb.sequence_number))?;
                let seconds = record.dynamodb.approximate_creation_date_time as u64;
                let mut event = serde_json::to_value(record).map_err(|error| corrupt(&error.to_string()))?;
                event["awsRegion"] = json!(region);
                event["eventSourceARN"] = json!(arn);
                event["dynamodb"]["ApproximateCreationDateTime"] = json!(seconds);
                records.push(Record { sequence, created: UNIX_EPOCH + Duration::from_secs(seconds), event });
            }
            Ok(records)
        })
        .await
    }

    /// Position of the newest record; 0 if there is none.
    pub async fn latest(&self, table: &Table) -> Result<u64, Error> {
        let name = table.name.clone();
        let sql = "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) FROM _stream_records WHERE table_name = ?1";
        self.sqlite(move |connection| connection.query_row(sql, [name], |row| row.get(0))).await
    }

    /// Deletes records. The newest one always stays, because the engine numbers the next record after it.
    pub async fn trim(&self, table: &Table, trim: Trim) -> Result<(), Error> {
        let (column, bound) = match trim {
            Trim::Through(sequence) => ("CAST(sequence_number AS INTEGER)", i64::try_from(sequence).unwrap_or(i64::MAX)),
            Trim::OlderThan(age) => ("created_at", crate::service::epoch_millis(SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH)) / 1000),
        };
        let sql = format!(
            "DELETE FROM _stream_records WHERE id IN (
                 SELECT id FROM _stream_records
                 WHERE table_name = ?1 AND {column} <= ?2 AND CAST(sequence_number AS INTEGER) <
                     (SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?1)
                 ORDER BY CAST(sequence_number AS INTEGER) LIMIT {TRIM_STEP})"
        );
        loop {
            let (sql, name) = (sql.clone(), table.name.clone());
            if self.sqlite(move |connection| connection.execute(&sql, params![name, bound])).await? < TRIM_STEP {
                return Ok(());
            }
        }
    }

    async fn sqlite<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static) -> Result<T, Error> {
        let connection = self.inner.connection.clone();
        // A panic while the lock was held cannot have left a connection in a bad state: each piece of work is one statement.
        blocking(move || Ok(work(&connection.lock().unwrap_or_else(PoisonError::into_inner))?)).await
    }
}

fn corrupt(what: &str) -> Error {
    Error::Engine(dynoxide::DynoxideError::InternalServerError(format!("unexpected stream record: {what}")))
}

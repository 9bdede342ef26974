//! The positions of the stream mappings, in a small SQLite file: a write there needs no fsync to survive a kill of the process.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, params};

/// Position of each mapping: everything up to and with it is done. Clones share the file.
#[derive(Clone)]
pub(super) struct Checkpoints {
    connection: Arc<Mutex<Connection>>,
}

impl Checkpoints {
    /// Opens the file at `path`, or makes it.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS checkpoints (mapping TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;",
        )?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// The position of a mapping, unless it is new.
    pub(super) async fn get(&self, mapping: &str) -> rusqlite::Result<Option<u64>> {
        let mapping = mapping.to_owned();
        let sql = "SELECT sequence FROM checkpoints WHERE mapping = ?1";
        self.with(move |connection| connection.query_row(sql, [mapping], |row| row.get(0)).optional()).await
    }

    /// Moves a mapping to a position.
    pub(super) async fn set(&self, mapping: &str, sequence: u64) -> rusqlite::Result<()> {
        let mapping = mapping.to_owned();
        let sql = "INSERT INTO checkpoints VALUES (?1, ?2) ON CONFLICT DO UPDATE SET sequence = excluded.sequence";
        self.with(move |connection| connection.execute(sql, params![mapping, sequence]).map(drop)).await
    }

    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static) -> rusqlite::Result<T> {
        let connection = self.connection.clone();
        // A panic while the lock was held cannot have left the connection in a bad state: each piece of work is one statement.
        let task = tokio::task::spawn_blocking(move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner)));
        // The task only fails if the runtime is being torn down, and then nobody looks at the result.
        task.await.unwrap_or(Err(rusqlite::Error::InvalidQuery))
    }
}

//! DynamoDB and its streams: the `dynoxide` engine on a file, with what it lacks for a long-running local cloud.
//!
//! Requests go through the engine's own HTTP server on a loopback port of its own, because only that server checks and words everything as
//! the real service does; its typed Rust API accepts requests that the service refuses.
//!
//! Known differences from the real service: writes run one after another; a put that changes nothing leaves a `MODIFY` record in the stream;
//! ARNs in replies to `DescribeTable`, `ListStreams` and the like name the region `dynoxide` (records given to functions name the stack's);
//! an idempotency token (`ClientRequestToken`) is forgotten at a restart.

mod stream;
mod tables;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use dynoxide::{Database, DynoxideError, server};
use futures::future::{BoxFuture, FutureExt};
use http::{
    HeaderValue, Request, Response, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rusqlite::Connection;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    time::MissedTickBehavior,
};

pub use self::stream::{Record, Trim};
use crate::service::{Service, ServiceError, reply};

const JSON: &str = "application/x-amz-json-1.0";
/// The engine wants the parts of a signature and checks none; the endpoint in front has told who calls.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=local, SignedHeaders=host, Signature=0";
/// The real service takes days to delete an expired item; a person who tries it out does not want to wait so long.
const TTL_PERIOD: Duration = Duration::from_secs(60);
/// Operations that may write to a table.
const WRITES: [&str; 8] = [
    "BatchExecuteStatement",
    "BatchWriteItem",
    "DeleteItem",
    "ExecuteStatement",
    "ExecuteTransaction",
    "PutItem",
    "TransactWriteItems",
    "UpdateItem",
];

/// Why DynamoDB could not be opened, prepared or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path of the database is not UTF-8.
    #[error("the path of the DynamoDB file is not UTF-8: {0}")]
    Path(PathBuf),
    /// The engine failed.
    #[error("the DynamoDB engine failed")]
    Engine(#[from] DynoxideError),
    /// The database file could not be used.
    #[error("cannot use the DynamoDB file")]
    Sqlite(#[from] rusqlite::Error),
    /// The internal server could not start.
    #[error("cannot start DynamoDB")]
    Start(#[source] std::io::Error),
    /// A table could not be made as the template says.
    #[error("table {table}: {message}")]
    Table {
        /// Physical name of the table.
        table: String,
        /// The service's own words.
        message: String,
    },
    /// The template describes a table that exists in another form.
    #[error("table {table} exists with another {part} than the template says; start with --fresh to delete the local data")]
    Changed {
        /// Physical name of the table.
        table: String,
        /// What differs, such as `KeySchema`.
        part: &'static str,
    },
    /// A stream was asked of a table that has none.
    #[error("table {0} has no stream")]
    NoStream(String),
    /// A piece of work was cut off because the program ends.
    #[error("DynamoDB was stopped")]
    Stopped,
}

/// The database. Clones share one engine, which ends with the last of them.
#[derive(Clone)]
pub struct DynamoDb {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    uri: Uri,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Beside the engine's own connection: it reads and trims streams without the engine's lock.
    connection: Arc<Mutex<Connection>>,
    changes: watch::Sender<()>,
    /// Dropping it stops the engine's threads.
    _running: oneshot::Sender<()>,
}

impl DynamoDb {
    /// Opens the database file at `path`, or makes it. What is acknowledged survives a kill of this process.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let text = path.to_str().ok_or_else(|| Error::Path(path.to_owned()))?.to_owned();
        let (database, connection) = blocking(move || {
            let database = Database::new(&text)?;
            // Leaves the journal in WAL mode with `synchronous = NORMAL`: safe against a kill, and no fsync for each write.
            database.disable_bulk_loading()?;
            let connection = Connection::open(&text)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            stream::prepare(&connection)?;
            Ok((database, connection))
        })
        .await?;
        let (changes, _) = watch::channel(());
        let (running, stop) = oneshot::channel();
        let address = start(database.clone(), changes.clone(), stop).map_err(Error::Start)?;
        let uri = Uri::builder().scheme("http").authority(address.to_string()).path_and_query("/").build().map_err(std::io::Error::other);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let inner = Inner {
            database,
            uri: uri.map_err(Error::Start)?,
            client: Client::builder(TokioExecutor::new()).build(connector),
            connection: Arc::new(Mutex::new(connection)),
            changes,
            _running: running,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A receiver that is told after each operation that may have written something.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.inner.changes.subscribe()
    }

    async fn answer(&self, operation: &str, body: Bytes) -> Result<Response<Bytes>, BoxError> {
        let request = Request::post(&self.inner.uri)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20120810T000000Z")
            .header(CONTENT_TYPE, JSON)
            .header(AUTHORIZATION, HeaderValue::from_static(SIGNATURE))
            .body(Full::new(body))?;
        let (parts, body) = self.inner.client.request(request).await?.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service for DynamoDb {
    fn call<'a>(&'a self, operation: &'a str, body: Bytes) -> BoxFuture<'a, Response<Bytes>> {
        let (database, operation) = (self.clone(), operation.to_owned());
        // A task of its own, so that a caller who goes away in the middle of a write does not keep the streams from hearing of it.
        let task = tokio::spawn(async move {
            let answer = database.answer(&operation, body).await;
            if WRITES.contains(&operation.as_str()) {
                database.inner.changes.send_modify(|()| {});
            }
            answer
        });
        async move {
            let problem = match task.await {
                Ok(Ok(response)) => return response,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            reply(Err(ServiceError { code: "InternalServerError", ..ServiceError::internal(problem) }), JSON)
        }
        .boxed()
    }
}

/// Starts the engine's server and the deletion of expired items on threads of their own, so that blocking SQLite work delays nobody else.
fn start(database: Database, changes: watch::Sender<()>, stop: oneshot::Receiver<()>) -> std::io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("dynamodb").enable_all().build()?;
    let listener = {
        let _context = runtime.enter();
        TcpListener::from_std(listener)?
    };
    std::thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::spawn(delete_expired(database.clone(), changes));
            let stopped = async { drop(stop.await) };
            if let Err(error) = server::serve_with_shutdown(listener, database, stopped).await {
                tracing::error!(%error, "DynamoDB stopped: {error}");
            }
        });
    })?;
    Ok(address)
}

async fn delete_expired(database: Database, changes: watch::Sender<()>) {
    let mut timer = tokio::time::interval(TTL_PERIOD);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let database = database.clone();
        match blocking(move || Ok(database.sweep_ttl()?)).await {
            Ok(0) => {}
            Ok(_) => changes.send_modify(|()| {}),
            Err(error) => tracing::warn!(%error, "DynamoDB could not delete expired items: {error}"),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Stopped))
}

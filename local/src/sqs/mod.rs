//! SQS on SQLite: standard and FIFO queues behind the JSON protocol of the real service.
//!
//! One thread owns the database and does one operation after the other, each in a transaction of its own; `Sqs` hands it work and
//! waits for messages on behalf of long polls. Everything is on disk before it is acknowledged. Beyond what the real service
//! refuses, these are refused as unsupported: queue policies, KMS keys, tags, `RedriveAllowPolicy` and `ReceiveRequestAttemptId`.
//! The name of a deleted queue can be used again at once, and the number of messages in flight is not limited.

mod attributes;
mod batch;
mod error;
mod message;
mod moves;
mod queues;
mod receipt;
mod receive;
mod send;
mod store;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::Response;
use serde_json::{Value, json};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until},
};

use self::store::Store;
use crate::service::{Service, ServiceError, epoch_millis, reply};

type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// The queues of one data file.
#[derive(Debug, Clone)]
pub struct Sqs {
    jobs: mpsc::Sender<Job>,
    /// Told after each change, when there may be a message for somebody who waits.
    changes: watch::Receiver<()>,
}

/// The data file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the queues in {}", path.display())]
pub struct OpenError {
    path: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Sqs {
    /// Opens the queues in the SQLite file `path`, or creates it. Queue URLs are `{base_url}/{ACCOUNT}/{name}`.
    pub fn open(path: &Path, region: &str, base_url: &str) -> Result<Self, OpenError> {
        let failed = |source| OpenError { path: path.to_owned(), source };
        let store = Store::open(path, region, base_url).map_err(failed)?;
        let (jobs, queue) = mpsc::channel();
        let (changed, changes) = watch::channel(());
        let thread = std::thread::Builder::new().name("sqs".to_owned());
        thread.spawn(move || work(store, &queue, &changed)).map_err(|error| failed(error.into()))?;
        Ok(Self { jobs, changes })
    }

    /// Does one operation, such as `SendMessage`, with request and reply in the JSON of the API.
    pub async fn call(&self, operation: &str, request: Value) -> Result<Value, ServiceError> {
        if operation == "ReceiveMessage" {
            return self.receive(request).await;
        }
        let operation = operation.to_owned();
        self.run(move |store, now| store.apply(&operation, request, now)).await
    }

    async fn receive(&self, request: Value) -> Result<Value, ServiceError> {
        let began = Instant::now();
        let mut changes = self.changes.clone();
        loop {
            // A change from here on ends the wait below, even if it comes before the wait begins.
            changes.mark_unchanged();
            let again = request.clone();
            let (attempt, now) = self.run(move |store, now| Ok((store.receive(again, now)?, now))).await?;
            if !attempt.messages.is_empty() {
                return Ok(json!({"Messages": attempt.messages}));
            }
            let end = began + attempt.wait;
            if Instant::now() >= end {
                return Ok(json!({}));
            }
            let next = attempt.next_visible.map(|time| Instant::now() + Duration::from_millis((time - now).unsigned_abs()));
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| stopped())?,
                () = sleep_until(next.map_or(end, |next| next.min(end))) => {}
            }
        }
    }

    /// Runs a job on the thread of the store. A job that nobody waits for any more is not begun, so that the long poll of a
    /// process that has died takes no message.
    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&mut Store, i64) -> Result<T, ServiceError> + Send + 'static) -> Result<T, ServiceError> {
        let (answer, answered) = oneshot::channel();
        let job = move |store: &mut Store| {
            if !answer.is_closed() {
                // Whoever asked may have left in the meantime.
                let _ = answer.send(job(store, now()));
            }
        };
        self.jobs.send(Box::new(job)).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Service for Sqs {
    fn call<'a>(&'a self, operation: &'a str, body: Bytes) -> BoxFuture<'a, Response<Bytes>> {
        Box::pin(async move {
            let result = match serde_json::from_slice(&body) {
                Ok(request) => self.call(operation, request).await,
                Err(error) => Err(ServiceError::client("SerializationException", error.to_string())),
            };
            reply(result, "application/x-amz-json-1.0")
        })
    }
}

/// The thread of the store: jobs as they come and, in between, the move tasks. Ends with the last `Sqs`.
fn work(mut store: Store, jobs: &mpsc::Receiver<Job>, changed: &watch::Sender<()>) {
    loop {
        let before = store.changes();
        let pause = store.advance_moves(now()).unwrap_or_else(|error| {
            tracing::error!(%error, "a message move task failed");
            None
        });
        if store.changes() != before {
            changed.send_replace(());
        }
        let job = match pause {
            Some(pause) => jobs.recv_timeout(pause),
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let before = store.changes();
        match job {
            Ok(job) => job(&mut store),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if store.changes() != before {
            changed.send_replace(());
        }
    }
}

fn now() -> i64 {
    epoch_millis(SystemTime::now())
}

fn stopped() -> ServiceError {
    ServiceError::internal("the queue store has stopped")
}

//! What queues and streams have in common.

use std::{any::Any, panic::AssertUnwindSafe, process::ExitCode};

use futures::{FutureExt, future::BoxFuture};
use lambda_runtime::{LambdaEvent, service_fn};
use quire_aws::{BoxError, Setup};
use quire_domain::{Error, Result};
use serde::Serialize;
use serde_json::Value;

/// The reply that names the records to deliver again (`ReportBatchItemFailures`).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchResponse {
    pub(crate) batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ItemFailure {
    pub(crate) item_identifier: String,
}

impl BatchResponse {
    pub(crate) fn fail(&mut self, item_identifier: impl Into<String>) {
        self.batch_item_failures.push(ItemFailure { item_identifier: item_identifier.into() });
    }
}

/// Runs a worker until Lambda ends the process: `start` builds it, `handle` gives it each invocation's payload and request id.
pub(crate) fn run<W: ?Sized + Send + Sync + 'static>(
    start: fn(&Setup) -> Result<Box<W>, BoxError>,
    handle: for<'a> fn(&'a W, Value, &'a str) -> BoxFuture<'a, Result<Value, BoxError>>,
) -> ExitCode {
    quire_aws::start::main(async move {
        let worker = start(&Setup::from_env()?)?;
        let worker = &*worker;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
            let LambdaEvent { payload, context } = event;
            handle(worker, payload, &context.request_id).await
        }))
        .await
    })
}

/// The records of a payload.
pub(crate) fn records(payload: Value) -> Result<Vec<Value>, BoxError> {
    match payload {
        Value::Object(mut payload) => match payload.remove("Records") {
            Some(Value::Array(records)) => Ok(records),
            _ => Err("the payload has no Records".into()),
        },
        _ => Err("the payload is no object".into()),
    }
}

/// Waits for `work` and turns a panic in it into an error.
pub(crate) async fn guarded<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(Error::internal("handling a record", panic_text(&*panic))))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("unknown"))
}

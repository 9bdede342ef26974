//! What the emulated AWS services have in common: an operation with a JSON body in, a JSON body or a coded error out.

use std::time::SystemTime;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// The account that owns everything in the local cloud.
pub const ACCOUNT: &str = "000000000000";

/// An error as an AWS JSON service reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// HTTP status of the reply.
    pub status: StatusCode,
    /// The `__type` that the SDKs match on, without a namespace, such as `ReceiptHandleIsInvalid`.
    pub code: &'static str,
    /// Legacy query-protocol code for the `x-amzn-query-error` header, such as `AWS.SimpleQueueService.NonExistentQueue`.
    pub query_code: Option<&'static str>,
    /// The text for a person.
    pub message: String,
}

impl ServiceError {
    /// An error that the caller caused: status 400.
    pub fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, query_code: None, message: message.into() }
    }

    /// A failure of the service itself: status 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "InternalFailure", query_code: None, message: message.into() }
    }

    /// The body that AWS JSON protocols give for an error.
    pub fn body(&self) -> Bytes {
        let body: Value = json!({"__type": self.code, "message": self.message});
        Bytes::from(body.to_string())
    }
}

/// Milliseconds since the Unix epoch.
pub fn epoch_millis(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// An emulated service behind the endpoint that functions and people call with an AWS SDK.
pub trait Service: Send + Sync {
    /// Answers one operation (`PutItem`) whose body is JSON; the reply is what the SDK reads.
    fn call<'a>(&'a self, operation: &'a str, body: Bytes) -> BoxFuture<'a, Response<Bytes>>;
}

/// The HTTP reply for a result, with the content type that the service's JSON protocol has (`application/x-amz-json-1.0` or `-1.1`).
pub fn reply(result: Result<Value, ServiceError>, content_type: &'static str) -> Response<Bytes> {
    let mut builder = Response::builder().header(CONTENT_TYPE, content_type);
    let body = match result {
        Ok(value) => Bytes::from(value.to_string()),
        Err(error) => {
            builder = builder.status(error.status).header("x-amzn-errortype", error.code);
            if let Some(code) = error.query_code {
                builder = builder.header("x-amzn-query-error", format!("{code};Sender"));
            }
            error.body()
        }
    };
    builder.body(body).unwrap_or_default()
}

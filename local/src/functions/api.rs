//! The Lambda Runtime API, version 2018-06-01, with the id of the process as the first part of the path.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot};

use super::{
    FunctionError, MAX_PAYLOAD,
    pool::{Input, Shared},
};

/// One call of a process.
pub(super) enum Call {
    /// It asks for an event.
    Next,
    /// It answers an event, with a reply or an error.
    Answer { request_id: String, result: Result<Bytes, Problem> },
    /// It could not be started.
    InitError(FunctionError),
}

/// Why an event has no reply.
pub(super) enum Problem {
    /// The process reports an error.
    Reported(FunctionError),
    /// The reply is larger than Lambda allows.
    TooLarge,
    /// The reply is a stream.
    Streaming,
}

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    const BASE: &str = "/{instance}/2018-06-01/runtime";
    let router = Router::new()
        .route(&format!("{BASE}/invocation/next"), get(next))
        .route(&format!("{BASE}/invocation/{{request_id}}/response"), post(response))
        .route(&format!("{BASE}/invocation/{{request_id}}/error"), post(error))
        .route(&format!("{BASE}/init/error"), post(init_error))
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "NotFound", "The local Runtime API has no such operation") })
        .with_state(shared);
    // Accepting goes on after errors; the task ends by being aborted.
    let _ = axum::serve(listener, router).await;
}

async fn next(State(shared): State<Arc<Shared>>, Path(instance): Path<String>) -> Response {
    forward(&shared, &instance, Call::Next).await
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path((instance, request_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let streaming = headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming");
    let result = match read(body).await {
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string()),
        Ok(_) if streaming => Err(Problem::Streaming),
        Ok(None) => Err(Problem::TooLarge),
        Ok(Some(reply)) => Ok(reply),
    };
    forward(&shared, &instance, Call::Answer { request_id, result }).await
}

async fn error(State(shared): State<Arc<Shared>>, Path((instance, request_id)): Path<(String, String)>, headers: HeaderMap, body: Body) -> Response {
    match reported(&headers, body).await {
        Ok(error) => {
            let result = Err(Problem::Reported(error));
            forward(&shared, &instance, Call::Answer { request_id, result }).await
        }
        Err(refusal) => refusal,
    }
}

async fn init_error(State(shared): State<Arc<Shared>>, Path(instance): Path<String>, headers: HeaderMap, body: Body) -> Response {
    match reported(&headers, body).await {
        Ok(error) => forward(&shared, &instance, Call::InitError(error)).await,
        Err(refusal) => refusal,
    }
}

/// Lets the task answer that drives the process.
async fn forward(shared: &Shared, instance: &str, call: Call) -> Response {
    let (reply, answer) = oneshot::channel();
    if !shared.send(instance, Input::Call(call, reply)) {
        return refuse(StatusCode::FORBIDDEN, "UnknownInstance", "No process has this id");
    }
    answer.await.unwrap_or_else(|_| refuse(StatusCode::GONE, "InstanceEnded", "The process is being ended"))
}

async fn reported(headers: &HeaderMap, body: Body) -> Result<FunctionError, Response> {
    let error_type = headers.get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
    match read(body).await {
        Ok(Some(payload)) => Ok(FunctionError::reported(payload, error_type)),
        Ok(None) => Err(too_large()),
        Err(error) => Err(refuse(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string())),
    }
}

/// The body, or `None` if it is too large. It is read to its end even then, because the process may read no answer before.
async fn read(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut bytes = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            length += data.len();
            if length <= MAX_PAYLOAD {
                bytes.extend_from_slice(&data);
            }
        }
    }
    Ok((length <= MAX_PAYLOAD).then(|| bytes.freeze()))
}

/// The answer to an accepted reply or error.
pub(super) fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({"status": "OK"}))).into_response()
}

/// The answer to a reply that is too large.
pub(super) fn too_large() -> Response {
    let text = format!("Exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes).");
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &text)
}

pub(super) fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response {
    (status, Json(json!({"errorType": error_type, "errorMessage": message}))).into_response()
}

//! Problems as errors of RPC: the code by the status, and the details of `google.rpc` beside the problem itself.

use axum::http::StatusCode;
use connectrpc::{ConnectError, ErrorCode, ErrorDetail};
use quire_edge::Problem;
use quire_proto::{Message, google, v1};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The error that says what the problem says.
pub(crate) fn of(problem: &Problem) -> ConnectError {
    let message = match problem.detail() {
        Some(detail) => format!("{}: {detail}", problem.title()),
        None => problem.title().to_owned(),
    };
    let error = ConnectError::new(code(problem), message).with_headers(problem.headers().clone());
    details(problem).into_iter().flatten().fold(error, ConnectError::with_detail)
}

fn code(problem: &Problem) -> ErrorCode {
    match (problem.status(), problem.name()) {
        (StatusCode::UNAUTHORIZED, _) => ErrorCode::Unauthenticated,
        (StatusCode::FORBIDDEN, _) => ErrorCode::PermissionDenied,
        (StatusCode::NOT_FOUND, _) => ErrorCode::NotFound,
        (StatusCode::CONFLICT, "username-taken" | "email-taken" | "slug-taken") => ErrorCode::AlreadyExists,
        (StatusCode::CONFLICT, _) => ErrorCode::FailedPrecondition,
        // To be tried again from reading on.
        (StatusCode::PRECONDITION_FAILED, _) => ErrorCode::Aborted,
        (StatusCode::TOO_MANY_REQUESTS, _) => ErrorCode::ResourceExhausted,
        (StatusCode::SERVICE_UNAVAILABLE, _) => ErrorCode::Unavailable,
        (status, _) if status.is_client_error() => ErrorCode::InvalidArgument,
        _ => ErrorCode::Internal,
    }
}

fn details(problem: &Problem) -> [Option<ErrorDetail>; 4] {
    let violations: Vec<_> = problem.errors().iter().map(|error| json!({"field": field(&error.pointer), "description": error.message})).collect();
    [
        detail::<google::ErrorInfo>("google.rpc.ErrorInfo", json!({"reason": reason(problem.name()), "domain": "quire"})),
        (!violations.is_empty()).then(|| detail::<google::BadRequest>("google.rpc.BadRequest", json!({"fieldViolations": violations}))).flatten(),
        problem.retry_after().and_then(|seconds| detail::<google::RetryInfo>("google.rpc.RetryInfo", json!({"retryDelay": format!("{seconds}s")}))),
        serde_json::to_value(problem.view()).ok().and_then(|document| detail::<v1::Problem>("quire.v1.Problem", document)),
    ]
}

/// The name of a problem as `google.rpc.ErrorInfo` has reasons: `SLUG_TAKEN`.
fn reason(name: &str) -> String {
    name.replace('-', "_").to_ascii_uppercase()
}

/// The field of the message that a JSON Pointer names, as `google.rpc.BadRequest` has fields: `cover_url`.
fn field(pointer: &str) -> String {
    let mut field = String::new();
    for letter in pointer.trim_start_matches('/').chars() {
        match letter {
            '/' => field.push('.'),
            letter if letter.is_ascii_uppercase() => field.extend(['_', letter.to_ascii_lowercase()]),
            letter => field.push(letter),
        }
    }
    field
}

fn detail<M: Message + Serialize + DeserializeOwned>(name: &str, document: Value) -> Option<ErrorDetail> {
    let message: M = serde_json::from_value(document.clone()).ok()?;
    Some(ErrorDetail { debug: Some(document), ..ErrorDetail::from_message(name, &message) })
}

#[cfg(test)]
mod tests {
    use super::{field, reason};

    #[test]
    fn details_name_things_as_google_rpc_does() {
        assert_eq!(reason("slug-taken"), "SLUG_TAKEN");
        assert_eq!(["/title", "/coverUrl", "/tags/0"].map(field), ["title", "cover_url", "tags.0"]);
    }
}

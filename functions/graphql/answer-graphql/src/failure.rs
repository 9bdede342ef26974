//! Failures: what REST says as a problem detail stands in the `extensions` of an error, member by member.

use juniper::{FieldError, IntoFieldError};
use quire_app::Error;
use quire_edge::Problem;
use serde_json::{Value, json};

/// Why a field has no value.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Box<Problem>);

impl<E: Into<Problem>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

impl IntoFieldError for Failure {
    fn into_field_error(self) -> FieldError {
        FieldError::new(self.0.detail().unwrap_or(self.0.title()), value(document(&self.0)))
    }
}

/// The problem detail, and when to try again.
fn document(problem: &Problem) -> Value {
    let mut document = json!({ "type": problem.kind(), "title": problem.title(), "status": problem.status().as_u16() });
    if let Some(detail) = problem.detail() {
        document["detail"] = detail.into();
    }
    if !problem.errors().is_empty() {
        document["errors"] = problem.errors().iter().map(|error| json!({ "pointer": error.pointer, "detail": error.message })).collect();
    }
    if let Some(seconds) = problem.retry_after() {
        document["retryAfter"] = seconds.into();
    }
    document
}

fn value(json: Value) -> juniper::Value {
    match json {
        Value::Null => juniper::Value::null(),
        Value::Bool(flag) => juniper::Value::scalar(flag),
        Value::Number(number) => match number.as_i64().map(i32::try_from) {
            Some(Ok(number)) => juniper::Value::scalar(number),
            _ => juniper::Value::scalar(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => juniper::Value::scalar(text),
        Value::Array(items) => juniper::Value::list(items.into_iter().map(value).collect()),
        Value::Object(members) => juniper::Value::object(members.into_iter().map(|(name, member)| (name, value(member))).collect()),
    }
}

/// Points at the arguments of a connection rather than at the parameters of a query.
pub(crate) fn paged(error: Error) -> Failure {
    match error {
        Error::Invalid(mut errors) => {
            for error in &mut errors {
                match error.pointer.as_str() {
                    "/limit" => error.pointer = "/first".into(),
                    "/cursor" => error.pointer = "/after".into(),
                    _ => {}
                }
            }
            Error::Invalid(errors).into()
        }
        error => error.into(),
    }
}

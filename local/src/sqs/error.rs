//! The errors of the service, worded and coded as it does.

use crate::service::ServiceError;

pub(super) type Result<T> = std::result::Result<T, Error>;

/// Why an operation did not happen.
#[derive(Debug)]
pub(super) enum Error {
    /// The caller asked for something that the service refuses.
    Refused(ServiceError),
    /// SQLite failed.
    Storage(rusqlite::Error),
}

impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error)
    }
}

impl From<Error> for ServiceError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(error) => error,
            Error::Storage(error) => Self::internal(format!("the queue store failed: {error}")),
        }
    }
}

/// An error that the service names differently in its JSON and its older query protocol.
pub(super) fn coded(code: &'static str, query_code: &'static str, message: impl Into<String>) -> Error {
    Error::Refused(ServiceError { query_code: Some(query_code), ..ServiceError::client(code, message) })
}

/// An error with the same name in both protocols.
pub(super) fn refused(code: &'static str, message: impl Into<String>) -> Error {
    coded(code, code, message)
}

pub(super) fn no_queue() -> Error {
    coded("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}

pub(super) fn invalid(message: impl Into<String>) -> Error {
    coded("InvalidParameterValueException", "InvalidParameterValue", message)
}

pub(super) fn invalid_value(parameter: &str, value: impl std::fmt::Display, reason: &str) -> Error {
    invalid(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

pub(super) fn not_for_this_type(parameter: &str, value: impl std::fmt::Display) -> Error {
    invalid_value(parameter, value, "The request include parameter that is not valid for this queue type.")
}

pub(super) fn missing(parameter: &str) -> Error {
    coded("MissingRequiredParameterException", "MissingParameter", format!("The request must contain the parameter {parameter}."))
}

pub(super) fn unsupported(message: impl Into<String>) -> Error {
    coded("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", message)
}

/// Checks a number that a request may leave out.
pub(super) fn in_range(parameter: &str, value: Option<i64>, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(invalid_value(parameter, value, &format!("Must be between {} and {}, if provided.", range.start(), range.end())))
        }
        value => Ok(value),
    }
}

/// Reads a request or an entry of a batch. Members that the service does not have are refused.
pub(super) fn parse<T: serde::de::DeserializeOwned>(request: serde_json::Value) -> Result<T> {
    serde_json::from_value(request).map_err(|error| refused("SerializationException", error.to_string()))
}

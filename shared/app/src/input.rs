//! What patches are made of.

use quire_domain::error::{FieldError, Fields};
use serde::{Deserialize, Deserializer, Serialize};

/// A member of a JSON Merge Patch (RFC 7396): absent is not null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Change<T> {
    /// Absent: stays as it is.
    #[default]
    Keep,
    /// Null: is removed.
    Remove,
    /// A new value.
    Set(T),
}

impl<T> Change<T> {
    pub(crate) fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Remove, Self::Set))
    }
}

/// Parses the change of a field that cannot be removed. The inner `None` leaves the field as it is; the outer one notes an error.
pub(crate) fn required<T, E: ToString>(
    fields: &mut Fields,
    pointer: &str,
    change: &Change<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Option<T>> {
    match change {
        Change::Keep => Some(None),
        Change::Remove => fields.take(pointer, Err::<Option<T>, _>("cannot be removed")),
        Change::Set(text) => fields.take(pointer, parse(text)).map(Some),
    }
}

/// The one error for a value that no field of ours has.
pub fn unknown(pointer: impl Into<String>) -> FieldError {
    FieldError::new(pointer, "is not known")
}

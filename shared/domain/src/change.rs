//! Changes to fields that may be absent.

use serde::Serialize;

/// What a change does to a field that may be absent (JSON Merge Patch, RFC 7396: absent is not null).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Change<T> {
    /// Stays as it is.
    #[default]
    Keep,
    /// Is removed.
    Remove,
    /// A new value.
    Set(T),
}

impl<T> Change<T> {
    /// The field after the change.
    #[must_use]
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Remove => None,
            Self::Set(value) => Some(value),
        }
    }

    /// Whether the field stays as it is.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// Nothing removes, and something sets: what a replacement does to each field.
impl<T> From<Option<T>> for Change<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Remove, Self::Set)
    }
}

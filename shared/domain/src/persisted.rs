//! GraphQL documents that clients name by their hashes.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, limits};

/// A document that a client has shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersistedDocument {
    /// SHA-256 of its text, as hexadecimal digits in small letters.
    pub hash: String,
    /// What it says.
    pub text: String,
    /// When it was shown.
    pub created_at: Timestamp,
}

impl PersistedDocument {
    /// When it is forgotten.
    pub fn expires(&self) -> Timestamp {
        self.created_at.plus_seconds(limits::GRAPHQL_PERSISTED_SECONDS)
    }
}

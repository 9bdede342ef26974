//! Pages of lists.

use quire_domain::{Error, Result, cursor::Position, limits};
use serde::{Deserialize, Serialize};

/// Which page a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageRequest {
    /// Most items, 1 to 100; 20 if absent.
    pub limit: Option<u64>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// A page as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageView<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub next_cursor: Option<String>,
}

impl PageRequest {
    pub(crate) fn limit(&self) -> Result<usize> {
        let limit = self.limit.map_or(Ok(limits::PAGE_DEFAULT), usize::try_from).unwrap_or(usize::MAX);
        match limit {
            1..=limits::PAGE_MAX => Ok(limit),
            _ => Err(Error::field("/limit", format!("must be 1 to {}", limits::PAGE_MAX))),
        }
    }

    pub(crate) fn position<P: Position>(&self) -> Result<Option<P>> {
        self.cursor.as_deref().map(P::parse).transpose().map_err(|error| Error::field("/cursor", error.to_string()))
    }
}

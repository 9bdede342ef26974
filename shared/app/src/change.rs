//! Changes of what others change too.

use quire_domain::{Error, Result};
use quire_store::CommitError;

/// Attempts at a change that names no version and meets others.
pub(crate) const ATTEMPTS: usize = 5;

/// Which versions of an entity a change may be made to: `If-Match` (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Any version.
    #[default]
    None,
    /// One of these.
    OneOf(Vec<u64>),
}

impl Precondition {
    pub(crate) fn check(&self, version: u64) -> Result<()> {
        match self {
            Self::OneOf(versions) if !versions.contains(&version) => Err(Error::VersionMismatch),
            Self::None | Self::OneOf(_) => Ok(()),
        }
    }
}

/// Whether a commit was made: not if what it changes is not as it was read any more.
pub(crate) fn made(outcome: Result<(), CommitError>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(CommitError::Stale) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

//! The single table. `docs/data-model.md` lists its items and access patterns.

mod commit;
mod counter;
mod entity;
mod key;
mod read;
mod retry;
mod throttle;

pub use commit::{Commit, CommitError, Recorded};
pub use entity::{Counter, Entity, Listing, OwnComment};
pub use key::{Claim, IdempotencyScope, Key, OUTBOX_SHARDS, email_hash};
pub use read::{Found, Order, Page, Pages, ReadError, Unpublished};
pub use throttle::Admission;

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;

/// Access to the table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
    audit_days: u32,
}

impl Store {
    /// The table called `table`, whose audit trail is kept for so many days.
    pub fn new(config: &SdkConfig, table: impl Into<String>, audit_days: u32) -> Self {
        Self { client: Client::new(config), table: table.into(), audit_days }
    }

    /// Days that the audit trail is kept.
    pub fn audit_days(&self) -> u32 {
        self.audit_days
    }
}

//! Counts writes and tries, so that nobody makes too many.

use std::net::IpAddr;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    id::UserId,
    limits,
    policy::Principal,
    rate::{self, Caller, Usage},
};
use quire_store::{Key, Store};

/// Quotas of writes a minute, and who has used how much of them.
#[derive(Debug, Clone)]
pub struct Rates {
    store: Store,
    account: u32,
    address: u32,
}

impl Rates {
    /// So many for an account, and so many for an address whose callers are not signed in.
    pub fn new(store: Store, account: u32, address: u32) -> Self {
        Self { store, account, address }
    }

    /// Counts one write: one write unit, and no read.
    ///
    /// # Errors
    /// The table's.
    pub fn count<'a>(&'a self, principal: &'a Principal, address: IpAddr, now: Timestamp) -> BoxFuture<'a, Result<Usage>> {
        Box::pin(async move {
            let (caller, quota) = match principal.user_id() {
                Some(id) => (Caller::Account(id), self.account),
                None => (Caller::at(address), self.address),
            };
            let window = rate::window(now);
            let count = self.store.count(Key::rate(&caller, window), window).await?;
            Ok(rate::usage(quota, count, now))
        })
    }
}

/// Counts a try at a code or at the present password of an account, before it is known whether it is right, so that many at once are
/// counted too.
pub(crate) async fn count_try(store: &Store, user: UserId, now: Timestamp) -> Result<()> {
    let window = rate::window(now);
    let count = store.count(Key::code_tries(user, window), window).await?;
    let usage = rate::usage(limits::CODE_TRIES, count, now);
    if usage.is_exceeded { Err(Error::TooManyTries { seconds: usage.resets_in }) } else { Ok(()) }
}

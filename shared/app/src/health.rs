//! Whether Quire can work.

use futures::future::BoxFuture;
use quire_domain::Result;
use quire_store::Store;

/// Looks at what Quire stands on.
#[derive(Debug, Clone)]
pub struct Health {
    store: Store,
}

impl Health {
    /// The health of `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Nothing, if the table answers.
    ///
    /// # Errors
    /// The table's.
    pub fn check(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { Ok(self.store.probe().await?) })
    }
}

//! GraphQL documents that clients name by their hashes (automatic persisted queries), so that their requests are short and caches know them.

use futures::future::BoxFuture;
use quire_domain::{Error, Result, persisted::PersistedDocument};
use quire_store::{Commit, Key, Store};
use sha2::{Digest, Sha256};

use crate::{Call, change::made};

/// The use cases of documents that are kept.
#[derive(Debug, Clone)]
pub struct PersistedDocuments {
    store: Store,
}

impl PersistedDocuments {
    /// The documents in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The document with this hash, if somebody has shown it. What it says cannot have changed, so one that has expired is as good until
    /// the table deletes it.
    ///
    /// # Errors
    /// The table's.
    pub fn get<'a>(&'a self, hash: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async move {
            let document: Option<PersistedDocument> = self.store.get(Key::persisted_document(&hash.to_ascii_lowercase())).await?;
            Ok(document.map(|document| document.text))
        })
    }

    /// Keeps a document under its hash.
    ///
    /// # Errors
    /// [`Error::Invalid`] for another hash than the document's; the table's.
    pub fn keep<'a>(&'a self, call: &'a Call, hash: &'a str, text: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let actual = hex::encode(Sha256::digest(text));
            if !hash.eq_ignore_ascii_case(&actual) {
                return Err(Error::field("/extensions/persistedQuery/sha256Hash", "is not the hash of the document"));
            }
            let document = PersistedDocument { hash: actual, text: text.to_owned(), created_at: call.now };
            // If it is there already, it says the same.
            made(self.store.commit(Commit::new(call.principal.user_id(), call.trace.clone(), call.now).create(&document)).await)?;
            Ok(())
        })
    }
}

//! Counters that stand alone. What belongs to an entity is counted in its [`crate::Commit`].

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures::future::BoxFuture;
use quire_domain::limits;

use crate::{Key, ReadError, Store, entity::attributes, read::read_error};

impl Store {
    /// Counts one more and gives the count: one write unit. The counter may be deleted two windows after `window`, epoch seconds.
    ///
    /// # Errors
    /// [`ReadError`]; then it may have been counted or not.
    pub fn count(&self, key: Key, window: i64) -> BoxFuture<'_, Result<u64, ReadError>> {
        Box::pin(async move {
            let expires = (window + 2 * limits::RATE_SECONDS).to_string();
            let request = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(attributes(key)))
                .update_expression("ADD #count :one SET expiresAt = :expires")
                .expression_attribute_names("#count", "count")
                .expression_attribute_values(":one", AttributeValue::N("1".into()))
                .expression_attribute_values(":expires", AttributeValue::N(expires))
                .return_values(ReturnValue::UpdatedNew);
            let updated = request.send().await.map_err(read_error)?.attributes.unwrap_or_default();
            let count = updated.get("count").and_then(|count| count.as_n().ok()?.parse().ok());
            count.ok_or_else(|| ReadError::Broken("the table gave no count".into()))
        })
    }
}

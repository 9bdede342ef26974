//! Counts of failures to sign in. Each is one item and one atomic update, so that of tries that come together no more are let through than
//! of tries that come one after the other. They are part of no transaction: many sign in from one address, and none should wait for another.

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, DeleteRequest, PutRequest, ReturnValuesOnConditionCheckFailure, WriteRequest},
};
use futures::future::BoxFuture;
use quire_domain::{
    Timestamp, limits,
    throttle::{Failures, Policy, Step},
};

use crate::{
    CommitError, Key, ReadError, Store,
    entity::{Item, attributes, place},
    read::read_error,
};

/// Looks at a count that others have just forgotten.
const ATTEMPTS: usize = 5;

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is counted and may be made.
    Admitted,
    /// It is not counted; the next one may be made in so many seconds.
    Wait(i64),
    /// There is no such count.
    Unknown,
}

impl Store {
    /// Counts a try as a failure, unless it must wait: one write unit, whether or not it is counted.
    ///
    /// # Errors
    /// [`ReadError`]; then it may have been counted or not.
    pub fn try_once(&self, key: Key, policy: Policy, now: Timestamp) -> BoxFuture<'_, Result<Admission, ReadError>> {
        Box::pin(async move {
            let expires = number(now.seconds() + limits::SIGN_IN_MEMORY_SECONDS);
            let (condition, values) = may_try(policy, now);
            for _ in 0..ATTEMPTS {
                let update = self
                    .failures(&key, now, values.clone())
                    .update_expression("ADD failures :one SET lastAt = :at, expiresAt = :expires")
                    .condition_expression(format!("attribute_not_exists(pk) OR (expiresAt >= :now AND ({condition}))"))
                    .expression_attribute_values(":expires", expires.clone());
                let Some(found) = refused(update).await? else { return Ok(Admission::Admitted) };
                let seen = int(&found, "expiresAt").unwrap_or(i64::MIN);
                if seen >= now.seconds() {
                    return Ok(Admission::Wait(wait(&found, policy, now)));
                }
                // What is forgotten may still be in the table.
                let again = self
                    .failures(&key, now, Item::new())
                    .update_expression("SET failures = :one, lastAt = :at, expiresAt = :expires")
                    .condition_expression("expiresAt = :seen")
                    .expression_attribute_values(":expires", expires.clone())
                    .expression_attribute_values(":seen", number(seen));
                if refused(again).await?.is_none() {
                    return Ok(Admission::Admitted);
                }
            }
            Ok(Admission::Wait(1))
        })
    }

    /// The same with a count that [`Store::know`] has made.
    ///
    /// # Errors
    /// [`ReadError`]; then it may have been counted or not.
    pub fn try_known(&self, key: Key, policy: Policy, now: Timestamp) -> BoxFuture<'_, Result<Admission, ReadError>> {
        Box::pin(async move {
            let (condition, values) = may_try(policy, now);
            let update = self
                .failures(&key, now, values)
                .update_expression("ADD failures :one SET lastAt = :at")
                .condition_expression(format!("attribute_exists(pk) AND expiresAt >= :now AND ({condition})"));
            let Some(found) = refused(update).await? else { return Ok(Admission::Admitted) };
            let is_known = int(&found, "expiresAt").is_some_and(|expires| expires >= now.seconds());
            Ok(if is_known { Admission::Wait(wait(&found, policy, now)) } else { Admission::Unknown })
        })
    }

    /// Takes back one failure, which was none.
    ///
    /// # Errors
    /// [`ReadError`]; then it may have been taken back or not.
    pub fn forgive(&self, key: Key) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            let update = self.client.update_item().table_name(&self.table).set_key(Some(attributes(key)));
            let update = update.update_expression("ADD failures :less").condition_expression("failures > :none");
            let update = update.expression_attribute_values(":less", number(-1)).expression_attribute_values(":none", number(0));
            refused(update).await.map(drop)
        })
    }

    /// Starts a count at nothing that is known for long, and forgets another one: one batch.
    ///
    /// # Errors
    /// As [`Store::forget_events`]; one of the two may be done.
    pub fn know(&self, known: Key, forgotten: Option<Key>, now: Timestamp) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            let broken = |error: aws_sdk_dynamodb::error::BuildError| CommitError::Broken(error.into());
            let expires = number(now.seconds() + limits::SIGN_IN_KNOWN_SECONDS);
            let count = [("failures", number(0)), ("lastAt", number(now.millis())), ("expiresAt", expires)];
            let item = place(known, count.map(|(name, value)| (name.to_owned(), value)).into());
            let put = PutRequest::builder().set_item(Some(item)).build().map_err(broken)?;
            let mut requests = vec![WriteRequest::builder().put_request(put).build()];
            if let Some(key) = forgotten {
                let delete = DeleteRequest::builder().set_key(Some(attributes(key))).build().map_err(broken)?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            self.write_batches(requests).await
        })
    }

    fn failures(&self, key: &Key, now: Timestamp, values: Item) -> UpdateItemFluentBuilder {
        let update = self.client.update_item().table_name(&self.table).set_key(Some(attributes(key.clone())));
        let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let update = update.set_expression_attribute_values(Some(values));
        update.expression_attribute_values(":one", number(1)).expression_attribute_values(":at", number(now.millis()))
    }
}

/// [`Policy::wait`] as a condition, and its values.
fn may_try(policy: Policy, now: Timestamp) -> (String, Item) {
    let steps: Vec<_> = policy.steps().collect();
    let mut clauses = Vec::with_capacity(steps.len() + 1);
    let mut values = Item::from([(":now".to_owned(), number(now.seconds()))]);
    for (index, Step { count, wait }) in steps.iter().enumerate() {
        if index == 0 {
            clauses.push("failures < :count0".to_owned());
        }
        let compares = if index + 1 == steps.len() { ">=" } else { "=" };
        clauses.push(format!("(failures {compares} :count{index} AND lastAt <= :last{index})"));
        values.insert(format!(":count{index}"), number(*count));
        values.insert(format!(":last{index}"), number(now.plus_seconds(-wait).millis()));
    }
    (clauses.join(" OR "), values)
}

/// What stood in the way of an update, if anything did.
async fn refused(update: UpdateItemFluentBuilder) -> Result<Option<Item>, ReadError> {
    match update.send().await {
        Ok(_) => Ok(None),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => Ok(Some(failed.item().cloned().unwrap_or_default())),
            _ => Err(read_error(error)),
        },
    }
}

fn wait(found: &Item, policy: Policy, now: Timestamp) -> i64 {
    let count = int(found, "failures").and_then(|count| count.try_into().ok()).unwrap_or(0);
    let last = Timestamp::from_millis(int(found, "lastAt").unwrap_or(0));
    policy.wait(Failures { count, last }, now).unwrap_or(1)
}

fn int(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

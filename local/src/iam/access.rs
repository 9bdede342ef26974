//! What each operation of the emulated services needs allowed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Access, LEADING_KEYS};
use crate::{
    service::ACCOUNT,
    stack::{Stack, Table},
};

/// Everything that one call needs allowed. `service` is `dynamodb`, `sqs`, `kms`, `s3` or `ses`, and `request` the call's JSON body.
///
/// An operation or a resource that is not known here needs its action allowed on `*`, so only a wide statement allows it.
/// That holds for `kms:Decrypt` without a `KeyId`, too: functions always name the key.
pub fn accesses(stack: &Stack, service: &str, operation: &str, request: &Value) -> Vec<Access> {
    match service {
        "dynamodb" => dynamodb(stack, operation, request),
        "sqs" => vec![access(format!("sqs:{}", operation.strip_suffix("Batch").unwrap_or(operation)), queue(stack, request))],
        "ses" => vec![access(format!("ses:{operation}"), identity(stack, request))],
        "s3" => vec![access(format!("s3:{operation}"), object(stack, request))],
        "kms" => vec![access(format!("kms:{operation}"), key(stack, request))],
        _ => vec![access(format!("{service}:{operation}"), None)],
    }
}

fn access(action: String, resource: Option<String>) -> Access {
    Access { action, resource: resource.unwrap_or_else(|| "*".to_owned()), context: BTreeMap::new() }
}

fn queue(stack: &Stack, request: &Value) -> Option<String> {
    let name = match request["QueueUrl"].as_str() {
        Some(url) => url.rsplit('/').next()?,
        None => request["QueueName"].as_str()?,
    };
    Some(format!("arn:aws:sqs:{}:{ACCOUNT}:{name}", stack.region))
}

/// The identity of SES that a mail is from: the address, where both it and its domain could be one.
fn identity(stack: &Stack, request: &Value) -> Option<String> {
    let from = request["FromEmailAddress"].as_str()?;
    let address = from.rsplit_once('<').map_or(from, |(_, address)| address.trim_end_matches('>'));
    Some(format!("arn:aws:ses:{}:{ACCOUNT}:identity/{address}", stack.region))
}

fn object(stack: &Stack, request: &Value) -> Option<String> {
    let bucket = stack.buckets.values().find(|bucket| request["Bucket"] == *bucket.name)?;
    Some(format!("{}/{}", bucket.arn, request["Key"].as_str()?))
}

fn key(stack: &Stack, request: &Value) -> Option<String> {
    let wanted = request["KeyId"].as_str()?;
    let alias = wanted.find(":alias/").map_or(wanted, |colon| &wanted[colon + 1..]);
    let key = stack.keys.values().find(|key| key.id == wanted || key.arn == wanted || key.aliases.iter().any(|name| name == alias))?;
    Some(key.arn.clone())
}

fn dynamodb(stack: &Stack, operation: &str, request: &Value) -> Vec<Access> {
    let action = format!("dynamodb:{operation}");
    let target = |element: &Value| element["TableName"].as_str().map(|name| Target::find(stack, name));
    let item = |action: &str, element: &Value| match target(element) {
        Some(target) => target.access(action, target.leading_key(element).into_iter().collect()),
        None => access(action.to_owned(), None),
    };
    match operation {
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" => vec![item(&action, request)],
        "DescribeTable" => vec![access(action, target(request).map(|target| target.arn))],
        "Query" | "Scan" => {
            let Some(mut target) = target(request) else { return vec![access(action, None)] };
            if let Some(index) = request["IndexName"].as_str() {
                target.use_index(index);
            }
            let keys = if operation == "Query" { vec![target.queried_key(request)] } else { Vec::new() };
            vec![target.access(&action, keys)]
        }
        "BatchGetItem" | "BatchWriteItem" => requested(stack, &action, request),
        "TransactGetItems" | "TransactWriteItems" => {
            let elements = request["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
            elements
                .map(|(kind, element)| match kind.as_str() {
                    "ConditionCheck" => item("dynamodb:ConditionCheckItem", element),
                    kind => item(&format!("dynamodb:{kind}Item"), element),
                })
                .collect()
        }
        _ => vec![access(action, None)],
    }
}

/// The accesses of a batch: one for each table, with all the keys.
fn requested(stack: &Stack, action: &str, request: &Value) -> Vec<Access> {
    let tables = request["RequestItems"].as_object().into_iter().flatten();
    tables
        .map(|(name, requests)| {
            let target = Target::find(stack, name);
            let keys = match requests {
                Value::Array(writes) => {
                    writes.iter().filter_map(Value::as_object).flatten().filter_map(|(_, write)| target.leading_key(write)).collect()
                }
                reads => reads["Keys"].as_array().into_iter().flatten().filter_map(|key| target.leading_key_of(key)).collect(),
            };
            target.access(action, keys)
        })
        .collect()
}

/// A table or an index, and its partition key if the stack has it.
struct Target<'a> {
    arn: String,
    table: Option<&'a Table>,
    partition_key: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// The table with a name or an ARN.
    fn find(stack: &'a Stack, name: &str) -> Self {
        let table = stack.tables.values().find(|table| table.name == name || table.arn == name);
        let arn = match table {
            Some(table) => table.arn.clone(),
            None if name.starts_with("arn:") => name.to_owned(),
            None => format!("arn:aws:dynamodb:{}:{ACCOUNT}:table/{name}", stack.region),
        };
        Self { arn, table, partition_key: table.and_then(|table| partition_key(&table.create)) }
    }

    fn use_index(&mut self, name: &str) {
        let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
        let mut indexes = self.table.into_iter().flat_map(|table| indexes.map(|kind| &table.create[kind])).filter_map(Value::as_array).flatten();
        self.partition_key = indexes.find(|index| index["IndexName"] == name).and_then(partition_key);
        self.arn = format!("{}/index/{name}", self.arn);
    }

    fn access(&self, action: &str, leading_keys: Vec<String>) -> Access {
        let context = if leading_keys.is_empty() { BTreeMap::new() } else { [(LEADING_KEYS.to_owned(), leading_keys)].into() };
        Access { action: action.to_owned(), resource: self.arn.clone(), context }
    }

    /// The partition key of an element that has a `Key` or an `Item`. The service refuses one that has none.
    fn leading_key(&self, element: &Value) -> Option<String> {
        self.leading_key_of(element.get("Key").or_else(|| element.get("Item"))?)
    }

    fn leading_key_of(&self, attributes: &Value) -> Option<String> {
        attribute_text(&attributes[self.partition_key?])
    }

    /// The partition key that a query asks for. If it cannot be seen, the empty text, which no item can have as its key: a query that is
    /// not understood must not pass as one that touches nothing.
    fn queried_key(&self, request: &Value) -> String {
        let find = || {
            let expression = request["KeyConditionExpression"].as_str()?.replace(['(', ')'], " ").replace('=', " = ");
            let tokens: Vec<&str> = expression.split_whitespace().collect();
            let is_key = |token: &str| {
                let name = if token.starts_with('#') { request["ExpressionAttributeNames"][token].as_str() } else { Some(token) };
                name.is_some() && name == self.partition_key
            };
            tokens.windows(3).find_map(|window| match window {
                [name, "=", value] | [value, "=", name] if is_key(name) => attribute_text(&request["ExpressionAttributeValues"][value]),
                _ => None,
            })
        };
        find().unwrap_or_default()
    }
}

fn partition_key(definition: &Value) -> Option<&str> {
    let schema = definition["KeySchema"].as_array()?;
    schema.iter().find(|element| element["KeyType"] == "HASH")?["AttributeName"].as_str()
}

/// The text of a key attribute: `{"S": "a"}`, `{"N": "1"}` or `{"B": "YQ=="}`.
fn attribute_text(attribute: &Value) -> Option<String> {
    ["S", "N", "B"].iter().find_map(|kind| attribute[kind].as_str()).map(str::to_owned)
}

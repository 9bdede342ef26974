//! Brings the tables of a stack into being.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{DynamoDb, Error};
use crate::{
    service::Service,
    stack::{Stack, Table},
};

impl DynamoDb {
    /// Creates the tables that are missing and sets their time to live.
    ///
    /// A table that exists with another key schema, index or stream is an error. Its other settings stay as they were made.
    pub async fn ensure(&self, stack: &Stack) -> Result<(), Error> {
        for table in stack.tables.values() {
            match self.ask(table, "DescribeTable", json!({"TableName": table.name})).await {
                Ok(described) => compare(table, &described["Table"])?,
                Err(Refusal { code, .. }) if code == "ResourceNotFoundException" => {
                    self.ask(table, "CreateTable", table.create.clone()).await?;
                }
                Err(refusal) => return Err(refusal.into()),
            }
            self.ensure_time_to_live(table).await?;
        }
        Ok(())
    }

    async fn ensure_time_to_live(&self, table: &Table) -> Result<(), Error> {
        let described = self.ask(table, "DescribeTimeToLive", json!({"TableName": table.name})).await?;
        let described = &described["TimeToLiveDescription"];
        let current = described["AttributeName"].as_str().filter(|_| described["TimeToLiveStatus"] == "ENABLED");
        if current == table.ttl_attribute.as_deref() {
            return Ok(());
        }
        // The attribute of an enabled time to live cannot be changed, so it is disabled first.
        let steps = [(current, false), (table.ttl_attribute.as_deref(), true)];
        for (attribute, enabled) in steps.into_iter().filter_map(|(attribute, enabled)| Some((attribute?, enabled))) {
            let specification = json!({"AttributeName": attribute, "Enabled": enabled});
            self.ask(table, "UpdateTimeToLive", json!({"TableName": table.name, "TimeToLiveSpecification": specification})).await?;
        }
        Ok(())
    }

    async fn ask(&self, table: &Table, operation: &str, request: Value) -> Result<Value, Refusal> {
        let response = self.call(operation, Bytes::from(request.to_string())).await;
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if response.status().is_success() {
            return Ok(body);
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let code = text("__type").rsplit('#').next().unwrap_or_default().to_owned();
        let message = Some(text("message")).filter(|message| !message.is_empty()).unwrap_or_else(|| text("Message"));
        Err(Refusal { table: table.name.clone(), message: format!("{operation}: {code}: {message}"), code })
    }
}

struct Refusal {
    table: String,
    code: String,
    message: String,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Table { table: refusal.table, message: refusal.message }
    }
}

fn compare(table: &Table, existing: &Value) -> Result<(), Error> {
    for (part, shape) in PARTS {
        if shape(&table.create[part]) != shape(&existing[part]) {
            return Err(Error::Changed { table: table.name.clone(), part });
        }
    }
    Ok(())
}

/// The parts of a table that cannot change, each with a function that brings it to a form in which equal means the same.
const PARTS: [(&str, Shape); 5] = [
    ("KeySchema", |keys| keys.clone()),
    ("AttributeDefinitions", |attributes| json!(by_name(attributes, "AttributeName", |attribute| attribute["AttributeType"].clone()))),
    ("GlobalSecondaryIndexes", indexes),
    ("LocalSecondaryIndexes", indexes),
    ("StreamSpecification", |stream| if stream["StreamEnabled"] == true { stream["StreamViewType"].clone() } else { Value::Null }),
];

type Shape = fn(&Value) -> Value;

fn indexes(list: &Value) -> Value {
    json!(by_name(list, "IndexName", |index| {
        let mut attributes = index["Projection"]["NonKeyAttributes"].as_array().cloned().unwrap_or_default();
        attributes.sort_by_key(Value::to_string);
        json!([index["KeySchema"], index["Projection"]["ProjectionType"], attributes])
    }))
}

fn by_name(list: &Value, name: &str, value: impl Fn(&Value) -> Value) -> BTreeMap<String, Value> {
    list.as_array().into_iter().flatten().map(|entry| (entry[name].as_str().unwrap_or_default().to_owned(), value(entry))).collect()
}

//! DynamoDB tables.

use serde_json::{Map, Value, json};

use super::{Resource, TemplateError, fields::Fields, node::Node};
use crate::stack::Table;

/// What guards or watches the data in the cloud.
const NO_EFFECT: [&str; 6] =
    ["ContributorInsightsSpecification", "DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "SSESpecification", "TableClass", "Tags"];

/// Reads one table.
pub(super) fn read(resource: &Resource<'_>) -> Result<Table, TemplateError> {
    let modelled = [
        "TableName",
        "AttributeDefinitions",
        "KeySchema",
        "BillingMode",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
        "StreamSpecification",
        "TimeToLiveSpecification",
    ];
    let fields = resource.properties.fields(&modelled, &NO_EFFECT)?;
    let mut create = Map::new();
    create.insert("TableName".to_owned(), json!(resource.physical.name));
    create.insert("BillingMode".to_owned(), json!(fields.required("BillingMode")?.one_of(&["PAY_PER_REQUEST"])?));
    create.insert("AttributeDefinitions".to_owned(), pairs(fields.required("AttributeDefinitions")?, "AttributeType", &["S", "N", "B"])?);
    create.insert("KeySchema".to_owned(), key_schema(fields)?);
    for kind in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(indexes) = fields.get(kind) {
            let indexes: Vec<Value> = indexes.list()?.iter().map(index).collect::<Result<_, _>>()?;
            create.insert(kind.to_owned(), Value::Array(indexes));
        }
    }
    if let Some(stream) = fields.get("StreamSpecification") {
        let view = stream.fields(&["StreamViewType"], &[])?.required("StreamViewType")?;
        let view = view.one_of(&["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"])?;
        create.insert("StreamSpecification".to_owned(), json!({"StreamEnabled": true, "StreamViewType": view}));
    }
    let ttl_attribute = match fields.get("TimeToLiveSpecification") {
        Some(ttl) => {
            let ttl = ttl.fields(&["AttributeName", "Enabled"], &[])?;
            let name = ttl.required("AttributeName")?.text()?.to_owned();
            ttl.required("Enabled")?.boolean()?.then_some(name)
        }
        None => None,
    };
    Ok(Table { name: resource.physical.name.clone(), arn: resource.physical.arn.clone(), create: Value::Object(create), ttl_attribute })
}

fn index(node: &Node) -> Result<Value, TemplateError> {
    let fields = node.fields(&["IndexName", "KeySchema", "Projection"], &["ContributorInsightsSpecification"])?;
    let projection = fields.required("Projection")?.fields(&["ProjectionType", "NonKeyAttributes"], &[])?;
    let mut projected = Map::new();
    let kind = projection.required("ProjectionType")?.one_of(&["ALL", "KEYS_ONLY", "INCLUDE"])?;
    projected.insert("ProjectionType".to_owned(), json!(kind));
    if let Some(attributes) = projection.get("NonKeyAttributes") {
        projected.insert("NonKeyAttributes".to_owned(), json!(attributes.texts()?));
    }
    Ok(json!({
        "IndexName": fields.required("IndexName")?.text()?,
        "KeySchema": key_schema(fields)?,
        "Projection": projected,
    }))
}

fn key_schema(fields: Fields<'_>) -> Result<Value, TemplateError> {
    pairs(fields.required("KeySchema")?, "KeyType", &["HASH", "RANGE"])
}

/// A list of attribute names, each with one more property.
fn pairs(list: &Node, property: &str, choices: &[&str]) -> Result<Value, TemplateError> {
    let pair = |item: &Node| {
        let fields = item.fields(&["AttributeName", property], &[])?;
        let name = fields.required("AttributeName")?.text()?;
        Ok(json!({"AttributeName": name, property: fields.required(property)?.one_of(choices)?}))
    };
    list.list()?.iter().map(pair).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

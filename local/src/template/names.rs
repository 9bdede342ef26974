//! Physical names and ARNs: what `Ref` and `Fn::GetAtt` give for each resource.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{Definition, TemplateError, intrinsics::Resolver, resource_type};

/// A resource as others refer to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Physical {
    /// Name, or the id of a key.
    pub(super) name: String,
    /// ARN; empty for what has none that is used.
    pub(super) arn: String,
    /// Value of `Ref`.
    pub(super) reference: String,
    /// Values of `Fn::GetAtt`.
    pub(super) attributes: BTreeMap<&'static str, String>,
}

/// `Ref` of the HTTP API, which is the id of the only one.
pub(super) const API_ID: &str = "local";

/// ARN of the stream of a table.
pub(super) fn stream_arn(table_arn: &str) -> String {
    format!("{table_arn}/stream/local")
}

/// Names one resource. `resolver` knows only parameters at this time.
pub(super) fn physical(definition: &Definition<'_>, resolver: &Resolver<'_>) -> Result<Physical, TemplateError> {
    let source = resolver.source;
    let default = format!("{}-{}", source.stack_name, definition.logical_id);
    let property = |key: &str| definition.property(key).map_or(Ok(None), |node| resolver.resolve(node));
    let named = |key: &str| property(key)?.map_or_else(|| Ok(default.clone()), |node| node.text().map(str::to_owned));
    let arn = |service: &str, resource: &str| format!("arn:aws:{service}:{}:{}:{resource}", source.region, source.account);

    Ok(match definition.resource_type {
        resource_type::FUNCTION => {
            let name = named("FunctionName")?;
            let arn = arn("lambda", &format!("function:{name}"));
            Physical { reference: name.clone(), attributes: [("Arn", arn.clone())].into(), name, arn }
        }
        resource_type::HTTP_API => Physical { name: default, reference: API_ID.to_owned(), ..Physical::default() },
        resource_type::TABLE => {
            let name = named("TableName")?;
            let arn = arn("dynamodb", &format!("table/{name}"));
            let mut attributes = BTreeMap::from([("Arn", arn.clone())]);
            if property("StreamSpecification")?.is_some() {
                attributes.insert("StreamArn", stream_arn(&arn));
            }
            Physical { reference: name.clone(), attributes, name, arn }
        }
        resource_type::QUEUE => {
            let fifo = property("FifoQueue")?.is_some_and(|node| node.boolean().unwrap_or(false));
            let name = match property("QueueName")? {
                Some(node) if node.text()?.ends_with(".fifo") != fifo => {
                    return Err(node.error("the name of a FIFO queue, and of no other, ends in .fifo"));
                }
                Some(node) => node.text()?.to_owned(),
                None if fifo => format!("{default}.fifo"),
                None => default,
            };
            let arn = arn("sqs", &name);
            let url = format!("{}/{}/{name}", source.endpoint_url, source.account);
            let attributes = [("Arn", arn.clone()), ("QueueName", name.clone()), ("QueueUrl", url.clone())].into();
            Physical { reference: url, attributes, name, arn }
        }
        resource_type::KEY => {
            let name = key_id(&source.stack_name, definition.logical_id);
            let arn = arn("kms", &format!("key/{name}"));
            Physical { reference: name.clone(), attributes: [("Arn", arn.clone()), ("KeyId", name.clone())].into(), name, arn }
        }
        resource_type::ALIAS => {
            let Some(node) = property("AliasName")? else {
                return Err(definition.node.error("`AliasName` is missing"));
            };
            if !node.text()?.starts_with("alias/") {
                return Err(node.error("must start with alias/"));
            }
            let name = node.text()?.to_owned();
            Physical { reference: name.clone(), name, ..Physical::default() }
        }
        resource_type::BUCKET => {
            // Names of buckets have no capitals.
            let name = property("BucketName")?.map_or_else(|| Ok(default.to_lowercase()), |node| node.text().map(str::to_owned))?;
            let arn = format!("arn:aws:s3:::{name}");
            Physical { reference: name.clone(), attributes: [("Arn", arn.clone())].into(), name, arn }
        }
        resource_type::BUCKET_POLICY => Physical { name: default, ..Physical::default() },
        resource_type::LOG_GROUP => {
            let name = named("LogGroupName")?;
            let arn = arn("logs", &format!("log-group:{name}:*"));
            Physical { reference: name.clone(), attributes: [("Arn", arn.clone())].into(), name, arn }
        }
        resource_type::ALARM => {
            let name = named("AlarmName")?;
            let arn = arn("cloudwatch", &format!("alarm:{name}"));
            Physical { reference: name.clone(), attributes: [("Arn", arn.clone())].into(), name, arn }
        }
        resource_type::TOPIC => {
            let name = named("TopicName")?;
            let arn = arn("sns", &name);
            let attributes = [("TopicArn", arn.clone()), ("TopicName", name.clone())].into();
            Physical { reference: arn.clone(), attributes, name, arn }
        }
        other => return Err(definition.fields.required("Type")?.error(format!("the resource type {other} is not supported"))),
    })
}

/// A key id that is the same at every start of a stack, so that what is stored under it can be decrypted later.
fn key_id(stack: &str, logical_id: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(format!("key/{stack}/{logical_id}"))[..16]);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

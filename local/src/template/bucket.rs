//! S3 buckets and their policies.

use super::{Resource, TemplateError, node::Node};
use crate::stack::{Bucket, Expiration};

/// What guards the objects in the cloud.
const NO_EFFECT: [&str; 4] = ["BucketEncryption", "OwnershipControls", "PublicAccessBlockConfiguration", "Tags"];

/// Reads one bucket.
pub(super) fn read(resource: &Resource<'_>) -> Result<Bucket, TemplateError> {
    let fields = resource.properties.fields(&["BucketName", "LifecycleConfiguration"], &NO_EFFECT)?;
    let mut expirations = Vec::new();
    if let Some(configuration) = fields.get("LifecycleConfiguration") {
        for rule in configuration.fields(&["Rules"], &[])?.required("Rules")?.list()? {
            expirations.extend(expiration(rule)?);
        }
    }
    Ok(Bucket { name: resource.physical.name.clone(), arn: resource.physical.arn.clone(), expirations })
}

fn expiration(rule: &Node) -> Result<Option<Expiration>, TemplateError> {
    let fields = rule.fields(&["ExpirationInDays", "Prefix", "Status"], &["AbortIncompleteMultipartUpload", "Id"])?;
    let is_enabled = fields.required("Status")?.one_of(&["Enabled", "Disabled"])? == "Enabled";
    let prefix = fields.get("Prefix").map_or(Ok(""), Node::text)?.to_owned();
    let days: Option<u32> = fields.integer("ExpirationInDays", 1..=36_500)?;
    Ok(days.filter(|_| is_enabled).map(|days| Expiration { prefix, days }))
}

/// Checks the policy of a bucket. The one that is understood refuses what does not come over TLS, which is no matter on one machine.
pub(super) fn policy<'a>(resource: &Resource<'_>, buckets: impl Iterator<Item = &'a Bucket>) -> Result<(), TemplateError> {
    let fields = resource.properties.fields(&["Bucket", "PolicyDocument"], &[])?;
    let bucket = fields.required("Bucket")?;
    let name = bucket.text()?;
    if !buckets.into_iter().any(|bucket| bucket.name == name) {
        return Err(bucket.error("is not a bucket of this template"));
    }
    let document = fields.required("PolicyDocument")?.fields(&["Version", "Statement"], &[])?;
    document.required("Version")?.one_of(&["2012-10-17"])?;
    for statement in document.required("Statement")?.one_or_more() {
        let fields = statement.fields(&["Effect", "Principal", "Action", "Resource", "Condition"], &["Sid"])?;
        fields.required("Effect")?.one_of(&["Deny"])?;
        for key in ["Principal", "Action"] {
            fields.required(key)?.text()?;
        }
        fields.required("Resource")?.text_or_texts()?;
        let condition = fields.required("Condition")?.fields(&["Bool"], &[])?.required("Bool")?;
        condition.fields(&["aws:SecureTransport"], &[])?.required("aws:SecureTransport")?.one_of(&["false"])?;
    }
    Ok(())
}

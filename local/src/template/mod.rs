//! Reads `template.yaml`: an AWS SAM template becomes a [`Stack`] with no intrinsic function left.
//!
//! Whatever the local cloud does not model is an error that names the line, unless it stands in a list of things without an effect
//! on one machine: [`INERT`] for resource types, and a `NO_EFFECT` beside the reader of each kind of resource.

mod bucket;
mod events;
mod fields;
mod function;
mod globals;
mod intrinsics;
mod names;
mod node;
mod parameters;
mod policy;
mod queue;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
};

use self::{
    fields::Fields,
    function::Surroundings,
    intrinsics::{Resolver, Resources},
    names::Physical,
    node::{Kind, Node},
};
use crate::stack::{Cors, Key, Stack};

/// What a template is resolved with.
#[derive(Debug, Clone)]
pub struct Source {
    /// Stack name, the prefix of physical names.
    pub stack_name: String,
    /// Region of every ARN.
    pub region: String,
    /// Account of every ARN, usually [`crate::service::ACCOUNT`].
    pub account: String,
    /// Parameter values that replace the defaults.
    pub parameters: BTreeMap<String, String>,
    /// URL of the emulated services, without a slash at its end; queue URLs start with it.
    pub endpoint_url: String,
}

/// Why a template cannot be run: one line that says where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// File, as it was given.
    pub file: String,
    /// Line, counted from 1; `None` if the file could not be read.
    pub line: Option<usize>,
    /// Path in the document, such as `Resources.Table.Properties.BillingMode`; empty for the document as a whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl TemplateError {
    fn new(line: usize, path: String, message: impl Into<String>) -> Self {
        Self { file: "template.yaml".to_owned(), line: Some(line), path, message: message.into() }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(formatter, "{line}:")?;
        }
        if !self.path.is_empty() {
            write!(formatter, " {}:", self.path)?;
        }
        write!(formatter, " {}", self.message)
    }
}

impl std::error::Error for TemplateError {}

/// The resource types that a template may have.
mod resource_type {
    pub(super) const FUNCTION: &str = "AWS::Serverless::Function";
    pub(super) const HTTP_API: &str = "AWS::Serverless::HttpApi";
    pub(super) const TABLE: &str = "AWS::DynamoDB::Table";
    pub(super) const QUEUE: &str = "AWS::SQS::Queue";
    pub(super) const KEY: &str = "AWS::KMS::Key";
    pub(super) const ALIAS: &str = "AWS::KMS::Alias";
    pub(super) const BUCKET: &str = "AWS::S3::Bucket";
    pub(super) const BUCKET_POLICY: &str = "AWS::S3::BucketPolicy";
    pub(super) const LOG_GROUP: &str = "AWS::Logs::LogGroup";
    pub(super) const ALARM: &str = "AWS::CloudWatch::Alarm";
    pub(super) const TOPIC: &str = "AWS::SNS::Topic";
}

/// Resource types without an effect on one machine: logs go to the terminal, and nobody is paged. Only their references are checked.
pub const INERT: [&str; 3] = [resource_type::LOG_GROUP, resource_type::ALARM, resource_type::TOPIC];

/// Attributes that say what happens when a stack is changed or deleted, which does not happen here.
const RESOURCE_NO_EFFECT: [&str; 2] = ["DeletionPolicy", "UpdateReplacePolicy"];

/// What a key does besides encryption by the calls that functions make. Who may use it is decided by the functions' policies.
const KEY_NO_EFFECT: [&str; 5] = ["Description", "EnableKeyRotation", "KeyPolicy", "PendingWindowInDays", "Tags"];

/// What the HTTP API shows in the console and in access logs only.
const API_NO_EFFECT: [&str; 4] = ["AccessLogSettings", "Description", "Name", "Tags"];

/// A resource that the conditions leave in, as the template writes it.
struct Definition<'a> {
    logical_id: &'a str,
    resource_type: &'a str,
    node: &'a Node,
    fields: Fields<'a>,
}

impl Definition<'_> {
    /// A property that is not resolved yet.
    fn property(&self, key: &str) -> Option<&Node> {
        let entries = self.fields.get("Properties")?.map().ok()?;
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

/// A resource with its name and its properties, resolved.
struct Resource<'a> {
    definition: &'a Definition<'a>,
    physical: &'a Physical,
    properties: Node,
}

/// Reads the template file at `path`.
pub fn load(path: &Path, source: &Source) -> Result<Stack, TemplateError> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| TemplateError {
        file: file.clone(),
        line: None,
        path: String::new(),
        message: format!("cannot be read: {error}"),
    })?;
    parse(&text, source).map_err(|error| TemplateError { file, ..error })
}

/// Reads a template; errors call it `template.yaml`.
pub fn parse(text: &str, source: &Source) -> Result<Stack, TemplateError> {
    let root = node::read(text)?;
    let sections = root.fields(
        &["AWSTemplateFormatVersion", "Transform", "Parameters", "Conditions", "Globals", "Resources", "Outputs"],
        // Texts and tool settings.
        &["Description", "Metadata"],
    )?;
    if let Some(version) = sections.get("AWSTemplateFormatVersion") {
        version.one_of(&["2010-09-09"])?;
    }
    sections.required("Transform")?.one_of(&["AWS::Serverless-2016-10-31"])?;

    let parameters = parameters::read(sections.get("Parameters"), source)?;
    let mut resolver = Resolver::new(source, parameters, sections.get("Conditions"))?;
    let globals = globals::function(sections.get("Globals"))?;
    let all = sections.required("Resources")?.map()?;
    let definitions = definitions(all, &resolver)?;

    let mut names: BTreeMap<String, Option<Physical>> = all.iter().map(|(id, _)| (id.clone(), None)).collect();
    for definition in &definitions {
        names.insert(definition.logical_id.to_owned(), Some(names::physical(definition, &resolver)?));
    }
    refuse_equal_names(&definitions, &names)?;
    resolver.resources = Resources::Named(names.clone());

    let mut resources = Vec::new();
    for definition in &definitions {
        let written = definition.fields.get("Properties").cloned().unwrap_or_else(|| definition.node.with(Kind::Map(Vec::new())));
        let written = match (definition.resource_type, globals) {
            (resource_type::FUNCTION, Some(globals)) => globals::merge(globals, &written),
            _ => written,
        };
        // Every definition was named above.
        if let Some(Some(physical)) = names.get(definition.logical_id) {
            resources.push(Resource { definition, physical, properties: resolver.value(&written)? });
        }
    }
    let stack = build(&resources, source)?;
    check_outputs(sections.get("Outputs"), &resolver)?;
    Ok(stack)
}

/// The resources that the conditions leave in.
fn definitions<'a>(all: &'a [(String, Node)], resolver: &Resolver<'_>) -> Result<Vec<Definition<'a>>, TemplateError> {
    let mut definitions = Vec::new();
    for (logical_id, node) in all {
        let fields = node.fields(&["Type", "Properties", "Metadata", "Condition", "DependsOn"], &RESOURCE_NO_EFFECT)?;
        for dependency in fields.get("DependsOn").map_or(&[][..], Node::one_or_more) {
            let name = dependency.text()?;
            if !all.iter().any(|(other, _)| other == name) {
                return Err(dependency.error(format!("there is no resource `{name}`")));
            }
        }
        let included = fields.get("Condition").map_or(Ok(true), |condition| resolver.condition(condition))?;
        if included {
            definitions.push(Definition { logical_id, resource_type: fields.required("Type")?.text()?, node, fields });
        }
    }
    Ok(definitions)
}

fn refuse_equal_names(definitions: &[Definition<'_>], names: &BTreeMap<String, Option<Physical>>) -> Result<(), TemplateError> {
    let mut seen = BTreeSet::new();
    for definition in definitions {
        let name = names.get(definition.logical_id).and_then(Option::as_ref).map(|physical| &physical.name);
        if !seen.insert((definition.resource_type, name)) {
            return Err(definition.node.error("another resource of this type has the same name"));
        }
    }
    Ok(())
}

fn build(resources: &[Resource<'_>], source: &Source) -> Result<Stack, TemplateError> {
    let of_type = |wanted: &'static str| resources.iter().filter(move |resource| resource.definition.resource_type == wanted);

    let mut tables = BTreeMap::new();
    for resource in of_type(resource_type::TABLE) {
        tables.insert(resource.definition.logical_id.to_owned(), table::read(resource)?);
    }
    let queues = queue::read(of_type(resource_type::QUEUE))?;
    let keys = keys(of_type(resource_type::KEY), of_type(resource_type::ALIAS))?;
    let mut buckets = BTreeMap::new();
    for resource in of_type(resource_type::BUCKET) {
        buckets.insert(resource.definition.logical_id.to_owned(), bucket::read(resource)?);
    }
    for resource in of_type(resource_type::BUCKET_POLICY) {
        bucket::policy(resource, buckets.values())?;
    }
    let mut apis = of_type(resource_type::HTTP_API);
    let api = apis.next();
    if let Some(second) = apis.next() {
        return Err(second.definition.node.error("one HTTP API is supported, not two"));
    }
    let cors = api.map_or(Ok(None), cors)?;

    let mut surroundings = Surroundings { tables: &tables, queues: &queues, has_api: api.is_some(), routes: BTreeMap::new() };
    let mut functions = BTreeMap::new();
    for resource in of_type(resource_type::FUNCTION) {
        functions.insert(resource.definition.logical_id.to_owned(), function::read(resource, &mut surroundings)?);
    }
    Ok(Stack { name: source.stack_name.clone(), region: source.region.clone(), functions, tables, queues, keys, buckets, cors })
}

fn keys<'a>(
    keys: impl Iterator<Item = &'a Resource<'a>>,
    aliases: impl Iterator<Item = &'a Resource<'a>>,
) -> Result<BTreeMap<String, Key>, TemplateError> {
    let mut result = BTreeMap::new();
    for Resource { definition, physical, properties } in keys {
        properties.fields(&[], &KEY_NO_EFFECT)?;
        let key = Key { id: physical.name.clone(), arn: physical.arn.clone(), aliases: Vec::new() };
        result.insert(definition.logical_id.to_owned(), key);
    }
    for Resource { physical, properties, .. } in aliases {
        let target = properties.fields(&["AliasName", "TargetKeyId"], &[])?.required("TargetKeyId")?;
        let text = target.text()?;
        let key = result.values_mut().find(|key| key.id == text || key.arn == text);
        key.ok_or_else(|| target.error("is not a key of this template"))?.aliases.push(physical.name.clone());
    }
    Ok(result)
}

fn cors(api: &Resource<'_>) -> Result<Option<Cors>, TemplateError> {
    let Some(cors) = api.properties.fields(&["CorsConfiguration"], &API_NO_EFFECT)?.get("CorsConfiguration") else {
        return Ok(None);
    };
    let known = ["AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders", "MaxAge", "AllowCredentials"];
    let fields = cors.fields(&known, &[])?;
    Ok(Some(Cors {
        allow_origins: fields.texts("AllowOrigins")?,
        allow_methods: fields.texts("AllowMethods")?,
        allow_headers: fields.texts("AllowHeaders")?,
        expose_headers: fields.texts("ExposeHeaders")?,
        max_age: fields.integer("MaxAge", 0..=86_400)?,
        allow_credentials: fields.boolean("AllowCredentials")?.unwrap_or(false),
    }))
}

/// Outputs are for people who deploy; here they only have to be right.
fn check_outputs(section: Option<&Node>, resolver: &Resolver<'_>) -> Result<(), TemplateError> {
    for (_, output) in section.map_or(Ok(&[][..]), Node::map)? {
        let fields = output.fields(&["Value", "Condition"], &["Description", "Export"])?;
        if fields.get("Condition").map_or(Ok(true), |condition| resolver.condition(condition))? {
            resolver.value(fields.required("Value")?)?.text()?;
        }
    }
    Ok(())
}

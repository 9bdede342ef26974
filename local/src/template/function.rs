//! Lambda functions.

use std::{collections::BTreeMap, time::Duration};

use super::{Resource, TemplateError, events, node::Node, policy};
use crate::stack::{Function, Queue, Table};

/// How the code is found, packed, described and watched in the cloud.
const NO_EFFECT: [&str; 6] = ["Architectures", "CodeUri", "Description", "LoggingConfig", "Tags", "Tracing"];

/// What functions are connected to, and the routes that are taken.
pub(super) struct Surroundings<'a> {
    pub(super) tables: &'a BTreeMap<String, Table>,
    pub(super) queues: &'a [Queue],
    /// Whether the template has an HTTP API of its own.
    pub(super) has_api: bool,
    /// Function of each route, by its method and path without parameter names.
    pub(super) routes: BTreeMap<String, String>,
}

/// Reads one function, whose globals are merged.
pub(super) fn read(resource: &Resource<'_>, surroundings: &mut Surroundings<'_>) -> Result<Function, TemplateError> {
    let modelled =
        ["FunctionName", "Handler", "Runtime", "MemorySize", "Timeout", "ReservedConcurrentExecutions", "Environment", "Policies", "Events"];
    let fields = resource.properties.fields(&modelled, &NO_EFFECT)?;
    fields.required("Runtime")?.one_of(&["provided.al2023"])?;
    fields.required("Handler")?.one_of(&["bootstrap"])?;
    let mut function = Function {
        logical_id: resource.definition.logical_id.to_owned(),
        name: resource.physical.name.clone(),
        binary: binary(resource)?,
        timeout: Duration::from_secs(fields.integer("Timeout", 1..=900)?.unwrap_or(3)),
        memory: fields.integer("MemorySize", 128..=10_240)?.unwrap_or(128),
        reserved_concurrency: fields.integer("ReservedConcurrentExecutions", 0..=u32::MAX)?,
        environment: fields.get("Environment").map_or_else(|| Ok(BTreeMap::new()), environment)?,
        statements: Vec::new(),
        routes: Vec::new(),
        triggers: Vec::new(),
    };
    for document in fields.get("Policies").map_or(&[][..], Node::one_or_more) {
        function.statements.extend(policy::read(document)?);
    }
    for (name, event) in fields.get("Events").map_or(Ok(&[][..]), Node::map)? {
        events::read(name, event, &mut function, surroundings)?;
    }
    Ok(function)
}

fn binary(resource: &Resource<'_>) -> Result<String, TemplateError> {
    let metadata = resource.definition.fields.required("Metadata")?.fields(&["BuildMethod", "BuildProperties"], &[])?;
    metadata.required("BuildMethod")?.one_of(&["rust-cargolambda"])?;
    let properties = metadata.required("BuildProperties")?.fields(&["Binary"], &[])?;
    properties.required("Binary")?.text().map(str::to_owned)
}

fn environment(node: &Node) -> Result<BTreeMap<String, String>, TemplateError> {
    let variables = node.fields(&["Variables"], &[])?.required("Variables")?;
    variables.map()?.iter().map(|(name, value)| Ok((name.clone(), value.text()?.to_owned()))).collect()
}

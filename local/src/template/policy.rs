//! Inline IAM policy documents of a function.

use std::collections::BTreeMap;

use super::{TemplateError, node::Node};
use crate::{iam, stack::Statement};

/// Reads one policy document.
pub(super) fn read(document: &Node) -> Result<Vec<Statement>, TemplateError> {
    if document.text().is_ok() {
        return Err(document.error("managed policies are not supported; write the statements here"));
    }
    let fields = document.fields(&["Version", "Statement"], &[])?;
    fields.required("Version")?.one_of(&["2012-10-17"])?;
    fields.required("Statement")?.one_or_more().iter().map(statement).collect()
}

fn statement(node: &Node) -> Result<Statement, TemplateError> {
    let fields = node.fields(&["Effect", "Action", "Resource", "Condition"], &["Sid"])?;
    let mut conditions = BTreeMap::new();
    for (operator, keys) in fields.get("Condition").map_or(Ok(&[][..]), Node::map)? {
        if !iam::is_operator(operator) {
            return Err(keys.error("this condition operator is not supported"));
        }
        let mut expected = BTreeMap::new();
        for (key, values) in keys.map()? {
            if !iam::CONDITION_KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                return Err(values.error(format!("this condition key is not supported; known: {}", iam::CONDITION_KEYS.join(", "))));
            }
            expected.insert(key.clone(), patterns(values)?);
        }
        conditions.insert(operator.clone(), expected);
    }
    Ok(Statement {
        allow: fields.required("Effect")?.one_of(&["Allow", "Deny"])? == "Allow",
        actions: patterns(fields.required("Action")?)?,
        resources: patterns(fields.required("Resource")?)?,
        conditions,
    })
}

fn patterns(node: &Node) -> Result<Vec<String>, TemplateError> {
    let patterns = node.text_or_texts()?;
    if patterns.is_empty() {
        return Err(node.error("must not be empty"));
    }
    match patterns.iter().find(|pattern| pattern.contains("${")) {
        Some(pattern) => Err(node.error(format!("policy variables are not supported: `{pattern}`"))),
        None => Ok(patterns),
    }
}

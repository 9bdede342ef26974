//! Parameters: their defaults, overrides and constraints.

use std::{cmp::Ordering, collections::BTreeMap};

use regex_lite::Regex;

use super::{Source, TemplateError, node::Node};

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
}

/// Texts for people, and whether a console hides the value.
const NO_EFFECT: [&str; 3] = ["Description", "ConstraintDescription", "NoEcho"];

/// The value of every parameter in the section.
pub(super) fn read(section: Option<&Node>, source: &Source) -> Result<BTreeMap<String, Value>, TemplateError> {
    let entries = section.map_or(Ok(&[][..]), Node::map)?;
    if let Some(unknown) = source.parameters.keys().find(|name| !entries.iter().any(|(known, _)| known == *name)) {
        let line = section.map_or(1, |section| section.line);
        return Err(TemplateError::new(line, "Parameters".to_owned(), format!("there is no parameter `{unknown}` to set")));
    }
    entries.iter().map(|(name, node)| Ok((name.clone(), value(node, source.parameters.get(name))?))).collect()
}

fn value(node: &Node, given: Option<&String>) -> Result<Value, TemplateError> {
    let fields = node.fields(&["Type", "Default", "AllowedValues", "AllowedPattern", "MinValue", "MaxValue"], &NO_EFFECT)?;
    let text = match (given, fields.get("Default")) {
        (Some(given), _) => given.as_str(),
        (None, Some(default)) => default.text()?,
        (None, None) => return Err(node.error("this parameter has no default and is not given")),
    };
    let value = match fields.required("Type")?.one_of(&["String", "Number", "CommaDelimitedList"])? {
        "Number" if !text.parse::<f64>().is_ok_and(f64::is_finite) => return Err(node.error(format!("`{text}` is not a number"))),
        "CommaDelimitedList" => Value::List(text.split(',').map(|item| item.trim().to_owned()).collect()),
        _ => Value::Text(text.to_owned()),
    };
    let items = match &value {
        Value::Text(text) => std::slice::from_ref(text),
        Value::List(items) => items,
    };
    if let Some(allowed) = fields.get("AllowedValues") {
        let allowed = allowed.texts()?;
        if let Some(item) = items.iter().find(|item| !allowed.contains(item)) {
            return Err(node.error(format!("`{item}` is not one of {}", allowed.join(", "))));
        }
    }
    for (bound, wrong, word) in [("MinValue", Ordering::Less, "less"), ("MaxValue", Ordering::Greater, "more")] {
        let Some(given) = fields.get(bound) else { continue };
        let limit: f64 = given.text()?.parse().map_err(|_| given.error("must be a number"))?;
        if text.parse::<f64>().ok().and_then(|number| number.partial_cmp(&limit)) == Some(wrong) {
            return Err(node.error(format!("`{text}` is {word} than {limit}")));
        }
    }
    if let Some(pattern) = fields.get("AllowedPattern") {
        let text = pattern.text()?;
        // The pattern must match the whole value.
        let regex = Regex::new(&format!("^(?:{text})$")).map_err(|error| pattern.error(error.to_string()))?;
        if let Some(item) = items.iter().find(|item| !regex.is_match(item)) {
            return Err(node.error(format!("`{item}` does not match {text}")));
        }
    }
    Ok(value)
}

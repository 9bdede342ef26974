//! Typed access to resolved nodes. Every mapping states the keys that it may have, so that nothing is skipped silently.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use super::{
    TemplateError,
    node::{Kind, Node},
};

/// The entries of a mapping whose keys are all known.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    node: &'a Node,
    entries: &'a [(String, Node)],
}

impl Node {
    /// The entries of this mapping, which may have the keys `modelled` and, without an effect on one machine, `ignored`.
    pub(super) fn fields(&self, modelled: &[&str], ignored: &[&str]) -> Result<Fields<'_>, TemplateError> {
        let entries = self.map()?;
        match entries.iter().find(|(key, _)| !modelled.contains(&key.as_str()) && !ignored.contains(&key.as_str())) {
            Some((_, value)) => Err(value.error("unknown property")),
            None => Ok(Fields { node: self, entries }),
        }
    }

    pub(super) fn map(&self) -> Result<&[(String, Node)], TemplateError> {
        match &self.kind {
            Kind::Map(entries) => Ok(entries),
            Kind::Text(_) | Kind::List(_) => Err(self.error("must be a mapping")),
        }
    }

    pub(super) fn list(&self) -> Result<&[Node], TemplateError> {
        match &self.kind {
            Kind::List(items) => Ok(items),
            Kind::Text(_) | Kind::Map(_) => Err(self.error("must be a list")),
        }
    }

    /// The items of a list, or this one node where AWS takes one instead of a list.
    pub(super) fn one_or_more(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Text(_) | Kind::Map(_) => std::slice::from_ref(self),
        }
    }

    pub(super) fn text(&self) -> Result<&str, TemplateError> {
        match &self.kind {
            Kind::Text(text) => Ok(text),
            Kind::List(_) | Kind::Map(_) => Err(self.error("must be text")),
        }
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, TemplateError> {
        owned_texts(self.list()?)
    }

    pub(super) fn text_or_texts(&self) -> Result<Vec<String>, TemplateError> {
        owned_texts(self.one_or_more())
    }

    pub(super) fn integer<T: FromStr + PartialOrd + Display>(&self, range: RangeInclusive<T>) -> Result<T, TemplateError> {
        match self.text()?.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(self.error(format!("must be a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool, TemplateError> {
        Ok(self.one_of(&["true", "false"])? == "true")
    }

    pub(super) fn one_of(&self, choices: &[&str]) -> Result<&str, TemplateError> {
        let text = self.text()?;
        if choices.contains(&text) { Ok(text) } else { Err(self.error(format!("`{text}` must be {}", choices.join(" or ")))) }
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub(super) fn required(&self, key: &str) -> Result<&'a Node, TemplateError> {
        self.get(key).ok_or_else(|| self.node.error(format!("`{key}` is missing")))
    }

    pub(super) fn integer<T: FromStr + PartialOrd + Display>(&self, key: &str, range: RangeInclusive<T>) -> Result<Option<T>, TemplateError> {
        self.get(key).map(|value| value.integer(range)).transpose()
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, TemplateError> {
        self.get(key).map(Node::boolean).transpose()
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, TemplateError> {
        self.get(key).map_or_else(|| Ok(Vec::new()), Node::texts)
    }
}

fn owned_texts(nodes: &[Node]) -> Result<Vec<String>, TemplateError> {
    nodes.iter().map(|node| node.text().map(str::to_owned)).collect()
}

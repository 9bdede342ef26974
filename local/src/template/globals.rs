//! `Globals.Function`: properties of every function.

use super::{
    TemplateError,
    node::{Kind, Node},
};

/// Properties that SAM takes from each function alone.
const OWN: [&str; 4] = ["Events", "FunctionName", "Policies", "Role"];

/// The properties of every function, if the section has any.
pub(super) fn function(section: Option<&Node>) -> Result<Option<&Node>, TemplateError> {
    let Some(section) = section else { return Ok(None) };
    let function = section.fields(&["Function"], &[])?.get("Function");
    if let Some(function) = function
        && let Some((_, own)) = function.map()?.iter().find(|(key, _)| OWN.contains(&key.as_str()))
    {
        return Err(own.error("SAM does not take this property from Globals"));
    }
    Ok(function)
}

/// Merges as SAM does: mappings by key, lists one after the other, and anything else, a function included, is replaced.
pub(super) fn merge(global: &Node, local: &Node) -> Node {
    let kind = match (&global.kind, &local.kind) {
        _ if global.function().is_some() || local.function().is_some() => local.kind.clone(),
        (Kind::Map(globals), Kind::Map(locals)) => {
            let find = |entries: &[(String, Node)], key: &str| entries.iter().position(|(name, _)| name == key);
            let merged = globals.iter().map(|(key, value)| match find(locals, key) {
                Some(index) => (key.clone(), merge(value, &locals[index].1)),
                None => (key.clone(), value.clone()),
            });
            let own = locals.iter().filter(|(key, _)| find(globals, key).is_none()).cloned();
            Kind::Map(merged.chain(own).collect())
        }
        (Kind::List(globals), Kind::List(locals)) => Kind::List([globals.as_slice(), locals].concat()),
        _ => local.kind.clone(),
    };
    local.with(kind)
}

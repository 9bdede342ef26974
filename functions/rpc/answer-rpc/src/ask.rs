//! A request message, read as the REST functions read theirs, and the answer to it.

use quire_app::{
    Call, Client,
    change::Precondition,
    input::{self, Input, Typing},
    selection::Selection,
};
use quire_edge::{Problem, Result, params::PathId, reply::Versioned};
use serde::Serialize;
use serde_json::{Map, Value};

/// Who asks for what.
pub(crate) struct Ask {
    pub(crate) call: Call,
    pub(crate) client: Client,
    members: Map<String, Value>,
}

impl Ask {
    pub(crate) fn new(call: Call, client: Client, members: Map<String, Value>) -> Self {
        Self { call, client, members }
    }

    /// What a field names, as a path does in REST: a text that is no id names nothing.
    pub(crate) fn id<T: PathId>(&self) -> Result<T> {
        let text = self.members.get(T::NAME).and_then(text).unwrap_or_default();
        text.parse().map_err(|_| quire_app::Error::NotFound(T::KIND).into())
    }

    /// The input in a field: what is the body in REST.
    pub(crate) fn input<T: Input>(&self, name: &str) -> Result<T> {
        Ok(input::read(self.object(name), Typing::Typed)?)
    }

    /// The changes in a field, as a JSON Merge Patch has them: what `updateMask` names and the field does not have is null.
    pub(crate) fn patch<T: Input>(&self, name: &str) -> Result<T> {
        let mut object = self.object(name);
        let members = match self.members.get("updateMask").and_then(Value::as_str) {
            None | Some("") => object.into_iter().collect::<Vec<_>>(),
            Some(mask) => mask.split(',').map(|name| (name.to_owned(), object.remove(name).unwrap_or_default())).collect(),
        };
        Ok(input::read(members, Typing::Typed)?)
    }

    /// The fields themselves: what are the parameters of the query in REST.
    pub(crate) fn query<T: Input>(&self) -> Result<T> {
        let parameters = self.members.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?)));
        Ok(input::read_query(parameters)?)
    }

    /// What is `If-Match` in REST.
    pub(crate) fn precondition(&self) -> Precondition {
        self.members.get("ifVersion").and_then(Value::as_u64).map_or(Precondition::None, |version| Precondition::OneOf(vec![version]))
    }

    /// What is `If-None-Match: *` in REST.
    pub(crate) fn only_new(&self) -> bool {
        self.members.get("onlyNew").and_then(Value::as_bool).unwrap_or_default()
    }

    fn object(&self, name: &str) -> Map<String, Value> {
        self.members.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The document of a response message, and its tag if it has versions.
pub(crate) struct Answer {
    pub(crate) document: Value,
    pub(crate) etag: Option<String>,
}

impl Answer {
    pub(crate) fn done() -> Self {
        Self { document: Value::Object(Map::new()), etag: None }
    }

    pub(crate) fn shown<T: Serialize>(view: &T) -> Result<Self> {
        let document = serde_json::to_value(view).map_err(|error| quire_app::Error::internal("writing a reply", error))?;
        Ok(Self { document, etag: None })
    }

    pub(crate) fn entity<T: Serialize + Versioned>(view: &T) -> Result<Self> {
        Ok(Self { etag: Some(view.etag()), ..Self::shown(view)? })
    }

    /// With some members only.
    pub(crate) fn only(mut self, selection: &Selection) -> Self {
        quire_edge::select(&mut self.document, selection);
        self
    }
}

/// The problem of a message that cannot be read.
pub(crate) fn unreadable() -> Problem {
    Problem::malformed("The message is not one of this method")
}

//! What clients send, before it is known to be right. Every transport makes named values of it, whatever its format, and a use case's
//! input is read from those: every wrong, missing or unknown field is found at once.

use std::{collections::BTreeMap, fmt::Display};

use quire_domain::{Error, FieldError, Result, change::Change};
use serde_json::Value;

/// How long a name that a client made up is repeated in an error.
const NAME_CHARS: usize = 40;

/// What the values of a format can say of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// Values have types, and a member stands once: JSON, Protocol Buffers.
    Typed,
    /// Values are texts, and a list is a member that stands several times: XML, a query.
    Texts,
}

/// The members of a document, of which an [`Input`] takes what it knows.
#[derive(Debug)]
pub struct Fields {
    members: BTreeMap<String, Vec<Value>>,
    typing: Typing,
    errors: Vec<FieldError>,
}

/// What a use case takes.
pub trait Input: Sized {
    /// Takes its members out of `fields`. `None` if one of them is wrong, which `fields` has noted.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// Reads a document. Members that the input does not know are errors.
///
/// # Errors
/// [`Error::Invalid`] with every wrong field.
pub fn read<T: Input>(members: impl IntoIterator<Item = (String, Value)>, typing: Typing) -> Result<T> {
    let mut fields = Fields::new(members, typing);
    let input = T::read(&mut fields);
    for name in std::mem::take(&mut fields.members).into_keys() {
        fields.note(&pointer(&name), "is not known");
    }
    fields.outcome(input)
}

/// Reads the parameters of a query. Those that the input does not know are left alone.
///
/// # Errors
/// [`Error::Invalid`] with every wrong parameter.
pub fn read_query<T: Input>(parameters: impl IntoIterator<Item = (String, String)>) -> Result<T> {
    let members = parameters.into_iter().map(|(name, value)| (name, Value::String(value)));
    let mut fields = Fields::new(members, Typing::Texts);
    let input = T::read(&mut fields);
    fields.outcome(input)
}

/// A member as it came.
enum Member {
    Absent,
    Null,
    One(Value),
    Repeated,
}

impl Fields {
    fn new(members: impl IntoIterator<Item = (String, Value)>, typing: Typing) -> Self {
        let mut by_name: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (name, value) in members {
            by_name.entry(name).or_default().push(value);
        }
        Self { members: by_name, typing, errors: Vec::new() }
    }

    fn outcome<T>(self, input: Option<T>) -> Result<T> {
        match input {
            Some(input) if self.errors.is_empty() => Ok(input),
            _ => Err(Error::Invalid(self.errors)),
        }
    }

    /// A text that must be there.
    pub fn required<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match self.change(name, parse)? {
            Change::Keep | Change::Remove => self.refuse(name, "is required"),
            Change::Set(value) => Some(value),
        }
    }

    /// A text that may be absent, but not null.
    pub fn optional<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<Option<T>> {
        match self.change(name, parse)? {
            Change::Keep => Some(None),
            Change::Remove => self.refuse(name, "must be a string"),
            Change::Set(value) => Some(Some(value)),
        }
    }

    /// The change of a text that can be replaced and not removed.
    pub fn replaced<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<Option<T>> {
        match self.change(name, parse)? {
            Change::Keep => Some(None),
            Change::Remove => self.refuse(name, "cannot be removed"),
            Change::Set(value) => Some(Some(value)),
        }
    }

    /// The change of a text that can be removed: null is not absent.
    pub fn change<T, E: Display>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<Change<T>> {
        match self.take(name) {
            Member::Absent => Some(Change::Keep),
            Member::Null => Some(Change::Remove),
            Member::One(Value::String(text)) => match parse(&text) {
                Ok(value) => Some(Change::Set(value)),
                Err(error) => self.refuse(name, &error.to_string()),
            },
            Member::One(_) => self.refuse(name, "must be a string"),
            Member::Repeated => self.refuse(name, "is given twice"),
        }
    }

    /// A truth value that may be absent.
    pub fn flag(&mut self, name: &str) -> Option<Option<bool>> {
        match self.take(name) {
            Member::Absent => Some(None),
            Member::One(Value::Bool(flag)) => Some(Some(flag)),
            Member::One(Value::String(text)) if self.typing == Typing::Texts && matches!(text.trim(), "true" | "false") => {
                Some(Some(text.trim() == "true"))
            }
            Member::One(_) | Member::Null => self.refuse(name, "must be true or false"),
            Member::Repeated => self.refuse(name, "is given twice"),
        }
    }

    /// A list of texts; absent is empty, and null is none.
    pub fn list<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
        if matches!(self.members.get(name).map(Vec::as_slice), Some([Value::Null])) {
            self.members.remove(name);
            return self.refuse(name, "must be a list");
        }
        Some(self.replaced_list(name, parse)?.unwrap_or_default())
    }

    /// The change of a list of texts; null empties it.
    pub fn replaced_list<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<Option<Vec<T>>> {
        let items = match (self.members.remove(name), self.typing) {
            (None, _) => return Some(None),
            (Some(items), Typing::Texts) => items,
            (Some(mut values), Typing::Typed) => match (values.pop(), values.is_empty()) {
                (Some(Value::Array(items)), true) => items,
                (Some(Value::Null), true) => Vec::new(),
                (_, true) => return self.refuse(name, "must be a list"),
                (_, false) => return self.refuse(name, "is given twice"),
            },
        };
        let mut parsed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let item = item.as_str().ok_or("must be a string".to_owned()).and_then(|text| parse(text).map_err(|error| error.to_string()));
            match item {
                Ok(item) => parsed.push(item),
                Err(error) => self.note(&format!("{}/{index}", pointer(name)), &error),
            }
        }
        (parsed.len() == items.len()).then_some(Some(parsed))
    }

    /// Notes that a field is wrong for a reason that its own text does not show.
    pub fn refuse<T>(&mut self, name: &str, detail: &str) -> Option<T> {
        self.note(&pointer(name), detail);
        None
    }

    fn note(&mut self, pointer: &str, detail: &str) {
        self.errors.push(FieldError::new(pointer, detail));
    }

    fn take(&mut self, name: &str) -> Member {
        let mut values = self.members.remove(name).unwrap_or_default();
        match (values.pop(), values.is_empty()) {
            (None, _) => Member::Absent,
            (Some(Value::Null), true) => Member::Null,
            (Some(value), true) => Member::One(value),
            (Some(_), false) => Member::Repeated,
        }
    }
}

/// The JSON pointer of a member (RFC 6901, section 3); a name that a client made up is not repeated at full length.
fn pointer(name: &str) -> String {
    let name: String = name.chars().take(NAME_CHARS).collect();
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Sample {
        name: String,
        note: Change<String>,
        tags: Vec<String>,
        on: Option<bool>,
    }

    impl Input for Sample {
        fn read(fields: &mut Fields) -> Option<Self> {
            let word = |text: &str| if text.is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) };
            let (name, note) = (fields.required("name", word), fields.change("note", word));
            let (tags, on) = (fields.replaced_list("tags", word), fields.flag("on"));
            Some(Self { name: name?, note: note?, tags: tags?.unwrap_or_default(), on: on? })
        }
    }

    fn typed(members: &[(&str, Value)]) -> Result<Sample> {
        read(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())), Typing::Typed)
    }

    fn errors(outcome: Result<Sample>) -> Vec<(String, String)> {
        match outcome {
            Err(Error::Invalid(errors)) => errors.into_iter().map(|error| (error.pointer, error.message)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_wrong_field_is_listed_at_once() {
        let members = [("note", json!(1)), ("tags", json!(["a", "", 2])), ("on", json!("yes")), ("a/b~", json!({}))];
        let expected = [
            ("/name", "is required"),
            ("/note", "must be a string"),
            ("/tags/1", "must not be empty"),
            ("/tags/2", "must be a string"),
            ("/on", "must be true or false"),
            ("/a~1b~0", "is not known"),
        ];
        assert_eq!(errors(typed(&members)), expected.map(|(pointer, message)| (pointer.to_owned(), message.to_owned())));
    }

    #[test]
    fn absent_is_not_null_and_twice_is_not_once() {
        let sample = typed(&[("name", json!("n")), ("note", Value::Null), ("tags", Value::Null)]).unwrap();
        assert_eq!(sample, Sample { name: "n".into(), note: Change::Remove, tags: vec![], on: None });
        assert_eq!(errors(typed(&[("name", json!("a")), ("name", json!("b"))])), [("/name".to_owned(), "is given twice".to_owned())]);
    }

    #[test]
    fn null_is_nothing_that_a_whole_document_has() {
        let mut fields = Fields::new(["text", "list"].map(|name| (name.to_owned(), Value::Null)), Typing::Typed);
        let parse = |text: &str| Ok::<_, Infallible>(text.to_owned());
        assert_eq!((fields.optional("text", parse), fields.list("list", parse)), (None, None));
        assert_eq!((fields.optional("absent", parse), fields.list("absent", parse)), (Some(None), Some(Vec::new())));
    }

    #[test]
    fn texts_stand_for_lists_and_truth_values_where_a_format_has_only_texts() {
        let members = [("name", "n"), ("tags", "a"), ("tags", "b"), ("on", "true")];
        let sample: Sample = read(members.map(|(name, text)| (name.to_owned(), json!(text))), Typing::Texts).unwrap();
        assert_eq!(sample, Sample { name: "n".into(), note: Change::Keep, tags: vec!["a".into(), "b".into()], on: Some(true) });
    }
}

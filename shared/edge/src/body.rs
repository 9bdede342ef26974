//! Bodies, in the form that `Content-Type` names, within the limits, strictly of the members that the route documents.

use std::fmt;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderName, HeaderValue, StatusCode},
};
use quire_app::input::{self, Input, Typing};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Value, error::Category};

use crate::{
    format::{Format, media_type},
    problem::Problem,
    wire::Wire,
};

/// The body of a request, read into `T`.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

/// A JSON Merge Patch (RFC 7396), read into `T`. It is JSON by its nature: absent and null differ.
#[derive(Debug, Clone)]
pub struct Patch<T>(pub T);

impl<S: Send + Sync, T: Input + Wire> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let unsupported = || Problem::unsupported("The body must be application/json, application/xml or application/x-protobuf");
        let format = Format::of_body(request.headers()).ok_or_else(unsupported)?;
        let bytes = bytes(request, state).await?;
        let input = match format {
            Format::Json => input::read(json_members(&bytes)?, Typing::Typed),
            Format::Xml => input::read(xml_members(&bytes)?, Typing::Texts),
            Format::Protobuf => input::read(message_members::<T>(&bytes)?, Typing::Typed),
        };
        Ok(Self(input?))
    }
}

impl<S: Send + Sync, T: Input> FromRequest<S> for Patch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        const ACCEPTED: &str = "application/merge-patch+json, application/json";
        if !ACCEPTED.split(", ").any(|accepted| accepted == media_type(request.headers())) {
            let problem = Problem::unsupported("The body must be application/merge-patch+json");
            return Err(problem.with_header(ACCEPT_PATCH, HeaderValue::from_static(ACCEPTED)));
        }
        Ok(Self(input::read(json_members(&bytes(request, state).await?)?, Typing::Typed)?))
    }
}

/// RFC 5789, section 3.1.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is larger than a megabyte")
        } else {
            Problem::malformed("The body cannot be read")
        }
    })
}

fn json_members(bytes: &[u8]) -> Result<Vec<(String, Value)>, Problem> {
    let members: Members<Value> = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::malformed(format!("The body is not JSON: line {}, column {}", error.line(), error.column()))
        }
        Category::Data => quire_app::Error::field("", "must be an object").into(),
    })?;
    Ok(members.0)
}

/// Elements of texts in a root element, whatever its name is. Entities are never declared: there is nothing that could expand.
fn xml_members(bytes: &[u8]) -> Result<Vec<(String, Value)>, Problem> {
    let malformed = || Problem::malformed("The body is not an XML document of elements that hold texts");
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    let members: Members<String> = quick_xml::de::from_str(text).map_err(|_| malformed())?;
    let named = members.0.into_iter().filter(|(name, _)| !name.starts_with("@xmlns"));
    Ok(named.map(|(name, text)| (name, Value::String(text))).collect())
}

fn message_members<T: Wire>(bytes: &[u8]) -> Result<Vec<(String, Value)>, Problem> {
    match quire_proto::decode::<T::Message>(bytes) {
        Ok(Value::Object(members)) => Ok(members.into_iter().collect()),
        _ => Err(Problem::malformed("The body is not a message of this route")),
    }
}

/// The members of an object in the order they came, each as often as it came.
struct Members<T>(Vec<(String, T)>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(std::marker::PhantomData))
    }
}

struct MembersVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for MembersVisitor<T> {
    type Value = Members<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(text: &str) -> Option<Vec<(String, Value)>> {
        xml_members(text.as_bytes()).ok()
    }

    #[test]
    fn members_come_in_their_order_and_as_often_as_they_stand() {
        let members = [("a", "1"), ("b", ""), ("a", "2")].map(|(name, text)| (name.to_owned(), Value::from(text)));
        assert_eq!(json_members(br#"{"a": "1", "b": "", "a": "2"}"#).unwrap(), members);
        assert_eq!(xml("<?xml version=\"1.0\"?><x xmlns=\"urn:x\"><a>1</a><b/><a>2</a></x>").unwrap(), members);
    }

    #[test]
    fn xml_expands_nothing_but_the_predefined_entities() {
        assert_eq!(xml("<x><a>&lt;&#65;&amp;</a></x>").unwrap()[0].1, "<A&");
        for text in [
            "<!DOCTYPE x [<!ENTITY e \"ee\">]><x><a>&e;</a></x>",
            "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x><a>&e;</a></x>",
            "<x><a>&e;</a></x>",
            "<x><a><b>deep</b></a></x>",
            "<x><a>1</b></x>",
            "<x>",
            "",
            "text",
        ] {
            assert_eq!(xml(text), None, "{text}");
        }
    }
}

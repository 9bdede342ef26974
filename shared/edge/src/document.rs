//! Documents that leave: made of a view by a handler, written down in the form that the client accepts by the layer around it.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use quire_app::{Error, selection::Selection};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{format::Format, precondition::is_known, problem::Problem, reply::caching, wire::Wire};

/// RFC 9457, appendix B.
const PROBLEM_NAMESPACE: &str = "urn:ietf:rfc:7807";

/// A view that is not written down yet.
#[derive(Clone)]
pub(crate) struct Document {
    json: Vec<u8>,
    element: &'static str,
    protobuf: fn(Value) -> Result<Vec<u8>, quire_proto::Error>,
    is_problem: bool,
}

impl Document {
    /// A view as a response whose body comes later.
    pub(crate) fn reply<T: Wire + Serialize>(status: StatusCode, view: &T) -> Response {
        match serde_json::to_vec(view) {
            Ok(json) => Self::of::<T>(json, false).into_response(status),
            Err(error) => Problem::from(Error::internal("writing a reply", error)).into_response(),
        }
    }

    /// Some members of a view as a response whose body comes later.
    pub(crate) fn selected<T: Wire + Serialize>(view: &T, selection: &Selection) -> Response {
        let json = serde_json::to_value(view).and_then(|mut view| {
            select(&mut view, selection);
            serde_json::to_vec(&view)
        });
        match json {
            Ok(json) => Self::of::<T>(json, false).into_response(StatusCode::OK),
            Err(error) => Problem::from(Error::internal("writing a reply", error)).into_response(),
        }
    }

    /// A problem as a response whose body comes later.
    pub(crate) fn problem<T: Wire + Serialize>(status: StatusCode, problem: &T) -> Response {
        // A document of strings and numbers always serialises.
        Self::of::<T>(serde_json::to_vec(problem).unwrap_or_default(), true).into_response(status)
    }

    fn of<T: Wire>(json: Vec<u8>, is_problem: bool) -> Self {
        Self { json, element: T::ELEMENT, protobuf: quire_proto::encode::<T::Message>, is_problem }
    }

    fn into_response(self, status: StatusCode) -> Response {
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }

    fn write(self, format: Format) -> Result<Vec<u8>, Error> {
        let value = |json: &[u8]| serde_json::from_slice::<Value>(json).map_err(|error| Error::internal("reading a reply", error));
        match format {
            Format::Json => Ok(self.json),
            Format::Xml => {
                let mut value = value(&self.json)?;
                if let Some(members) = value.as_object_mut().filter(|_| self.is_problem) {
                    members.insert("@xmlns".into(), PROBLEM_NAMESPACE.into());
                }
                xml(self.element, &value)
            }
            Format::Protobuf => (self.protobuf)(value(&self.json)?).map_err(|error| Error::internal("writing a message", error)),
        }
    }
}

/// A document in XML: each member is an element of its name, and a list is as many elements as it has items.
pub(crate) fn xml(element: &str, value: &Value) -> Result<Vec<u8>, Error> {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    quick_xml::se::to_writer_with_root(&mut text, element, value).map_err(|error| Error::internal("writing XML", error))?;
    Ok(text.into_bytes())
}

/// Leaves the selected members in a view, or in each item of a page.
pub fn select(view: &mut Value, selection: &Selection) {
    let (Some(members), Value::Object(view)) = (selection.members(), view) else { return };
    match view.get_mut("items") {
        Some(Value::Array(items)) => items.iter_mut().for_each(|item| select(item, selection)),
        _ => view.retain(|name, _| members.contains(name.as_str())),
    }
}

/// What tells the tags of one version's selections apart (RFC 9110, section 8.8.3); the set that is selected counts, not how it was named.
pub(crate) fn selection_suffix(selection: &Selection) -> String {
    selection.members().map_or_else(String::new, |members| {
        let names = members.iter().copied().collect::<Vec<_>>().join(",");
        format!("-{}", hex::encode(&Sha256::digest(names)[..8]))
    })
}

/// What a reply depends on in its request.
pub(crate) struct Wanted {
    format: Format,
    method: Method,
    headers: HeaderMap,
}

impl Wanted {
    /// By a request with this method and these headers.
    pub(crate) fn new(format: Format, method: &Method, headers: &HeaderMap) -> Self {
        Self { format, method: method.clone(), headers: headers.clone() }
    }

    /// The response with its body, its tag and what caches may do with it; 304 if the client has it (RFC 9110, section 13.1.2).
    pub(crate) fn finish(&self, mut response: Response) -> Response {
        if let Some(document) = response.extensions_mut().remove::<Document>() {
            let is_problem = document.is_problem;
            match document.write(self.format) {
                Ok(body) => self.fill(&mut response, body, is_problem),
                Err(error) => return Wanted::new(Format::Json, &self.method, &self.headers).finish(Problem::from(error).into_response()),
            }
        }
        self.settle(response)
    }

    /// No body for a client that has it, and none for one that asks for none.
    fn settle(&self, mut response: Response) -> Response {
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let is_known = self.reads(&response) && tag.is_some_and(|tag| is_known(&self.headers, tag));
        let is_unwanted = self.changes(&response) && tag.is_some() && self.prefers_minimal();
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        if is_unwanted {
            *response.status_mut() = StatusCode::NO_CONTENT;
            response.headers_mut().insert("preference-applied", HeaderValue::from_static("return=minimal"));
        }
        if is_known || is_unwanted {
            response.headers_mut().remove(header::CONTENT_TYPE);
            *response.body_mut() = Body::empty();
        }
        response
    }

    fn changes(&self, response: &Response) -> bool {
        matches!(self.method, Method::PUT | Method::PATCH) && response.status() == StatusCode::OK
    }

    /// Whether the client has no use for the thing that it changed: `Prefer: return=minimal` (RFC 7240, section 4.2). The first of several
    /// counts.
    fn prefers_minimal(&self) -> bool {
        let values = self.headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
        let mut preferences = values.flat_map(|value| value.split(',')).map(|preference| preference.split(';').next().unwrap_or_default());
        let wanted = preferences.find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            name.trim().eq_ignore_ascii_case("return").then(|| value.trim().trim_matches('"'))
        });
        wanted == Some("minimal")
    }

    fn reads(&self, response: &Response) -> bool {
        self.method == Method::GET && response.status() == StatusCode::OK
    }

    fn fill(&self, response: &mut Response, body: Vec<u8>, is_problem: bool) {
        let is_read = self.reads(response);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.format.content_type(is_problem)));
        headers.append(header::VARY, HeaderValue::from_static("accept, authorization"));
        let tag = match headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()?.strip_suffix('"')) {
            Some(tag) => Some(format!("{tag}{}\"", self.format.tag_suffix())),
            None => is_read.then(|| weak_tag(&body)),
        };
        if let Some(tag) = tag.as_deref().and_then(|tag| HeaderValue::from_str(tag).ok()) {
            headers.insert(header::ETAG, tag);
        }
        if is_read && !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching(&self.headers)));
        }
        *response.body_mut() = Body::from(body);
    }
}

/// The tag of a document without versions: the same bytes have the same tag.
pub fn weak_tag(body: &[u8]) -> String {
    format!("W/\"{}\"", hex::encode(&Sha256::digest(body)[..12]))
}

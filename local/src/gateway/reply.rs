//! The response that a function's reply stands for.

use axum::{body::Body, response::Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use serde_json::Value;

/// The response for a reply; `None` if the reply is malformed.
///
/// A reply without a `statusCode` is itself the JSON body of a 200; a string stands for its text. `multiValueHeaders` belongs to format
/// 1.0 and is ignored, as are other unknown fields.
pub(super) fn response(reply: &[u8]) -> Option<Response> {
    let reply: Value = serde_json::from_slice(reply).ok()?;
    let Some(status) = reply.get("statusCode") else {
        let body = reply.as_str().map_or_else(|| reply.to_string(), str::to_owned);
        return Some(json(StatusCode::OK, body.into()));
    };
    let status = StatusCode::from_u16(status.as_u64()?.try_into().ok()?).ok().filter(|status| status.as_u16() >= 200)?;
    let body = body(&reply)?;
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for cookie in list(reply.get("cookies"))? {
        headers.append(SET_COOKIE, HeaderValue::from_str(cookie.as_str()?).ok()?);
    }
    for (name, value) in map(reply.get("headers"))? {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        if name == CONTENT_LENGTH || is_hop_by_hop(&name) {
            continue;
        }
        headers.append(name, HeaderValue::from_str(&value).ok()?);
    }
    if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Some(response)
}

fn body(reply: &Value) -> Option<Bytes> {
    let text = match reply.get("body") {
        None | Some(Value::Null) => "",
        Some(body) => body.as_str()?,
    };
    let encoded = match reply.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(flag) => flag.as_bool()?,
    };
    if encoded { BASE64_STANDARD.decode(text).ok().map(Bytes::from) } else { Some(Bytes::from(text.to_owned())) }
}

fn list(value: Option<&Value>) -> Option<Vec<&Value>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(value) => Some(value.as_array()?.iter().collect()),
    }
}

fn map(value: Option<&Value>) -> Option<Vec<(&String, &Value)>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(value) => Some(value.as_object()?.iter().collect()),
    }
}

/// A response with a JSON body.
pub(super) fn json(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Whether a header concerns one connection only, and so is not passed on (RFC 9110, section 7.6.1).
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || name == "keep-alive"
        || name == "proxy-connection"
}

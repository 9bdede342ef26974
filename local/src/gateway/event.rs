//! The event of payload format 2.0.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, Version,
    header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, USER_AGENT},
};
use percent_encoding::{CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Incoming, reply::is_hop_by_hop, route::Match};
use crate::{service::ACCOUNT, stack::Stack};

/// The event for a request on its route. What is empty is left out, as in AWS.
pub(super) fn event(stack: &Stack, request: &Incoming, matched: &Match<'_>, trace: &str) -> Value {
    let Incoming { parts, body, .. } = request;
    let query = parts.uri.query().unwrap_or_default();
    let domain = text(&parts.headers, &HOST).split(':').next().unwrap_or_default().to_owned();
    let now = jiff::Timestamp::now();
    let path = raw_path(matched.path);
    let protocol = if parts.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut event = json!({
        "version": "2.0",
        "routeKey": matched.key,
        "rawPath": path,
        // What lies outside of ASCII gets encoded. The HTTP server has already refused a quotation mark, `<` and `>`.
        "rawQueryString": utf8_percent_encode(query, CONTROLS).to_string(),
        "headers": headers(request, trace),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": stack.name,
            "domainName": domain,
            "domainPrefix": domain.split('.').next(),
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": protocol,
                "sourceIp": request.peer.ip(),
                "userAgent": text(&parts.headers, &USER_AGENT),
            },
            "requestId": request.request_id,
            "routeKey": matched.key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let parameters = parameters(query);
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    if !matched.parameters.is_empty() {
        event["pathParameters"] = json!(matched.parameters);
    }
    if !body.is_empty() {
        let as_text = is_text(&text(&parts.headers, &CONTENT_TYPE)).then(|| std::str::from_utf8(body).ok()).flatten();
        event["isBase64Encoded"] = json!(as_text.is_none());
        event["body"] = as_text.map_or_else(|| json!(BASE64_STANDARD.encode(body)), |text| json!(text));
    }
    event
}

/// The decoded path, in which a percent sign alone stays encoded.
fn raw_path(path: &str) -> String {
    path.replace('%', "%25")
}

fn text(headers: &HeaderMap, name: &http::HeaderName) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

fn headers(request: &Incoming, trace: &str) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &request.parts.headers {
        if name == COOKIE || is_hop_by_hop(name) {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = headers.entry(name.as_str().to_owned()).or_default();
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(&value);
    }
    let peer = request.peer.ip().to_string();
    let forwarded = headers.get("x-forwarded-for").map_or_else(|| peer.clone(), |before| format!("{before}, {peer}"));
    let own = [
        (CONTENT_LENGTH.as_str(), request.body.len().to_string()),
        ("x-amzn-trace-id", trace.to_owned()),
        ("x-forwarded-for", forwarded),
        ("x-forwarded-port", request.port.to_string()),
        ("x-forwarded-proto", "http".to_owned()),
    ];
    headers.extend(own.map(|(name, value)| (name.to_owned(), value)));
    headers
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let split = all.flat_map(|line| line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>());
    split.filter(|cookie| !cookie.is_empty()).collect()
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::<String, String>::new();
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value);
        let joined = parameters.entry(decode(name));
        joined.and_modify(|before| *before = format!("{before},{value}")).or_insert(value);
    }
    parameters
}

/// Whether a body of this content type is passed on as text. The list is closed: a form or `application/problem+json` is not in it, nor
/// is a body without a type.
fn is_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/") || matches!(media_type.as_str(), "application/json" | "application/xml" | "application/javascript")
}

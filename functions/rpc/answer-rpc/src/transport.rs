//! From HTTP, as the gateway passes it on, to the protocols of RPC and back. What `connectrpc` leaves out is here: gRPC-Web's text form,
//! caching of GET, and what is needed behind API Gateway, which passes no trailers.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use bytes::Bytes;
use connectrpc::{CompressionPolicy, CompressionRegistry, ConnectRpcService, Dispatcher, Limits, compression::GzipProvider};
use http_body_util::{BodyExt, Full};
use lambda_http::tower::ServiceExt as _;
use quire_edge::Problem;

/// Where the services are.
const PREFIX: &str = "/rpc";
const WEB: &str = "application/grpc-web";
const TEXT: &str = "application/grpc-web-text";
/// What is read here (`Accept-Post`).
const ACCEPTED: &str = "application/json, application/proto, application/grpc-web, application/grpc-web+json, application/grpc-web+proto, \
                        application/grpc-web-text, application/grpc-web-text+proto";
/// Bytes before a message in gRPC-Web: its flags and its length.
const FRAME: usize = 5;
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// gRPC-Web's text form, whose parts are padded or not.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The services, by Connect and gRPC-Web. `limit` is that of a message's bytes, as they come and when they are decompressed.
pub(crate) fn service<D: Dispatcher>(dispatcher: D, limit: usize) -> ConnectRpcService<D> {
    let limits = Limits::default().with_max_request_body_size(limit + FRAME).with_max_message_size(limit);
    ConnectRpcService::new(dispatcher)
        .with_limits(limits)
        .with_compression(CompressionRegistry::new().register(GzipProvider::new()))
        .with_compression_policy(CompressionPolicy::default())
}

pub(crate) async fn answer<D: Dispatcher>(State(service): State<ConnectRpcService<D>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    // The gateway has it whole; what is too large is refused below, in the protocol's own way.
    let Ok(mut body) = to_bytes(body, usize::MAX).await else { return Problem::malformed("The body cannot be read").into_response() };
    let media_type = media_type(&parts.headers);
    if !is_served(&parts.method, &media_type) {
        return unsupported();
    }
    let is_text = media_type.starts_with(TEXT);
    if is_text {
        match from_text(&body) {
            Some(bytes) => body = bytes,
            None => return Problem::malformed("The body is not base64").into_response(),
        }
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc-web+proto"));
    }
    strip_prefix(&mut parts);
    let (method, request_headers) = (parts.method.clone(), parts.headers.clone());
    let Ok(response) = service.oneshot(Request::from_parts(parts, Full::new(body))).await;
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let mut body = body.to_bytes();
    if is_text {
        body = STANDARD.encode(&body).into();
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc-web-text+proto"));
    }
    if parts.status == StatusCode::METHOD_NOT_ALLOWED {
        parts.headers.entry(header::ALLOW).or_insert(HeaderValue::from_static("POST"));
    }
    if parts.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        parts.headers.insert(ACCEPT_POST, HeaderValue::from_static(ACCEPTED));
    }
    describe(&method, &request_headers, parts.status, &mut parts.headers, &body);
    Response::from_parts(parts, Body::from(body))
}

/// gRPC itself takes HTTP/2 from end to end, which the gateway does not pass on; and no method streams.
fn is_served(method: &Method, media_type: &str) -> bool {
    *method != Method::POST
        || media_type.starts_with(WEB)
        || !(media_type.starts_with("application/grpc") || media_type.starts_with("application/connect+"))
}

fn unsupported() -> Response {
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, [(ACCEPT_POST, ACCEPTED)]).into_response()
}

/// `Content-Type` without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The services are found by what follows the prefix.
fn strip_prefix(parts: &mut Parts) {
    let path_and_query = parts.uri.path_and_query().map_or("", |path| path.as_str());
    if let Some(Ok(uri)) = path_and_query.strip_prefix(PREFIX).map(str::parse) {
        parts.uri = uri;
    }
}

/// The bytes of a body of base64, in which every part that a client wrote by itself may end with padding.
fn from_text(text: &[u8]) -> Option<Bytes> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut part = Vec::new();
    let mut characters = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).peekable();
    while let Some(character) = characters.next() {
        part.push(character);
        if character == b'=' && characters.peek().is_none_or(|next| *next != b'=') {
            LENIENT.decode_vec(std::mem::take(&mut part), &mut bytes).ok()?;
        }
    }
    LENIENT.decode_vec(part, &mut bytes).ok()?;
    Some(bytes.into())
}

/// What caches may do with the reply to a GET, as in REST. The forms of one version have tags of their own (RFC 9110, section 8.8.3.3).
fn describe(method: &Method, request: &HeaderMap, status: StatusCode, headers: &mut HeaderMap, body: &[u8]) {
    if *method != Method::GET {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("accept-encoding, authorization"));
    if status != StatusCode::OK {
        return;
    }
    let form = if media_type(headers) == "application/proto" { "-proto" } else { "" };
    let coding = if headers.contains_key(header::CONTENT_ENCODING) { "-gzip" } else { "" };
    let tag = match headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()?.strip_suffix('"')) {
        Some(tag) => format!("{tag}{form}{coding}\""),
        None => quire_edge::weak_tag(body),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(quire_edge::reply::caching(request)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_text_are_padded_or_not() {
        for text in ["AAECAwQ=", "AAECAwQ", "AA==AQIDBA==", "AAE=AgMEBQ", "AAEC\r\nAwQ="] {
            assert!(from_text(text.as_bytes()).unwrap().starts_with(&[0, 1, 2, 3, 4]), "{text}");
        }
        for text in ["A", "A===", "*", "AA==="] {
            assert_eq!(from_text(text.as_bytes()), None, "{text}");
        }
        assert_eq!(from_text(b"").unwrap(), Bytes::new());
    }
}

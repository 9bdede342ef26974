//! What surrounds every route: ids, one log line a request, panic safety, limits and security headers.

use std::{any::Any, time::Instant};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use lambda_http::RequestExt;
use quire_domain::{event::Trace, limits};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use crate::{document::Wanted, format::Format, problem::Problem, quota};

/// Carries the correlation id in both directions.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Headers of every reply (OWASP Secure Headers; an API has no page to frame or script to run).
const SECURITY: [(HeaderName, &str); 4] = [
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// The route with everything around it.
pub(crate) fn around(router: Router, negotiation: Negotiation) -> Router {
    router
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found())
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(quota::tell))
        .layer(from_fn_with_state(negotiation, negotiate))
        .layer(from_fn(observe))
}

/// Whether the forms of a route's replies follow `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Negotiation {
    /// JSON, XML or Protocol Buffers, as the client likes.
    ByClient,
    /// The route has one form; its problems are JSON.
    Fixed,
}

/// Writes down what the handler replies, in the form that the client accepts. One that accepts none is told before anything happens.
async fn negotiate(State(negotiation): State<Negotiation>, request: Request, next: Next) -> Response {
    let accepted = match negotiation {
        Negotiation::ByClient => Format::accepted(request.headers()),
        Negotiation::Fixed => Some(Format::Json),
    };
    let wanted = Wanted::new(accepted.unwrap_or(Format::Json), request.method(), request.headers());
    let response = if accepted.is_some() { next.run(request).await } else { Problem::not_acceptable().into_response() };
    wanted.finish(response)
}

async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let trace = trace(request.headers());
    let request_id = request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default();
    let span = quire_telemetry::span(&request_id, &trace);
    let correlation_id = HeaderValue::from_str(&trace.correlation_id);
    request.extensions_mut().insert(trace);
    let method = request.method().clone();
    async move {
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        for (name, value) in SECURITY {
            // A page has a policy of its own.
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if let Ok(id) = correlation_id {
            headers.insert(CORRELATION_ID, id);
        }
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%method, status = response.status().as_u16(), millis, "The request was answered");
        response
    }
    .instrument(span)
    .await
}

fn trace(headers: &HeaderMap) -> Trace {
    let text = |name| header_text(headers, &name);
    quire_telemetry::trace(text(CORRELATION_ID), text(HeaderName::from_static("traceparent")))
}

/// A panic is a defect of ours: it is logged, and the client learns only that there was one.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = message.unwrap_or("unknown"), "The handler panicked");
    Problem::internal().into_response()
}

/// A header that stands there once and is text.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

//! Quotas of writes: counted once the caller is known, and told in every reply.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, OnceLock},
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use lambda_http::request::RequestContext;
use quire_app::{Call, Error, rates::Rates};
use quire_domain::{limits, rate::Usage};

use crate::problem::Problem;

/// draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Carries what the caller has used from the extractor to the reply.
#[derive(Debug, Clone, Default)]
struct Told(Arc<OnceLock<Usage>>);

/// Tells the caller's usage in the reply, if it was counted.
pub(crate) async fn tell(mut request: Request, next: Next) -> Response {
    let told = Told::default();
    request.extensions_mut().insert(told.clone());
    let mut response = next.run(request).await;
    if let Some(usage) = told.0.get() {
        write(response.headers_mut(), usage);
    }
    response
}

/// Counts a write. Reads cost nothing and are not counted.
///
/// # Errors
/// 429 for one write too many; the table's.
pub(crate) async fn count(parts: &Parts, call: &Call) -> Result<(), Problem> {
    if parts.method.is_safe() {
        return Ok(());
    }
    // `Route::with_rates` puts them there; a route that writes without it does nothing at all.
    let rates = parts.extensions.get::<Rates>().ok_or_else(|| Error::internal("counting a write", "the route has no rates"))?;
    let usage = rates.count(&call.principal, address(parts), call.now).await?;
    if let Some(Told(told)) = parts.extensions.get::<Told>() {
        // Each request is counted once.
        _ = told.set(usage);
    }
    if usage.is_exceeded { Err(Problem::too_many_requests(&usage)) } else { Ok(()) }
}

/// Where the request came from, by the gateway's word: what a client says of itself can be anything. Events that say nothing share a quota.
pub(crate) fn address(parts: &Parts) -> IpAddr {
    let source = match parts.extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    };
    source.and_then(|text| text.parse().ok()).unwrap_or(Ipv4Addr::UNSPECIFIED.into())
}

fn write(headers: &mut HeaderMap, usage: &Usage) {
    let Usage { quota, remaining, resets_in, is_exceeded: _ } = usage;
    let texts = [(POLICY, format!("\"writes\";q={quota};w={}", limits::RATE_SECONDS)), (LIMIT, format!("\"writes\";r={remaining};t={resets_in}"))];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

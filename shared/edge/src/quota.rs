//! Quotas of writes: counted once the caller is known, and told in every reply.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{FromRequestParts, Request},
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
struct Told(Arc<Mutex<Option<Usage>>>);

/// Tells the caller's usage in the reply, if it was counted.
pub(crate) async fn tell(mut request: Request, next: Next) -> Response {
    let told = Told::default();
    request.extensions_mut().insert(told.clone());
    let mut response = next.run(request).await;
    let usage = told.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(usage) = usage {
        write(response.headers_mut(), &usage);
    }
    response
}

/// Counts the writes of a request, as many as there are in it.
#[derive(Debug, Clone)]
pub struct Writes {
    rates: Rates,
    address: IpAddr,
    told: Told,
}

impl<S: Sync> FromRequestParts<S> for Writes {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

impl Writes {
    fn of(parts: &Parts) -> Result<Self, Problem> {
        // `Route::with_rates` puts them there; a route that writes without it does nothing at all.
        let rates = parts.extensions.get::<Rates>().cloned().ok_or_else(|| Error::internal("counting a write", "the route has no rates"))?;
        Ok(Self { rates, address: address(parts), told: parts.extensions.get::<Told>().cloned().unwrap_or_default() })
    }

    /// Counts a write. The reply tells what the last one left.
    ///
    /// # Errors
    /// 429 for one write too many; the table's.
    pub async fn count(&self, call: &Call) -> Result<(), Problem> {
        let usage = self.rates.count(&call.principal, self.address, call.now).await?;
        let outcome = if usage.is_exceeded { Err(Problem::too_many_requests(&usage)) } else { Ok(()) };
        *self.told.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(usage);
        outcome
    }
}

/// Counts a write. Reads cost nothing and are not counted.
///
/// # Errors
/// 429 for one write too many; the table's.
pub(crate) async fn count(parts: &Parts, call: &Call) -> Result<(), Problem> {
    if parts.method.is_safe() { Ok(()) } else { Writes::of(parts)?.count(call).await }
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

//! The HTTP side: runs one axum route under Lambda. Limits come first, then parsing, then authorisation; every failure is a
//! problem detail (RFC 9457).

pub mod accept;
pub mod body;
pub mod call;
pub mod cookie;
mod document;
mod format;
mod layer;
pub mod params;
mod path;
pub mod precondition;
pub mod problem;
mod quota;
pub mod reply;
pub mod wire;

use std::{pin::Pin, process::ExitCode};

use axum::{
    Extension, Router,
    http::{HeaderMap, HeaderValue, Method, header},
};
use lambda_http::{
    Body as LambdaBody, IntoResponse, Request,
    tower::util::{MapRequest, MapResponse},
};
use quire_app::{rates::Rates, tokens::Tokens};
use quire_aws::{BoxError, Setup};

use layer::Negotiation;

pub use body::{Body, Patch};
pub use call::{Anyone, Audience, Caller, Origin, Public, SignedIn};
pub use cookie::{SignInCookie, WithSignIn, WithoutSignIn};
pub use document::{select, weak_tag};
pub use params::{FollowerId, Id, Query};
pub use precondition::{IfMatch, IfNoneExists};
pub use problem::{Problem, Result};
pub use quota::Writes;
pub use reply::{Accepted, AcceptedAt, Created, Elsewhere, Entity, Issued, List, Moved, Once, Selected, Shown};

/// A route and what it wants ready before its first request.
pub struct Route {
    router: Router,
    tokens: Option<Tokens>,
    rates: Option<Rates>,
    negotiation: Negotiation,
}

impl Route {
    /// A route for everybody.
    pub fn public(router: Router) -> Self {
        Self { router, tokens: None, rates: None, negotiation: Negotiation::ByClient }
    }

    /// A route for everybody whose replies have a form of their own, whatever the client accepts.
    pub fn fixed(router: Router) -> Self {
        Self { router, tokens: None, rates: None, negotiation: Negotiation::Fixed }
    }

    /// A route that reads tokens and whose replies have forms of their own.
    pub fn fixed_with_tokens(router: Router, tokens: Tokens) -> Self {
        Self { negotiation: Negotiation::Fixed, ..Self::with_tokens(router, tokens) }
    }

    /// A route that reads tokens: its keys are fetched, and the connection to the table opened, while the function starts.
    pub fn with_tokens(router: Router, tokens: Tokens) -> Self {
        Self { router, tokens: Some(tokens), rates: None, negotiation: Negotiation::ByClient }
    }

    /// The same route, which writes, and whose callers have quotas.
    #[must_use]
    pub fn with_rates(self, rates: Rates) -> Self {
        Self { rates: Some(rates), ..self }
    }
}

/// Runs the route that `start` builds until Lambda ends the process.
pub fn run(start: fn(&Setup) -> Result<Route, BoxError>) -> ExitCode {
    quire_aws::start::main(async move {
        let Route { mut router, tokens, rates, negotiation } = start(&Setup::from_env()?)?;
        if let Some(tokens) = tokens {
            tokens.warm().await;
            router = router.layer(Extension(tokens));
        }
        if let Some(rates) = rates {
            router = router.layer(Extension(rates));
        }
        let router = MapResponse::new(layer::around(router, negotiation), Out);
        lambda_http::run(MapRequest::new(router, |request| as_get(path::restore(request)))).await
    })
}

/// The reply to HEAD is that to GET (RFC 9110, section 9.3.2). The gateway tells its length and leaves the body out; it could not tell the
/// length of a body that is gone, and the router would take it away.
fn as_get(mut request: Request) -> Request {
    if request.method() == Method::HEAD {
        *request.method_mut() = Method::GET;
    }
    request
}

/// A response on its way out. What `lambda_http` takes for text by its `+json` is binary in gRPC-Web: lengths and flags stand before the JSON.
struct Out(axum::response::Response);

impl IntoResponse for Out {
    fn into_response(mut self) -> Pin<Box<dyn Future<Output = axum::http::Response<LambdaBody>> + Send>> {
        join(self.0.headers_mut());
        let is_binary = self.0.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes() == b"application/grpc-web+json");
        if !is_binary {
            return self.0.into_response();
        }
        Box::pin(async move {
            let (parts, body) = self.0.into_parts();
            // The body is in memory: it cannot fail.
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
            axum::http::Response::from_parts(parts, LambdaBody::Binary(bytes.into()))
        })
    }
}

/// Makes one list of a header that stands there several times, which means the same (RFC 9110, section 5.3): a function's reply has every
/// header once, and `lambda_http` would leave out all values but the first. Cookies have a list of their own.
fn join(headers: &mut HeaderMap) {
    let names: Vec<_> = headers.keys().filter(|name| **name != header::SET_COOKIE).cloned().collect();
    for name in names {
        let values: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if let [_, _, ..] = values[..]
            && let Ok(list) = HeaderValue::from_bytes(&values.join(&b", "[..]))
        {
            headers.insert(name, list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_repeated_becomes_a_list_and_cookies_stay_apart() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::VARY, "accept"),
            (header::ETAG, "\"1\""),
            (header::VARY, "origin, authorization"),
            (header::SET_COOKIE, "a=1"),
            (header::SET_COOKIE, "b=2"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        join(&mut headers);
        let all: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(all, [("vary", &b"accept, origin, authorization"[..]), ("etag", b"\"1\""), ("set-cookie", b"a=1"), ("set-cookie", b"b=2")]);
    }
}

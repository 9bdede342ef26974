//! CORS, as the HTTP API does it for its functions once it is configured: what they say about it is ignored.

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    },
    request::Parts,
};

use crate::stack::Cors;

/// What the configuration says to one request.
pub(super) struct Answer<'a> {
    cors: &'a Cors,
    /// Value of `access-control-allow-origin`, if the origin of the request is allowed.
    allowed: Option<String>,
}

/// Whether a request is a preflight, which the gateway answers itself, whatever the routes.
pub(super) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS && parts.headers.contains_key(ORIGIN) && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

impl<'a> Answer<'a> {
    pub(super) fn new(cors: &'a Cors, headers: &HeaderMap) -> Self {
        let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
        let allowed = origin.and_then(|origin| {
            if cors.allow_origins.iter().any(|allowed| allowed == "*") {
                return Some("*".to_owned());
            }
            // Besides origins there are two patterns, one for each scheme.
            let allows = |allowed: &String| match allowed.as_str() {
                "https://*" => origin.starts_with("https://"),
                "http://*" => origin.starts_with("http://"),
                exact => exact == origin,
            };
            cors.allow_origins.iter().any(allows).then(|| origin.to_owned())
        });
        Self { cors, allowed }
    }

    /// The answer to a preflight. An origin that is not allowed gets no header.
    pub(super) fn preflight(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        self.allow(headers);
        if self.allowed.is_some() {
            let max_age = self.cors.max_age.map(|seconds| seconds.to_string());
            headers.extend(header(ACCESS_CONTROL_ALLOW_METHODS, &self.cors.allow_methods.join(",")));
            headers.extend(header(ACCESS_CONTROL_ALLOW_HEADERS, &self.cors.allow_headers.join(",")));
            headers.extend(header(ACCESS_CONTROL_MAX_AGE, &max_age.unwrap_or_default()));
        }
        response
    }

    /// Replaces what a function says about CORS by what the configuration says.
    pub(super) fn replace(&self, headers: &mut HeaderMap) {
        let said = headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect::<Vec<_>>();
        for name in said {
            headers.remove(name);
        }
        self.allow(headers);
    }

    fn allow(&self, headers: &mut HeaderMap) {
        if let Some(origin) = &self.allowed {
            headers.extend(header(ACCESS_CONTROL_ALLOW_ORIGIN, origin));
            headers.extend(header(ACCESS_CONTROL_ALLOW_CREDENTIALS, if self.cors.allow_credentials { "true" } else { "" }));
            headers.extend(header(ACCESS_CONTROL_EXPOSE_HEADERS, &self.cors.expose_headers.join(",")));
        }
    }
}

/// The header, unless it has no value or one that cannot be sent.
fn header(name: HeaderName, value: &str) -> Option<(HeaderName, HeaderValue)> {
    if value.is_empty() { None } else { HeaderValue::from_str(value).ok().map(|value| (name, value)) }
}

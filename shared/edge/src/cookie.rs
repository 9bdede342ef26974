//! The one cookie: it binds a sign-in at another provider to the browser that began it.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use quire_domain::limits;
use secrecy::{ExposeSecret, SecretString};

use crate::problem::Problem;

/// Only this host can set a cookie of this name, over TLS, for all its paths (RFC 6265bis, section 4.1.3.2).
const NAME: &str = "__Host-quire-sign-in";

/// What the browser keeps of the sign-in that it began.
#[derive(Debug, Clone)]
pub struct SignInCookie(pub Option<SecretString>);

impl<S: Sync> FromRequestParts<S> for SignInCookie {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let lines = parts.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut values = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='));
        let value = values.next().map(SecretString::from);
        // Two of them: somebody else's may be among them.
        Ok(Self(value.filter(|_| values.next().is_none())))
    }
}

/// A reply that gives the browser the cookie.
#[derive(Debug)]
pub struct WithSignIn<T>(pub T, pub SecretString);

impl<T: IntoResponse> IntoResponse for WithSignIn<T> {
    fn into_response(self) -> Response {
        let Self(reply, secret) = self;
        with_cookie(reply, secret.expose_secret(), limits::SIGN_IN_SECONDS)
    }
}

/// A reply that takes the cookie away.
#[derive(Debug)]
pub struct WithoutSignIn<T>(pub T);

impl<T: IntoResponse> IntoResponse for WithoutSignIn<T> {
    fn into_response(self) -> Response {
        with_cookie(self.0, "", 0)
    }
}

/// `Lax`, because it must come along when the provider sends the browser back.
fn with_cookie(reply: impl IntoResponse, value: &str, seconds: i64) -> Response {
    let mut response = reply.into_response();
    if let Ok(cookie) = HeaderValue::from_str(&format!("{NAME}={value}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax")) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

//! From the headers of a request to the call that use cases take. Who may call a route is the type of its parameter.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, header, request::Parts},
};
use quire_app::{
    Call, Client, Error, IdempotencyKey,
    tokens::{Bearer, Tokens},
};
use quire_domain::{Timestamp, device, error::Credentials, event::Trace, limits, policy::Principal};

use crate::{layer::header_text, problem::Problem, quota};

/// A call that needs no account and looks at no token.
#[derive(Debug, Clone)]
pub struct Public(pub Call);

/// A call by anybody; a token that comes along must be right.
#[derive(Debug, Clone)]
pub struct Anyone(pub Call);

/// A call by anybody, as [`Anyone`], that may write or not: whoever answers it counts its writes.
#[derive(Debug, Clone)]
pub struct Caller(pub Call);

/// A call by a signed-in account.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Call);

/// Where the request came from.
#[derive(Debug, Clone)]
pub struct Origin(pub Client);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = header_text(&parts.headers, &header::USER_AGENT).unwrap_or_default();
        let device = device::name(text.get(..limits::USER_AGENT_BYTES).unwrap_or(text));
        Ok(Self(Client { address: quota::address(parts), device }))
    }
}

/// Whom a call is for, where one route has calls for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// As [`Public`].
    Public,
    /// As [`Anyone`].
    Anyone,
    /// As [`SignedIn`].
    SignedIn,
}

impl Audience {
    /// The call, if it is by one of them. What counts as a write is what the method of `parts` says.
    ///
    /// # Errors
    /// Those of the extractors.
    pub async fn call(self, parts: &mut Parts) -> Result<Call, Problem> {
        match self {
            Self::Public => Public::from_request_parts(parts, &()).await.map(|Public(call)| call),
            Self::Anyone => Anyone::from_request_parts(parts, &()).await.map(|Anyone(call)| call),
            Self::SignedIn => SignedIn::from_request_parts(parts, &()).await.map(|SignedIn(call)| call),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Public {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let call = call(parts, Principal::Anonymous)?;
        quota::count(parts, &call).await?;
        Ok(Self(call))
    }
}

impl<S: Sync> FromRequestParts<S> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut call = call(parts, Principal::Anonymous)?;
        let bearer = bearer(parts, &call).await;
        if let Ok(Some(Bearer { principal, session })) = &bearer {
            call.principal = principal.clone();
            call.session = *session;
        }
        // Whoever shows a wrong token is counted by address.
        quota::count(parts, &call).await?;
        bearer?;
        Ok(Self(call))
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Anyone(call) = Anyone::from_request_parts(parts, state).await?;
        signed_in(&call)?;
        Ok(Self(call))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut call = call(parts, Principal::Anonymous)?;
        if let Some(Bearer { principal, session }) = bearer(parts, &call).await? {
            (call.principal, call.session) = (principal, session);
        }
        Ok(Self(call))
    }
}

/// Whether the call is by an account.
///
/// # Errors
/// 401.
pub fn signed_in(call: &Call) -> Result<(), Problem> {
    match call.principal {
        Principal::Anonymous => Err(Error::Unauthenticated(Credentials::Missing).into()),
        Principal::User { .. } | Principal::System => Ok(()),
    }
}

fn call(parts: &Parts, principal: Principal) -> Result<Call, Problem> {
    let mut keys = parts.headers.get_all(HeaderName::from_static("idempotency-key")).iter();
    let idempotency_key = match (keys.next(), keys.next()) {
        (None, _) => None,
        (Some(key), None) => match key.to_str().ok().map(IdempotencyKey::parse) {
            Some(Ok(key)) => Some(key),
            Some(Err(error)) => return Err(Problem::malformed(format!("Idempotency-Key {error}"))),
            None => return Err(Problem::malformed("Idempotency-Key must be text")),
        },
        (Some(_), Some(_)) => return Err(Problem::malformed("Idempotency-Key must stand once")),
    };
    let trace = parts.extensions.get::<Trace>().cloned().unwrap_or_else(|| quire_telemetry::trace(None, None));
    Ok(Call { principal, session: None, now: Timestamp::now(), trace, idempotency_key })
}

/// What the token that came along says, if there is one.
async fn bearer(parts: &Parts, call: &Call) -> Result<Option<Bearer>, Problem> {
    let Some(token) = token(parts)? else { return Ok(None) };
    // `Route::with_tokens` puts them there; a route without it lets nobody in.
    let tokens = parts.extensions.get::<Tokens>().ok_or_else(|| Error::internal("verifying a token", "the route has no tokens"))?;
    Ok(Some(tokens.verify(token, call.now).await?))
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1); another scheme or a second header is a wrong token.
fn token(parts: &Parts) -> Result<Option<&str>, Problem> {
    let invalid = || Problem::from(Error::Unauthenticated(Credentials::InvalidToken));
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    if values.next().is_none() {
        return Ok(None);
    }
    let value = header_text(&parts.headers, &header::AUTHORIZATION).filter(|_| values.next().is_none()).ok_or_else(invalid)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(invalid()),
    }
}

//! Problem details (RFC 9457): what each failure looks like to a client, and to the operator.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quire_domain::{
    Error, FieldError,
    error::{Credentials, Kind},
    rate::Usage,
};
use serde::Serialize;

use crate::document::Document;

/// A result whose error is a [`Problem`].
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// Seconds after which a request that met too many others can be sent again.
const RETRY_AFTER: u64 = 1;

/// A problem detail.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: Vec<FieldError>,
    /// On the heap, because a problem is the error of many functions.
    headers: Box<HeaderMap>,
}

/// The document, as `docs/api.md` describes it.
#[derive(Serialize)]
pub struct ProblemView<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem<'a>>,
}

#[derive(Serialize)]
struct FieldProblem<'a> {
    pointer: &'a str,
    detail: &'a str,
}

impl Problem {
    /// A problem with a stable name and one sentence.
    pub fn new(status: StatusCode, name: &'static str, title: &'static str) -> Self {
        Self { status, name, title, detail: None, errors: Vec::new(), headers: Box::default() }
    }

    /// A failure of ours, of which a client needs to know nothing more.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side")
    }

    pub(crate) fn too_many_requests(usage: &Usage) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "There were too many requests")
            .with_header(header::RETRY_AFTER, HeaderValue::from(usage.resets_in))
    }

    /// There is no such address.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here")
    }

    /// The address has other methods; `Allow` must say which (RFC 9110, section 15.5.6).
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here")
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The service is not available for the moment")
            .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))
    }

    /// The request cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read") }
    }

    pub(crate) fn unsupported(detail: &str) -> Self {
        let problem = Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body is in a form that is not known here");
        Self { detail: Some(detail.to_owned()), ..problem }
    }

    pub(crate) fn not_acceptable() -> Self {
        let problem = Self::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "No form of the reply is one that you accept");
        Self { detail: Some("Replies are application/json, application/xml or application/x-protobuf".to_owned()), ..problem }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable type of the failure, as a URI.
    pub fn kind(&self) -> String {
        format!("urn:quire:problem:{}", self.name)
    }

    /// What every problem of this type says.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What this problem says beyond its title.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The wrong members of the input.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Seconds after which to try again.
    pub fn retry_after(&self) -> Option<u64> {
        self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
    }

    /// The stable name of the failure: the end of its type.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What its response says in headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The document.
    pub fn view(&self) -> ProblemView<'_> {
        ProblemView {
            kind: self.kind(),
            title: self.title,
            status: self.status.as_u16(),
            detail: self.detail(),
            errors: self.errors.iter().map(|error| FieldProblem { pointer: &error.pointer, detail: &error.message }).collect(),
        }
    }

    /// The problem with a header of its own.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn unauthenticated(credentials: Credentials) -> Self {
        let problem = |name, title, challenge| {
            Self::new(StatusCode::UNAUTHORIZED, name, title).with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
        };
        match credentials {
            Credentials::Missing => problem("sign-in-required", "Sign in first", "Bearer realm=\"quire\""),
            Credentials::InvalidToken => problem("invalid-token", "The access token is not valid", "Bearer realm=\"quire\", error=\"invalid_token\""),
            Credentials::InvalidRefreshToken => problem("invalid-refresh-token", "The refresh token is not valid", "Bearer realm=\"quire\""),
            Credentials::WrongPassword => problem("wrong-password", "The name or the password is wrong", "Bearer realm=\"quire\""),
            Credentials::SecondFactorRequired => {
                problem("second-factor-required", "A code of the second factor is missing", "Bearer realm=\"quire\"")
            }
            Credentials::WrongCode => problem("wrong-code", "The code is wrong or was used before", "Bearer realm=\"quire\""),
            Credentials::InvalidApiToken => problem("invalid-api-token", "The API token is not valid", "Bearer realm=\"quire\""),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(errors) => Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-input", "The input is not valid") },
            Error::Unauthenticated(credentials) => Self::unauthenticated(credentials),
            Error::TooManyAttempts(seconds) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", "There were too many failures to sign in")
                    .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", "You may not do this"),
            Error::EmailUnverified => Self::new(StatusCode::FORBIDDEN, "email-unverified", "Verify your e-mail address first"),
            Error::InsufficientScope(scope) => {
                // RFC 6750, section 3.1.
                let challenge = match scope {
                    Some(scope) => format!("Bearer realm=\"quire\", error=\"insufficient_scope\", scope=\"{scope}\""),
                    None => "Bearer realm=\"quire\", error=\"insufficient_scope\"".to_owned(),
                };
                let problem = Self::new(StatusCode::FORBIDDEN, "insufficient-scope", "The API token is not for this");
                match HeaderValue::from_str(&challenge) {
                    Ok(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
                    Err(_) => problem,
                }
            }
            Error::NotFound(Kind::User) => Self::new(StatusCode::NOT_FOUND, "user-not-found", "There is no such user"),
            Error::NotFound(Kind::Post) => Self::new(StatusCode::NOT_FOUND, "post-not-found", "There is no such post"),
            Error::NotFound(Kind::Revision) => Self::new(StatusCode::NOT_FOUND, "revision-not-found", "There is no such revision"),
            Error::NotFound(Kind::Comment) => Self::new(StatusCode::NOT_FOUND, "comment-not-found", "There is no such comment"),
            Error::NotFound(Kind::EmailVerification) => {
                Self::new(StatusCode::NOT_FOUND, "email-verification-not-found", "There is no such verification, or none any more")
            }
            Error::NotFound(Kind::PasswordReset) => {
                Self::new(StatusCode::NOT_FOUND, "password-reset-not-found", "There is no such password reset, or none any more")
            }
            Error::NotFound(Kind::Unsubscription) => {
                Self::new(StatusCode::NOT_FOUND, "unsubscription-not-found", "There is nothing to unsubscribe from by this address")
            }
            Error::NotFound(Kind::Reaction) => Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here"),
            Error::NotFound(Kind::Session) => Self::new(StatusCode::NOT_FOUND, "session-not-found", "There is no such session"),
            Error::NotFound(Kind::ApiToken) => Self::new(StatusCode::NOT_FOUND, "api-token-not-found", "There is no such API token"),
            Error::NotFound(Kind::SecondFactor) => Self::new(StatusCode::NOT_FOUND, "second-factor-not-found", "There is no such second factor"),
            Error::NotFound(Kind::Webhook) => Self::new(StatusCode::NOT_FOUND, "webhook-not-found", "There is no such webhook"),
            Error::NotFound(Kind::Delivery) => Self::new(StatusCode::NOT_FOUND, "delivery-not-found", "There is no such delivery"),
            Error::NotFound(Kind::Export) => Self::new(StatusCode::NOT_FOUND, "export-not-found", "There is no such export, or none any more"),
            Error::TooManyExports { seconds } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-exports", "The account was exported a short time ago")
                    .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            Error::TooManyWebhooks => Self::new(StatusCode::CONFLICT, "too-many-webhooks", "There are as many webhooks as there may be"),
            Error::TooManyApiTokens => Self::new(StatusCode::CONFLICT, "too-many-api-tokens", "The account has as many API tokens as it may"),
            Error::SecondFactorEnabled => Self::new(StatusCode::CONFLICT, "second-factor-enabled", "The second factor is on already"),
            Error::TooManyTries { seconds } => Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", "There were too many tries")
                .with_header(header::RETRY_AFTER, HeaderValue::from(seconds)),
            Error::NotFound(Kind::Provider) => Self::new(StatusCode::NOT_FOUND, "provider-not-found", "There is no such provider"),
            Error::SignInInvalid => {
                let problem = Self::new(StatusCode::BAD_REQUEST, "sign-in-invalid", "There is no such sign-in");
                Self { detail: Some("It is over, was finished before, or was begun in another browser: begin again".to_owned()), ..problem }
            }
            Error::SignInRefused(_) => {
                tracing::warn!(error = quire_telemetry::chain(&error), "A provider proved nobody");
                Self::new(StatusCode::FORBIDDEN, "sign-in-refused", "The provider did not prove who you are")
            }
            Error::ProviderEmailUnverified => {
                Self::new(StatusCode::FORBIDDEN, "provider-email-unverified", "Verify your e-mail address at the provider first")
            }
            Error::AccountExists => {
                let problem = Self::new(StatusCode::CONFLICT, "account-exists", "There is an account with the e-mail address of this identity");
                Self { detail: Some("Sign in to the account and link the identity to it".to_owned()), ..problem }
            }
            Error::IdentityTaken => {
                let problem = Self::new(StatusCode::CONFLICT, "identity-taken", "The identity cannot be linked");
                Self { detail: Some("It is linked to another account, or this account to another identity of the provider".to_owned()), ..problem }
            }
            Error::LastSignInMethod => {
                Self::new(StatusCode::CONFLICT, "last-sign-in-method", "The account could not sign in without this identity; set a password first")
            }
            Error::ProviderUnavailable { retry_after, .. } => {
                tracing::warn!(error = quire_telemetry::chain(&error), "A provider is unavailable");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "provider-unavailable", "The provider does not answer for the moment")
                    .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after))
            }
            Error::UsernameTaken => Self::new(StatusCode::CONFLICT, "username-taken", "The username is taken"),
            Error::EmailTaken => Self::new(StatusCode::CONFLICT, "email-taken", "There is an account with this e-mail address"),
            Error::LastAdmin => Self::new(StatusCode::CONFLICT, "last-admin", "The last admin must stay one"),
            Error::BeingErased => Self::new(StatusCode::CONFLICT, "being-erased", "The account is to be erased"),
            Error::SlugTaken => Self::new(StatusCode::CONFLICT, "slug-taken", "Another post has this slug"),
            Error::IllegalMove { .. } => {
                Self { detail: Some(error.to_string()), ..Self::new(StatusCode::CONFLICT, "illegal-move", "The post cannot change to this status") }
            }
            Error::EditWindowClosed => Self::new(StatusCode::CONFLICT, "edit-window-closed", "The comment can no longer be changed"),
            Error::CommentDeleted => {
                let problem = Self::new(StatusCode::CONFLICT, "illegal-move", "The status cannot follow the present one");
                Self { detail: Some("A deleted comment stays deleted".to_owned()), ..problem }
            }
            Error::VersionMismatch => {
                Self::new(StatusCode::PRECONDITION_FAILED, "version-mismatch", "The version that you named is not the current one")
            }
            Error::IdempotencyKeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The idempotency key was used for another request")
            }
            Error::Contended => {
                tracing::warn!("The request met too many others");
                Self::unavailable()
            }
            Error::Unavailable(_) => {
                tracing::error!(error = quire_telemetry::chain(&error), "A dependency is unavailable");
                Self::unavailable()
            }
            Error::Internal { .. } => {
                tracing::error!(error = quire_telemetry::chain(&error), "The request failed");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Document::problem(self.status, &self.view());
        response.headers_mut().extend(*self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_is_told_to_the_operator_and_not_to_the_client() {
        let defect = Error::internal("reading the table", "USER#7 has no version");
        assert!(quire_telemetry::chain(&defect).ends_with("reading the table: USER#7 has no version"));
        let Problem { status, name, title, detail, errors, headers } = defect.into();
        assert_eq!((status.as_u16(), name, title), (500, "internal", "Something went wrong on our side"));
        assert!(detail.is_none() && errors.is_empty() && headers.is_empty());
    }
}

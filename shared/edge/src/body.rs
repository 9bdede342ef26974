//! Bodies: JSON by `Content-Type`, within the limits, strictly of the form that the route documents.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{Method, StatusCode, header},
};
use quire_domain::{FieldError, limits};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::{layer::header_text, problem::Problem};

/// The body of a request, read into `T`.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = header_text(request.headers(), &header::CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_json = media_type == "application/json" || (media_type == "application/merge-patch+json" && request.method() == Method::PATCH);
        if !is_json {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be application/json"));
        }
        let bytes = bytes(request, state).await?;
        // serde reads a list as the fields of a struct in their order; an API has no such form.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(quire_domain::Error::field("", "must be an object").into());
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| problem(&error))?;
        deserializer.end().map_err(|_| Problem::malformed("The body goes on after its JSON value"))?;
        Ok(Self(value))
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is larger than a megabyte")
        } else {
            Problem::malformed("The body cannot be read")
        }
    })
}

fn problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    match error.inner().classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::malformed(format!("The body is not JSON: line {}, column {}", error.inner().line(), error.inner().column()))
        }
        Category::Data => quire_domain::Error::Invalid(vec![field_error(error)]).into(),
    }
}

/// What serde says of a value, as an error of a field and without the value itself, which may be a secret.
fn field_error(error: &serde_path_to_error::Error<serde_json::Error>) -> FieldError {
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let message = error.inner().to_string();
    let named = message.split('`').nth(1).unwrap_or_default();
    let detail = if message.starts_with("missing field") {
        push(&mut pointer, named);
        "is required".to_owned()
    } else if message.starts_with("unknown field") {
        if !pointer.ends_with(&format!("/{}", escaped(named))) {
            push(&mut pointer, named);
        }
        "is not known".to_owned()
    } else if message.starts_with("duplicate field") {
        if !pointer.ends_with(&format!("/{named}")) {
            push(&mut pointer, named);
        }
        "is given twice".to_owned()
    } else {
        let expected = message.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
        let expected = expected.split(" at line ").next().unwrap_or_default();
        let expected = if expected.starts_with("struct ") { "an object" } else { expected };
        format!("must be {expected}")
    };
    FieldError::new(pointer, detail)
}

fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&escaped(key));
}

/// RFC 6901, section 3; a key that a client made up is not repeated at full length.
fn escaped(key: &str) -> String {
    key.chars().take(limits::USERNAME_MAX).collect::<String>().replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use quire_app::{posts::PostChanges, users::NewUser};

    use super::*;

    fn refused<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (String, String) {
        let mut deserializer = serde_json::Deserializer::from_slice(body.as_bytes());
        let error = serde_path_to_error::deserialize::<_, T>(&mut deserializer).unwrap_err();
        let FieldError { pointer, message } = field_error(&error);
        (pointer, message)
    }

    #[test]
    fn wrong_fields_are_pointed_at_without_their_values() {
        let rest = r#""username": "ada", "email": "ada@example.com""#;
        for (body, pointer, message) in [
            (format!("{{{rest}}}"), "/password", "is required"),
            (format!("{{{rest}, \"password\": 1234567890}}"), "/password", "must be a string"),
            (format!("{{{rest}, \"password\": \"x\", \"isAdmin\": true}}"), "/isAdmin", "is not known"),
            (format!("{{{rest}, \"username\": \"bob\", \"password\": \"x\"}}"), "/username", "is given twice"),
            ("3".into(), "", "must be an object"),
        ] {
            assert_eq!(refused::<NewUser>(&body), (pointer.into(), message.into()), "{body}");
        }
        assert_eq!(refused::<PostChanges>(r#"{"title": 5}"#), ("/title".into(), "must be a string".into()));
        assert_eq!(refused::<PostChanges>(r#"{"a/b~": 5}"#), ("/a~1b~0".into(), "is not known".into()));
    }
}

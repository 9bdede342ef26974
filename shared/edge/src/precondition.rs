//! Versions as entity tags (RFC 9110, sections 8.8.3 and 13.1).

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use quire_app::change::Precondition;

use crate::problem::Problem;

/// `If-Match`, as versions. `If-None-Match: *` asks for a thing that does not exist (RFC 9110, section 13.1.2): no version of one that does
/// matches.
#[derive(Debug, Clone)]
pub struct IfMatch(pub Precondition);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if is_only_new(parts)? {
            return Ok(Self(Precondition::OneOf(Vec::new())));
        }
        let tags = match tags(&parts.headers, &header::IF_MATCH)? {
            None => return Ok(Self(Precondition::None)),
            Some(tags) if tags.iter().any(|tag| tag == "*") => return Ok(Self(Precondition::None)),
            Some(tags) => tags,
        };
        let versions = tags.iter().filter_map(|tag| version(tag));
        Ok(Self(Precondition::OneOf(versions.collect())))
    }
}

/// Whether the request asks for a thing that does not exist yet, by `If-None-Match: *`, for things without versions.
#[derive(Debug, Clone, Copy)]
pub struct IfNoneExists(pub bool);

impl<S: Sync> FromRequestParts<S> for IfNoneExists {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        is_only_new(parts).map(Self)
    }
}

fn is_only_new(parts: &Parts) -> Result<bool, Problem> {
    match tags(&parts.headers, &header::IF_NONE_MATCH)? {
        None => Ok(false),
        Some(tags) if tags == ["*"] => Ok(true),
        // A condition must not be passed over because it makes no sense to a write.
        Some(_) => Err(Problem::malformed("If-None-Match must be * here")),
    }
}

/// The version of a strong tag of ours, in whatever form it was read; another tag matches no version.
fn version(tag: &str) -> Option<u64> {
    let tag = tag.strip_prefix('"')?.strip_suffix('"')?;
    tag.split('-').next()?.parse().ok()
}

/// The strong tag of a version.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Whether `If-None-Match` names this tag, by weak comparison.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let tags = tags(headers, &header::IF_NONE_MATCH).ok().flatten().unwrap_or_default();
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags.iter().any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}

/// The tags of a list header. Our own tags have no commas.
fn tags(headers: &HeaderMap, name: &header::HeaderName) -> Result<Option<Vec<String>>, Problem> {
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| Problem::malformed(format!("{name} must be text")))?;
        tags.extend(text.split(',').map(|tag| tag.trim().to_owned()));
    }
    Ok((!tags.is_empty()).then_some(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn if_match(value: &str) -> Precondition {
        let (mut parts, ()) = axum::http::Request::builder().header("if-match", value).body(()).unwrap().into_parts();
        IfMatch::from_request_parts(&mut parts, &()).await.unwrap().0
    }

    #[tokio::test]
    async fn only_strong_tags_of_versions_match() {
        for (value, expected) in [
            ("*", Precondition::None),
            ("\"3\"", Precondition::OneOf(vec![3])),
            ("\"3\", \"4\"", Precondition::OneOf(vec![3, 4])),
            ("\"3-17\", \"4-0-xml\"", Precondition::OneOf(vec![3, 4])),
            ("W/\"3\"", Precondition::OneOf(vec![])),
            ("3", Precondition::OneOf(vec![])),
            ("\"x\"", Precondition::OneOf(vec![])),
        ] {
            assert_eq!(if_match(value).await, expected, "{value}");
        }
    }

    #[tokio::test]
    async fn the_versions_of_all_forms_of_a_reply_are_one() {
        for tag in ["\"3\"", "\"3-own\"", "\"3-own-xml\"", "\"3-pb\""] {
            assert_eq!(if_match(tag).await, Precondition::OneOf(vec![3]), "{tag}");
        }
    }
}

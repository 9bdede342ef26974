//! GraphiQL for browsers: one page that needs nothing besides itself, made by `graphiql/build.js`.

use std::io::Read;

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use quire_edge::{Problem, accept};

use crate::http::{GRAPHQL, JSON};

const PAGE: &[u8] = include_bytes!("../graphiql/page.html.gz");
/// Its own script and style, and requests to where it came from.
const POLICY: &str = include_str!("../graphiql/policy.txt");
const HTML: &str = "text/html";

/// Whether the client would rather have a page than data, as browsers do.
pub(crate) fn is_preferred(headers: &HeaderMap) -> bool {
    accept::chosen(headers, &[JSON, GRAPHQL, HTML]) == Some(HTML)
}

/// The page; compressed, unless the client does not say that it knows how to read that.
pub(crate) fn show(headers: &HeaderMap) -> Response {
    let mut reply = if takes_gzip(headers) {
        ([(header::CONTENT_ENCODING, "gzip")], Bytes::from_static(PAGE)).into_response()
    } else {
        let mut page = Vec::new();
        match GzDecoder::new(PAGE).read_to_end(&mut page) {
            Ok(_) => page.into_response(),
            Err(error) => return Problem::from(quire_app::Error::internal("reading a page", error)).into_response(),
        }
    };
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::VARY, "Accept, Accept-Encoding, Authorization"),
    ];
    for (name, value) in fixed {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let is_refused = quality.trim().strip_prefix("q=").is_some_and(|quality| quality.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_prefer_the_page_and_others_do_not() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true),
            ("text/html", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html", false),
        ] {
            assert_eq!(is_preferred(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())])), expected, "{accept}");
        }
        assert!(!is_preferred(&HeaderMap::new()));
    }

    #[test]
    fn the_page_is_compressed_for_those_who_can_read_that() {
        for (encodings, expected) in [("gzip, deflate, br", true), ("br;q=1, GZIP;q=0.5", true), ("gzip;q=0, br", false), ("br", false)] {
            assert_eq!(takes_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, encodings.parse().unwrap())])), expected, "{encodings}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}

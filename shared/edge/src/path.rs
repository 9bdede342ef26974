//! The path of a request as the gateway matched it.

use lambda_http::{Request, RequestExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a path may hold as it is (RFC 3986, section 3.3); the gateway leaves a `%` that it could not decode.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'%')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Undoes what `lambda_http` does to a path: it reads the decoded text as a URL again, so that a part of a name becomes a query or
/// is lost, and several texts name one thing.
pub(crate) fn restore(mut request: Request) -> Request {
    let mut text = utf8_percent_encode(request.raw_http_path(), PATH).to_string();
    let query = request.query_string_parameters_ref().map(|query| query.to_query_string()).unwrap_or_default();
    if !query.is_empty() {
        text.push('?');
        text.push_str(&query);
    }
    if let Ok(uri) = text.parse() {
        *request.uri_mut() = uri;
    }
    request
}

//! Replies: the type says the status.

use axum::{
    extract::RawQuery,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quire_app::{
    comments::CommentView,
    keys::JwksView,
    page::PageView,
    posts::{PostView, RevisionView},
    selection::Selection,
    users::UserView,
    webhooks::WebhookView,
};
use quire_domain::signing::CACHE_SECONDS;
use serde::Serialize;

use crate::{
    document::{Document, selection_suffix},
    precondition::etag,
    problem::Problem,
    wire::Wire,
};

/// A view that has versions.
pub trait Versioned {
    /// Its strong entity tag, in its JSON form.
    fn etag(&self) -> String;
}

impl Versioned for PostView {
    /// What readers did with the post stands in its representation too.
    fn etag(&self) -> String {
        format!("\"{}-{}\"", self.version, self.changes)
    }
}

impl Versioned for RevisionView {
    fn etag(&self) -> String {
        etag(self.listed.version)
    }
}

impl Versioned for CommentView {
    fn etag(&self) -> String {
        etag(self.version)
    }
}

impl Versioned for WebhookView {
    fn etag(&self) -> String {
        etag(self.version)
    }
}

impl Versioned for UserView {
    /// The account itself sees more than others do, and so another representation.
    fn etag(&self) -> String {
        if self.email.is_some() { format!("\"{}-own\"", self.version) } else { etag(self.version) }
    }
}

/// 200 with an entity and its tag, or 304 if the client of a GET has it.
#[derive(Debug)]
pub struct Entity<T>(pub T);

impl<T: Versioned + Wire + Serialize> IntoResponse for Entity<T> {
    fn into_response(self) -> Response {
        tagged(Document::reply(StatusCode::OK, &self.0), &self.0.etag())
    }
}

/// 200 with what has no versions, for nobody but who asked.
#[derive(Debug)]
pub struct Shown<T>(pub T);

impl<T: Wire + Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        Document::reply(StatusCode::OK, &self.0)
    }
}

/// 201 with what has no address: it is shown this once.
#[derive(Debug)]
pub struct Issued<T>(pub T);

impl<T: Wire + Serialize> IntoResponse for Issued<T> {
    fn into_response(self) -> Response {
        Document::reply(StatusCode::CREATED, &self.0)
    }
}

/// 202 with what is to be done.
#[derive(Debug)]
pub struct Accepted<T>(pub T);

impl<T: Wire + Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        Document::reply(StatusCode::ACCEPTED, &self.0)
    }
}

/// 202 with what is to be done, and the address that tells how far it is.
#[derive(Debug)]
pub struct AcceptedAt<T> {
    path: String,
    view: T,
}

impl<T> AcceptedAt<T> {
    /// At `path`.
    pub fn new(path: String, view: T) -> Self {
        Self { path, view }
    }
}

impl<T: Wire + Serialize> IntoResponse for AcceptedAt<T> {
    fn into_response(self) -> Response {
        let mut response = Document::reply(StatusCode::ACCEPTED, &self.view);
        if let Ok(path) = HeaderValue::from_str(&self.path) {
            response.headers_mut().insert(header::LOCATION, path);
        }
        response
    }
}

/// 200 with some members of an entity, and a tag that no other selection has.
#[derive(Debug)]
pub struct Selected<T>(pub T, pub Selection);

impl<T: Versioned + Wire + Serialize> IntoResponse for Selected<T> {
    fn into_response(self) -> Response {
        let Self(view, selection) = self;
        let etag = view.etag();
        let tag = etag.trim_end_matches('"');
        tagged(Document::selected(&view, &selection), &format!("{tag}{}\"", selection_suffix(&selection)))
    }
}

/// 308 to another address, with the same query.
#[derive(Debug)]
pub struct Moved {
    path: String,
}

impl Moved {
    /// To `path`.
    pub fn to(path: String, RawQuery(query): RawQuery) -> Self {
        Self { path: query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")) }
    }
}

impl IntoResponse for Moved {
    fn into_response(self) -> Response {
        let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
        if let Ok(path) = HeaderValue::from_str(&self.path) {
            response.headers_mut().insert(header::LOCATION, path);
        }
        response
    }
}

/// 302 to another site (RFC 9110, section 15.4.3).
#[derive(Debug)]
pub struct Elsewhere(pub String);

impl IntoResponse for Elsewhere {
    fn into_response(self) -> Response {
        match HeaderValue::from_str(&self.0) {
            Ok(address) => (StatusCode::FOUND, [(header::LOCATION, address)]).into_response(),
            Err(error) => Problem::from(quire_app::Error::internal("writing a redirect", error)).into_response(),
        }
    }
}

/// 200 with what is shown once, and kept by nobody on its way.
#[derive(Debug)]
pub struct Once<T>(pub T);

impl<T: Wire + Serialize> IntoResponse for Once<T> {
    fn into_response(self) -> Response {
        let mut response = Document::reply(StatusCode::OK, &self.0);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// 201 with the new thing and its address.
#[derive(Debug)]
pub struct Created<T> {
    path: String,
    etag: Option<String>,
    view: T,
}

impl<T: Versioned> Created<T> {
    /// At `path`.
    pub fn at(path: String, view: T) -> Self {
        Self { path, etag: Some(view.etag()), view }
    }
}

impl<T> Created<T> {
    /// At `path`, without versions.
    pub fn unversioned(path: String, view: T) -> Self {
        Self { path, etag: None, view }
    }
}

impl<T: Wire + Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let Self { path, etag, view } = self;
        let mut response = Document::reply(StatusCode::CREATED, &view);
        if let Ok(path) = HeaderValue::from_str(&path) {
            response.headers_mut().insert(header::LOCATION, path);
        }
        match etag {
            Some(etag) => tagged(response, &etag),
            None => response,
        }
    }
}

/// 200 with a page, and a link to the next one (RFC 8288): the same query with another cursor.
#[derive(Debug)]
pub struct List<T> {
    page: PageView<T>,
    query: Option<String>,
    selection: Selection,
}

impl<T> List<T> {
    /// A page for a request with this query.
    pub fn new(page: PageView<T>, RawQuery(query): RawQuery) -> Self {
        Self { page, query, selection: Selection::default() }
    }

    /// With some members of its items only.
    #[must_use]
    pub fn only(self, selection: Selection) -> Self {
        Self { selection, ..self }
    }
}

impl<T> IntoResponse for List<T>
where
    PageView<T>: Wire + Serialize,
{
    fn into_response(self) -> Response {
        let Self { page, query, selection } = self;
        let mut response = Document::selected(&page, &selection);
        if let Some(cursor) = page.next_cursor {
            let kept = query.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
            let next: String = kept.map(|pair| format!("{pair}&")).collect();
            if let Ok(link) = HeaderValue::from_str(&format!("<?{next}cursor={cursor}>; rel=\"next\"")) {
                response.headers_mut().insert(header::LINK, link);
            }
        }
        response
    }
}

/// 200 with the key set, which is JSON by its nature (RFC 7517), and which everybody may keep for as long as the keys allow.
pub fn key_set(keys: &JwksView) -> Response {
    match serde_json::to_vec(keys) {
        Ok(body) => {
            let caching = format!("public, max-age={CACHE_SECONDS}");
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, &caching)], body).into_response()
        }
        Err(error) => Problem::from(quire_app::Error::internal("writing a reply", error)).into_response(),
    }
}

/// What nobody in particular sees may be kept by caches between; what an account sees is checked each time, so that it sees its own
/// writes at once. By the headers of the request.
pub fn caching(headers: &HeaderMap) -> &'static str {
    if headers.contains_key(header::AUTHORIZATION) { "private, no-cache" } else { "public, max-age=0, s-maxage=30, stale-while-revalidate=60" }
}

fn tagged(mut response: Response, etag: &str) -> Response {
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

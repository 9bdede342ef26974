//! Replies: the type says the status.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quire_app::{
    comments::CommentView,
    keys::JwksView,
    page::{PageRequest, PageView},
    posts::PostView,
    users::UserView,
};
use quire_domain::signing::CACHE_SECONDS;
use serde::Serialize;

use crate::{
    precondition::{etag, is_known},
    problem::Problem,
};

/// A view that has versions.
pub trait Versioned {
    /// Its strong entity tag.
    fn etag(&self) -> String;
}

impl Versioned for PostView {
    fn etag(&self) -> String {
        etag(self.version)
    }
}

impl Versioned for CommentView {
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

/// 200 with an entity and its tag, or 304 if the client has it. Caches keep it and ask each time.
#[derive(Debug)]
pub struct Entity<T> {
    view: T,
    is_known: bool,
}

impl<T: Versioned> Entity<T> {
    /// A reply to a request with these headers.
    pub fn new(view: T, request: &HeaderMap) -> Self {
        let is_known = is_known(request, &view.etag());
        Self { view, is_known }
    }

    /// A reply to a change, which is never "not modified".
    pub fn changed(view: T) -> Self {
        Self { view, is_known: false }
    }
}

impl<T: Versioned + Serialize> IntoResponse for Entity<T> {
    fn into_response(self) -> Response {
        let Self { view, is_known } = self;
        let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { json(StatusCode::OK, &view) };
        tag(&mut response, &view.etag());
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("authorization"));
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

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let Self { path, etag, view } = self;
        let mut response = json(StatusCode::CREATED, &view);
        if let Ok(path) = HeaderValue::from_str(&path) {
            response.headers_mut().insert(header::LOCATION, path);
        }
        if let Some(etag) = etag {
            tag(&mut response, &etag);
        }
        response
    }
}

/// 200 with a page, and a link to the next one (RFC 8288).
#[derive(Debug)]
pub struct List<T> {
    page: PageView<T>,
    next: Option<String>,
}

impl<T> List<T> {
    /// A page. `kept` are the other parameters that the next page's query has again, each with an `&` behind it.
    pub fn new(page: PageView<T>, request: &PageRequest, kept: &str) -> Self {
        let limit = request.limit.map(|limit| format!("limit={limit}&")).unwrap_or_default();
        let next = page.next_cursor.as_ref().map(|cursor| format!("<?{kept}{limit}cursor={cursor}>; rel=\"next\""));
        Self { page, next }
    }
}

impl<T: Serialize> IntoResponse for List<T> {
    fn into_response(self) -> Response {
        let mut response = json(StatusCode::OK, &self.page);
        if let Some(next) = self.next.and_then(|next| HeaderValue::from_str(&next).ok()) {
            response.headers_mut().insert(header::LINK, next);
        }
        response
    }
}

/// 200 with the key set, which everybody may keep for as long as the keys allow.
pub fn key_set(keys: &JwksView) -> Response {
    let mut response = json(StatusCode::OK, keys);
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={CACHE_SECONDS}")) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}

/// A JSON document.
fn json(status: StatusCode, view: &impl Serialize) -> Response {
    match serde_json::to_vec(view) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => Problem::from(quire_app::Error::internal("writing a reply", error)).into_response(),
    }
}

fn tag(response: &mut Response, etag: &str) {
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
}

//! A little S3: objects of the template's buckets, in one SQLite file. `PutObject`, `GetObject` and `DeleteObject` by paths
//! (`/bucket/key`), and links to `GetObject` that are signed in their query (Signature Version 4), which are checked as S3 checks them.
//!
//! What a lifecycle rule says of the age of objects holds to the second; S3 waits for the next midnight (UTC).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, Response, StatusCode, header, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    service::{Service, ServiceError, epoch_millis},
    stack::{Bucket, Stack},
};

/// Largest object in bytes. S3 takes 5 GB with one request.
pub(crate) const MAX_OBJECT: usize = 128 << 20;

/// Longest time that a link may be good, in seconds: a week.
const MAX_LINK_SECONDS: i64 = 7 * 24 * 60 * 60;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, content_type TEXT NOT NULL, stored_at INTEGER NOT NULL,
    PRIMARY KEY (bucket, name)
) STRICT";

/// What Signature Version 4 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same in a path.
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// The objects could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the objects in {path}")]
pub struct OpenError {
    /// The file.
    path: PathBuf,
    /// The cause.
    #[source]
    source: rusqlite::Error,
}

/// The object store. Clones share it.
#[derive(Clone)]
pub struct S3 {
    buckets: Arc<BTreeMap<String, Bucket>>,
    db: Arc<Mutex<Connection>>,
}

/// One request, for one object.
pub(crate) struct Request {
    s3: S3,
    operation: &'static str,
    bucket: String,
    name: String,
    content_type: String,
    /// What the client says that the content's hash is.
    checksum: Option<String>,
    link: Option<Link>,
}

/// What a link proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Who signed it.
    pub(crate) access_key: String,
    /// The signer's session token.
    pub(crate) token: Option<String>,
    scope: String,
    date: String,
    expires: i64,
    signature: String,
    canonical: String,
}

impl S3 {
    /// Goes on with the objects that the file at `path` has.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(path: &Path, stack: &Stack) -> Result<Self, OpenError> {
        let open = || {
            let db = Connection::open(path)?;
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "NORMAL")?;
            db.execute(SCHEMA, [])?;
            Ok(db)
        };
        let db = open().map_err(|source| OpenError { path: path.to_owned(), source })?;
        let buckets = stack.buckets.values().map(|bucket| (bucket.name.clone(), bucket.clone())).collect();
        Ok(Self { buckets: Arc::new(buckets), db: Arc::new(Mutex::new(db)) })
    }

    /// Whether a path is that of something in a bucket.
    pub(crate) fn has(&self, path: &str) -> bool {
        path.strip_prefix('/').and_then(|path| path.split('/').next()).is_some_and(|bucket| self.buckets.contains_key(bucket))
    }

    /// The request, if its path is that of something in a bucket.
    pub(crate) fn request(&self, head: &Parts) -> Result<Option<Request>, ServiceError> {
        if !self.has(head.uri.path()) {
            return Ok(None);
        }
        let path = percent_decode_str(head.uri.path()).decode_utf8().map_err(|_| client("InvalidURI", "The path is not UTF-8."))?;
        let (bucket, name) = path.trim_start_matches('/').split_once('/').unwrap_or((&path, ""));
        let operation = match head.method {
            _ if name.is_empty() => return Err(unsupported("The local S3 has operations on objects only.")),
            Method::GET => "GetObject",
            Method::PUT => "PutObject",
            Method::DELETE => "DeleteObject",
            _ => return Err(unsupported("The local S3 has GetObject, PutObject and DeleteObject only.")),
        };
        let link = Link::read(head, operation)?;
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let checksum = text("x-amz-content-sha256").filter(|_| operation == "PutObject");
        if checksum.as_ref().is_some_and(|checksum| checksum.starts_with("STREAMING-")) {
            return Err(unsupported("The local S3 takes no bodies in signed chunks."));
        }
        Ok(Some(Request {
            s3: self.clone(),
            operation,
            bucket: bucket.to_owned(),
            name: name.to_owned(),
            content_type: text("content-type").unwrap_or_else(|| "binary/octet-stream".to_owned()),
            checksum: checksum.filter(|checksum| checksum != "UNSIGNED-PAYLOAD"),
            link,
        }))
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what is too old to be kept.
    fn expire(&self, now: i64) -> rusqlite::Result<()> {
        for bucket in self.buckets.values() {
            for expiration in &bucket.expirations {
                let until = now - i64::from(expiration.days) * 24 * 60 * 60 * 1000;
                let statement = "DELETE FROM objects WHERE bucket = ? AND substr(name, 1, length(?)) = ? AND stored_at <= ?";
                self.db().execute(statement, (&bucket.name, &expiration.prefix, &expiration.prefix, until))?;
            }
        }
        Ok(())
    }
}

impl Request {
    /// What is asked for.
    pub(crate) fn operation(&self) -> &'static str {
        self.operation
    }

    /// What it is asked for of, as the service's JSON would say it.
    pub(crate) fn resource(&self) -> Value {
        json!({"Bucket": self.bucket, "Key": self.name})
    }

    /// The link that it came by, if it did.
    pub(crate) fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    fn answer(&self, content: &Bytes, now: i64) -> Result<Response<Bytes>, ServiceError> {
        let failed = |error: rusqlite::Error| ServiceError { code: "InternalError", ..ServiceError::internal(error.to_string()) };
        self.s3.expire(now).map_err(failed)?;
        let place = (&self.bucket, &self.name);
        let tag = |content: &[u8]| format!("\"{}\"", hex::encode(&Sha256::digest(content)[..16]));
        match self.operation {
            "PutObject" => {
                if self.checksum.as_ref().is_some_and(|checksum| *checksum != hex::encode(Sha256::digest(content))) {
                    return Err(client("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."));
                }
                let statement = "INSERT OR REPLACE INTO objects (bucket, name, content, content_type, stored_at) VALUES (?, ?, ?, ?, ?)";
                let row = (&self.bucket, &self.name, content.as_ref(), &self.content_type, now);
                self.s3.db().execute(statement, row).map_err(failed)?;
                Ok(reply(Response::builder().header(header::ETAG, tag(content)), Bytes::new()))
            }
            "DeleteObject" => {
                self.s3.db().execute("DELETE FROM objects WHERE bucket = ? AND name = ?", place).map_err(failed)?;
                Ok(reply(Response::builder().status(StatusCode::NO_CONTENT), Bytes::new()))
            }
            _ => {
                let statement = "SELECT content, content_type FROM objects WHERE bucket = ? AND name = ?";
                let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?));
                let found = self.s3.db().query_row(statement, place, row).optional().map_err(failed)?;
                let missing = || ServiceError { status: StatusCode::NOT_FOUND, ..client("NoSuchKey", "The specified key does not exist.") };
                let (content, content_type) = found.ok_or_else(missing)?;
                let builder = Response::builder().header(header::CONTENT_TYPE, content_type).header(header::ETAG, tag(&content));
                Ok(reply(builder, content.into()))
            }
        }
    }
}

impl Service for Request {
    fn call<'a>(&'a self, _: &'a str, body: Bytes) -> BoxFuture<'a, Response<Bytes>> {
        ready(self.answer(&body, epoch_millis(SystemTime::now())).unwrap_or_else(|error| failure(&error))).boxed()
    }
}

impl Link {
    /// The link, if the request came by one.
    fn read(head: &Parts, operation: &str) -> Result<Option<Self>, ServiceError> {
        let mut query = BTreeMap::new();
        for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
            query.insert(decoded(name), decoded(value));
        }
        // What the SDKs add to say which operation they mean.
        if query.iter().any(|(name, _)| !name.starts_with("X-Amz-") && name != "x-id") {
            return Err(unsupported("The local S3 knows no such parameter."));
        }
        let Some(signature) = query.remove("X-Amz-Signature") else { return Ok(None) };
        if operation != "GetObject" {
            return Err(unsupported("The local S3 has links to GetObject only."));
        }
        let wrong = |what: &str| client("AuthorizationQueryParametersError", format!("Query-string authentication with a wrong {what}."));
        let get = |name: &str| query.get(name).map(String::as_str).ok_or_else(|| wrong(name));
        let (access_key, scope) = get("X-Amz-Credential")?.split_once('/').ok_or_else(|| wrong("X-Amz-Credential"))?;
        let expires: i64 = get("X-Amz-Expires")?.parse().map_err(|_| wrong("X-Amz-Expires"))?;
        if !(1..=MAX_LINK_SECONDS).contains(&expires) {
            return Err(wrong("X-Amz-Expires"));
        }
        if get("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return Err(wrong("X-Amz-Algorithm"));
        }
        let encoded = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let parameters: Vec<_> = query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let signed = get("X-Amz-SignedHeaders")?;
        if !signed.split(';').any(|name| name == "host") {
            return Err(wrong("X-Amz-SignedHeaders"));
        }
        let headers: String = signed.split(';').map(|name| format!("{name}:{}\n", value_of(&head.headers, name))).collect();
        let path = percent_decode_str(head.uri.path()).decode_utf8_lossy().into_owned();
        let path = utf8_percent_encode(&path, PATH);
        Ok(Some(Self {
            access_key: access_key.to_owned(),
            token: query.get("X-Amz-Security-Token").cloned(),
            scope: scope.to_owned(),
            date: get("X-Amz-Date")?.to_owned(),
            expires,
            signature,
            canonical: format!("{}\n{path}\n{}\n{headers}\n{signed}\nUNSIGNED-PAYLOAD", head.method, parameters.join("&")),
        }))
    }

    /// Whether the signature is that of the owner of `secret`, and the link is good still.
    pub(crate) fn check(&self, secret: &str, region: &str, now: SystemTime) -> Result<(), ServiceError> {
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &self.date).ok().and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok());
        let time = time.ok_or_else(|| client("AuthorizationQueryParametersError", "X-Amz-Date must be in the ISO8601 basic format."))?;
        let day = self.date.get(..8).unwrap_or_default();
        let is_scope = self.scope == format!("{day}/{region}/s3/aws4_request");
        let hash = hex::encode(Sha256::digest(&self.canonical));
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", self.date, self.scope);
        let key = [day, region, "s3", "aws4_request", &text].into_iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| sign(&key, part));
        if !is_scope || hex::encode(key) != self.signature {
            let message = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
            return Err(ServiceError { status: StatusCode::FORBIDDEN, ..client("SignatureDoesNotMatch", message) });
        }
        let begins = time.timestamp().as_millisecond();
        if !(begins - 15 * 60 * 1000..begins + self.expires * 1000).contains(&epoch_millis(now)) {
            return Err(ServiceError { status: StatusCode::FORBIDDEN, ..client("AccessDenied", "Request has expired") });
        }
        Ok(())
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    // A key may have any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn value_of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

fn reply(builder: http::response::Builder, body: Bytes) -> Response<Bytes> {
    builder.body(body).unwrap_or_default()
}

/// An error as S3 reports it.
pub(crate) fn failure(error: &ServiceError) -> Response<Bytes> {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>",
        escaped(error.code),
        escaped(&error.message)
    );
    reply(Response::builder().status(error.status).header(header::CONTENT_TYPE, "application/xml"), body.into())
}

fn client(code: &'static str, message: impl Into<String>) -> ServiceError {
    ServiceError::client(code, message)
}

fn unsupported(message: &str) -> ServiceError {
    ServiceError { status: StatusCode::NOT_IMPLEMENTED, ..client("NotImplemented", message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Expiration;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn s3(folder: &Path) -> S3 {
        let expirations = vec![Expiration { prefix: "exports/".into(), days: 3 }];
        let bucket = Bucket { name: "b".into(), arn: "arn:aws:s3:::b".into(), expirations };
        let stack = Stack {
            name: "quire".into(),
            region: "us-east-1".into(),
            functions: BTreeMap::new(),
            tables: BTreeMap::new(),
            queues: Vec::new(),
            keys: BTreeMap::new(),
            buckets: [("Bucket".to_owned(), bucket)].into(),
            cors: None,
        };
        S3::open(&folder.join("s3.sqlite"), &stack).unwrap()
    }

    fn head(method: &str, uri: &str) -> Parts {
        http::Request::builder().method(method).uri(uri).header("host", "examplebucket.s3.amazonaws.com").body(()).unwrap().into_parts().0
    }

    fn call(s3: &S3, method: &str, uri: &str, body: &'static str, now: i64) -> (u16, String) {
        let answer = s3.request(&head(method, uri)).and_then(|request| request.unwrap().answer(&Bytes::from(body), now));
        let response = answer.unwrap_or_else(|error| failure(&error));
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn objects_are_stored_replaced_removed_and_grow_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let s3 = s3(folder.path());
        let get = |name: &str, now| call(&s3, "GET", &format!("/b/{name}"), "", now);
        assert_eq!(get("exports/a", 0).0, 404);
        for content in ["one", "two"] {
            assert_eq!(call(&s3, "PUT", "/b/exports/a", content, 0).0, 200);
        }
        call(&s3, "PUT", "/b/other", "three", 0);
        assert_eq!(get("exports/a", 3 * DAY - 1), (200, "two".into()));
        let (status, error) = get("exports/a", 3 * DAY);
        assert!(status == 404 && error.contains("<Code>NoSuchKey</Code>"), "{error}");
        assert_eq!(get("other", 3 * DAY), (200, "three".into()));
        for _ in 0..2 {
            assert_eq!(call(&s3, "DELETE", "/b/other", "", 3 * DAY).0, 204);
        }
        assert_eq!(get("other", 3 * DAY).0, 404);
    }

    #[test]
    fn what_is_not_modelled_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let s3 = s3(folder.path());
        for (method, uri) in
            [("GET", "/b"), ("GET", "/b/"), ("POST", "/b/a"), ("HEAD", "/b/a"), ("GET", "/b/a?acl"), ("PUT", "/b/a?X-Amz-Signature=1")]
        {
            assert_eq!(call(&s3, method, uri, "", 0).0, 501, "{method} {uri}");
        }
        assert!(s3.request(&head("GET", "/c/a")).unwrap().is_none());
    }

    /// The example of the documentation of S3, "Authenticating Requests: Using Query Parameters".
    #[test]
    fn a_link_is_good_with_its_signature_and_for_its_time() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let uri = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        let read = |uri: &str| Link::read(&head("GET", uri), "GetObject");
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_369_353_600 + seconds);
        let check = |uri: &str, seconds| read(uri).unwrap().unwrap().check(secret, "us-east-1", at(seconds)).map_err(|error| error.code);
        assert_eq!(read(uri).unwrap().unwrap().access_key, "AKIAIOSFODNN7EXAMPLE");
        assert_eq!([0, 86_399].map(|seconds| check(uri, seconds)), [Ok(()); 2]);
        assert_eq!(check(uri, 86_400), Err("AccessDenied"));
        for (from, to) in [("test.txt", "best.txt"), ("86400", "86401"), ("T000000Z", "T000001Z"), ("d404", "d405"), ("us-east-1", "us-east-2")] {
            assert_eq!(check(&uri.replace(from, to), 0), Err("SignatureDoesNotMatch"), "{to}");
        }
        for (from, to) in [("Expires=86400", "Expires=604801"), ("=host", "=date"), ("HMAC-SHA256", "HMAC-SHA1"), ("&X-Amz-Date", "&X-Amz-Day")] {
            assert!(read(&uri.replace(from, to)).is_err(), "{to}");
        }
        assert_eq!(read("/test.txt").unwrap(), None);
    }
}

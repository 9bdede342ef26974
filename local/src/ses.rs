//! A little SES: takes mail by `SendEmail` of its API v2, and sends none of it. What it took is kept, and shown to people at this machine.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::{Service, ServiceError, epoch_millis, reply};

/// Headers that a mail can have besides its own (MessageHeader of the SES API v2).
const MAX_HEADERS: usize = 15;
const CONTENT_TYPE: &str = "application/json";

/// A mail that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// Names it.
    pub message_id: String,
    /// Milliseconds since the Unix epoch.
    pub sent_at: i64,
    /// Who sent it.
    pub from: String,
    /// Where it goes.
    pub to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// As plain text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
    /// As HTML.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub html: Option<String>,
    /// Headers besides those that every mail has.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub headers: Vec<Header>,
}

/// A header of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

type Tell = Arc<dyn Fn(&Mail) + Send + Sync>;

struct State {
    file: File,
    mails: Vec<Mail>,
    tell: Option<Tell>,
}

/// The mail service. Clones share what was sent.
#[derive(Clone)]
pub struct Ses(Arc<Mutex<State>>);

impl Ses {
    /// Goes on with the mail that the file at `path` has, one JSON document a line. Only its owner may read it: mail holds secrets.
    ///
    /// # Errors
    /// If the file cannot be read or written, or holds something else.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        let text = std::fs::read_to_string(path).map_err(failed)?;
        // A line that a crash has cut off was never acknowledged.
        let mails = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self(Arc::new(Mutex::new(State { file, mails, tell: None }))))
    }

    /// Every mail, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.state().mails.clone()
    }

    /// Sets what is told of each mail from now on.
    pub fn tell(&self, tell: impl Fn(&Mail) + Send + Sync + 'static) {
        self.state().tell = Some(Arc::new(tell));
    }

    /// All mail as a JSON document.
    pub(crate) fn page(&self) -> Response<Bytes> {
        let body = serde_json::to_vec_pretty(&json!({ "items": self.mails() })).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(CONTENT_TYPE));
        response
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, ServiceError> {
        if operation != "SendEmail" {
            return Err(bad_request(format!("The local SES does not support {operation}.")));
        }
        let request: Request = serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
        let Simple { subject, body, headers } = request.content.simple;
        if request.destination.to_addresses.is_empty() || (body.text.is_none() && body.html.is_none()) {
            return Err(bad_request("A mail needs an address and a text.".to_owned()));
        }
        let headers = headers.into_iter().map(Header::try_from).collect::<Result<Vec<_>, _>>()?;
        if headers.len() > MAX_HEADERS {
            return Err(bad_request(format!("A mail can have {MAX_HEADERS} headers.")));
        }
        let mail = Mail {
            message_id: Uuid::new_v4().to_string(),
            sent_at: epoch_millis(SystemTime::now()),
            from: request.from_email_address,
            to: request.destination.to_addresses,
            subject: subject.data,
            text: body.text.map(|content| content.data),
            html: body.html.map(|content| content.data),
            headers,
        };
        let mut state = self.state();
        let line = format!("{}\n", json!(mail));
        state.file.write_all(line.as_bytes()).map_err(|error| ServiceError::internal(error.to_string()))?;
        if let Some(tell) = &state.tell {
            tell(&mail);
        }
        let id = mail.message_id.clone();
        state.mails.push(mail);
        Ok(json!({ "MessageId": id }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Ses {
    fn call<'a>(&'a self, operation: &'a str, body: Bytes) -> BoxFuture<'a, Response<Bytes>> {
        ready(reply(self.answer(operation, &body), CONTENT_TYPE)).boxed()
    }
}

/// The mail could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot read or write the mail in {path}")]
pub struct OpenError {
    /// The file.
    path: PathBuf,
    /// The cause.
    #[source]
    source: io::Error,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Request {
    from_email_address: String,
    destination: Destination,
    content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Destination {
    to_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Content {
    simple: Simple,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Simple {
    subject: Data,
    body: Forms,
    #[serde(default)]
    headers: Vec<NewHeader>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NewHeader {
    name: String,
    value: String,
}

impl TryFrom<NewHeader> for Header {
    type Error = ServiceError;

    fn try_from(NewHeader { name, value }: NewHeader) -> Result<Self, ServiceError> {
        let is_name = (1..=126).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        let is_value = (1..=996 - name.len().min(996)).contains(&value.len()) && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !is_name || !is_value {
            return Err(bad_request(format!("The header {name} is not valid.")));
        }
        // SES lets a mail set others by parameters of their own.
        if ["from", "to", "cc", "bcc", "subject", "reply-to", "sender", "return-path", "date", "message-id"].contains(&&*name.to_ascii_lowercase()) {
            return Err(bad_request(format!("The header {name} cannot be set.")));
        }
        Ok(Self { name, value })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Forms {
    text: Option<Data>,
    html: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Data {
    data: String,
    #[serde(default, rename = "Charset")]
    _charset: Option<String>,
}

fn bad_request(message: String) -> ServiceError {
    ServiceError::client("BadRequestException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_kept_and_wrong_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ses = Ses::open(&folder.path().join("mail.ndjson")).unwrap();
        let send = |name: &str, value: &str| {
            let text = json!({"Data": "t", "Charset": "UTF-8"});
            let simple = json!({"Subject": text, "Body": {"Text": text}, "Headers": [{"Name": name, "Value": value}]});
            let mail = json!({"FromEmailAddress": "a@b.c", "Destination": {"ToAddresses": ["d@e.f"]}, "Content": {"Simple": simple}});
            ses.answer("SendEmail", mail.to_string().as_bytes()).is_ok()
        };
        assert!(send("List-Unsubscribe", "<https://a.example/b>"));
        for (name, value) in [("", "v"), ("A:", "v"), ("A b", "v"), ("A", ""), ("A", "v\r\nB: c"), ("A", &"v".repeat(996)), ("Subject", "v")] {
            assert!(!send(name, value), "{name}: {value}");
        }
        let headers: Vec<_> = ses.mails().into_iter().flat_map(|mail| mail.headers).collect();
        assert_eq!(headers, [Header { name: "List-Unsubscribe".into(), value: "<https://a.example/b>".into() }]);
    }
}

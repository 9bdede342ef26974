//! Holds what goes through the tests against `openapi.yaml`: every reply, and every request that was taken.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::Reply;

static CONTRACT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(quire_contract::JSON).expect("the contract is JSON"));

/// A request, as far as the contract speaks of it.
pub struct Request {
    /// Method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Media type of the body.
    pub content_type: Option<String>,
    /// Body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// For the messages of failures: bodies are long.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// Checks one exchange.
///
/// # Panics
/// If the contract does not allow the reply, or the request although it was taken.
#[track_caller]
pub fn check(request: &Request, reply: &Reply) {
    // The gateway's own replies are beyond the contract.
    if reply.header("x-correlation-id").is_none() {
        return;
    }
    let Some(path) = quire_contract::template(&request.path) else { return };
    let method = if request.method == "HEAD" { "get".to_owned() } else { request.method.to_lowercase() };
    let operation = format!("/paths/{}/{method}", escaped(path));
    if CONTRACT.pointer(&operation).is_none() {
        assert!(matches!(reply.status.as_u16(), 204 | 405), "{request:?}: the contract has no such operation, and yet: {reply:?}");
        return;
    }
    let status = reply.status.as_u16().to_string();
    let response =
        resolved(&format!("{operation}/responses/{status}")).unwrap_or_else(|| panic!("{request:?}: the contract has no {status}: {reply:?}"));
    headers(request, &response, reply);
    body(request, &response, reply);
    if reply.status.is_success()
        && let (Some("application/json" | "application/merge-patch+json"), Some(body)) = (request.content_type.as_deref(), &request.body)
    {
        let body: Value = serde_json::from_slice(body).expect("a request that was taken is JSON");
        let content = resolved(&format!("{operation}/requestBody")).expect("the contract has a body for a request that was taken");
        conforms(&format!("{content}/content/application~1json/schema"), &body, request);
    }
}

fn headers(request: &Request, response: &str, reply: &Reply) {
    for name in CONTRACT.pointer(&format!("{response}/headers")).and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
        let header = resolved(&format!("{response}/headers/{name}")).expect("a header");
        match reply.header(name) {
            Some(value) => {
                let schema = format!("{header}/schema");
                let is_number = CONTRACT.pointer(&format!("{schema}/type")) == Some(&json!("integer"));
                let value = if is_number { value.parse::<u64>().map_or(json!(value), |number| json!(number)) } else { json!(value) };
                conforms(&schema, &value, request);
            }
            None => {
                let required = CONTRACT.pointer(&format!("{header}/required")) == Some(&json!(true));
                assert!(!required, "{request:?}: the reply has no {name}: {reply:?}");
            }
        }
    }
}

fn body(request: &Request, response: &str, reply: &Reply) {
    let Some(content) = CONTRACT.pointer(&format!("{response}/content")).and_then(Value::as_object) else {
        assert!(reply.body.is_empty(), "{request:?}: the contract has no body here: {reply:?}");
        return;
    };
    if request.method == "HEAD" {
        assert!(reply.body.is_empty(), "{request:?}: a reply to HEAD has no body");
        return;
    }
    let media_type = reply.header("content-type").unwrap_or_default();
    let known = content.keys().find(|known| media_type.split(';').next() == Some(known));
    let known = known.unwrap_or_else(|| panic!("{request:?}: the contract has no {media_type} here"));
    if media_type.ends_with("json") {
        conforms(&format!("{response}/content/{}/schema", escaped(known)), &reply.json(), request);
    }
}

/// Holds a value against the schema at a pointer into the contract.
#[track_caller]
fn conforms(schema: &str, value: &Value, request: &Request) {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let validator = {
        let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
        validators.entry(schema.to_owned()).or_insert_with(|| Arc::new(validator(schema))).clone()
    };
    let errors: Vec<_> = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{request:?}: not of {schema}: {errors:#?} in {value}");
}

/// The schema stands inside the contract, so that its references find what they name.
fn validator(schema: &str) -> Validator {
    let mut root = CONTRACT.clone();
    // The braces of a path's parameters have no place in a URI (RFC 3986, section 3.5).
    root["$ref"] = json!(format!("#{}", schema.replace('{', "%7B").replace('}', "%7D")));
    jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(&root).expect("the contract's schemas are right")
}

/// Where a thing stands, after the references on the way.
fn resolved(pointer: &str) -> Option<String> {
    let value = CONTRACT.pointer(pointer)?;
    match value["$ref"].as_str() {
        Some(reference) => resolved(reference.trim_start_matches('#')),
        None => Some(pointer.to_owned()),
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

//! End-to-end tests: the real function binaries through the local cloud.

mod api_tokens;
mod audit;
mod authorization;
mod comments;
mod contention;
mod costs;
mod engagement;
mod exports;
mod fan_out;
mod fields;
mod forge;
mod forms;
mod graphql;
mod guide;
mod health;
mod hostile;
mod http;
mod idempotency;
mod identity;
mod keys;
mod mail;
mod moderation;
mod notifications;
mod pages;
mod passwords;
mod posts;
mod protocols;
mod quotas;
mod rpc;
mod second_factor;
mod sessions;
mod story;
mod tally;
mod tokens;
mod users;
mod verification;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use quire_local::functions::Outcome;
use quire_tests::{Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

/// A number that is counted of a post, once all is counted; 0 if nothing was.
async fn counted(quire: &Quire, post: &str, counter: &str) -> i64 {
    quire.is_tallied().await;
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let get = quire.dynamodb().get_item().table_name(quire.table()).key("pk", key(&format!("POST#{post}"))).key("sk", key("COUNTS"));
    let item = get.consistent_read(true).send().await.expect("the table can be read").item.unwrap_or_default();
    item.get(counter).and_then(|number| number.as_n().ok()?.parse().ok()).unwrap_or_default()
}

/// The events in the outbox, each as the message of a queue, by their type.
async fn outbox(quire: &Quire) -> BTreeMap<String, Vec<String>> {
    let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in quire.items().await {
        if let Some(event) = item.get("event").and_then(|event| event.as_s().ok()) {
            let kind = text(&serde_json::from_str::<Value>(event).expect("JSON")["type"]);
            events.entry(kind).or_default().push(event.clone());
        }
    }
    events
}

/// Gives a message to the worker behind a queue, which must deal with it.
async fn deliver(quire: &Quire, worker: &str, message: &str) {
    let event = json!({"Records": [{"messageId": "m", "body": message}]}).to_string();
    match quire.cloud().functions().invoke(worker, event.into(), None).await.outcome {
        Outcome::Reply(reply) => assert_eq!(&reply[..], br#"{"batchItemFailures":[]}"#),
        other => panic!("{other:?}"),
    }
}

/// An id that nothing has.
const NOBODY: &str = "0190a5a5-0000-7000-8000-000000000000";

/// Whether this is a time as the API writes it: `2026-11-22T15:09:08.123Z`.
fn is_time(value: &Value) -> bool {
    let shape = |text: &str| text.chars().map(|character| if character.is_ascii_digit() { '9' } else { character }).collect::<String>();
    value.as_str().is_some_and(|text| shape(text) == "9999-99-99T99:99:99.999Z")
}

/// POST of a text under a content type.
async fn post_text(quire: &Quire, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Reply {
    send(quire.request(Method::POST, path).header("content-type", content_type).body(body)).await
}

/// The errors of fields in a problem detail, as pairs of pointer and detail.
#[track_caller]
fn errors(problem: &Value) -> Vec<(String, String)> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem} lists no errors"));
    errors.iter().map(|error| (text(&error["pointer"]), text(&error["detail"]))).collect()
}

/// The pointers of the errors of fields in a problem detail.
#[track_caller]
fn pointers(problem: &Value) -> Vec<String> {
    errors(problem).into_iter().map(|(pointer, _)| pointer).collect()
}

/// Every page of a list, each at most `limit` items, by its cursors.
async fn walk(quire: &Quire, token: Option<&str>, path: &str, limit: usize) -> Vec<Vec<Value>> {
    let (mut pages, mut cursors) = (Vec::new(), BTreeSet::new());
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut next = format!("{path}{separator}limit={limit}");
    loop {
        let request = quire.request(Method::GET, &next);
        let reply = send(if let Some(token) = token { request.bearer_auth(token) } else { request }).await;
        let page = reply.expect(200);
        let items = page["items"].as_array().cloned().unwrap_or_default();
        assert!(items.len() <= limit, "{page}");
        pages.push(items);
        let Some(cursor) = page["nextCursor"].as_str() else {
            assert_eq!((&page["nextCursor"], reply.header("link")), (&json!(null), None));
            return pages;
        };
        assert!(cursors.insert(cursor.to_owned()), "a cursor comes twice");
        let link = reply.header("link").expect("a link to the next page");
        let query = link.strip_prefix("<?").and_then(|link| link.strip_suffix(">; rel=\"next\"")).expect("a relative link");
        assert!(query.contains(&format!("limit={limit}")) && query.contains(&format!("cursor={cursor}")), "{link}");
        next = format!("{}?{query}", path.split('?').next().unwrap_or_default());
    }
}

/// The member `name` of each item.
fn members(items: &[Value], name: &str) -> Vec<String> {
    items.iter().map(|item| text(&item[name])).collect()
}

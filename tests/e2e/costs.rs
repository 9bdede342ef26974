//! What each operation costs: its calls of DynamoDB, one round trip each, and the capacity units that each consumes.

use std::collections::{BTreeMap, BTreeSet};

use quire_tests::{PASSWORD, Person, Quire, Reply, eventually, pages::LongLists, root, send, text};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    NOBODY,
    forge::Forge,
    identity::{Begun, browser, provider::Impostor},
    second_factor,
};

/// Each operation of the contract, what is particular about the request, and its calls in order with the units of each.
#[rustfmt::skip]
const COSTS: &[(&str, &str, &str)] = &[
    ("register-user", "", "UpdateItem 1, TransactWriteItems 18"),
    ("create-session", "", "UpdateItem 1, UpdateItem 1, UpdateItem 1, GetItem 1, BatchGetItem 2, Query 1, TransactWriteItems 6, GetItem 1, UpdateItem 1, BatchWriteItem 2"),
    ("refresh-session", "", "UpdateItem 1, BatchGetItem 2, Query 1, TransactWriteItems 2"),
    ("refresh-session", "whose reply was lost", "UpdateItem 1, BatchGetItem 2, Query 1"),
    ("list-sessions", "", "Query 1"),
    ("delete-session", "", "UpdateItem 1, GetItem 1, TransactWriteItems 6"),
    ("delete-session", "again", "UpdateItem 1, GetItem 1"),
    ("delete-sessions", "", "UpdateItem 1, Query 1, TransactWriteItems 6"),
    ("create-email-verification", "", "UpdateItem 1, TransactWriteItems 2"),
    ("verify-email", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 16"),
    ("create-password-reset", "", "UpdateItem 1, TransactWriteItems 2"),
    ("replace-password", "", "UpdateItem 1, UpdateItem 1, BatchGetItem 2, Query 1, TransactWriteItems 6, TransactWriteItems 8, Query 1"),
    ("reset-password", "", "UpdateItem 1, BatchGetItem 3, TransactWriteItems 10, Query 1, TransactWriteItems 6, TransactWriteItems 2"),
    ("get-jwks", "", "Query 1"),
    ("list-users", "", "Query 1"),
    ("get-user", "", "GetItem 1"),
    ("replace-user", "", "UpdateItem 1, GetItem 1, TransactWriteItems 10"),
    ("update-user", "", "UpdateItem 1, GetItem 1, TransactWriteItems 10"),
    ("update-user", "with a new name", "UpdateItem 1, GetItem 1, TransactWriteItems 14"),
    ("update-user", "with a new address", "UpdateItem 1, UpdateItem 1, GetItem 1, GetItem 1, TransactWriteItems 24"),
    ("update-user", "by an admin", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 10"),
    ("replace-user-roles", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 16"),
    ("replace-user-roles", "that makes an admin", "UpdateItem 1, BatchGetItem 2, GetItem 1, TransactWriteItems 18"),
    ("replace-user-roles", "that makes an admin none", "UpdateItem 1, BatchGetItem 2, GetItem 1, TransactWriteItems 18"),
    ("create-export", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 8"),
    ("get-export", "", "BatchGetItem 2"),
    ("delete-user", "", "UpdateItem 1, GetItem 1, TransactWriteItems 18"),
    ("create-api-token", "", "UpdateItem 1, GetItem 1, TransactWriteItems 10"),
    ("list-api-tokens", "", "Query 1"),
    ("create-access-token", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 2, Query 1"),
    ("create-access-token", "again within the hour", "UpdateItem 1, BatchGetItem 2, Query 1"),
    ("delete-api-token", "", "UpdateItem 1, GetItem 1, TransactWriteItems 8"),
    ("create-second-factor", "", "UpdateItem 1, UpdateItem 1, BatchGetItem 3, TransactWriteItems 2"),
    ("confirm-second-factor", "", "UpdateItem 1, UpdateItem 1, BatchGetItem 2, TransactWriteItems 18"),
    ("get-second-factor", "", "GetItem 1"),
    ("create-session", "with a code", "UpdateItem 1, UpdateItem 1, UpdateItem 1, GetItem 1, BatchGetItem 2, UpdateItem 1, GetItem 1, TransactWriteItems 2, Query 1, TransactWriteItems 6, GetItem 1, UpdateItem 1, BatchWriteItem 2"),
    ("remove-second-factor", "with a recovery code", "UpdateItem 1, UpdateItem 1, BatchGetItem 3, TransactWriteItems 22"),
    ("list-audit-events", "", "Query 1"),
    ("list-audit-events", "about an account", "Query 1"),
    ("begin-sign-in", "", "TransactWriteItems 2"),
    ("finish-sign-in", "by somebody new", "GetItem 1, TransactWriteItems 2, GetItem 1, TransactWriteItems 26, GetItem 1, GetItem 1, Query 1, GetItem 1, TransactWriteItems 6"),
    ("begin-sign-in", "again", "TransactWriteItems 2"),
    ("finish-sign-in", "by somebody known", "GetItem 1, TransactWriteItems 2, GetItem 1, GetItem 1, Query 1, TransactWriteItems 6"),
    ("link-identity", "", "UpdateItem 1, TransactWriteItems 2"),
    ("finish-sign-in", "that links", "GetItem 1, TransactWriteItems 2, BatchGetItem 2, TransactWriteItems 10"),
    ("list-identities", "", "GetItem 1"),
    ("unlink-identity", "", "UpdateItem 1, BatchGetItem 3, TransactWriteItems 8"),
    ("create-post", "", "UpdateItem 1, TransactWriteItems 8"),
    ("create-post", "with an idempotency key", "UpdateItem 1, TransactWriteItems 10"),
    ("create-post", "that repeats it", "UpdateItem 1, TransactWriteItems 0, GetItem 1"),
    ("update-post", "of a draft", "UpdateItem 1, Query 1, TransactWriteItems 12"),
    ("update-post", "that publishes it", "UpdateItem 1, Query 1, TransactWriteItems 16"),
    ("update-post", "of a published post", "UpdateItem 1, Query 1, TransactWriteItems 16"),
    ("replace-post", "", "UpdateItem 1, Query 1, TransactWriteItems 16"),
    ("get-post", "by its id", "Query 1"),
    ("get-post", "by its slug", "GetItem 1, Query 1"),
    ("list-posts", "", "Query 1, Query 1"),
    ("list-posts", "by an author", "Query 1, Query 1"),
    ("list-posts", "with a tag", "Query 1, Query 1"),
    ("list-revisions", "", "GetItem 1, Query 1"),
    ("get-revision", "", "BatchGetItem 2"),
    ("create-comment", "", "UpdateItem 1, GetItem 1, TransactWriteItems 8"),
    ("create-comment", "that answers another", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 8"),
    ("list-comments", "", "GetItem 1, Query 1"),
    ("get-comment", "", "BatchGetItem 2"),
    ("update-comment", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 8"),
    ("replace-comment", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 8"),
    ("replace-comment-status", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 12"),
    ("replace-comment-status", "that approves it", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 12"),
    ("list-moderation", "", "Query 1"),
    ("delete-comment", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 6"),
    ("put-reaction", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 6"),
    ("put-reaction", "that is there", "UpdateItem 1, BatchGetItem 2"),
    ("list-reactions", "", "GetItem 1, Query 1"),
    ("delete-reaction", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 6"),
    ("put-follower", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 8, Query 1, BatchWriteItem 1"),
    ("get-notification-preferences", "", "GetItem 1"),
    ("replace-notification-preferences", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 2"),
    ("confirm-unsubscription", "", ""),
    ("unsubscribe", "", "UpdateItem 1, GetItem 1, TransactWriteItems 2"),
    ("unsubscribe", "again", "UpdateItem 1, GetItem 1"),
    ("list-followers", "", "GetItem 1, Query 1"),
    ("list-following", "", "GetItem 1, Query 1"),
    ("get-feed", "", "Query 1, BatchGetItem 2, Query 1"),
    ("delete-follower", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 6"),
    ("create-webhook", "", "UpdateItem 1, TransactWriteItems 8"),
    ("list-webhooks", "", "Query 1"),
    ("get-webhook", "", "GetItem 1"),
    ("update-webhook", "", "UpdateItem 1, GetItem 1, TransactWriteItems 4"),
    ("rotate-webhook-secret", "", "UpdateItem 1, GetItem 1, TransactWriteItems 4"),
    ("ping-webhook", "", "UpdateItem 1, GetItem 1, TransactWriteItems 4"),
    ("list-webhook-deliveries", "", "GetItem 1, Query 1"),
    ("repeat-webhook-delivery", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 4"),
    ("delete-webhook", "", "UpdateItem 1, BatchGetItem 2, TransactWriteItems 8"),
    ("list-tags", "", "Query 1"),
    ("check-liveness", "", ""),
    ("check-readiness", "", "GetItem 1"),
    ("get-contract", "", ""),
    ("read-docs", "", ""),
    ("delete-post", "", "UpdateItem 1, GetItem 1, TransactWriteItems 20"),
    ("delete-post", "again", "UpdateItem 1, GetItem 1, GetItem 1"),
];

/// Sends requests and notes what each consumes.
struct Meter {
    quire: Quire,
    operations: BTreeMap<String, Operation>,
    measured: Vec<(String, String, String)>,
}

/// An operation of the contract.
struct Operation {
    method: Method,
    path: String,
    /// The function behind it.
    function: String,
}

impl Meter {
    /// Starts every function, so that each has fetched the keys and has an open connection.
    async fn warm(quire: Quire) -> Self {
        let operations = operations(&quire);
        for Operation { method, path, .. } in operations.values() {
            let path = path.replace("{version}", "1").replace("{kind}", "like");
            let parts = path.split('/').map(|part| if part.starts_with('{') { NOBODY } else { part });
            let request = quire.request(method.clone(), &parts.collect::<Vec<_>>().join("/"));
            send(if [Method::POST, Method::PUT, Method::PATCH].contains(method) { request.json(&json!({})) } else { request }).await;
        }
        quire.faults().consumed();
        Self { quire, operations, measured: Vec::new() }
    }

    /// Sends a request of an operation, with its parameters for the names in braces, and notes what its function consumes.
    async fn send(&mut self, operation: &str, note: &str, who: Option<&Person>, parameters: &[&str], body: &Value) -> Reply {
        self.send_with(operation, note, who, parameters, body, |request| request).await
    }

    async fn send_with(
        &mut self,
        operation: &str,
        note: &str,
        who: Option<&Person>,
        parameters: &[&str],
        body: &Value,
        change: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Reply {
        let Operation { method, path, function } = &self.operations[operation];
        let mut given = parameters.iter();
        let parts = path.split('/').map(|part| if part.starts_with('{') { given.next().expect("a parameter") } else { part });
        let path = parts.collect::<Vec<_>>().join("/") + given.next().unwrap_or(&"");
        let request = change(self.quire.request(method.clone(), &path));
        let request = if body.is_null() { request } else { request.json(body) };
        self.quire.faults().consumed();
        let reply = send(if let Some(person) = who { request.bearer_auth(&person.token) } else { request }).await;
        assert!(reply.status.is_success() || reply.status.is_redirection(), "{operation} {note}: {}", String::from_utf8_lossy(&reply.body));
        // Workers that events have woken call too.
        let consumed = self.quire.faults().consumed().into_iter().filter(|(call, _)| call.function.as_ref() == Some(function));
        let calls: Vec<_> = consumed.map(|(call, units)| format!("{} {units}", call.operation)).collect();
        self.measured.push((operation.to_owned(), note.to_owned(), calls.join(", ")));
        reply
    }

    /// Waits until moderation has approved all comments of a post.
    async fn moderated(&self, reader: &Person, post: &str) {
        self.quire.comments_when(reader, post, |comments| comments.iter().all(|comment| comment["status"] == "approved")).await;
    }
}

/// Every operation of the contract by its id.
fn operations(quire: &Quire) -> BTreeMap<String, Operation> {
    let contract: Value = serde_json::from_str(quire_contract::JSON).expect("JSON");
    let mut operations = BTreeMap::new();
    for (path, methods) in contract["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods").iter().filter(|(_, operation)| operation["operationId"].is_string()) {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let serves = |route: &quire_local::stack::Route| route.method == method.as_str() && route.path == *path;
            let functions = &quire.cloud().stack().functions;
            let function = functions.values().find(|function| function.routes.iter().any(serves)).expect("a function serves the operation");
            operations.insert(text(&operation["operationId"]), Operation { method, path: path.clone(), function: function.logical_id.clone() });
        }
    }
    operations
}

#[tokio::test]
async fn each_operation_makes_these_calls_and_consumes_these_units() {
    let (quire, root) = Quire::with_admin().await;
    let impostor = Impostor::start().await;
    let quire = impostor.known_to(quire).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let editor = Forge::known(&quire).await.person(NOBODY, &["editor"]);
    let mut meter = Meter::warm(quire).await;
    accounts(&mut meter, &root, &ada, &bob).await;
    identity(&mut meter, &root, &ada).await;
    identities(&mut meter, &impostor, &bob).await;
    let post = posts(&mut meter, &ada).await;
    comments(&mut meter, &editor, &bob, &post).await;
    engagement(&mut meter, &ada, &bob, &post).await;
    webhooks(&mut meter, &root).await;
    for operation in ["list-tags", "check-liveness", "check-readiness", "get-contract", "read-docs"] {
        meter.send(operation, "", None, &[], &Value::Null).await;
    }
    meter.send("delete-post", "", Some(&ada), &[&post], &Value::Null).await;
    meter.send("delete-post", "again", Some(&ada), &[&post], &Value::Null).await;

    let measured: Vec<_> = meter.measured.iter().map(|(operation, note, calls)| (operation.as_str(), note.as_str(), calls.as_str())).collect();
    assert_eq!(measured, COSTS, "{}", measured.iter().map(|row| format!("    {row:?},\n")).collect::<String>());
    let operations: BTreeSet<_> = meter.operations.keys().map(String::as_str).collect();
    assert_eq!(COSTS.iter().map(|(operation, ..)| *operation).collect::<BTreeSet<_>>(), operations, "each operation of the contract");
    for (operation, note, calls) in COSTS {
        let queries = calls.matches("Query").count();
        match operation.split_once('-') {
            Some(("list", "identities")) => assert_eq!(*calls, "GetItem 1", "all of an account are one item"),
            Some(("list", "posts")) => assert_eq!(*calls, "Query 1, Query 1", "a page, and what is due besides"),
            Some((_, "feed")) => assert_eq!(queries, 2, "a page, and the authors who are pulled"),
            Some(("list", _)) => assert_eq!(queries, 1, "{operation}: a page is one query"),
            Some(("get", _)) if *note != "by its slug" => assert!(!calls.contains(','), "{operation}: one thing is one read"),
            _ => {}
        }
    }
    let scans = meter.quire.faults().calls().into_iter().filter(|call| call.operation == "Scan");
    assert_eq!(scans.collect::<Vec<_>>(), []);
    documented(&meter.operations);
    meter.quire.stop().await;
}

async fn accounts(meter: &mut Meter, root: &Person, ada: &Person, bob: &Person) {
    let carl = json!({"username": "carl", "email": "carl@example.com", "password": PASSWORD});
    let id = text(&meter.send("register-user", "", None, &[], &carl).await.json()["userId"]);
    let session = meter.send("create-session", "", None, &[], &json!({"username": "carl", "password": PASSWORD})).await.json();
    let carl = Person { id, token: text(&session["accessToken"]) };
    let refresh = |session: &Value| json!({"refreshToken": session["refreshToken"]});
    // The first one opens the signing key.
    let second = meter.quire.post("/api/v1/sessions/refresh", &refresh(&session)).await.expect(200);
    for note in ["", "whose reply was lost"] {
        meter.send("refresh-session", note, None, &[], &refresh(&second)).await;
    }
    meter.send("list-sessions", "", Some(&carl), &[], &Value::Null).await;
    for note in ["", "again"] {
        meter.send("delete-session", note, Some(&carl), &[&text(&session["sessionId"])], &Value::Null).await;
    }
    meter.quire.sign_in("carl").await;
    meter.send("delete-sessions", "", Some(&carl), &[], &Value::Null).await;
    let address = json!({"email": "carl@example.com"});
    let token = meter.quire.mailed_token("carl@example.com", "qev_", 1).await;
    meter.send("create-email-verification", "", None, &[], &address).await;
    meter.send("verify-email", "", None, &[&token], &Value::Null).await;
    meter.send("create-password-reset", "", None, &[], &address).await;
    let token = meter.quire.mailed_token("carl@example.com", "qpr_", 1).await;
    // Each ends one session.
    meter.quire.sign_in("carl").await;
    let new = "another horse battery";
    meter.send("replace-password", "", Some(&carl), &[&carl.id], &json!({"currentPassword": PASSWORD, "newPassword": new})).await;
    meter.quire.post("/api/v1/sessions", &json!({"username": "carl", "password": new})).await.expect(201);
    meter.send("reset-password", "", None, &[&token], &json!({"password": PASSWORD})).await;
    meter.send("get-jwks", "", None, &[], &Value::Null).await;
    meter.send("list-users", "", Some(root), &[], &Value::Null).await;
    meter.send("get-user", "", None, &[&ada.id], &Value::Null).await;
    let said = json!({"username": "bob", "email": "bob@example.com", "bio": "Reads"});
    meter.send("replace-user", "", Some(bob), &[&bob.id], &said).await;
    meter.send("update-user", "", Some(bob), &[&bob.id], &json!({"bio": "Writes"})).await;
    meter.send("update-user", "with a new name", Some(bob), &[&bob.id], &json!({"username": "robert"})).await;
    let address = json!({"email": "robert@example.com", "currentPassword": PASSWORD});
    meter.send("update-user", "with a new address", Some(bob), &[&bob.id], &address).await;
    meter.send("update-user", "by an admin", Some(root), &[&bob.id], &json!({"bio": "Reads"})).await;
    let roles = |roles: &[&str]| json!({"roles": roles});
    meter.send("replace-user-roles", "", Some(root), &[&carl.id], &roles(&["reader", "commenter", "editor"])).await;
    meter.send("replace-user-roles", "that makes an admin", Some(root), &[&carl.id], &roles(&["reader", "commenter", "admin"])).await;
    meter.send("replace-user-roles", "that makes an admin none", Some(root), &[&carl.id], &roles(&["reader", "commenter", "author"])).await;
    let export = text(&meter.send("create-export", "", Some(bob), &[&bob.id], &Value::Null).await.json()["exportId"]);
    meter.send("get-export", "", Some(bob), &[&bob.id, &export], &Value::Null).await;
    meter.send("delete-user", "", Some(&carl), &[&carl.id], &Value::Null).await;
}

async fn identity(meter: &mut Meter, root: &Person, ada: &Person) {
    let token = json!({"name": "Build", "scopes": ["posts:read"]});
    // The first exchange of a process opens the signing key.
    let first = meter.quire.post_as(ada, &format!("/api/v1/users/{}/tokens", ada.id), &token).await.expect(201);
    meter.quire.post("/api/v1/access-tokens", &json!({"apiToken": first["token"]})).await.expect(201);
    let token = meter.send("create-api-token", "", Some(ada), &[&ada.id], &token).await.json();
    meter.send("list-api-tokens", "", Some(ada), &[&ada.id], &Value::Null).await;
    for note in ["", "again within the hour"] {
        meter.send("create-access-token", note, None, &[], &json!({"apiToken": token["token"]})).await;
    }
    meter.send("delete-api-token", "", Some(ada), &[&ada.id, &text(&token["tokenId"])], &Value::Null).await;
    let password = json!({"password": PASSWORD});
    let secret = text(&meter.send("create-second-factor", "", Some(ada), &[&ada.id], &password).await.json()["secret"]);
    let code = |steps| second_factor::code(&secret, steps);
    let codes = meter.send("confirm-second-factor", "", Some(ada), &[&ada.id], &json!({"code": code(0)})).await.json();
    meter.send("get-second-factor", "", Some(ada), &[&ada.id], &Value::Null).await;
    let session = json!({"username": "ada", "password": PASSWORD, "code": code(1)});
    meter.send("create-session", "with a code", None, &[], &session).await;
    let removal = json!({"password": PASSWORD, "code": codes["recoveryCodes"][0]});
    meter.send("remove-second-factor", "with a recovery code", Some(ada), &[&ada.id], &removal).await;
    meter.send("list-audit-events", "", Some(root), &["?limit=1"], &Value::Null).await;
    meter.send("list-audit-events", "about an account", Some(root), &[&format!("?subject={}", ada.id)], &Value::Null).await;
}

/// Somebody new, somebody known, and a link, at a provider.
async fn identities(meter: &mut Meter, impostor: &Impostor, bob: &Person) {
    let address = format!("{}/api/v1/identity/impostor/authorize", meter.quire.cloud().url());
    for note in ["by somebody new", "by somebody known"] {
        let to = browser().get(&address);
        let begun =
            meter.send_with("begin-sign-in", if note.ends_with("new") { "" } else { "again" }, None, &["impostor"], &Value::Null, |_| to).await;
        finish(meter, impostor, note, &Begun::of_redirect(&begun), "new").await;
    }
    let begun = Begun::of_link(&meter.send("link-identity", "", Some(bob), &[&bob.id], &json!({"provider": "impostor"})).await);
    finish(meter, impostor, "that links", &begun, "bob").await;
    meter.send("list-identities", "", Some(bob), &[&bob.id], &Value::Null).await;
    meter.send("unlink-identity", "", Some(bob), &[&bob.id, "impostor"], &Value::Null).await;
}

async fn finish(meter: &mut Meter, impostor: &Impostor, note: &str, begun: &Begun, subject: &str) {
    impostor.proves(begun, subject);
    let query = format!("?code=c&state={}", begun.parameter("state"));
    let with_cookie = |request: RequestBuilder| request.header("cookie", begun.header());
    meter.send_with("finish-sign-in", note, None, &["impostor", &query], &Value::Null, with_cookie).await;
}

/// A published post with a tag.
async fn posts(meter: &mut Meter, ada: &Person) -> String {
    let draft = |title: &str| json!({"title": title, "content": "…", "slug": title, "tags": ["rust"]});
    let id = text(&meter.send("create-post", "", Some(ada), &[], &draft("one")).await.json()["postId"]);
    for note in ["with an idempotency key", "that repeats it"] {
        meter.send_with("create-post", note, Some(ada), &[], &draft("two"), |request| request.header("idempotency-key", "k")).await;
    }
    meter.send("update-post", "of a draft", Some(ada), &[&id], &json!({"content": "Once"})).await;
    meter.send("update-post", "that publishes it", Some(ada), &[&id], &json!({"status": "published"})).await;
    meter.send("update-post", "of a published post", Some(ada), &[&id], &json!({"content": "Twice"})).await;
    meter.send("replace-post", "", Some(ada), &[&id], &json!({"title": "One", "content": "Thrice", "tags": ["rust"]})).await;
    meter.send("get-post", "by its id", None, &[&id], &Value::Null).await;
    meter.send("get-post", "by its slug", None, &["one"], &Value::Null).await;
    meter.send("list-posts", "", None, &[], &Value::Null).await;
    meter.send("list-posts", "by an author", None, &[&format!("?author={}", ada.id)], &Value::Null).await;
    meter.send("list-posts", "with a tag", None, &["?tag=rust"], &Value::Null).await;
    meter.send("list-revisions", "", Some(ada), &[&id], &Value::Null).await;
    meter.send("get-revision", "", Some(ada), &[&id, "1"], &Value::Null).await;
    id
}

async fn comments(meter: &mut Meter, editor: &Person, bob: &Person, post: &str) {
    let says = |words: &str| json!({"content": words});
    let id = text(&meter.send("create-comment", "", Some(bob), &[post], &says("Well said")).await.json()["commentId"]);
    meter.moderated(bob, post).await;
    let answer = json!({"content": "Is it?", "parentId": id});
    let answer = text(&meter.send("create-comment", "that answers another", Some(bob), &[post], &answer).await.json()["commentId"]);
    meter.moderated(bob, post).await;
    meter.send("list-comments", "", None, &[post], &Value::Null).await;
    meter.send("get-comment", "", None, &[post, &id], &Value::Null).await;
    meter.send("update-comment", "", Some(bob), &[post, &id], &says("Well written")).await;
    meter.moderated(bob, post).await;
    meter.send("replace-comment", "", Some(bob), &[post, &id], &says("Well put")).await;
    meter.moderated(bob, post).await;
    meter.send("replace-comment-status", "", Some(editor), &[post, &id], &json!({"status": "held"})).await;
    meter.send("replace-comment-status", "that approves it", Some(editor), &[post, &id], &json!({"status": "approved"})).await;
    meter.send("list-moderation", "", Some(editor), &["?status=held"], &Value::Null).await;
    meter.send("delete-comment", "", Some(bob), &[post, &answer], &Value::Null).await;
}

async fn engagement(meter: &mut Meter, ada: &Person, bob: &Person, post: &str) {
    crate::notifications::verify(&meter.quire, "ada@example.com").await;
    meter.send("put-reaction", "", Some(bob), &[post, "like"], &Value::Null).await;
    meter.send("put-reaction", "that is there", Some(bob), &[post, "like"], &Value::Null).await;
    meter.send("list-reactions", "", None, &[post], &Value::Null).await;
    meter.send("delete-reaction", "", Some(bob), &[post, "like"], &Value::Null).await;
    meter.send("put-follower", "", Some(bob), &[&ada.id, &bob.id], &Value::Null).await;
    meter.send("get-notification-preferences", "", Some(ada), &[&ada.id], &Value::Null).await;
    meter.send("replace-notification-preferences", "", Some(bob), &[&bob.id], &json!({"comments": false, "followers": true})).await;
    let link = crate::notifications::link(&meter.quire, "ada@example.com", "You have a new follower").await;
    let token = link.rsplit('/').next().unwrap_or_default();
    meter.send("confirm-unsubscription", "", None, &[token], &Value::Null).await;
    for note in ["", "again"] {
        meter.send("unsubscribe", note, None, &[token], &Value::Null).await;
    }
    meter.send("list-followers", "", None, &[&ada.id], &Value::Null).await;
    meter.send("list-following", "", None, &[&bob.id], &Value::Null).await;
    meter.send("get-feed", "", Some(bob), &[], &Value::Null).await;
    meter.send("delete-follower", "", Some(bob), &[&ada.id, &bob.id], &Value::Null).await;
}

async fn webhooks(meter: &mut Meter, root: &Person) {
    // No request is sent there.
    let webhook = json!({"url": "https://127.0.0.1:1/", "eventTypes": ["post.archived"]});
    let id = text(&meter.send("create-webhook", "", Some(root), &[], &webhook).await.json()["webhookId"]);
    meter.send("list-webhooks", "", Some(root), &[], &Value::Null).await;
    meter.send("get-webhook", "", Some(root), &[&id], &Value::Null).await;
    meter.send("update-webhook", "", Some(root), &[&id], &json!({"isActive": false})).await;
    meter.send("rotate-webhook-secret", "", Some(root), &[&id], &Value::Null).await;
    let delivery = text(&meter.send("ping-webhook", "", Some(root), &[&id], &Value::Null).await.json()["deliveryId"]);
    let path = format!("/api/v1/webhooks/{id}/deliveries");
    eventually(|| async { (meter.quire.get_as(root, &path).await.json()["items"][0]["status"] == "failed").then_some(()) }).await;
    meter.send("list-webhook-deliveries", "", Some(root), &[&id], &Value::Null).await;
    meter.send("repeat-webhook-delivery", "", Some(root), &[&id, &delivery], &Value::Null).await;
    meter.send("delete-webhook", "", Some(root), &[&id], &Value::Null).await;
}

/// Checks that the data model lists these costs and no others.
fn documented(operations: &BTreeMap<String, Operation>) {
    let row = |(operation, note, calls): &(&str, &str, &str)| {
        let Operation { method, path, .. } = &operations[*operation];
        let (mut read, mut written) = (0.0, 0.0);
        for call in calls.split(", ").filter(|call| !call.is_empty()) {
            let (name, units) = call.split_once(' ').expect("a call and its units");
            let units: f64 = units.parse().expect("a number");
            *if ["BatchGetItem", "GetItem", "Query"].contains(&name) { &mut read } else { &mut written } += units;
        }
        let space = if note.is_empty() { "" } else { " " };
        format!("| `{method} {path}`{space}{note} | {} | {read} | {written} |", if calls.is_empty() { "none" } else { calls })
    };
    let expected: Vec<_> = COSTS.iter().map(row).collect();
    let document = std::fs::read_to_string(root().join("docs/data-model.md")).expect("the document");
    let section = document.split("\n## ").find(|section| section.starts_with("What each route costs\n")).expect("the section");
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows, expected, "\n{}\n", expected.join("\n"));
}

#[tokio::test]
async fn a_page_costs_the_same_whether_a_list_has_a_hundred_posts_or_five_thousand() {
    let mut lists = LongLists::start().await;
    lists.grow(100).await;
    let short = lists.costs().await;
    for (page, calls, posts) in &short {
        assert!(calls.starts_with("Query 1, Query ") && calls.matches(',').count() == 1 && *posts == 20, "{page}: {calls} for {posts} posts");
    }
    lists.grow(5000).await;
    assert_eq!(lists.costs().await, short);
    lists.stop().await;
}

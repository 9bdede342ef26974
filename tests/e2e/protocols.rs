//! REST, RPC and GraphQL are one service: the same versions, the same problems and the same costs.

use quire_tests::{Person, Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, graphql, rpc};

/// A request of one meaning in each of the protocols.
struct Request<'a> {
    rest: (Method, String, &'a [(&'a str, &'a str)], Value),
    rpc: (&'a str, Value),
    graphql: (&'a str, Value),
}

impl Request<'_> {
    async fn send(self, quire: &Quire, who: Option<&Person>) -> [Reply; 3] {
        let (method, path, headers, body) = self.rest;
        let mut request = quire.request(method, &path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = if body.is_null() { request } else { request.json(&body) };
        let by_rest = send(if let Some(person) = who { request.bearer_auth(&person.token) } else { request }).await;
        let by_rpc = rpc::call(quire, who.map(|person| person.token.as_str()), self.rpc.0, &self.rpc.1).await;
        [by_rest, by_rpc, graphql::ask(quire, who, self.graphql.0, self.graphql.1).await]
    }

    /// All three fail with one problem.
    async fn fails(self, quire: &Quire, who: Option<&Person>, kind: &str) {
        let [by_rest, by_rpc, by_graphql] = self.send(quire, who).await;
        let mut expected = by_rest.json();
        assert_eq!(expected["type"], format!("urn:quire:problem:{kind}"));
        let mut by_rpc = rpc::problem(&by_rpc);
        // What was to be written is a member of the message there.
        for error in by_rpc["errors"].as_array_mut().into_iter().flatten() {
            error["pointer"] = text(&error["pointer"]).trim_start_matches("/post").into();
        }
        sort(&mut expected);
        sort(&mut by_rpc);
        assert_eq!(by_rpc, expected);
        let mut by_graphql = graphql::problem(&by_graphql);
        sort(&mut by_graphql);
        assert_eq!(by_graphql, expected);
    }
}

/// The order of errors says nothing.
fn sort(problem: &mut Value) {
    if let Some(errors) = problem["errors"].as_array_mut() {
        errors.sort_by_key(|error| text(&error["pointer"]));
    } else if let Some(problem) = problem.as_object_mut() {
        problem.remove("errors");
    }
}

const UPDATE: &str =
    "mutation ($id: ID!, $title: String, $version: Int) { updatePost(id: $id, input: { title: $title }, ifVersion: $version) { version } }";
const CREATE: &str = "mutation ($input: NewPost!) { createPost(input: $input) { id version } }";
const READ: &str = "query ($id: ID!) { post(id: $id) { id title version updatedAt } }";

#[tokio::test]
async fn what_is_made_by_rpc_and_changed_by_rest_is_read_by_graphql_with_one_version() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let created = rpc::call(&quire, Some(&ada.token), "PostService/CreatePost", &json!({"post": {"title": "T"}})).await;
    let id = text(&created.expect(200)["postId"]);
    let tag = created.header("etag").expect("a tag");
    let change = quire.request(Method::PATCH, &format!("/api/v1/posts/{id}")).bearer_auth(&ada.token).header("if-match", tag);
    let changed = send(change.json(&json!({"title": "U"}))).await.expect(200);
    let by_rpc = rpc::call(&quire, Some(&ada.token), "PostService/GetPost", &json!({"postId": id})).await.expect(200);
    assert_eq!((by_rpc["version"].as_u64(), &by_rpc), (Some(2), &changed));
    let by_graphql = graphql::data(&graphql::ask(&quire, Some(&ada), READ, json!({"id": id})).await);
    assert_eq!(by_graphql, json!({"post": {"id": id, "title": "U", "version": 2, "updatedAt": changed["updatedAt"]}}));

    let again = graphql::ask(&quire, Some(&ada), UPDATE, json!({"id": id, "title": "V", "version": 2})).await;
    assert_eq!(graphql::data(&again)["updatePost"]["version"], 3);
    let read = send(quire.request(Method::GET, &format!("/api/v1/posts/{id}")).bearer_auth(&ada.token)).await;
    assert_eq!(read.expect(200)["title"], "V");
    assert!(read.header("etag").is_some_and(|tag| tag.starts_with("\"3")), "{read:?}");
    quire.stop().await;
}

#[tokio::test]
async fn what_fails_in_one_protocol_fails_with_the_same_problem_in_the_others() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let post = quire.published_post(&ada, "T").await;
    let change = |id: &str| Request {
        rest: (Method::PATCH, format!("/api/v1/posts/{id}"), &[("if-match", "\"1\"")], json!({"title": "U"})),
        rpc: ("PostService/UpdatePost", json!({"postId": id, "post": {"title": "U"}, "ifVersion": 1})),
        graphql: (UPDATE, json!({"id": id, "title": "U", "version": 1})),
    };
    change(&post).fails(&quire, Some(&ada), "version-mismatch").await;
    change(&post).fails(&quire, Some(&bob), "forbidden").await;
    change(&post).fails(&quire, None, "sign-in-required").await;
    change(NOBODY).fails(&quire, Some(&ada), "post-not-found").await;
    let create = |input: Value| Request {
        rest: (Method::POST, "/api/v1/posts".to_owned(), &[], input.clone()),
        rpc: ("PostService/CreatePost", json!({"post": input.clone()})),
        graphql: (CREATE, json!({"input": input})),
    };
    create(json!({"title": "T".repeat(201), "slug": "?", "coverUrl": "ftp://x"})).fails(&quire, Some(&ada), "invalid-input").await;
    let slug = quire.get(&format!("/api/v1/posts/{post}")).await.expect(200)["slug"].clone();
    create(json!({"title": "T", "slug": slug})).fails(&quire, Some(&ada), "slug-taken").await;
    let read = Request {
        rest: (Method::GET, format!("/api/v1/posts/{NOBODY}"), &[], Value::Null),
        rpc: ("PostService/GetPost", json!({"postId": NOBODY})),
        graphql: (READ, json!({"id": NOBODY})),
    };
    read.fails(&quire, None, "post-not-found").await;
    quire.stop().await;
}

#[tokio::test]
async fn a_method_and_a_field_cost_what_their_operation_costs() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let create = || {
        let input = json!({"title": "T", "content": "…"});
        Request {
            rest: (Method::POST, "/api/v1/posts".to_owned(), &[], input.clone()),
            rpc: ("PostService/CreatePost", json!({"post": input})),
            graphql: (CREATE, json!({"input": input})),
        }
    };
    // The first request of a process fetches the signing keys.
    let [created, ..] = create().send(&quire, Some(&ada)).await;
    let id = text(&created.expect(201)["postId"]);
    let read = || Request {
        rest: (Method::GET, format!("/api/v1/posts/{id}"), &[], Value::Null),
        rpc: ("PostService/GetPost", json!({"postId": id})),
        graphql: (READ, json!({"id": id})),
    };
    read().send(&quire, Some(&ada)).await;
    for (request, functions) in [(create(), ["CreatePost", "AnswerRpc", "AnswerGraphql"]), (read(), ["GetPost", "AnswerRpc", "AnswerGraphql"])] {
        quire.faults().consumed();
        request.send(&quire, Some(&ada)).await;
        let consumed = quire.faults().consumed();
        let of = |function: &str| {
            let calls = consumed.iter().filter(|(call, _)| call.function.as_deref() == Some(function));
            calls.map(|(call, units)| format!("{} {units}", call.operation)).collect::<Vec<_>>()
        };
        let [by_rest, by_rpc, by_graphql] = functions.map(of);
        assert!(!by_rest.is_empty());
        assert_eq!((&by_rpc, &by_graphql), (&by_rest, &by_rest));
    }
    quire.stop().await;
}

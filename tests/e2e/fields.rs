//! Fields of bodies: wrong types, unknown, missing and double fields, and hostile values.

use quire_tests::{Person, Quire, Reply, send};
use reqwest::Method;
use serde_json::json;

use crate::errors;

/// Sends a body to one of the routes that take one.
async fn sent(quire: &Quire, person: &Person, method: Method, path: &str, body: &str) -> Reply {
    let request = quire.request(method, path).bearer_auth(&person.token).header("content-type", "application/json");
    send(request.body(body.to_owned())).await
}

#[tokio::test]
async fn a_wrong_field_is_pointed_at() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = format!("/api/v1/posts/{}", quire.published_post(&ada, "T").await);
    let comments = format!("{post}/comments");
    let user = r#""username": "bob", "email": "bob@example.com", "password": "correct horse""#;
    let (users, sessions, posts) = ("/api/v1/users", "/api/v1/sessions", "/api/v1/posts");
    for (method, path, body, pointer, detail) in [
        (Method::POST, users, r#"{"email": "bob@example.com", "password": "correct horse"}"#, "/username", "is required"),
        (Method::POST, users, r#"{"username": "bob", "email": "bob@example.com"}"#, "/password", "is required"),
        (Method::POST, posts, r#"{"title": null}"#, "/title", "is required"),
        (Method::POST, posts, r#"{"title": "T", "excerpt": null}"#, "/excerpt", "must be a string"),
        (Method::PUT, &post, r#"{"title": "T", "tags": null}"#, "/tags", "must be a list"),
        (Method::POST, posts, r#"{"title": {"$ne": ""}}"#, "/title", "must be a string"),
        (Method::POST, users, &format!("{{{user}, \"roles\": [\"admin\"]}}"), "/roles", "is not known"),
        (Method::POST, users, &format!("{{{user}, \"__proto__\": {{}}}}"), "/__proto__", "is not known"),
        (Method::POST, users, &format!("{{{user}, \"\": 1}}"), "/", "is not known"),
        (Method::POST, users, &format!("{{{user}, \"a/b~c\": 1}}"), "/a~1b~0c", "is not known"),
        (Method::POST, users, &format!("{{{user}, \"username\": \"eve\"}}"), "/username", "is given twice"),
        (Method::POST, users, "null", "", "must be an object"),
        (Method::POST, users, "3", "", "must be an object"),
        (Method::POST, users, "\"ada\"", "", "must be an object"),
        (Method::POST, sessions, r#"{"username": "ada"}"#, "/password", "is required"),
        (Method::POST, sessions, r#"{"username": "ada", "password": 1234567890}"#, "/password", "must be a string"),
        (Method::POST, sessions, r#"{"username": "ada", "password": "x", "token": "x"}"#, "/token", "is not known"),
        (Method::POST, posts, r#"{"content": ""}"#, "/title", "is required"),
        (Method::POST, posts, r#"{"title": ["T"]}"#, "/title", "must be a string"),
        (Method::POST, posts, r#"{"title": "T", "status": "published"}"#, "/status", "is not known"),
        (Method::POST, posts, r#"{"title": "T", "authorId": "x"}"#, "/authorId", "is not known"),
        (Method::POST, posts, r#"{"title": "T", "title": "U"}"#, "/title", "is given twice"),
        (Method::PATCH, &post, r#"{"title": 5}"#, "/title", "must be a string"),
        (Method::PATCH, &post, r#"{"version": 5}"#, "/version", "is not known"),
        (Method::PATCH, &post, r#"{"title": "T", "title": null}"#, "/title", "is given twice"),
        (Method::POST, &comments, "{}", "/content", "is required"),
        (Method::POST, &comments, r#"{"content": true}"#, "/content", "must be a string"),
        (Method::POST, &comments, r#"{"content": "Hi", "status": "approved"}"#, "/status", "is not known"),
    ] {
        let problem = sent(&quire, &ada, method.clone(), path, body).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [(pointer.to_owned(), detail.to_owned())], "{method} {path} {body}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn every_wrong_missing_and_unknown_field_is_listed_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let body = r#"{"username": 7, "email": "x", "isAdmin": true, "__proto__": {}, "isAdmin": false}"#;
    let problem = sent(&quire, &ada, Method::POST, "/api/v1/users", body).await.expect_problem(422, "invalid-input");
    let expected = [
        ("/username", "must be a string"),
        ("/email", "must be an e-mail address in ASCII characters"),
        ("/password", "is required"),
        ("/__proto__", "is not known"),
        ("/isAdmin", "is not known"),
    ];
    assert_eq!(errors(&problem), expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())));
    quire.stop().await;
}

#[tokio::test]
async fn a_list_is_no_object() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = format!("/api/v1/posts/{}", quire.published_post(&ada, "T").await);
    let comments = format!("{post}/comments");
    for (method, path, body) in [
        (Method::POST, "/api/v1/users", json!([])),
        (Method::POST, "/api/v1/users", json!(["bob", "bob@example.com", "correct horse battery"])),
        (Method::POST, "/api/v1/sessions", json!(["ada", "correct horse battery"])),
        (Method::POST, "/api/v1/posts", json!(["A title"])),
        (Method::PATCH, &post, json!([])),
        (Method::PATCH, &post, json!(["Another title"])),
        (Method::POST, &comments, json!(["Hi"])),
    ] {
        let problem = sent(&quire, &ada, method.clone(), path, &body.to_string()).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [(String::new(), "must be an object".to_owned())], "{method} {path} {body}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn hostile_values_are_refused_and_the_function_lives_on() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let long_name = format!("{{\"title\": \"T\", \"{}\": 1}}", "n".repeat(100_000));
    for (what, body, status) in [
        ("a deep list", deep("[", "]"), 422),
        ("a deep object", format!("{}1{}", "{\"title\":".repeat(10_000), "}".repeat(10_000)), 400),
        ("a deep list in a field", format!("{{\"title\": {}}}", deep("[", "]")), 400),
        ("a deep list in an unknown field", format!("{{\"title\": \"T\", \"x\": {}}}", deep("[", "]")), 400),
        ("a deep list that does not end", "[".repeat(10_000), 422),
        ("a huge number", "{\"title\": 1e999}".into(), 400),
        ("a long number", format!("{{\"title\": {}}}", "9".repeat(10_000)), 400),
        ("a number below zero", "{\"title\": -0}".into(), 422),
        ("NUL", "{\"title\": \"a\\u0000b\"}".into(), 422),
        ("an escape character", "{\"title\": \"a\\u001b[31mb\"}".into(), 422),
        ("no character", "{\"title\": \"a\\uffffb\"}".into(), 422),
        ("half a pair", "{\"title\": \"\\ud83d\"}".into(), 400),
        ("the other half", "{\"title\": \"\\ude00\"}".into(), 400),
        ("a long name", long_name, 422),
        ("a long title", format!("{{\"title\": \"{}\"}}", "t".repeat(1_000_000)), 422),
        ("a blank title", "{\"title\": \" \\u00a0\\u3000 \"}".into(), 422),
    ] {
        let reply = sent(&quire, &ada, Method::POST, "/api/v1/posts", &body).await;
        reply.expect_problem(status, if status == 400 { "malformed" } else { "invalid-input" });
        assert!(reply.body.len() < 500, "{what}: the reply does not repeat what was sent");
    }
    let post = sent(&quire, &ada, Method::POST, "/api/v1/posts", r#"{"title": "\ud83d\ude00 __proto__"}"#).await.expect(201);
    assert_eq!(post["title"], "😀 __proto__");
    assert_eq!(quire.logs().iter().filter(|line| line.contains("panicked")).count(), 0);
    quire.stop().await;
}

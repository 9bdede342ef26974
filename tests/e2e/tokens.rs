//! Access tokens: which are taken, and where. `hostile.rs` has those that are refused.

use quire_tests::{Quire, send};
use reqwest::Method;
use serde_json::Value;

use crate::NOBODY;

const INVALID: &str = "Bearer realm=\"quire\", error=\"invalid_token\"";

/// GET of an account with these `Authorization` headers: its address, or nothing after checking that the tokens were refused.
async fn address(quire: &Quire, id: &str, authorization: &[&str]) -> Option<String> {
    let request = quire.request(Method::GET, &format!("/api/v1/users/{id}"));
    let reply = send(authorization.iter().fold(request, |request, value| request.header("authorization", *value))).await;
    if reply.status == 200 {
        return reply.json()["email"].as_str().map(str::to_owned);
    }
    reply.expect_problem(401, "invalid-token");
    assert_eq!(reply.header("www-authenticate"), Some(INVALID));
    None
}

#[tokio::test]
async fn a_token_comes_as_a_bearer_token_in_its_header() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let bearer = format!("Bearer {}", ada.token);
    let lower = format!("bearer {}", ada.token);
    for right in [&bearer, &lower] {
        assert_eq!(address(&quire, &ada.id, &[right]).await.as_deref(), Some("ada@example.com"));
    }
    let query = quire.get(&format!("/api/v1/users/{}?access_token={}", ada.id, ada.token)).await.expect(200);
    assert_eq!(query["email"], Value::Null, "a token in a query counts for nothing");
    quire.stop().await;
}

#[tokio::test]
async fn every_route_that_reads_tokens_refuses_a_wrong_one_before_anything_else() {
    let quire = Quire::start().await;
    let post = format!("/api/v1/posts/{NOBODY}");
    let comments = format!("{post}/comments");
    let user = format!("/api/v1/users/{NOBODY}");
    let roles = format!("{user}/roles");
    let session = format!("/api/v1/sessions/{NOBODY}");
    for (method, path, needs_account) in [
        (Method::GET, user.as_str(), false),
        (Method::GET, "/api/v1/users", true),
        (Method::GET, "/api/v1/sessions", true),
        (Method::DELETE, "/api/v1/sessions", true),
        (Method::DELETE, &session, true),
        (Method::PUT, &user, true),
        (Method::PATCH, &user, true),
        (Method::DELETE, &user, true),
        (Method::PUT, &roles, true),
        (Method::GET, "/api/v1/posts", false),
        (Method::GET, &post, false),
        (Method::GET, &comments, false),
        (Method::POST, "/api/v1/posts", true),
        (Method::PATCH, &post, true),
        (Method::POST, &comments, true),
    ] {
        let wrong = send(quire.request(method.clone(), path).bearer_auth("a.b.c").body("{")).await;
        wrong.expect_problem(401, "invalid-token");
        assert_eq!(wrong.header("www-authenticate"), Some(INVALID), "{method} {path}");
        if needs_account {
            let missing = send(quire.request(method.clone(), path).body("{")).await;
            missing.expect_problem(401, "sign-in-required");
            assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"quire\""), "{method} {path}");
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_token_for_another_deployment_is_refused_though_the_key_is_the_same() {
    for other in [("Issuer", "https://other.example"), ("Audience", "other-api")] {
        let quire = Quire::start_with(&[other]).await;
        let ada = quire.person("ada").await;
        let authorization = format!("Bearer {}", ada.token);
        assert_eq!(address(&quire, &ada.id, &[&authorization]).await.as_deref(), Some("ada@example.com"));
        let quire = Quire::over(quire.stop().await, &[]).await;
        assert_eq!(address(&quire, &ada.id, &[&authorization]).await, None, "{other:?}");
        quire.stop().await;
    }
}

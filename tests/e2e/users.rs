//! `POST /api/v1/users` and `GET /api/v1/users/{userId}`.

mod changes;
mod erasure;
mod list;
mod names;
mod roles;

use quire_tests::{PASSWORD, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, errors, forge::Forge, is_time, pointers};

fn registration(username: &str, email: &str) -> Value {
    json!({"username": username, "email": email, "password": PASSWORD})
}

#[tokio::test]
async fn a_new_account_is_shown_to_its_owner_with_its_address() {
    let quire = Quire::start().await;
    let reply = quire.post("/api/v1/users", &registration("Ada-1815", "Ada@Example.com")).await;
    let user = reply.expect(201);
    let id = text(&user["userId"]);
    let expected = json!({
        "userId": id, "username": "ada-1815", "email": "ada@example.com", "emailVerified": false, "isActive": true,
        "roles": ["reader", "commenter", "author"], "createdAt": user["createdAt"], "updatedAt": user["createdAt"], "version": 1,
    });
    assert_eq!(user, expected);
    assert!(is_time(&user["createdAt"]));
    let headers = ["location", "etag", "content-type", "cache-control"].map(|name| reply.header(name));
    let location = format!("/api/v1/users/{id}");
    assert_eq!(headers, [Some(location.as_str()), Some("\"1-own\""), Some("application/json"), Some("no-store")]);
    quire.stop().await;
}

#[tokio::test]
async fn an_account_may_say_something_of_itself() {
    let quire = Quire::start().await;
    let mut body = registration("ada", "ada@example.com");
    (body["displayName"], body["bio"]) = (json!(" Ada Lovelace "), json!("Writes.\nAbout engines."));
    let user = quire.post("/api/v1/users", &body).await.expect(201);
    let shown = quire.get(&format!("/api/v1/users/{}", text(&user["userId"]))).await.expect(200);
    for view in [user, shown] {
        assert_eq!((&view["displayName"], &view["bio"]), (&json!("Ada Lovelace"), &json!("Writes.\nAbout engines.")));
    }
    let mut wrong = registration("bob", "bob@example.com");
    (wrong["displayName"], wrong["bio"]) = (json!("two\nlines"), json!("é".repeat(501)));
    let problem = quire.post("/api/v1/users", &wrong).await.expect_problem(422, "invalid-input");
    let expected = [("/displayName", "must be one line without control characters"), ("/bio", "must have 1 to 500 characters")];
    assert_eq!(errors(&problem), expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())));
    quire.stop().await;
}

#[tokio::test]
async fn an_address_is_shown_to_its_owner_and_to_admins_only() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let path = format!("/api/v1/users/{}", ada.id);
    let public = quire.get(&path).await;
    let shown = public.expect(200);
    let expected = json!({
        "userId": ada.id, "username": "ada", "isActive": true,
        "roles": ["reader", "commenter", "author"], "createdAt": shown["createdAt"], "updatedAt": shown["createdAt"], "version": 1,
    });
    assert_eq!(shown, expected);
    let headers = ["etag", "cache-control", "vary"].map(|name| public.header(name));
    assert_eq!(headers[..2], [Some("\"1\""), Some("public, max-age=0, s-maxage=30, stale-while-revalidate=60")]);
    assert!(headers[2].is_some_and(|vary| vary.contains("authorization")), "{headers:?}");
    for (who, sees) in [(&bob, false), (&forge.person(&bob.id, &["editor"]), false), (&forge.person(&bob.id, &["admin"]), true), (&ada, true)] {
        let reply = quire.get_as(who, &path).await;
        assert_eq!(reply.expect(200)["email"].as_str(), sees.then_some("ada@example.com"));
        assert_eq!(reply.header("etag"), Some(if sees { "\"1-own\"" } else { "\"1\"" }));
    }
    quire.stop().await;
}

#[tokio::test]
async fn an_account_that_the_client_has_is_not_sent_again() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/users/{}", ada.id);
    for (known, status) in [("\"1\"", 304), ("W/\"1\"", 304), ("\"9\", \"1\"", 304), ("*", 304), ("\"1-own\"", 200), ("\"2\"", 200), ("1", 200)] {
        let reply = send(quire.request(Method::GET, &path).header("if-none-match", known)).await;
        assert_eq!((reply.status.as_u16(), reply.body.is_empty()), (status, status == 304), "{known}");
        assert_eq!(
            (reply.header("etag"), reply.header("cache-control")),
            (Some("\"1\""), Some("public, max-age=0, s-maxage=30, stale-while-revalidate=60")),
            "{known}"
        );
    }
    let own = send(quire.request(Method::GET, &path).bearer_auth(&ada.token).header("if-none-match", "\"1\"")).await;
    assert_eq!(own.expect(200)["email"], "ada@example.com", "what others see is not what the account sees");
    quire.stop().await;
}

#[tokio::test]
async fn a_username_and_an_address_belong_to_one_account_whatever_their_case() {
    let quire = Quire::start().await;
    quire.post("/api/v1/users", &registration("ada", "ada@example.com")).await.expect(201);
    for (username, email, problem) in [
        ("ada", "other@example.com", "username-taken"),
        ("ADA", "other@example.com", "username-taken"),
        ("bob", "ada@example.com", "email-taken"),
        ("bob", "ADA@EXAMPLE.COM", "email-taken"),
    ] {
        quire.post("/api/v1/users", &registration(username, email)).await.expect_problem(409, problem);
    }
    quire.post("/api/v1/users", &registration("bob", "other@example.com")).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn every_wrong_field_of_a_registration_is_listed_at_once() {
    let quire = Quire::start().await;
    let wrong = json!({"username": "a", "email": "nowhere", "password": "short"});
    let problem = quire.post("/api/v1/users", &wrong).await.expect_problem(422, "invalid-input");
    let expected = [
        ("/username", "must have 3 to 30 characters"),
        ("/email", "must be an e-mail address in ASCII characters"),
        ("/password", "must have 10 to 256 characters"),
    ];
    assert_eq!(errors(&problem), expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())));
    quire.stop().await;
}

#[tokio::test]
async fn names_that_look_like_others_and_addresses_that_reach_nobody_are_refused() {
    let quire = Quire::start().await;
    let long = "a".repeat(31);
    for username in ["аda", "ada\u{200b}", "ａｄａ", "ada lovelace", "1ada", "_ada", "ad\0a", "ada/..", " ada", "", &long] {
        let problem = quire.post("/api/v1/users", &registration(username, "a@example.com")).await.expect_problem(422, "invalid-input");
        assert_eq!(pointers(&problem), ["/username"], "{username:?}");
    }
    let long = format!("{}@example.com", "a".repeat(250));
    for email in ["", "ada", "ada@", "@example.com", "ada@localhost", "Ada <ada@example.com>", "a\r\nb@example.com", "ada@[127.0.0.1]", &long] {
        let problem = quire.post("/api/v1/users", &registration("ada", email)).await.expect_problem(422, "invalid-input");
        assert_eq!(pointers(&problem), ["/email"], "{email:?}");
    }
    for password in ["", "123456789", &"x".repeat(257)] {
        let body = json!({"username": "ada", "email": "a@example.com", "password": password});
        assert_eq!(pointers(&quire.post("/api/v1/users", &body).await.expect_problem(422, "invalid-input")), ["/password"]);
    }
    quire.stop().await;
}

#[tokio::test]
async fn new_accounts_have_the_roles_that_the_template_names() {
    let quire = Quire::start_with(&[("NewAccountRoles", "reader")]).await;
    let ada = quire.person("ada").await;
    let user = quire.get_as(&ada, &format!("/api/v1/users/{}", ada.id)).await.expect(200);
    assert_eq!(user["roles"], json!(["reader"]));
    quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T"})).await.expect_problem(403, "forbidden");
    let comments = format!("/api/v1/posts/{NOBODY}/comments");
    quire.post_as(&ada, &comments, &json!({"content": "Hi"})).await.expect_problem(403, "forbidden");
    quire.stop().await;
}

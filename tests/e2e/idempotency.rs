//! `Idempotency-Key`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use quire_tests::{PASSWORD, Person, Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

async fn keyed(quire: &Quire, person: Option<&Person>, path: &str, key: &str, body: &Value) -> Reply {
    let request = quire.request(Method::POST, path).header("idempotency-key", key).json(body);
    send(if let Some(person) = person { request.bearer_auth(&person.token) } else { request }).await
}

/// Checks that two replies are the same to a client.
#[track_caller]
fn assert_same(one: &Reply, other: &Reply) {
    let shown = |reply: &Reply| {
        let headers = ["location", "etag", "content-type", "cache-control"].map(|name| reply.header(name).map(str::to_owned));
        (reply.status, headers, String::from_utf8_lossy(&reply.body).into_owned())
    };
    assert_eq!(shown(one), shown(other));
}

#[tokio::test]
async fn a_hundred_posts_at_once_with_one_key_are_one_post() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let body = json!({"title": "Once", "content": "and for all", "slug": "once"});
    let replies = join_all((0..100).map(|_| keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &body))).await;
    replies[0].expect(201);
    for reply in &replies {
        assert_same(reply, &replies[0]);
    }
    let owned = quire.get_as(&ada, &format!("/api/v1/posts?author={}&limit=100", ada.id)).await.expect(200);
    assert_eq!(owned["items"].as_array().map(Vec::len), Some(1));
    let posts = quire.items().await.into_iter().filter(|item| item["sk"].as_s().is_ok_and(|sk| sk == "POST")).count();
    assert_eq!(posts, 1);
    quire.stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_person() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let first = keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &json!({"title": "T"})).await;
    let post = text(&first.expect(201)["postId"]);
    for body in [json!({"title": "U"}), json!({"title": "T", "content": "C"}), json!({"title": "T", "slug": "t"})] {
        keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &body).await.expect_problem(422, "idempotency-key-reused");
    }
    let same = json!({"content": "", "title": "T"});
    assert_same(&keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &same).await, &first);

    let of_bob = keyed(&quire, Some(&bob), "/api/v1/posts", "k1", &json!({"title": "T"})).await.expect(201);
    assert_eq!((of_bob["authorId"].as_str(), of_bob["postId"] == json!(post)), (Some(bob.id.as_str()), false));
    let other_key = keyed(&quire, Some(&ada), "/api/v1/posts", "k2", &json!({"title": "T"})).await.expect(201);
    assert_ne!(other_key["postId"], json!(post));

    quire.patch_as(&ada, &format!("/api/v1/posts/{post}"), &json!({"status": "published"})).await.expect(200);
    assert_same(&keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &json!({"title": "T"})).await, &first);
    let path = format!("/api/v1/posts/{post}/comments");
    let comment = keyed(&quire, Some(&ada), &path, "k1", &json!({"content": "Hi"})).await;
    assert_eq!(comment.expect(201)["content"], "Hi", "another operation has keys of its own");
    quire.comments_when(&ada, &post, |comments| comments.iter().any(|comment| comment["status"] == "approved")).await;
    assert_same(&keyed(&quire, Some(&ada), &path, "k1", &json!({"content": "Hi"})).await, &comment);
    let elsewhere = format!("/api/v1/posts/{}/comments", quire.published_post(&ada, "Elsewhere").await);
    keyed(&quire, Some(&ada), &elsewhere, "k1", &json!({"content": "Hi"})).await.expect_problem(422, "idempotency-key-reused");
    assert_eq!(quire.get(&path).await.expect(200)["items"].as_array().map(Vec::len), Some(1));
    quire.stop().await;
}

#[tokio::test]
async fn a_registration_is_replayed_and_a_failure_is_not_recorded() {
    let quire = Quire::start().await;
    let body = |username: &str| json!({"username": username, "email": "ada@example.com", "password": PASSWORD});
    let users = "/api/v1/users";
    keyed(&quire, None, users, "k1", &body("a")).await.expect_problem(422, "invalid-input");
    let first = keyed(&quire, None, users, "k1", &body("ada")).await;
    first.expect(201);
    for _ in 0..3 {
        assert_same(&keyed(&quire, None, users, "k1", &body("ada")).await, &first);
    }
    keyed(&quire, None, users, "k1", &body("bob")).await.expect_problem(422, "idempotency-key-reused");
    keyed(&quire, None, users, "k2", &body("ada")).await.expect_problem(409, "username-taken");
    quire.post(users, &body("ada")).await.expect_problem(409, "username-taken");
    let free = json!({"username": "bob", "email": "bob@example.com", "password": PASSWORD});
    assert_eq!(keyed(&quire, None, users, "k2", &free).await.expect(201)["username"], "bob", "the conflict took no key");
    quire.stop().await;
}

#[tokio::test]
async fn registrations_at_once_with_one_key_are_one_account() {
    let quire = Quire::start().await;
    let account = |name: String| json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD});
    let same = account("ada".into());
    let replies = join_all((0..20).map(|_| keyed(&quire, None, "/api/v1/users", "k1", &same))).await;
    replies[0].expect(201);
    for reply in &replies {
        assert_same(reply, &replies[0]);
    }
    let bodies: Vec<_> = (0..20).map(|number| account(format!("bob{number}"))).collect();
    let replies = join_all(bodies.iter().map(|body| keyed(&quire, None, "/api/v1/users", "k2", body))).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), refused.len()), (1, 19));
    for reply in refused {
        reply.expect_problem(422, "idempotency-key-reused");
    }
    let accounts = quire.items().await.into_iter().filter(|item| item["sk"].as_s().is_ok_and(|sk| sk == "USER")).count();
    assert_eq!(accounts, 2);
    quire.stop().await;
}

#[tokio::test]
async fn a_record_that_has_expired_is_not_replayed_though_it_is_still_there() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let body = json!({"title": "T"});
    let first = keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &body).await.expect(201);
    let is_record = |item: &HashMap<String, AttributeValue>| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("IDEMPOTENCY#"));
    let mut record = quire.items().await.into_iter().find(is_record).expect("a record");
    let an_hour_ago = crate::forge::now() - 3600;
    record.insert("expiresAt".into(), AttributeValue::N(an_hour_ago.to_string()));
    quire.dynamodb().put_item().table_name(quire.table()).set_item(Some(record)).send().await.expect("the record is stored");
    let second = keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &body).await;
    assert_ne!(second.expect(201)["postId"], first["postId"]);
    assert_same(&keyed(&quire, Some(&ada), "/api/v1/posts", "k1", &body).await, &second);
    quire.stop().await;
}

#[tokio::test]
async fn a_key_has_no_effect_on_signing_in_and_no_record_holds_a_secret() {
    let quire = Quire::start().await;
    let registration = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    keyed(&quire, None, "/api/v1/users", "key-of-ada", &registration).await.expect(201);
    let records = async || {
        let items = quire.items().await;
        items.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("IDEMPOTENCY#"))).collect::<Vec<_>>()
    };
    // The record, and in the partition of the account what leads to it.
    assert_eq!(records().await.len(), 2);
    let credentials = json!({"username": "ada", "password": PASSWORD});
    let first = keyed(&quire, None, "/api/v1/sessions", "key-of-ada", &credentials).await.expect(201);
    let second = keyed(&quire, None, "/api/v1/sessions", "key-of-ada", &credentials).await.expect(201);
    assert!(first["sessionId"] != second["sessionId"] && first["accessToken"] != second["accessToken"]);
    let wrong = json!({"username": "ada", "password": "wrong horse battery"});
    keyed(&quire, None, "/api/v1/sessions", "key-of-ada", &wrong).await.expect_problem(401, "wrong-password");
    assert_eq!(records().await.len(), 2);

    let ada = Person { id: text(&first["userId"]), token: text(&first["accessToken"]) };
    keyed(&quire, Some(&ada), "/api/v1/posts", "key-of-ada", &json!({"title": "T"})).await.expect(201);
    assert_eq!(records().await.len(), 3);
    let table = format!("{:?}", quire.items().await);
    for secret in [PASSWORD, &ada.token, &text(&second["accessToken"]), "key-of-ada"] {
        assert!(!table.contains(secret), "{secret} is in the table");
    }
    assert!(table.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(!format!("{:?}", records().await).contains("argon2"), "not even a hash is recorded");
    quire.stop().await;
}

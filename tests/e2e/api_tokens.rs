//! `/api/v1/users/{userId}/tokens` and `POST /api/v1/access-tokens`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use quire_tests::{Person, Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, errors, forge::decode, is_time, members};

const EXCHANGE: &str = "/api/v1/access-tokens";
const SCOPES: [&str; 9] = [
    "posts:read",
    "posts:write",
    "comments:read",
    "comments:write",
    "comments:moderate",
    "engagement:read",
    "engagement:write",
    "users:read",
    "audit:read",
];

fn tokens(person: &Person) -> String {
    format!("/api/v1/users/{}/tokens", person.id)
}

async fn make(quire: &Quire, person: &Person, scopes: &[&str]) -> Value {
    quire.post_as(person, &tokens(person), &json!({"name": "Build", "scopes": scopes})).await.expect(201)
}

async fn exchange(quire: &Quire, token: &str) -> Reply {
    quire.post(EXCHANGE, &json!({"apiToken": token})).await
}

/// A machine of the account with a token for these scopes.
async fn machine(quire: &Quire, person: &Person, scopes: &[&str]) -> Person {
    let token = make(quire, person, scopes).await;
    let access = exchange(quire, &text(&token["token"])).await.expect(201);
    Person { id: person.id.clone(), token: text(&access["accessToken"]) }
}

/// Sets or removes an attribute of an item.
pub(crate) async fn set(quire: &Quire, (pk, sk): (String, String), name: &str, value: Option<AttributeValue>) {
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk));
    let update = update.expression_attribute_names("#name", name);
    let update = match value {
        Some(value) => update.update_expression("SET #name = :value").expression_attribute_values(":value", value),
        None => update.update_expression("REMOVE #name"),
    };
    update.send().await.expect("the item is changed");
}

pub(crate) fn account(person: &Person) -> (String, String) {
    (format!("USER#{}", person.id), "USER".to_owned())
}

fn stored(person: &Person, token: &Value) -> (String, String) {
    (format!("API-TOKENS#{}", person.id), format!("TOKEN#{}", text(&token["tokenId"])))
}

#[tokio::test]
async fn a_token_is_shown_once_and_exchanged_for_an_access_token_of_ten_minutes() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let body = json!({"name": " Nightly build ", "scopes": ["posts:write", "posts:read"], "expiresAt": "2099-01-01T00:00:00Z"});
    let reply = quire.post_as(&ada, &tokens(&ada), &body).await;
    let made = reply.expect(201);
    let expected = json!({
        "tokenId": made["tokenId"], "name": "Nightly build", "scopes": ["posts:read", "posts:write"], "createdAt": made["createdAt"],
        "expiresAt": "2099-01-01T00:00:00.000Z", "token": made["token"],
    });
    assert_eq!(made, expected);
    let location = format!("{}/{}", tokens(&ada), text(&made["tokenId"]));
    let headers = ["location", "cache-control", "etag"].map(|name| reply.header(name));
    assert_eq!((headers, is_time(&made["createdAt"])), ([Some(location.as_str()), Some("no-store"), None], true));
    let token = text(&made["token"]);
    assert_eq!((&token[..4], token.len()), ("qat_", 90));
    let mut shown = made.clone();
    shown.as_object_mut().expect("an object").remove("token");
    let list = async || quire.get_as(&ada, &tokens(&ada)).await.expect(200)["items"].clone();
    assert_eq!(list().await, json!([shown]));

    let reply = exchange(&quire, &token).await;
    let access = reply.expect(201);
    let expected = json!({"accessToken": access["accessToken"], "tokenType": "Bearer", "expiresIn": 600, "scope": "posts:read posts:write"});
    assert_eq!((&access, reply.header("cache-control"), reply.header("location")), (&expected, Some("no-store"), None));
    let claims = decode(text(&access["accessToken"]).split('.').nth(1).expect("claims"));
    let told = ["sub", "roles", "scope", "sid"].map(|name| claims[name].clone());
    assert_eq!(told, [json!(ada.id), json!(["reader", "commenter", "author"]), json!("posts:read posts:write"), Value::Null]);
    let machine = Person { id: ada.id.clone(), token: text(&access["accessToken"]) };
    quire.post_as(&machine, "/api/v1/posts", &json!({"title": "By a machine"})).await.expect(201);

    let used = list().await[0]["lastUsedAt"].clone();
    assert!(is_time(&used), "{used}");
    exchange(&quire, &token).await.expect(201);
    assert_eq!(list().await[0]["lastUsedAt"], used, "a use is noted once an hour");
    set(&quire, stored(&ada, &made), "lastUsedAt", Some(AttributeValue::S("2026-11-01T00:00:00.000Z".into()))).await;
    join_all((0..5).map(|_| exchange(&quire, &token))).await.iter().for_each(|reply| drop(reply.expect(201)));
    assert!(list().await[0]["lastUsedAt"].as_str() >= used.as_str());

    // Neither the token nor its random bytes are anywhere.
    let (items, logs) = (format!("{:?}", quire.items().await), quire.logs().concat());
    for secret in [&token, &token[4..], &token[47..], &machine.token] {
        assert!(!items.contains(secret) && !logs.contains(secret), "{secret}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn each_scope_opens_its_routes_and_no_others() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let all = json!({"roles": ["reader", "commenter", "author", "editor", "admin"]});
    quire.put_as(&root, &format!("/api/v1/users/{}/roles", ada.id), &all).await.expect(200);
    let ada = quire.sign_in("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let held = text(&quire.post_as(&ada, &format!("/api/v1/posts/{post}/comments"), &json!({"content": "C"})).await.expect(201)["commentId"]);
    let comment = format!("/api/v1/posts/{post}/comments/{held}");
    quire.put_as(&ada, &format!("{comment}/status"), &json!({"status": "held"})).await.expect(200);
    let none = Value::Null;
    let probes: [(&str, Method, String, Value); 17] = [
        ("posts:read", Method::GET, format!("/api/v1/posts?author={}&status=draft", ada.id), none.clone()),
        ("posts:write", Method::POST, "/api/v1/posts".into(), json!({"title": "T"})),
        ("posts:write", Method::PATCH, format!("/api/v1/posts/{post}"), json!({"title": "U"})),
        ("comments:write", Method::POST, format!("/api/v1/posts/{post}/comments"), json!({"content": "C"})),
        ("comments:read", Method::GET, comment.clone(), none.clone()),
        ("comments:moderate", Method::GET, "/api/v1/comments".into(), none.clone()),
        ("engagement:read", Method::GET, "/api/v1/feed".into(), none.clone()),
        ("engagement:write", Method::PUT, format!("/api/v1/posts/{post}/reactions/like"), none.clone()),
        ("users:read", Method::GET, "/api/v1/users".into(), none.clone()),
        ("audit:read", Method::GET, "/api/v1/audit-events".into(), none.clone()),
        ("", Method::PATCH, format!("/api/v1/users/{}", ada.id), json!({"bio": "B"})),
        ("", Method::PUT, format!("/api/v1/users/{}/roles", root.id), all),
        ("", Method::GET, tokens(&ada), none.clone()),
        ("", Method::POST, tokens(&ada), json!({"name": "More", "scopes": ["users:read"]})),
        ("", Method::DELETE, format!("{}/{NOBODY}", tokens(&ada)), none.clone()),
        ("", Method::GET, format!("/api/v1/users/{}/second-factor", ada.id), none.clone()),
        ("", Method::POST, format!("/api/v1/users/{}/second-factor", ada.id), json!({"password": "x"})),
    ];
    for scope in SCOPES {
        let machine = machine(&quire, &ada, &[scope]).await;
        for (wanted, method, path, body) in &probes {
            let request = quire.request(method.clone(), path).bearer_auth(&machine.token);
            let reply = send(if body.is_null() { request } else { request.json(body) }).await;
            let what = format!("{method} {path} with {scope}: {}", String::from_utf8_lossy(&reply.body));
            if *wanted == scope {
                assert!(reply.status.is_success(), "{what}");
            } else if *wanted == "comments:read" {
                // What a token may not see is not there, as for everybody.
                reply.expect_problem(404, "comment-not-found");
            } else {
                assert_eq!(reply.status, 403, "{what}");
                reply.expect_problem(403, "insufficient-scope");
                let named = if wanted.is_empty() { String::new() } else { format!(", scope=\"{wanted}\"") };
                let challenge = format!("Bearer realm=\"quire\", error=\"insufficient_scope\"{named}");
                assert_eq!(reply.header("www-authenticate"), Some(challenge.as_str()), "{what}");
            }
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn scopes_narrow_the_roles_that_the_account_has_now_and_never_widen_them() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let token = text(&make(&quire, &ada, &SCOPES).await["token"]);
    let as_machine = async || {
        let access = exchange(&quire, &token).await.expect(201);
        Person { id: ada.id.clone(), token: text(&access["accessToken"]) }
    };
    let machine = as_machine().await;
    for path in ["/api/v1/users", "/api/v1/comments", "/api/v1/audit-events", "/api/v1/posts?status=draft"] {
        quire.get_as(&machine, path).await.expect_problem(403, "forbidden");
    }
    quire.post_as(&machine, "/api/v1/posts", &json!({"title": "T"})).await.expect(201);
    quire.put_as(&root, &format!("/api/v1/users/{}/roles", ada.id), &json!({"roles": ["reader", "editor"]})).await.expect(200);
    let machine = as_machine().await;
    quire.get_as(&machine, "/api/v1/comments").await.expect(200);
    quire.post_as(&machine, "/api/v1/posts", &json!({"title": "T"})).await.expect_problem(403, "forbidden");
    quire.stop().await;
}

#[tokio::test]
async fn a_token_that_is_wrong_revoked_expired_or_of_an_account_that_is_not_active_gets_one_answer() {
    let (quire, root) = Quire::with_admin().await;
    let (ada, bob, eve) = (quire.person("ada").await, quire.person("bob").await, quire.person("eve").await);
    let [right, revoked, expired] =
        [make(&quire, &ada, &["posts:read"]).await, make(&quire, &ada, &["posts:read"]).await, make(&quire, &ada, &["posts:read"]).await];
    let [of_bob, of_eve] = [make(&quire, &bob, &["posts:read"]).await, make(&quire, &eve, &["posts:read"]).await];
    let text_of = |token: &Value| text(&token["token"]);
    for token in [&right, &revoked, &expired, &of_bob, &of_eve] {
        exchange(&quire, &text_of(token)).await.expect(201);
    }
    for _ in 0..2 {
        quire.delete_as(&ada, &format!("{}/{}", tokens(&ada), text(&revoked["tokenId"]))).await.expect(204);
    }
    set(&quire, stored(&ada, &expired), "expires", Some(AttributeValue::S("2026-11-01T00:00:00.000Z".into()))).await;
    quire.patch_as(&root, &format!("/api/v1/users/{}", bob.id), &json!({"isActive": false})).await.expect(200);
    assert_eq!(quire.delete_as(&eve, &format!("/api/v1/users/{}", eve.id)).await.status, 202);

    let known = text_of(&right);
    let flipped = format!("{}{}", &known[..89], if known.ends_with('A') { 'E' } else { 'A' });
    let other_owner = format!("qat_{}{}", &text_of(&of_bob)[4..25], &known[25..]);
    let wrong = [
        text_of(&revoked),
        text_of(&expired),
        text_of(&of_bob),
        text_of(&of_eve),
        flipped,
        other_owner,
        known.replacen("qat_", "qrt_", 1),
        known[..89].to_owned(),
        format!("{known}A"),
        format!("{known}="),
        format!(" {known}"),
        known.to_uppercase(),
        "qat_".to_owned(),
        String::new(),
        "x".repeat(100_000),
        ada.token.clone(),
    ];
    let told = |reply: &Reply| {
        let headers = reply.headers.iter().filter(|(name, _)| !["date", "ratelimit", "x-correlation-id", "apigw-requestid"].contains(&name.as_str()));
        let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_string(), value.clone())).collect();
        (headers, reply.json())
    };
    let first = exchange(&quire, &wrong[0]).await;
    for token in &wrong {
        let reply = exchange(&quire, token).await;
        reply.expect_problem(401, "invalid-api-token");
        assert_eq!(told(&reply), told(&first), "{}", &token[..token.len().min(100)]);
    }
    let listed = quire.get_as(&ada, &tokens(&ada)).await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2), "one that has expired stays until it is revoked");
    exchange(&quire, &known).await.expect(201);
    // Neither kind of token stands for the other.
    send(quire.request(Method::GET, &tokens(&ada)).bearer_auth(&known)).await.expect_problem(401, "invalid-token");
    quire.stop().await;
}

#[tokio::test]
async fn an_account_has_twenty_tokens_at_most_however_many_ask_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (list, body) = (tokens(&ada), json!({"name": "Build", "scopes": ["posts:read"]}));
    let replies = join_all((0..30).map(|_| quire.post_as(&ada, &list, &body))).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), refused.len()), (20, 10));
    refused.iter().for_each(|reply| drop(reply.expect_problem(409, "too-many-api-tokens")));
    let pages = crate::walk(&quire, Some(&ada.token), &tokens(&ada), 7).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 6]);
    let ids = members(&pages.concat(), "tokenId");
    let mut newest_first = ids.clone();
    newest_first.sort_by(|one, other| other.cmp(one));
    assert_eq!(ids, newest_first);

    let path = format!("{}/{}", tokens(&ada), ids[0]);
    join_all((0..5).map(|_| quire.delete_as(&ada, &path))).await.iter().for_each(|reply| drop(reply.expect(204)));
    let replies = join_all((0..3).map(|_| quire.post_as(&ada, &list, &body))).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(made, 1, "a token is counted off once");
    quire.stop().await;
}

#[tokio::test]
async fn tokens_are_their_owners_and_admins_may_list_and_revoke_them() {
    let (quire, root) = Quire::with_admin().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let token = make(&quire, &ada, &["posts:read"]).await;
    let path = format!("{}/{}", tokens(&ada), text(&token["tokenId"]));
    let body = json!({"name": "Build", "scopes": ["posts:read"]});
    for other in [&bob, &root] {
        quire.post_as(other, &tokens(&ada), &body).await.expect_problem(403, "forbidden");
    }
    quire.get_as(&bob, &tokens(&ada)).await.expect_problem(403, "forbidden");
    quire.delete_as(&bob, &path).await.expect_problem(403, "forbidden");
    // Somebody else's token is not found under one's own account, and stays.
    quire.delete_as(&bob, &format!("{}/{}", tokens(&bob), text(&token["tokenId"]))).await.expect(204);
    quire.delete_as(&bob, &format!("{}/x", tokens(&bob))).await.expect_problem(404, "api-token-not-found");
    quire.get(&tokens(&ada)).await.expect_problem(401, "sign-in-required");
    quire.post(&tokens(&ada), &body).await.expect_problem(401, "sign-in-required");
    quire.get_as(&root, "/api/v1/users/x/tokens").await.expect_problem(404, "user-not-found");
    assert_eq!(quire.get_as(&root, &tokens(&ada)).await.expect(200)["items"][0]["tokenId"], token["tokenId"]);
    quire.delete_as(&root, &path).await.expect(204);
    exchange(&quire, &text(&token["token"])).await.expect_problem(401, "invalid-api-token");

    set(&quire, account(&ada), "isActive", Some(AttributeValue::Bool(false))).await;
    quire.post_as(&ada, &tokens(&ada), &body).await.expect_problem(401, "invalid-token");
    quire.stop().await;
}

#[tokio::test]
async fn an_account_whose_address_is_not_verified_makes_no_tokens_and_its_machines_get_none() {
    let quire = Quire::start_with(&[("RequireVerifiedEmail", "true")]).await;
    let ada = quire.person("ada").await;
    let body = json!({"name": "Build", "scopes": ["posts:read"]});
    quire.post_as(&ada, &tokens(&ada), &body).await.expect_problem(403, "email-unverified");
    quire.get_as(&ada, &tokens(&ada)).await.expect(200);
    set(&quire, account(&ada), "emailVerifiedAt", Some(AttributeValue::S("2026-11-22T14:00:00.000Z".into()))).await;
    quire.post_as(&ada, &tokens(&ada), &body).await.expect_problem(403, "email-unverified");
    let ada = quire.sign_in("ada").await;
    let token = make(&quire, &ada, &["posts:read"]).await;
    exchange(&quire, &text(&token["token"])).await.expect(201);

    set(&quire, account(&ada), "emailVerifiedAt", None).await;
    exchange(&quire, &text(&token["token"])).await.expect_problem(403, "email-unverified");
    quire.post_as(&ada, &tokens(&ada), &body).await.expect_problem(403, "email-unverified");
    quire.stop().await;
}

#[tokio::test]
async fn a_token_has_a_name_scopes_and_an_end_that_is_to_come() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let long = "x".repeat(81);
    for (body, expected) in [
        (json!({}), vec![("/name", "is required"), ("/scopes", "must have 1 scope or more")]),
        (json!({"name": " ", "scopes": []}), vec![("/name", "must have 1 to 80 characters"), ("/scopes", "must have 1 scope or more")]),
        (json!({"name": long, "scopes": ["posts:read"]}), vec![("/name", "must have 1 to 80 characters")]),
        (json!({"name": "a\nb", "scopes": ["posts:read"]}), vec![("/name", "must be one line without control characters")]),
        (json!({"name": "B", "scopes": ["posts:read", "admin"]}), vec![("/scopes/1", "is not a scope")]),
        (json!({"name": "B", "scopes": ["posts:read", "posts:read"]}), vec![("/scopes", "must name each scope once")]),
        (
            json!({"name": "B", "scopes": ["posts:read"], "expiresAt": "tomorrow"}),
            vec![("/expiresAt", "must be a time such as 2026-12-24T18:00:00Z")],
        ),
        (json!({"name": "B", "scopes": ["posts:read"], "expiresAt": "2026-11-01T00:00:00Z"}), vec![("/expiresAt", "must be in the future")]),
        (json!({"name": "B", "scopes": ["posts:read"], "roles": ["admin"]}), vec![("/roles", "is not known")]),
    ] {
        let problem = quire.post_as(&ada, &tokens(&ada), &body).await.expect_problem(422, "invalid-input");
        let expected: Vec<_> = expected.into_iter().map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())).collect();
        assert_eq!(errors(&problem), expected, "{body}");
    }
    let problem = quire.post(EXCHANGE, &json!({})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&problem), [("/apiToken".to_owned(), "is required".to_owned())]);
    let xml = "<apiToken><name>Build</name><scopes>posts:read</scopes><scopes>posts:write</scopes></apiToken>";
    let request = quire.request(Method::POST, &tokens(&ada)).bearer_auth(&ada.token).header("content-type", "application/xml").body(xml);
    assert_eq!(send(request).await.expect(201)["scopes"], json!(["posts:read", "posts:write"]));
    quire.stop().await;
}

//! `POST /api/v1/sessions`.

mod own;
pub(crate) mod refresh;
mod throttle;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{
    primitives::{DateTime, DateTimeFormat},
    types::AttributeValue,
};
use quire_tests::{PASSWORD, Quire, Reply, text};
use serde_json::{Value, json};

use crate::{forge::decode, is_time};

pub(crate) async fn sign_in(quire: &Quire, username: &str, password: &str) -> Reply {
    quire.post("/api/v1/sessions", &json!({"username": username, "password": password})).await
}

/// The sessions in the table.
async fn sessions(quire: &Quire) -> Vec<HashMap<String, AttributeValue>> {
    let items = quire.items().await;
    items.into_iter().filter(|item| item["sk"].as_s().is_ok_and(|sk| sk.starts_with("SESSION#"))).collect()
}

/// The entries of this type in the audit trail, oldest first.
pub(crate) async fn entries(quire: &Quire, kind: &str) -> Vec<Value> {
    let items = quire.items().await;
    let entries = items.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("AUDIT#20")));
    let entries = entries.map(|item| json_of(&AttributeValue::M(item))).filter(|entry| entry["type"] == kind);
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|entry| text(&entry["id"]));
    entries
}

fn json_of(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => number.parse().unwrap_or_default(),
        AttributeValue::M(members) => members.iter().map(|(name, value)| (name.clone(), json_of(value))).collect(),
        other => panic!("{other:?}"),
    }
}

/// Changes a session in the table; `:value` is so many seconds ago, and `name` the last part of a path that is a reserved word.
async fn with_session(quire: &Quire, session: &Value, change: &str, name: Option<&str>, seconds_ago: i64) {
    let key = |text: String| AttributeValue::S(text);
    let at = DateTime::from_secs(crate::forge::now().cast_signed() - seconds_ago).fmt(DateTimeFormat::DateTime).expect("a time");
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", key(format!("USER#{}", text(&session["userId"]))));
    let update = update.key("sk", key(format!("SESSION#{}", text(&session["sessionId"])))).update_expression(change);
    let update = name.into_iter().fold(update, |update, name| update.expression_attribute_names(format!("#{name}"), name));
    update.expression_attribute_values(":value", AttributeValue::S(at)).send().await.expect("the session is changed");
}

/// Seconds since the Unix epoch.
fn seconds(time: &str) -> i64 {
    DateTime::from_str(time, DateTimeFormat::DateTime).expect("a time").secs()
}

#[tokio::test]
async fn a_session_comes_with_a_token_for_ten_minutes() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let reply = sign_in(&quire, "ada", PASSWORD).await;
    let session = reply.expect(201);
    let expected = json!({
        "sessionId": session["sessionId"], "userId": ada.id, "accessToken": session["accessToken"], "tokenType": "Bearer", "expiresIn": 600,
        "refreshToken": session["refreshToken"], "refreshExpiresAt": session["refreshExpiresAt"],
        "createdAt": session["createdAt"], "expiresAt": session["expiresAt"],
    });
    assert_eq!(session, expected);
    assert!(["createdAt", "refreshExpiresAt", "expiresAt"].iter().all(|time| is_time(&session[time])));
    let since = |time: &str| seconds(&text(&session[time])) - seconds(&text(&session["createdAt"]));
    assert_eq!((since("refreshExpiresAt"), since("expiresAt")), (7 * 86_400, 30 * 86_400));
    let location = format!("/api/v1/sessions/{}", text(&session["sessionId"]));
    let headers = ["location", "etag", "cache-control"].map(|name| reply.header(name));
    assert_eq!(headers, [Some(location.as_str()), None, Some("no-store")], "a token is kept by nobody on its way");

    let token = text(&session["accessToken"]);
    let parts: Vec<_> = token.split('.').collect();
    let (header, claims) = (decode(parts[0]), decode(parts[1]));
    let keys = quire.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(header, json!({"typ": "at+jwt", "alg": "ES256", "kid": keys["keys"][0]["kid"]}));
    let issued = claims["iat"].as_u64().expect("a time");
    let expected = json!({
        "iss": "https://quire.localhost", "aud": "quire-api", "sub": ada.id, "client_id": "quire",
        "iat": issued, "nbf": issued, "exp": issued + 600, "jti": claims["jti"], "sid": session["sessionId"],
        "roles": ["reader", "commenter", "author"],
    });
    assert_eq!((parts.len(), &claims), (3, &expected));
    assert!(crate::forge::now().abs_diff(issued) < 60);
    let earlier = decode(ada.token.split('.').nth(1).expect("claims"));
    assert!(claims["jti"] != earlier["jti"] && claims["sid"] != earlier["sid"], "each token and each session has an id of its own");
    quire.stop().await;
}

#[tokio::test]
async fn an_account_signs_in_by_name_or_by_address_whatever_the_case() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    for name in ["ada", "ADA", " ada ", "ada@example.com", "Ada@Example.COM"] {
        assert_eq!(sign_in(&quire, name, PASSWORD).await.expect(201)["userId"], json!(ada.id), "{name}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_password_is_the_same_however_its_accents_were_typed() {
    let quire = Quire::start().await;
    let body = json!({"username": "zoe", "email": "zoe@example.com", "password": "caf\u{e9} caf\u{e9} \0 12"});
    quire.post("/api/v1/users", &body).await.expect(201);
    sign_in(&quire, "zoe", "cafe\u{301} cafe\u{301} \0 12").await.expect(201);
    sign_in(&quire, "zoe", "cafe cafe \0 12").await.expect_problem(401, "wrong-password");
    quire.stop().await;
}

#[tokio::test]
async fn a_failed_sign_in_does_not_tell_whether_the_account_exists() {
    let quire = Quire::start().await;
    quire.person("ada").await;
    let known = told(&sign_in(&quire, "ada", "wrong horse battery").await);
    let long = "x".repeat(1000);
    for (name, password) in [
        ("ada@example.com", "wrong horse battery"),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("аda", PASSWORD),
        ("not a name", PASSWORD),
        ("@", PASSWORD),
        ("", ""),
        ("ada", ""),
        ("ada", &long),
        ("ada", "CORRECT HORSE BATTERY"),
        ("ada\0", PASSWORD),
    ] {
        let reply = sign_in(&quire, name, password).await;
        reply.expect_problem(401, "wrong-password");
        assert_eq!(told(&reply), known, "{name:?}");
    }
    assert_eq!(known.1.get("www-authenticate").map(String::as_str), Some("Bearer realm=\"quire\""));
    quire.stop().await;
}

#[tokio::test]
async fn an_unknown_name_costs_the_same_calls_as_a_known_one() {
    let quire = Quire::start().await;
    quire.person("ada").await;
    let calls = async |name: &str| {
        let before = quire.faults().calls().len();
        sign_in(&quire, name, "wrong horse battery").await.expect_problem(401, "wrong-password");
        let calls = quire.faults().calls().into_iter().skip(before);
        calls.filter(|call| call.function.as_deref() == Some("CreateSession")).map(|call| call.operation).collect::<Vec<_>>()
    };
    let known = calls("ada").await;
    assert_eq!(known, ["UpdateItem", "UpdateItem", "UpdateItem", "GetItem", "BatchGetItem", "TransactWriteItems"]);
    for name in ["ada@example.com", "nobody", "nobody@example.com"] {
        assert_eq!(calls(name).await, known, "{name}");
    }
    let written =
        |item: &HashMap<String, AttributeValue>| item.get("type").is_some_and(|kind| kind.as_s().is_ok_and(|kind| kind == "session.refused"));
    assert_eq!(quire.items().await.iter().filter(|item| written(item)).count(), 4 * 2, "each failure is written down in two places");
    quire.stop().await;
}

#[tokio::test]
async fn an_account_that_is_not_active_does_not_exist_for_signing_in() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let unknown = told(&sign_in(&quire, "nobody", PASSWORD).await);
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", AttributeValue::S(format!("USER#{}", ada.id)));
    let update = update.key("sk", AttributeValue::S("USER".into())).update_expression("SET isActive = :no");
    update.expression_attribute_values(":no", AttributeValue::Bool(false)).send().await.expect("the account is switched off");
    for password in [PASSWORD, "wrong horse battery"] {
        assert_eq!(told(&sign_in(&quire, "ada", password).await), unknown);
    }
    assert_eq!(entries(&quire, "session.refused").await.len(), 3);
    quire.stop().await;
}

#[tokio::test]
async fn sign_ins_and_failures_are_written_down() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    sign_in(&quire, "Ada@example.com", "wrong horse battery").await.expect_problem(401, "wrong-password");
    sign_in(&quire, "nobody", PASSWORD).await.expect_problem(401, "wrong-password");
    let created = entries(&quire, "session.created").await;
    let created: Vec<_> = created.iter().map(|entry| (&entry["actor"], &entry["subject"], &entry["data"]["method"])).collect();
    assert_eq!(created, [(&json!(ada.id), &json!(ada.id), &json!("password"))]);
    let refused = entries(&quire, "session.refused").await;
    let refused: Vec<_> = refused.iter().map(|entry| (&entry["actor"], &entry["subject"], &entry["data"])).collect();
    let why = json!({"reason": "wrong-password"});
    assert_eq!(refused, [(&Value::Null, &json!(ada.id), &why), (&Value::Null, &Value::Null, &why)]);
    let trail =
        format!("{:?}", quire.items().await.iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("AUDIT#"))).collect::<Vec<_>>());
    for secret in ["wrong horse", PASSWORD, "nobody", "example.com"] {
        assert!(!trail.contains(secret), "{secret} is in the trail");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_password_that_was_hashed_otherwise_is_hashed_again_by_signing_in() {
    let quire = Quire::start().await;
    let ada = quire.register("ada").await;
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let (pk, sk) = (key(&format!("USER#{ada}")), key("CREDENTIAL"));
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", pk).key("sk", sk);
    let update = update.update_expression("SET passwordHash = :hash").expression_attribute_values(":hash", key(WEAKER));
    update.send().await.expect("the hash is stored");
    let stored = async || {
        let items = quire.items().await;
        let item = items.into_iter().find(|item| item["sk"].as_s().is_ok_and(|sk| sk == "CREDENTIAL")).expect("a credential");
        json_of(&AttributeValue::M(item))
    };
    sign_in(&quire, "ada", "wrong horse battery").await.expect_problem(401, "wrong-password");
    assert_eq!((&stored().await["passwordHash"], &stored().await["version"]), (&json!(WEAKER), &json!(1)));
    for _ in 0..2 {
        sign_in(&quire, "ada", PASSWORD).await.expect(201);
        let stored = stored().await;
        assert!(text(&stored["passwordHash"]).starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(stored["version"], json!(2), "once");
    }
    quire.stop().await;
}

/// The hash of [`PASSWORD`] with 8 MiB and one pass.
const WEAKER: &str = "$argon2id$v=19$m=8192,t=1,p=1$bE9FdExJby6iYjCH4LYZgw$JfAS6PU81h8vqHKsMZJKC7hbTa+rkdIIlVJL34/642o";

/// All that a reply says, without what differs between any two replies.
fn told(reply: &Reply) -> (u16, BTreeMap<String, String>, Value) {
    let differs = ["date", "ratelimit", "x-correlation-id", "apigw-requestid"];
    let headers = reply.headers.iter().filter(|(name, _)| !differs.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    (reply.status.as_u16(), headers, reply.json())
}

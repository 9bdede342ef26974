//! `POST /api/v1/sessions`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use quire_tests::{PASSWORD, Quire, Reply, text};
use serde_json::{Value, json};

use crate::{forge::decode, is_time};

async fn sign_in(quire: &Quire, username: &str, password: &str) -> Reply {
    quire.post("/api/v1/sessions", &json!({"username": username, "password": password})).await
}

#[tokio::test]
async fn a_session_comes_with_a_token_for_ten_minutes() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let reply = sign_in(&quire, "ada", PASSWORD).await;
    let session = reply.expect(201);
    let expected = json!({
        "sessionId": session["sessionId"], "userId": ada.id, "accessToken": session["accessToken"], "tokenType": "Bearer", "expiresIn": 600,
        "createdAt": session["createdAt"], "expiresAt": session["expiresAt"],
    });
    assert_eq!(session, expected);
    assert!(is_time(&session["createdAt"]) && is_time(&session["expiresAt"]));
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
    assert_eq!(known, ["UpdateItem", "GetItem", "BatchGetItem"]);
    for name in ["ada@example.com", "nobody", "nobody@example.com"] {
        assert_eq!(calls(name).await, known, "{name}");
    }
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
    quire.stop().await;
}

/// All that a reply says, without what differs between any two replies.
fn told(reply: &Reply) -> (u16, BTreeMap<String, String>, Value) {
    let differs = ["date", "ratelimit", "x-correlation-id", "apigw-requestid"];
    let headers = reply.headers.iter().filter(|(name, _)| !differs.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    (reply.status.as_u16(), headers, reply.json())
}

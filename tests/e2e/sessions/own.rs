//! `GET /api/v1/sessions`, `DELETE /api/v1/sessions/{sessionId}` and `DELETE /api/v1/sessions`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use quire_tests::{PASSWORD, Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{entries, refresh::refresh, sessions, sign_in, with_session};
use crate::{
    NOBODY,
    forge::{Forge, claims, header},
    members, walk,
};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";

async fn sign_in_with(quire: &Quire, user_agent: &str) -> Value {
    let request = quire.request(Method::POST, "/api/v1/sessions").header("user-agent", user_agent);
    send(request.json(&json!({"username": "ada", "password": PASSWORD}))).await.expect(201)
}

#[tokio::test]
async fn an_account_sees_where_it_is_signed_in_newest_first() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    let bob = quire.person("bob").await;
    let first = sign_in_with(&quire, FIREFOX).await;
    let second = sign_in_with(&quire, &format!("{FIREFOX}{}", "x".repeat(2000))).await;
    let third = sign_in_with(&quire, "a client of my own").await;
    let over = sign_in_with(&quire, "curl/8.5.0").await;
    with_session(&quire, &over, "SET expires = :value", None, 1).await;
    let ada = Person { id: text(&first["userId"]), token: text(&first["accessToken"]) };
    let page = quire.get_as(&ada, "/api/v1/sessions").await.expect(200);
    let items = page["items"].as_array().expect("a list").clone();
    let expected = [&third, &second, &first].map(|session| text(&session["sessionId"]));
    assert_eq!(members(&items, "sessionId"), expected, "without the one that is over");
    assert_eq!(items.iter().map(|item| &item["device"]).collect::<Vec<_>>(), [&json!(null), &json!("Firefox on Linux"), &json!("Firefox on Linux")]);
    assert_eq!(items.iter().map(|item| item["isCurrent"].as_bool()).collect::<Vec<_>>(), [Some(false), Some(false), Some(true)]);
    let expected = json!({
        "sessionId": first["sessionId"], "device": "Firefox on Linux", "isCurrent": true, "createdAt": first["createdAt"],
        "lastUsedAt": first["createdAt"], "refreshExpiresAt": first["refreshExpiresAt"], "expiresAt": first["expiresAt"],
    });
    assert_eq!(items[2], expected);

    let next = refresh(&quire, &text(&first["refreshToken"])).await.expect(200);
    let again = quire.get_as(&ada, "/api/v1/sessions").await.expect(200);
    assert_eq!(again["items"][2]["refreshExpiresAt"], next["refreshExpiresAt"]);
    assert!(text(&again["items"][2]["lastUsedAt"]) > text(&first["createdAt"]));

    let pages = walk(&quire, Some(&ada.token), "/api/v1/sessions", 1).await;
    assert_eq!(members(&pages.concat(), "sessionId"), [&third, &second, &first].map(|session| text(&session["sessionId"])));
    let own = quire.get_as(&bob, "/api/v1/sessions").await.expect(200);
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1), "and nobody else's");
    for cursor in ["x", "VVNFUg", "Q1JFREVOVElBTA"] {
        quire.get_as(&ada, &format!("/api/v1/sessions?cursor={cursor}")).await.expect_problem(422, "invalid-input");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_session_that_is_signed_out_gives_no_more_tokens_and_others_stay() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (one, other) = (sign_in(&quire, "ada", PASSWORD).await.expect(201), sign_in(&quire, "ada", PASSWORD).await.expect(201));
    let path = format!("/api/v1/sessions/{}", text(&one["sessionId"]));
    for _ in 0..3 {
        assert_eq!(quire.delete_as(&ada, &path).await.expect(204), Value::Null);
    }
    let revoked = entries(&quire, "session.revoked").await;
    assert_eq!(revoked.len(), 1, "repeating it does nothing: {revoked:?}");
    let entry = json!([revoked[0]["data"], revoked[0]["actor"], revoked[0]["subject"]]);
    assert_eq!(entry, json!([{"sessionId": one["sessionId"]}, ada.id, ada.id]));
    refresh(&quire, &text(&one["refreshToken"])).await.expect_problem(401, "invalid-refresh-token");
    refresh(&quire, &text(&other["refreshToken"])).await.expect(200);
    // An access token that is out lasts until it expires.
    let token = Person { id: ada.id.clone(), token: text(&one["accessToken"]) };
    let page = quire.get_as(&token, "/api/v1/sessions").await.expect(200);
    let items = page["items"].as_array().expect("a list");
    assert!(items.len() == 2 && items.iter().all(|item| item["isCurrent"] == json!(false)), "{page}");
    quire.stop().await;
}

#[tokio::test]
async fn nobody_signs_anybody_else_out() {
    let quire = Quire::start().await;
    let (_, bob) = (quire.person("ada").await, quire.person("bob").await);
    let session = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    for id in [&text(&session["sessionId"]), NOBODY] {
        quire.delete_as(&bob, &format!("/api/v1/sessions/{id}")).await.expect(204);
    }
    quire.delete_as(&bob, "/api/v1/sessions").await.expect(204);
    refresh(&quire, &text(&session["refreshToken"])).await.expect(200);
    for id in ["x", &NOBODY.to_uppercase()] {
        quire.delete_as(&bob, &format!("/api/v1/sessions/{id}")).await.expect_problem(404, "session-not-found");
    }
    quire.stop().await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_however_many_there_are() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, sign_in(&quire, "ada", PASSWORD).await.expect(201));
    let others = quire.person("bob").await;
    let like: HashMap<_, _> = sessions(&quire).await.into_iter().find(|item| item["userId"].as_s().ok() == Some(&ada.id)).expect("a session");
    for number in 0..120 {
        let id = format!("0190a5a5-0000-7000-8000-{number:012}");
        let mut item = like.clone();
        item.insert("sk".to_owned(), AttributeValue::S(format!("SESSION#{id}")));
        item.insert("id".to_owned(), AttributeValue::S(id));
        quire.dynamodb().put_item().table_name(quire.table()).set_item(Some(item)).send().await.expect("it is stored");
    }
    for _ in 0..2 {
        quire.delete_as(&ada, "/api/v1/sessions").await.expect(204);
    }
    let left = sessions(&quire).await;
    assert_eq!(left.iter().map(|item| item["userId"].as_s().cloned()).collect::<Vec<_>>(), [Ok(others.id)], "bob's session stays");
    refresh(&quire, &text(&bob["refreshToken"])).await.expect_problem(401, "invalid-refresh-token");
    let revoked = entries(&quire, "session.revoked").await;
    assert_eq!(revoked.iter().map(|entry| entry["data"].clone()).collect::<Vec<_>>(), [json!({})], "one entry for all of it");
    sign_in(&quire, "ada", PASSWORD).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn a_token_of_a_machine_reaches_no_sessions() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let mut machine = claims(&ada.id);
    machine["scope"] = json!("posts:read posts:write");
    let machine = Person { id: ada.id.clone(), token: forge.sign(&header(), &machine) };
    let one = format!("/api/v1/sessions/{NOBODY}");
    for (method, path) in [(Method::GET, "/api/v1/sessions"), (Method::DELETE, "/api/v1/sessions"), (Method::DELETE, &one)] {
        let reply = send(quire.request(method, path).bearer_auth(&machine.token)).await;
        reply.expect_problem(403, "insufficient-scope");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"quire\", error=\"insufficient_scope\""));
    }
    assert_eq!(sessions(&quire).await.len(), 1);
    quire.stop().await;
}

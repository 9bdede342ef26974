//! `POST /api/v1/sessions/refresh`.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use quire_local::faults::{Action, Rule};
use quire_tests::{PASSWORD, Quire, Reply, text};
use serde_json::{Value, json};

use super::{entries, sign_in, with_session};
use crate::{forge::decode, is_time};

pub(crate) async fn refresh(quire: &Quire, token: &str) -> Reply {
    quire.post("/api/v1/sessions/refresh", &json!({"refreshToken": token})).await
}

fn refresh_token(reply: &Value) -> String {
    text(&reply["refreshToken"])
}

fn claims(reply: &Value) -> Value {
    decode(text(&reply["accessToken"]).split('.').nth(1).expect("claims"))
}

/// Moves the moment of the last rotation into the past.
async fn age_rotation(quire: &Quire, session: &Value, seconds: i64) {
    with_session(quire, session, "SET refresh.previous.#at = :value", Some("at"), seconds).await;
}

#[tokio::test]
async fn a_refresh_token_gives_the_next_tokens_of_its_session() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let first = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let reply = refresh(&quire, &refresh_token(&first)).await;
    let second = reply.expect(200);
    let headers = ["location", "etag", "cache-control"].map(|name| reply.header(name));
    assert_eq!(headers, [None, None, Some("no-store")], "tokens are kept by nobody on their way");
    for same in ["sessionId", "userId", "tokenType", "expiresIn", "createdAt", "expiresAt"] {
        assert_eq!(second[same], first[same], "{same}");
    }
    assert!(is_time(&second["refreshExpiresAt"]) && text(&second["refreshExpiresAt"]) >= text(&first["refreshExpiresAt"]));
    assert_ne!(refresh_token(&second), refresh_token(&first));
    let (before, after) = (claims(&first), claims(&second));
    assert_eq!((&after["sid"], &after["sub"], &after["roles"]), (&first["sessionId"], &json!(ada.id), &before["roles"]));
    assert_ne!(after["jti"], before["jti"]);
    let third = refresh(&quire, &refresh_token(&second)).await.expect(200);
    let all: BTreeSet<_> = [&first, &second, &third].into_iter().map(refresh_token).collect();
    assert_eq!(all.len(), 3);
    for token in &all {
        assert!(token.starts_with("qrt_") && token.len() == 132, "{token}");
        let stored: String = quire.items().await.iter().map(|item| format!("{item:?}")).collect();
        assert!(!stored.contains(&token[4..]), "only hashes are stored");
        assert!(!quire.logs().concat().contains(&token[4..]), "a token is in the logs");
    }
    quire.stop().await;
}

#[tokio::test]
async fn tokens_follow_the_account_as_it_is_now() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let first = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    quire.put_as(&root, &format!("/api/v1/users/{}/roles", ada.id), &json!({"roles": ["reader"]})).await.expect(200);
    let second = refresh(&quire, &refresh_token(&first)).await.expect(200);
    assert_eq!(claims(&second)["roles"], json!(["reader"]));
    let path = format!("/api/v1/users/{}", ada.id);
    quire.patch_as(&root, &path, &json!({"isActive": false})).await.expect(200);
    refresh(&quire, &refresh_token(&second)).await.expect_problem(401, "invalid-refresh-token");
    refresh(&quire, &refresh_token(&first)).await.expect_problem(401, "invalid-refresh-token");
    quire.patch_as(&root, &path, &json!({"isActive": true})).await.expect(200);
    refresh(&quire, &refresh_token(&second)).await.expect_problem(401, "invalid-refresh-token");
    let third = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    quire.delete_as(&ada, &path).await.expect(202);
    refresh(&quire, &refresh_token(&third)).await.expect_problem(401, "invalid-refresh-token");
    quire.stop().await;
}

#[tokio::test]
async fn a_lost_reply_is_forgiven_for_ten_seconds_with_the_same_successor() {
    let quire = Quire::start().await;
    quire.person("ada").await;
    let first = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let second = refresh(&quire, &refresh_token(&first)).await.expect(200);
    for _ in 0..3 {
        let again = refresh(&quire, &refresh_token(&first)).await.expect(200);
        assert_eq!((refresh_token(&again), &again["sessionId"]), (refresh_token(&second), &first["sessionId"]));
        assert_ne!(again["accessToken"], second["accessToken"]);
    }
    refresh(&quire, &refresh_token(&second)).await.expect(200);
    // The successor has been used, so whoever shows its predecessor did not lose the reply.
    refresh(&quire, &refresh_token(&first)).await.expect_problem(401, "invalid-refresh-token");
    assert_eq!(entries(&quire, "session.reused").await.len(), 1);
    quire.stop().await;
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_its_session_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let first = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let other = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let second = refresh(&quire, &refresh_token(&first)).await.expect(200);
    age_rotation(&quire, &first, 11).await;
    let reply = refresh(&quire, &refresh_token(&first)).await;
    reply.expect_problem(401, "invalid-refresh-token");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"quire\""));
    for token in [&first, &second, &first] {
        refresh(&quire, &refresh_token(token)).await.expect_problem(401, "invalid-refresh-token");
    }
    let reused = entries(&quire, "session.reused").await;
    assert_eq!(reused.len(), 1, "repeating it does nothing: {reused:?}");
    assert_eq!((&reused[0]["data"]["sessionId"], &reused[0]["subject"]), (&first["sessionId"], &json!(ada.id)));
    refresh(&quire, &refresh_token(&other)).await.expect(200);
    quire.stop().await;
}

#[tokio::test]
async fn a_forged_token_changes_nothing() {
    let quire = Quire::start().await;
    quire.person("ada").await;
    let first = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let token = refresh_token(&first);
    // The ids of the session, and as many other bytes as one likes: 16 bytes are 21 characters and a bit.
    let forged = format!("{}{}", &token[..60], "A".repeat(72));
    for _ in 0..3 {
        refresh(&quire, &forged).await.expect_problem(401, "invalid-refresh-token");
    }
    assert_eq!(entries(&quire, "session.reused").await.len(), 0);
    refresh(&quire, &token).await.expect(200);
    quire.stop().await;
}

#[tokio::test]
async fn twenty_refreshes_of_one_token_at_once_give_one_successor() {
    let quire = Quire::start().await;
    quire.person("ada").await;
    let first = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let token = refresh_token(&first);
    let replies = join_all((0..20).map(|_| refresh(&quire, &token))).await;
    let successors: BTreeSet<_> = replies.iter().map(|reply| refresh_token(&reply.expect(200))).collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    let sessions = super::sessions(&quire).await;
    let session = sessions.iter().find(|item| item["id"].as_s().ok() == Some(&text(&first["sessionId"]))).expect("the session");
    assert_eq!(session["version"].as_n().map(String::as_str), Ok("2"), "it has rotated once");
    refresh(&quire, successors.first().expect("one")).await.expect(200);
    quire.stop().await;
}

#[tokio::test]
async fn a_refresh_that_is_killed_at_any_call_can_be_sent_again() {
    const FUNCTION: &str = "RefreshSession";
    let quire = Quire::start().await;
    quire.register("ada").await;
    let mut session = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    session = refresh(&quire, &refresh_token(&session)).await.expect(200);
    let calls = quire.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some(FUNCTION)).count();
    assert!(calls >= 4, "{calls}");
    for (call, kill) in (0..calls).flat_map(|call| [(call, Action::KillBefore), (call, Action::KillAfter)]) {
        quire.cloud().functions().replace(FUNCTION);
        let killed = quire.faults().add(Rule::new(kill.clone()).function(FUNCTION).skip(call));
        let reply = refresh(&quire, &refresh_token(&session)).await;
        assert_eq!((reply.status.as_u16(), killed.count()), (500, 1), "{kill:?} {call}");
        quire.faults().clear();
        session = refresh(&quire, &refresh_token(&session)).await.expect(200);
    }
    assert_eq!((entries(&quire, "session.reused").await.len(), super::sessions(&quire).await.len()), (0, 1));
    quire.stop().await;
}

#[tokio::test]
async fn signing_out_beats_a_refresh_that_is_on_its_way() {
    for everywhere in [false, true] {
        let quire = Quire::start().await;
        let ada = quire.person("ada").await;
        let session = sign_in(&quire, "ada", PASSWORD).await.expect(201);
        let path = if everywhere { "/api/v1/sessions".to_owned() } else { format!("/api/v1/sessions/{}", text(&session["sessionId"])) };
        let late = Rule::new(Action::Delay(Duration::from_millis(1500))).function("RefreshSession").operation("TransactWriteItems");
        let late = quire.faults().add(late);
        let token = refresh_token(&session);
        let (refreshed, ()) = tokio::join!(refresh(&quire, &token), async {
            late.wait(1).await;
            quire.delete_as(&ada, &path).await.expect(204);
        });
        refreshed.expect_problem(401, "invalid-refresh-token");
        refresh(&quire, &token).await.expect_problem(401, "invalid-refresh-token");
        quire.stop().await;
    }
}

#[tokio::test]
async fn signing_out_ends_a_session_that_is_refreshed_all_the_time() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let session = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let refreshing = async {
        let mut token = refresh_token(&session);
        loop {
            let reply = refresh(&quire, &token).await;
            if reply.status != 200 {
                return reply;
            }
            token = refresh_token(&reply.json());
        }
    };
    let (last, ()) = tokio::join!(refreshing, async {
        quire.delete_as(&ada, "/api/v1/sessions").await.expect(204);
        assert_eq!(super::sessions(&quire).await.len(), 0, "no session is there or comes back");
    });
    last.expect_problem(401, "invalid-refresh-token");
    assert_eq!(super::sessions(&quire).await.len(), 0);
    quire.stop().await;
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_the_latest_when_the_template_says() {
    let quire = Quire::start_with(&[("SessionDays", "3"), ("SessionIdleDays", "2")]).await;
    quire.person("ada").await;
    let session = sign_in(&quire, "ada", PASSWORD).await.expect(201);
    let days = |session: &Value, from: &str, to: &str| {
        let seconds = |name: &str| super::seconds(&text(&session[name]));
        (seconds(to) - seconds(from)) as f64 / 86400.0
    };
    assert_eq!((days(&session, "createdAt", "refreshExpiresAt"), days(&session, "createdAt", "expiresAt")), (2.0, 3.0));
    // A day and a half ago.
    with_session(&quire, &session, "SET ends = :value", None, -3 * 86400 + 129_600).await;
    let next = refresh(&quire, &refresh_token(&session)).await.expect(200);
    assert_eq!(next["refreshExpiresAt"], next["expiresAt"], "it is not idle, and ends all the same");
    with_session(&quire, &session, "SET expires = :value", None, 1).await;
    refresh(&quire, &refresh_token(&next)).await.expect_problem(401, "invalid-refresh-token");
    assert_eq!(entries(&quire, "session.reused").await.len(), 0);
    quire.stop().await;
}

#[tokio::test]
async fn what_is_no_body_of_a_refresh_is_refused() {
    let quire = Quire::start().await;
    let path = "/api/v1/sessions/refresh";
    let missing = quire.post(path, &json!({})).await.expect_problem(422, "invalid-input");
    assert_eq!(crate::pointers(&missing), ["/refreshToken"]);
    let wrong = quire.post(path, &json!({"refreshToken": 1, "x": 1})).await.expect_problem(422, "invalid-input");
    assert_eq!(crate::pointers(&wrong), ["/refreshToken", "/x"]);
    crate::post_text(&quire, path, "application/json", "{").await.expect_problem(400, "malformed");
    crate::post_text(&quire, path, "text/plain", "x").await.expect_problem(415, "unsupported-media-type");
    quire.stop().await;
}

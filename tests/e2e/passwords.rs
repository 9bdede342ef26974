//! `POST /api/v1/password-resets`, `PUT /api/v1/password-resets/{token}` and `PUT /api/v1/users/{userId}/password`.

use futures::future::join_all;
use quire_local::faults::{Action, Rule};
use quire_tests::{PASSWORD, Person, Quire, eventually, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    deliver, errors,
    forge::{Forge, claims, header},
    mail::{put, still, subjects},
    outbox,
    sessions::{entries, refresh::refresh, sign_in},
    verification::{expire, told},
};

const NEW: &str = "another horse battery";
const EASY: &str = "is a password that many people use";
const CLOSE: &str = "is too close to the name or the address of the account";

async fn ask(quire: &Quire, email: &str) {
    quire.post("/api/v1/password-resets", &json!({ "email": email })).await.expect(202);
}

async fn change(quire: &Quire, who: &Person, current: &str, new: &str) -> quire_tests::Reply {
    quire.put_as(who, &format!("/api/v1/users/{}/password", who.id), &json!({"currentPassword": current, "newPassword": new})).await
}

fn with(password: &str) -> Option<Value> {
    Some(json!({ "password": password }))
}

#[tokio::test]
async fn a_reset_sets_the_password_once_and_signs_out_everywhere() {
    let quire = Quire::start().await;
    let ada = quire.register("ada").await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(sign_in(&quire, "ada", PASSWORD).await.expect(201));
    }
    ask(&quire, "ada@example.com").await;
    let token = quire.mailed_token("ada@example.com", "qpr_", 1).await;
    // What is refused uses nothing up.
    for (password, detail) in [("short", "must have 10 to 256 characters"), ("1qaz2wsx3edc", EASY), ("Ada-Quire-Example", CLOSE)] {
        let problem = put(&quire, "password-resets", &token, with(password)).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/password".to_owned(), detail.to_owned())]);
    }
    let reply = put(&quire, "password-resets", &token, with(NEW)).await;
    assert_eq!((reply.expect(204), reply.header("cache-control")), (json!(null), Some("no-store")));
    put(&quire, "password-resets", &token, with(NEW)).await.expect_problem(404, "password-reset-not-found");
    for session in &sessions {
        refresh(&quire, &text(&session["refreshToken"])).await.expect_problem(401, "invalid-refresh-token");
    }
    sign_in(&quire, "ada", PASSWORD).await.expect_problem(401, "wrong-password");
    let session = sign_in(&quire, "ada", NEW).await.expect(201);
    let person = Person { id: ada.clone(), token: text(&session["accessToken"]) };
    let user = quire.get_as(&person, &format!("/api/v1/users/{ada}")).await.expect(200);
    assert_eq!(user["emailVerified"], json!(true), "whoever had the token has read the mail");
    for kind in ["user.password-changed", "session.revoked", "user.email-verified"] {
        assert_eq!(entries(&quire, kind).await.len(), 1, "{kind}");
    }
    eventually(|| async { subjects(&quire.mails()).contains(&"Your password was changed").then_some(()) }).await;
    quire.stop().await;
}

#[tokio::test]
async fn every_other_reset_token_is_refused_alike() {
    let quire = Quire::start().await;
    let ada = quire.register("ada").await;
    let verification = quire.mailed_token("ada@example.com", "qev_", 1).await;
    ask(&quire, "ada@example.com").await;
    let token = quire.mailed_token("ada@example.com", "qpr_", 1).await;
    let wrong = [
        "qpr_".to_owned(),
        verification.clone(),
        verification.replacen("qev_", "qpr_", 1),
        token.replacen("qpr_", "qev_", 1),
        format!("{token}A"),
        token[..token.len() - 2].to_owned(),
    ];
    for wrong in &wrong {
        put(&quire, "password-resets", wrong, with(NEW)).await.expect_problem(404, "password-reset-not-found");
    }
    expire(&quire, &ada, "PASSWORD-RESET").await;
    put(&quire, "password-resets", &token, with(NEW)).await.expect_problem(404, "password-reset-not-found");
    sign_in(&quire, "ada", PASSWORD).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn asking_for_a_reset_has_the_same_answer_for_every_address() {
    let quire = still().await;
    quire.register("ada").await;
    let (known, unknown) = (json!({"email": "Ada@Example.com"}), json!({"email": "nobody@example.com"}));
    let replies = [quire.post("/api/v1/password-resets", &known).await, quire.post("/api/v1/password-resets", &unknown).await];
    assert_eq!(replies[0].status, 202);
    assert_eq!(told(&replies[0]), told(&replies[1]));
    // A key makes one request of two, and its record holds no address.
    for (body, status) in [(&known, 202), (&known, 202), (&unknown, 422)] {
        let request = quire.request(Method::POST, "/api/v1/password-resets").header("idempotency-key", "k").json(body);
        assert_eq!(send(request).await.status.as_u16(), status);
    }
    let requested = outbox(&quire).await.remove("user.password-reset-requested").unwrap_or_default();
    assert_eq!(requested.len(), 3);
    for event in &requested {
        deliver(&quire, "SendEmail", event).await;
    }
    assert_eq!(subjects(&quire.mails()), ["Choose a new password"]);
    quire.stop().await;
}

#[tokio::test]
async fn of_resets_at_once_one_sets_the_password() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    ask(&quire, "ada@example.com").await;
    let token = quire.mailed_token("ada@example.com", "qpr_", 1).await;
    let passwords: Vec<_> = (0..4).map(|number| format!("battery horse {number} staple")).collect();
    let replies = join_all(passwords.iter().map(|password| put(&quire, "password-resets", &token, with(password)))).await;
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    for (password, status) in passwords.iter().zip(statuses) {
        let expected = if status == 204 { 201 } else { 401 };
        assert_eq!(sign_in(&quire, "ada", password).await.status.as_u16(), expected);
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_reset_that_crashes_goes_on_with_the_same_password_only() {
    for (calls, begun) in [(0, false), (1, true), (2, true)] {
        let quire = Quire::start().await;
        quire.register("ada").await;
        let session = sign_in(&quire, "ada", PASSWORD).await.expect(201);
        ask(&quire, "ada@example.com").await;
        let token = quire.mailed_token("ada@example.com", "qpr_", 1).await;
        let rule = Rule::new(Action::KillBefore).function("ResetPassword").operation("TransactWriteItems").skip(calls);
        let fired = quire.faults().add(rule);
        let crashed = put(&quire, "password-resets", &token, with(NEW)).await;
        assert!(crashed.status.is_server_error() && fired.count() == 1, "{crashed:?}");
        if begun {
            sign_in(&quire, "ada", PASSWORD).await.expect_problem(401, "wrong-password");
            put(&quire, "password-resets", &token, with("yet another horse")).await.expect_problem(404, "password-reset-not-found");
        }
        put(&quire, "password-resets", &token, with(NEW)).await.expect(204);
        refresh(&quire, &text(&session["refreshToken"])).await.expect_problem(401, "invalid-refresh-token");
        put(&quire, "password-resets", &token, with(NEW)).await.expect_problem(404, "password-reset-not-found");
        sign_in(&quire, "ada", NEW).await.expect(201);
        quire.stop().await;
    }
}

#[tokio::test]
async fn a_password_is_changed_by_its_account_and_ends_the_other_sessions() {
    let quire = Quire::start().await;
    let bob = quire.person("bob").await;
    quire.register("ada").await;
    let (own, other) = (sign_in(&quire, "ada", PASSWORD).await.expect(201), sign_in(&quire, "ada", PASSWORD).await.expect(201));
    let ada = Person { id: text(&own["userId"]), token: text(&own["accessToken"]) };
    change(&quire, &ada, "wrong horse battery", NEW).await.expect_problem(401, "wrong-password");
    let easy = change(&quire, &ada, PASSWORD, "Q1W2E3R4T5Y6").await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&easy), [("/newPassword".to_owned(), EASY.to_owned())]);
    change(&quire, &Person { id: ada.id.clone(), ..bob.clone() }, PASSWORD, NEW).await.expect_problem(403, "forbidden");
    change(&quire, &ada, PASSWORD, NEW).await.expect(204);
    refresh(&quire, &text(&other["refreshToken"])).await.expect_problem(401, "invalid-refresh-token");
    refresh(&quire, &text(&own["refreshToken"])).await.expect(200);
    sign_in(&quire, "ada", PASSWORD).await.expect_problem(401, "wrong-password");
    sign_in(&quire, "ada", NEW).await.expect(201);
    assert_eq!(entries(&quire, "user.password-changed").await.len(), 1);
    eventually(|| async { subjects(&quire.mails()).contains(&"Your password was changed").then_some(()) }).await;
    quire.stop().await;
}

#[tokio::test]
async fn a_machine_changes_no_password() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let mut scoped = claims(&ada.id);
    scoped["scope"] = json!("posts:write users:read");
    let machine = Person { token: forge.sign(&header(), &scoped), ..ada };
    change(&quire, &machine, PASSWORD, NEW).await.expect_problem(403, "insufficient-scope");
    quire.stop().await;
}

#[tokio::test]
async fn a_new_account_needs_a_password_that_is_hard_to_guess() {
    let quire = Quire::start().await;
    let register = |password: &str| {
        let body = json!({"username": "lovelace", "email": "ada.king@engines.example", "password": password, "displayName": "Countess Ada"});
        let quire = &quire;
        async move { quire.post("/api/v1/users", &body).await }
    };
    let dull = "must have 5 different characters or more";
    for (password, detail) in
        [("Password123", EASY), ("ababababab", dull), ("lovelace1815", CLOSE), ("ada.king-engines", CLOSE), ("CountessAda1", CLOSE)]
    {
        let problem = register(password).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/password".to_owned(), detail.to_owned())], "{password}");
    }
    register("lovelace writes notes").await.expect(201);
    quire.stop().await;
}

//! Mail: what the worker `send-email` sends, to whom, and how often.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    primitives::{DateTime, DateTimeFormat},
    types::AttributeValue,
};
use aws_sdk_sqs::types::QueueAttributeName;
use quire_local::{
    faults::{Action, Rule},
    functions::Outcome,
    service::ServiceError,
    ses::Mail,
};
use quire_tests::{PASSWORD, Quire, Reply, eventually, send, text};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{NOBODY, deliver, forge::now, outbox};

/// A Quire in which nothing happens by itself.
pub(crate) async fn still() -> Quire {
    Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await
}

/// What mails are about, oldest first.
pub(crate) fn subjects(mails: &[Mail]) -> Vec<&str> {
    mails.iter().map(|mail| mail.subject.as_str()).collect()
}

/// PUT as nobody in particular, with a token in the path.
pub(crate) async fn put(quire: &Quire, path: &str, token: &str, body: Option<Value>) -> Reply {
    let request = quire.request(Method::PUT, &format!("/api/v1/{path}/{token}"));
    send(if let Some(body) = body { request.json(&body) } else { request }).await
}

/// The one event of a type, as a message.
async fn event(quire: &Quire, kind: &str) -> String {
    let events = outbox(quire).await.remove(kind).unwrap_or_default();
    let [event] = &events[..] else { panic!("{events:?}") };
    event.clone()
}

/// The event as another one, so many seconds from now.
fn later(event: &str, seconds: i64) -> String {
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    let at = DateTime::from_secs(i64::try_from(now()).expect("a time") + seconds).fmt(DateTimeFormat::DateTime).expect("a time");
    event["id"] = json!(format!("{}{:04}", &NOBODY[..32], seconds));
    event["occurredAt"] = json!(at);
    event.to_string()
}

/// Whether the worker deals with a message; if not, it asks for it again.
async fn is_done(quire: &Quire, message: &str) -> bool {
    let event = json!({"Records": [{"messageId": "m", "body": message}]}).to_string();
    match quire.cloud().functions().invoke("SendEmail", event.into(), None).await.outcome {
        Outcome::Reply(reply) => &reply[..] == br#"{"batchItemFailures":[]}"#,
        Outcome::Failed(_) => false,
        Outcome::Throttled => panic!("throttled"),
    }
}

#[tokio::test]
async fn a_new_account_is_mailed_a_token_once_in_two_forms() {
    let quire = still().await;
    quire.register("ada").await;
    let registered = event(&quire, "user.registered").await;
    for _ in 0..3 {
        deliver(&quire, "SendEmail", &registered).await;
    }
    let mails = quire.mails();
    assert_eq!(subjects(&mails), ["Verify your e-mail address"]);
    let token = quire.mailed_token("ada@example.com", "qev_", 1).await;
    let Mail { from, to, subject, text, html, .. } = &mails[0];
    assert_eq!((from.as_str(), &to[..]), ("no-reply@quire.localhost", &["ada@example.com".to_owned()][..]));
    assert!(text.as_ref().is_some_and(|text| text.contains("Hello ada,") && text.contains("30 minutes")));
    assert!(html.as_ref().is_some_and(|html| html.contains(&format!("<code>{token}</code>"))));
    assert!(!subject.contains(&token));
    // Only a hash of the token is stored, and no message holds it.
    let items = format!("{:?}", quire.items().await);
    assert!(!items.contains(&token[4..]) && !registered.contains("@"));
    // People see it at the endpoint.
    let page = reqwest::get(format!("{}/_quire/mail", quire.cloud().endpoint_url())).await.expect("a reply");
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.json::<Value>().await.expect("JSON")["items"][0]["subject"], "Verify your e-mail address");
    quire.stop().await;
}

#[tokio::test]
async fn mail_has_links_where_there_is_a_front_end_and_is_kept_with_the_data() {
    let parameters = [("FrontEndUrl", "https://quire.example/"), ("MailFrom", "hello@quire.example")];
    let quire = Quire::start_with(&parameters).await;
    quire.register("ada").await;
    eventually(|| async { (quire.mails().len() == 1).then_some(()) }).await;
    let mails = quire.mails();
    assert_eq!(mails[0].from, "hello@quire.example");
    let text = mails[0].text.clone().unwrap_or_default();
    assert!(text.lines().any(|line| line.starts_with("https://quire.example/verify-email#token=qev_")), "{text}");
    let quire = Quire::over(quire.stop().await, &parameters).await;
    assert_eq!(quire.mails(), mails);
    quire.stop().await;
}

#[tokio::test]
async fn an_account_is_mailed_one_token_a_minute() {
    let quire = still().await;
    quire.register("ada").await;
    quire.post("/api/v1/password-resets", &json!({"email": "ada@example.com"})).await.expect(202);
    let first = event(&quire, "user.password-reset-requested").await;
    deliver(&quire, "SendEmail", &first).await;
    for seconds in [0, 30, 59] {
        deliver(&quire, "SendEmail", &later(&first, seconds)).await;
    }
    assert_eq!(subjects(&quire.mails()), ["Choose a new password"]);
    deliver(&quire, "SendEmail", &later(&first, 70)).await;
    // What was asked for before the last mail is answered by it.
    deliver(&quire, "SendEmail", &first).await;
    assert_eq!(subjects(&quire.mails()), ["Choose a new password"; 2]);
    let tokens: BTreeSet<_> = quire.mails().iter().map(|mail| mail.text.clone()).collect();
    assert_eq!(tokens.len(), 2, "each mail has a token of its own");
    quire.stop().await;
}

#[tokio::test]
async fn a_worker_killed_around_sending_sends_again_and_the_last_token_counts() {
    for (action, mails) in [(Action::KillBefore, 1), (Action::KillAfter, 2), (Action::DropReply, 2)] {
        let quire = still().await;
        quire.register("ada").await;
        let registered = event(&quire, "user.registered").await;
        quire.faults().add(Rule::new(action.clone()).function("SendEmail").operation("SendEmail"));
        let mut deliveries = 1;
        while !is_done(&quire, &registered).await {
            deliveries += 1;
            assert!(deliveries <= 2, "{action:?}");
        }
        assert!(is_done(&quire, &registered).await);
        assert_eq!(quire.mails().len(), mails, "{action:?}");
        let token = quire.mailed_token("ada@example.com", "qev_", mails).await;
        put(&quire, "email-verifications", &token, None).await.expect(204);
        quire.stop().await;
    }
}

#[tokio::test]
async fn mail_that_cannot_be_sent_is_sent_later() {
    let quire = Quire::start().await;
    let impatient = quire.sqs().set_queue_attributes().queue_url(quire.queue_url("SendEmailQueue"));
    impatient.attributes(QueueAttributeName::VisibilityTimeout, "1").send().await.expect("the queue");
    let down = ServiceError { status: StatusCode::SERVICE_UNAVAILABLE, ..ServiceError::internal("down") };
    let fired = quire.faults().add(Rule::new(Action::Fail(down)).function("SendEmail").operation("SendEmail").times(3));
    quire.register("ada").await;
    quire.mailed_token("ada@example.com", "qev_", 1).await;
    assert_eq!((fired.count(), quire.mails().len()), (3, 1));
    quire.stop().await;
}

#[tokio::test]
async fn an_account_is_told_once_what_was_done_to_it() {
    let quire = still().await;
    let ada = quire.person("ada").await;
    let trace = json!({"correlationId": "c", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
    let former = quire.dynamodb().put_item().table_name(quire.table());
    let former = former.item("pk", AttributeValue::S(format!("USER#{}", ada.id))).item("sk", AttributeValue::S("FORMER-EMAIL#0000000007".into()));
    let former = former.item("userId", AttributeValue::S(ada.id.clone())).item("version", AttributeValue::N("7".into()));
    let former = former.item("email", AttributeValue::S("old@example.com".into()));
    former.item("changedAt", AttributeValue::S("2026-11-22T14:00:00.000Z".into())).send().await.expect("an item");
    let notices = [
        ("user.password-changed", json!({}), "ada@example.com", "Your password was changed"),
        ("user.email-changed", json!({"version": 7}), "old@example.com", "Your e-mail address was changed"),
        ("session.reused", json!({"sessionId": NOBODY}), "ada@example.com", "You were signed out"),
        ("user.second-factor-changed", json!({"isEnabled": true}), "ada@example.com", "Your second factor was turned on"),
        ("user.second-factor-changed", json!({"isEnabled": false}), "ada@example.com", "Your second factor was turned off"),
        ("api-token.created", json!({"tokenId": NOBODY}), "ada@example.com", "An API token was made"),
        ("identity.linked", json!({"provider": "<b>"}), "ada@example.com", "A way to sign in was added"),
    ];
    for (number, (kind, data, to, subject)) in notices.into_iter().enumerate() {
        let mut event = trace.clone();
        (event["id"], event["version"], event["occurredAt"]) =
            (json!(format!("{}{number:04}", &NOBODY[..32])), json!(1), json!("2026-11-22T14:00:00.000Z"));
        (event["type"], event["data"]) = (json!(kind), data);
        event["data"]["userId"] = json!(ada.id);
        for _ in 0..2 {
            deliver(&quire, "SendEmail", &event.to_string()).await;
        }
        let mails = quire.mails();
        assert_eq!(mails.len(), number + 1, "{kind} is told once");
        assert_eq!((mails[number].subject.as_str(), &mails[number].to[0]), (subject, &to.to_owned()));
        assert!(!mails[number].html.clone().unwrap_or_default().contains("<b>"));
        event["data"]["userId"] = json!(NOBODY);
        event["id"] = json!(format!("{}1{number:03}", &NOBODY[..32]));
        deliver(&quire, "SendEmail", &event.to_string()).await;
        assert_eq!(quire.mails().len(), number + 1, "nobody is there to be told");
    }
    let poison = json!({"Records": [{"messageId": "m", "body": "{}"}]}).to_string();
    assert!(!is_done(&quire, &poison).await);
    quire.stop().await;
}

#[tokio::test]
async fn no_log_holds_a_secret_or_an_address() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let verification = quire.mailed_token("ada@example.com", "qev_", 1).await;
    put(&quire, "email-verifications", &verification, None).await.expect(204);
    put(&quire, "email-verifications", &verification, None).await.expect_problem(404, "email-verification-not-found");
    quire.post("/api/v1/password-resets", &json!({"email": "ada@example.com"})).await.expect(202);
    quire.post("/api/v1/password-resets", &json!({"email": "nobody@example.com"})).await.expect(202);
    quire.post("/api/v1/email-verifications", &json!({"email": "bob@example.com"})).await.expect(202);
    let reset = quire.mailed_token("ada@example.com", "qpr_", 1).await;
    let new = "another horse battery";
    put(&quire, "password-resets", &reset, Some(json!({"password": new}))).await.expect(204);
    put(&quire, "password-resets", &reset, Some(json!({"password": new}))).await.expect(404);
    quire.post("/api/v1/sessions", &json!({"username": "ada", "password": PASSWORD})).await.expect(401);
    let session = quire.post("/api/v1/sessions", &json!({"username": "ada@example.com", "password": new})).await.expect(201);
    let change = json!({"email": "lovelace@example.org", "currentPassword": PASSWORD});
    quire.patch_as(&bob, &format!("/api/v1/users/{}", bob.id), &change).await.expect(200);
    let third = "a third horse battery";
    let passwords = json!({"currentPassword": PASSWORD, "newPassword": third});
    quire.put_as(&bob, &format!("/api/v1/users/{}/password", bob.id), &passwords).await.expect(204);
    let moved = quire.mailed_token("lovelace@example.org", "qev_", 1).await;
    eventually(|| async {
        quire.mails().iter().any(|mail| mail.subject == "Your password was changed" && mail.to[0].ends_with(".org")).then_some(())
    })
    .await;
    let (access, refresh) = (text(&session["accessToken"]), text(&session["refreshToken"]));
    let logs = quire.logs().concat();
    let secrets = [PASSWORD, new, third, &verification, &reset, &moved, &ada.token, &bob.token, &access, &refresh, "@example.com", "@example.org"];
    assert_eq!(secrets.iter().find(|secret| logs.contains(**secret)), None, "a secret is in the logs");
    for prefix in ["qev_", "qpr_", "qrt_"] {
        assert!(!logs.contains(prefix), "a token is in the logs");
    }
    quire.stop().await;
}

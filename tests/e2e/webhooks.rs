//! Webhooks: who is told of what, how it is signed, and what happens to endpoints that do not answer.

mod receiver;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use quire_tests::{Person, Quire, eventually, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    NOBODY, deliver, errors,
    mail::{still, subjects},
    outbox, pointers,
};
use receiver::Receiver;

const WEBHOOKS: &str = "/api/v1/webhooks";
/// A time that has passed.
const EARLIER: &str = "2026-01-01T00:00:00.000Z";

/// A Quire with an admin that may ask the receiver, in which things happen by themselves or not.
async fn quire(receiver: &Receiver, sources: bool) -> (Quire, Person) {
    let quire = still().await;
    let id = quire.register("root").await;
    let parameters = [("FirstAdmin", id.as_str()), ("WebhookAllowedNetworks", "127.0.0.0/8"), ("WebhookAuthorities", &receiver.authority)];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let quire = Quire::with(quire.stop().await, |options| {
        options.parameters = parameters;
        options.sources = sources;
    })
    .await;
    let root = quire.sign_in("root").await;
    (quire, root)
}

async fn webhook(quire: &Quire, root: &Person, url: &str) -> Value {
    quire.post_as(root, WEBHOOKS, &json!({"url": url, "eventTypes": ["post.published", "post.deleted"]})).await.expect(201)
}

fn path(webhook: &Value) -> String {
    format!("{WEBHOOKS}/{}", text(&webhook["webhookId"]))
}

async fn act(quire: &Quire, root: &Person, path: &str, status: u16) -> Value {
    send(quire.request(Method::POST, path).bearer_auth(&root.token)).await.expect(status)
}

async fn deliveries(quire: &Quire, root: &Person, webhook: &Value) -> Vec<Value> {
    let page = quire.get_as(root, &format!("{}/deliveries", path(webhook))).await.expect(200);
    page["items"].as_array().cloned().unwrap_or_default()
}

/// The messages that ask for deliveries, oldest first.
async fn due(quire: &Quire) -> Vec<String> {
    let mut messages = outbox(quire).await.remove("webhook.delivery-due").unwrap_or_default();
    messages.sort();
    messages
}

/// The message of a delivery's next attempt, whose time has come.
async fn hasten(quire: &Quire, webhook: &Value, delivery: &Value) -> String {
    let (webhook, delivery) = (text(&webhook["webhookId"]), text(&delivery["deliveryId"]));
    set(quire, &format!("DELIVERIES#{webhook}"), &delivery, "nextAttemptAt", EARLIER).await;
    let mut message: Value = serde_json::from_str(&due(quire).await[0]).expect("JSON");
    message["data"] = json!({"webhookId": webhook, "deliveryId": delivery, "due": EARLIER});
    message.to_string()
}

async fn set(quire: &Quire, pk: &str, sk: &str, attribute: &str, value: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", text(pk)).key("sk", text(sk));
    let update = update.update_expression("SET #a = :a").expression_attribute_names("#a", attribute).expression_attribute_values(":a", text(value));
    update.condition_expression("attribute_exists(pk)").send().await.expect("the item is there");
}

#[tokio::test]
async fn an_event_reaches_a_receiver_that_verifies_it_with_the_published_library() {
    let receiver = Receiver::start().await;
    let (quire, root) = quire(&receiver, true).await;
    let webhook = webhook(&quire, &root, &receiver.url("/verified")).await;
    receiver.expects(&webhook["secret"]).await;
    let post = quire.published_post(&root, "T").await;
    let request = receiver.next().await;
    assert_eq!((&request["status"], &request["headers"]["content-type"]), (&json!(204), &json!("application/json")));
    let body: Value = serde_json::from_str(&text(&request["body"])).expect("JSON");
    assert_eq!((&body["type"], &body["data"]), (&json!("post.published"), &json!({"postId": post})));
    assert!(crate::is_time(&body["timestamp"]));
    let delivery =
        eventually(|| async { deliveries(&quire, &root, &webhook).await.pop().filter(|delivery| delivery["status"] == "delivered") }).await;
    assert_eq!((&delivery["deliveryId"], &delivery["eventType"]), (&request["headers"]["webhook-id"], &json!("post.published")));
    assert_eq!(delivery["attempts"][0]["statusCode"], 204);
    // Both secrets are good after a rotation, and both stand in the header.
    let rotated = act(&quire, &root, &format!("{}/secrets", path(&webhook)), 201).await;
    for secret in [&webhook["secret"], &rotated["secret"]] {
        receiver.expects(secret).await;
        act(&quire, &root, &format!("{}/pings", path(&webhook)), 202).await;
        let request = receiver.next().await;
        assert_eq!(request["status"], 204);
        assert_eq!(text(&request["headers"]["webhook-signature"]).split(' ').count(), 2);
    }
    // A receiver with another secret refuses.
    receiver.expects(&json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).await;
    act(&quire, &root, &format!("{}/pings", path(&webhook)), 202).await;
    assert_eq!(receiver.next().await["status"], 401);
    let stored = format!("{:?}", quire.items().await);
    assert!(!stored.contains("whsec_") && !quire.logs().iter().any(|line| line.contains("whsec_")));
    quire.stop().await;
}

#[tokio::test]
async fn a_delivery_is_tried_again_with_the_same_id_and_each_attempt_is_listed() {
    let receiver = Receiver::start().await;
    let (quire, root) = quire(&receiver, false).await;
    let webhook = webhook(&quire, &root, &receiver.url("/failing")).await;
    quire.published_post(&root, "T").await;
    let published = outbox(&quire).await["post.published"][0].clone();
    // A message that comes twice makes one delivery, and one that asks for an attempt twice makes one attempt.
    for _ in 0..2 {
        deliver(&quire, "DeliverWebhook", &published).await;
    }
    let [first] = due(&quire).await.try_into().expect("one message");
    for _ in 0..2 {
        deliver(&quire, "DeliverWebhook", &first).await;
    }
    let id = receiver.next().await["headers"]["webhook-id"].clone();
    let [delivery] = deliveries(&quire, &root, &webhook).await.try_into().expect("one delivery");
    assert_eq!((&delivery["status"], &delivery["deliveryId"]), (&json!("pending"), &id));
    let [attempt] = &delivery["attempts"].as_array().expect("attempts")[..] else { panic!("{delivery}") };
    assert_eq!((&attempt["statusCode"], text(&attempt["responseBody"]).len()), (&json!(500), 1024));
    // The next attempt has its message, which is held back, and put off again where it comes early.
    let messages = due(&quire).await;
    let early = messages.iter().find(|message| **message != first).expect("the next attempt's").clone();
    assert!(early.contains(&text(&delivery["nextAttemptAt"])));
    for _ in 0..2 {
        deliver(&quire, "DeliverWebhook", &early).await;
    }
    assert_eq!(due(&quire).await.len(), messages.len() + 1, "put off once");
    quire.patch_as(&root, &path(&webhook), &json!({"url": receiver.url("/ok")})).await.expect(200);
    let message = hasten(&quire, &webhook, &delivery).await;
    deliver(&quire, "DeliverWebhook", &message).await;
    let request = receiver.next().await;
    assert_eq!((&request["headers"]["webhook-id"], &request["path"]), (&id, &json!("/ok")));
    let again = act(&quire, &root, &format!("{}/deliveries/{}/redeliveries", path(&webhook), text(&id)), 202).await;
    assert_eq!((&again["status"], again["attempts"].as_array().map(Vec::len)), (&json!("pending"), Some(2)));
    for message in due(&quire).await {
        if message.contains(&text(&again["nextAttemptAt"])) {
            deliver(&quire, "DeliverWebhook", &message).await;
        }
    }
    assert_eq!(receiver.next().await["headers"]["webhook-id"], id);
    let delivery = deliveries(&quire, &root, &webhook).await.remove(0);
    assert_eq!((&delivery["status"], delivery["attempts"].as_array().map(Vec::len)), (&json!("delivered"), Some(3)));
    quire.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_left_alone_and_in_the_end_paused_with_a_notice() {
    let receiver = Receiver::start().await;
    let (quire, root) = quire(&receiver, false).await;
    let webhook = webhook(&quire, &root, &receiver.url("/failing")).await;
    let id = text(&webhook["webhookId"]);
    for title in ["A", "B", "C", "D", "E", "F"] {
        quire.published_post(&root, title).await;
    }
    for message in &outbox(&quire).await["post.published"] {
        deliver(&quire, "DeliverWebhook", message).await;
    }
    for message in due(&quire).await {
        deliver(&quire, "DeliverWebhook", &message).await;
    }
    let all = deliveries(&quire, &root, &webhook).await;
    let (tried, waiting): (Vec<_>, Vec<_>) = all.into_iter().partition(|delivery| delivery["attempts"][0].is_object());
    assert_eq!((tried.len(), waiting.len()), (5, 1), "after five failures the sixth waits");
    // When its time is over, one tries; while it does, the others wait.
    let health = format!("WEBHOOK-HEALTH#{id}");
    set(&quire, &health, "HEALTH", "until", EARLIER).await;
    set(&quire, &health, "HEALTH", "failingSince", EARLIER).await;
    set(&quire, "WEBHOOKS", &format!("WEBHOOK#{id}"), "activatedAt", EARLIER).await;
    let message = hasten(&quire, &webhook, &waiting[0]).await;
    deliver(&quire, "DeliverWebhook", &message).await;
    let paused = quire.get_as(&root, &path(&webhook)).await.expect(200);
    assert_eq!((&paused["isActive"], &paused["pauseReason"], &paused["version"]), (&json!(false), &json!("failing"), &json!(2)));
    let [notice] = outbox(&quire).await.remove("webhook.paused").unwrap_or_default().try_into().expect("one notice");
    for _ in 0..2 {
        deliver(&quire, "SendEmail", &notice).await;
    }
    assert_eq!(subjects(&quire.mails()), ["A webhook was paused"]);
    // What was waiting is not sent by itself any more.
    let message = hasten(&quire, &webhook, &tried[0]).await;
    deliver(&quire, "DeliverWebhook", &message).await;
    let statuses: BTreeSet<_> = deliveries(&quire, &root, &webhook).await.iter().map(|delivery| text(&delivery["status"])).collect();
    assert!(statuses.contains("cancelled"), "{statuses:?}");
    let on = quire.patch_as(&root, &path(&webhook), &json!({"isActive": true})).await.expect(200);
    assert_eq!((&on["isActive"], &on["pauseReason"]), (&json!(true), &Value::Null));
    quire.stop().await;
}

#[tokio::test]
async fn redirects_are_not_followed_and_who_is_gone_is_paused_at_once() {
    let receiver = Receiver::start().await;
    let (quire, root) = quire(&receiver, false).await;
    let webhook = webhook(&quire, &root, &receiver.url("/redirect")).await;
    for (to, status) in [("/redirect", 302), ("/gone", 410)] {
        quire.patch_as(&root, &path(&webhook), &json!({"url": receiver.url(to)})).await.expect(200);
        let ping = act(&quire, &root, &format!("{}/pings", path(&webhook)), 202).await;
        for message in due(&quire).await.iter().filter(|message| message.contains(&text(&ping["deliveryId"]))) {
            deliver(&quire, "DeliverWebhook", message).await;
        }
        assert_eq!(receiver.next().await["path"], to);
        let delivery = deliveries(&quire, &root, &webhook).await.remove(0);
        assert_eq!((&delivery["status"], &delivery["attempts"][0]["statusCode"]), (&json!("failed"), &json!(status)));
    }
    let paused = quire.get_as(&root, &path(&webhook)).await.expect(200);
    assert_eq!((&paused["isActive"], &paused["pauseReason"]), (&json!(false), &json!("gone")));
    quire.stop().await;
}

#[tokio::test]
async fn private_addresses_and_unproved_certificates_are_refused() {
    let receiver = Receiver::start().await;
    for (networks, failure) in [("", "address-refused"), ("127.0.0.0/8", "tls-failed")] {
        let quire = still().await;
        let id = quire.register("root").await;
        let parameters = [("FirstAdmin", id.as_str()), ("WebhookAllowedNetworks", networks)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let quire = Quire::with(quire.stop().await, |options| (options.parameters, options.sources) = (parameters, false)).await;
        let root = quire.sign_in("root").await;
        let webhook = webhook(&quire, &root, &receiver.url("/ok")).await;
        act(&quire, &root, &format!("{}/pings", path(&webhook)), 202).await;
        deliver(&quire, "DeliverWebhook", &due(&quire).await[0]).await;
        assert_eq!(deliveries(&quire, &root, &webhook).await[0]["attempts"][0]["failure"], failure);
        quire.stop().await;
    }
}

#[tokio::test]
async fn admins_make_change_and_remove_webhooks_and_others_do_not() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let good = json!({"url": "https://example.com/hooks", "eventTypes": ["post.published"], "description": "Site", "isActive": false});
    quire.post_as(&ada, WEBHOOKS, &good).await.expect_problem(403, "forbidden");
    let wrong = json!({"url": "http://user@example.com/", "eventTypes": ["webhook.ping"], "description": "", "isActive": 1});
    let problem = quire.post_as(&root, WEBHOOKS, &wrong).await.expect_problem(422, "invalid-input");
    assert_eq!(pointers(&problem), ["/url", "/eventTypes/0", "/description", "/isActive"]);
    let twice = json!({"url": "https://example.com", "eventTypes": ["post.deleted", "post.deleted"]});
    let problem = quire.post_as(&root, WEBHOOKS, &twice).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&problem), [("/eventTypes".to_owned(), "must name each event type once".to_owned())]);
    let made = quire.post_as(&root, WEBHOOKS, &good).await;
    let webhook = made.expect(201);
    assert_eq!(made.header("location"), Some(path(&webhook).as_str()));
    assert!(text(&webhook["secret"]).starts_with("whsec_"));
    let shown = quire.get_as(&root, &path(&webhook)).await;
    assert_eq!((&shown.expect(200)["secret"], shown.header("etag")), (&Value::Null, Some("\"1\"")));
    let stale = quire.request(Method::PATCH, &path(&webhook)).bearer_auth(&root.token).header("if-match", "\"7\"").json(&json!({"isActive": true}));
    send(stale).await.expect_problem(412, "version-mismatch");
    let changed = quire.patch_as(&root, &path(&webhook), &json!({"isActive": true, "description": null})).await.expect(200);
    assert_eq!((&changed["isActive"], &changed["description"], &changed["version"]), (&json!(true), &Value::Null, &json!(2)));
    let delivery = format!("{}/deliveries/{NOBODY}/redeliveries", path(&webhook));
    send(quire.request(Method::POST, &delivery).bearer_auth(&root.token)).await.expect_problem(404, "delivery-not-found");
    for (method, end) in [(Method::GET, ""), (Method::GET, "/deliveries"), (Method::POST, "/secrets"), (Method::POST, "/pings")] {
        let request = quire.request(method, &format!("{WEBHOOKS}/{NOBODY}{end}")).bearer_auth(&root.token);
        send(request).await.expect_problem(404, "webhook-not-found");
    }
    for _ in 0..2 {
        quire.delete_as(&root, &path(&webhook)).await.expect(204);
    }
    for _ in 0..20 {
        quire.post_as(&root, WEBHOOKS, &good).await.expect(201);
    }
    quire.post_as(&root, WEBHOOKS, &good).await.expect_problem(409, "too-many-webhooks");
    assert_eq!(crate::walk(&quire, Some(&root.token), WEBHOOKS, 8).await.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
    quire.stop().await;
}

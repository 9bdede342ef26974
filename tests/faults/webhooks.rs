//! The consumer that tells webhooks: crashes at each of its calls, and messages that nobody can read.

use quire_local::{
    faults::{Action, Rule},
    functions::Outcome,
};
use quire_tests::{Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{aws, story::calls};

/// Where no request is sent.
const NOWHERE: &str = "https://127.0.0.1:1/";
const DONE: &str = r#"{"batchItemFailures":[]}"#;

/// A Quire in which nothing happens by itself, an admin, and the address of a webhook.
async fn begin() -> (Quire, Person, String) {
    let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
    let id = quire.register("root").await;
    let quire = Quire::with(quire.stop().await, |options| {
        options.sources = false;
        options.parameters = [("FirstAdmin".to_owned(), id)].into();
    })
    .await;
    let root = quire.sign_in("root").await;
    let webhook = json!({"url": NOWHERE, "eventTypes": ["post.published"]});
    let webhook = quire.post_as(&root, "/api/v1/webhooks", &webhook).await.expect(201);
    let path = format!("/api/v1/webhooks/{}", text(&webhook["webhookId"]));
    (quire, root, path)
}

/// Takes the events of a type out of the outbox.
async fn take(quire: &Quire, kind: &str) -> Vec<String> {
    let mut taken = Vec::new();
    for item in aws::items(quire, "OUTBOX#").await {
        aws::delete(quire, &item).await;
        taken.extend(Some(text(&item["event"]["S"])).filter(|event| event.contains(kind)));
    }
    taken
}

async fn deliver(quire: &Quire, bodies: &[&str]) -> Outcome {
    let records: Vec<_> = bodies.iter().enumerate().map(|(index, body)| json!({"messageId": index.to_string(), "body": body})).collect();
    quire.cloud().functions().invoke("DeliverWebhook", json!({"Records": records}).to_string().into(), None).await.outcome
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Reply(reply) if &reply[..] == DONE.as_bytes())
}

async fn deliveries(quire: &Quire, root: &Person, path: &str) -> Vec<Value> {
    let page = quire.get_as(root, &format!("{path}/deliveries?limit=100")).await.expect(200);
    page["items"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_worker_killed_at_any_call_makes_each_delivery_once_and_records_each_attempt_once() {
    let (quire, root, path) = begin().await;
    let event = async || {
        quire.published_post(&root, "T").await;
        take(&quire, "post.published").await.remove(0)
    };
    let ping = async || {
        send(quire.request(Method::POST, &format!("{path}/pings")).bearer_auth(&root.token)).await.expect(202);
        take(&quire, "webhook.delivery-due").await.remove(0)
    };
    assert!(is_done(&deliver(&quire, &[&event().await]).await));
    let spread = calls(&quire, "DeliverWebhook").len();
    assert!(is_done(&deliver(&quire, &[&ping().await]).await));
    let all = calls(&quire, "DeliverWebhook");
    assert_eq!(all, ["Query", "TransactWriteItems", "BatchGetItem", "Decrypt", "BatchGetItem", "TransactWriteItems"]);
    let kills = |calls: usize| (0..calls).flat_map(|call| [Action::KillBefore, Action::KillAfter].map(|kill| Rule::new(kill).skip(call)));
    take(&quire, "").await;
    for (rule, is_ping) in kills(spread).map(|rule| (rule, false)).chain(kills(all.len() - spread).map(|rule| (rule, true))) {
        let before = deliveries(&quire, &root, &path).await.len();
        let message = if is_ping { ping().await } else { event().await };
        let fired = quire.faults().add(rule.function("DeliverWebhook"));
        assert!(matches!(deliver(&quire, &[&message]).await, Outcome::Failed(_)));
        assert_eq!(fired.count(), 1);
        quire.faults().clear();
        for _ in 0..2 {
            assert!(is_done(&deliver(&quire, &[&message]).await));
        }
        let after = deliveries(&quire, &root, &path).await;
        assert_eq!(after.len(), before + 1);
        let (status, attempts) = if is_ping { ("failed", 1) } else { ("pending", 0) };
        assert_eq!((&after[0]["status"], after[0]["attempts"].as_array().map(Vec::len)), (&json!(status), Some(attempts)));
        assert_eq!(take(&quire, "webhook.delivery-due").await.len(), usize::from(!is_ping), "each delivery has one message");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_poison_message_fails_alone_among_good_ones_that_come_in_any_order() {
    let (quire, root, path) = begin().await;
    for title in ["A", "B"] {
        quire.published_post(&root, title).await;
    }
    let events = take(&quire, "post.published").await;
    let unheard_of = events[0].replace("post.published", "post.unheard-of");
    let of_somebody_else = events[0].replace("post.published", "post.drafted");
    let outcome = deliver(&quire, &[&events[1], "no JSON", &events[0], &unheard_of, &of_somebody_else, &events[1]]).await;
    let Outcome::Reply(reply) = outcome else { panic!("{outcome:?}") };
    let failed: Value = serde_json::from_slice(&reply).expect("JSON");
    assert_eq!(failed, json!({"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}, {"itemIdentifier": "4"}]}));
    assert_eq!(deliveries(&quire, &root, &path).await.len(), 2);
    quire.stop().await;
}

//! Signing keys: one at a time, whoever makes it, and none is missed while they change.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use aws_sdk_dynamodb::{
    primitives::{DateTime, DateTimeFormat},
    types::AttributeValue,
};
use futures::future::join_all;
use quire_tests::{PASSWORD, Quire, text};
use serde_json::{Value, json};

use crate::forge::{decode, now};

const DAY: i64 = 24 * 60 * 60;

/// The `kid` of each key in the table, in order.
async fn kids(quire: &Quire) -> Vec<String> {
    let of_keys = |partition: &str, item: &std::collections::HashMap<String, AttributeValue>| item["pk"].as_s().is_ok_and(|pk| pk == partition);
    let items = quire.items().await;
    let mut keys: Vec<_> = items.iter().filter(|item| of_keys("SIGNING-KEYS", item)).collect();
    keys.sort_by_key(|item| item["sk"].as_s().cloned().unwrap_or_default());
    assert_eq!(items.iter().filter(|item| of_keys("SIGNING-PRIVATE", item)).count(), keys.len(), "each has its private half");
    keys.iter().map(|item| item["kid"].as_s().expect("a name").clone()).collect()
}

/// Makes a key one that began to sign so many seconds ago.
async fn begins(quire: &Quire, generation: u32, seconds_ago: i64) {
    let at = DateTime::from_secs(now().cast_signed() - seconds_ago).fmt(DateTimeFormat::DateTime).expect("a time");
    let key = |text: String| AttributeValue::S(text);
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", key("SIGNING-KEYS".to_owned()));
    let update = update.key("sk", key(format!("{generation:010}"))).update_expression("SET usableFrom = :at");
    update.expression_attribute_values(":at", key(at)).send().await.expect("the key is changed");
}

fn kid(token: &str) -> String {
    text(&decode(token.split('.').next().expect("a header"))["kid"])
}

async fn sees_itself(quire: &Quire, id: &str, token: &str) -> bool {
    let request = quire.request(reqwest::Method::GET, &format!("/api/v1/users/{id}")).bearer_auth(token);
    let reply = quire_tests::send(request).await;
    reply.status == 200 && reply.json()["email"].is_string()
}

#[tokio::test]
async fn signers_that_race_make_one_key() {
    let quire = Quire::start().await;
    let names: Vec<_> = (0..8).map(|number| format!("user{number}")).collect();
    for name in &names {
        quire.register(name).await;
    }
    let sign_in = |name: &String| {
        let body = json!({"username": name, "password": PASSWORD});
        let quire = &quire;
        async move { quire.post("/api/v1/sessions", &body).await.expect(201) }
    };
    for keys in 1..=2 {
        let sessions = join_all(names.iter().map(sign_in)).await;
        let made = kids(&quire).await;
        assert_eq!(made.len(), keys, "one key, whoever makes it");
        let used: BTreeSet<_> = sessions.iter().map(|session| kid(&text(&session["accessToken"]))).collect();
        assert_eq!(used, [made[0].clone()].into(), "a key signs an hour after it was published, and the first one at once");
        for session in &sessions {
            assert!(sees_itself(&quire, &text(&session["userId"]), &text(&session["accessToken"])).await);
        }
        // The next sign-ins find it old.
        begins(&quire, 1, 30 * DAY - 1800).await;
    }
    quire.stop().await;
}

#[tokio::test]
async fn no_valid_token_fails_while_keys_change_and_a_retired_key_is_refused() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (tokens, stop, checked) = (Mutex::new(vec![ada.token.clone()]), AtomicBool::new(false), AtomicUsize::new(0));
    let newest = || tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let load = async || {
        while !stop.load(Ordering::Relaxed) {
            for token in newest() {
                assert!(sees_itself(&quire, &ada.id, &token).await, "a valid token is refused");
                checked.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    // So many more requests at least have seen what there is now.
    let some = async |more: usize| {
        let goal = checked.load(Ordering::Relaxed) + more;
        quire_tests::eventually(|| async { (checked.load(Ordering::Relaxed) >= goal).then_some(()) }).await;
    };
    let sign_in = async || {
        let token = quire.sign_in("ada").await.token;
        tokens.lock().unwrap_or_else(PoisonError::into_inner).push(token.clone());
        kid(&token)
    };
    let rotation = async {
        some(20).await;
        begins(&quire, 1, 30 * DAY - 1800).await;
        let first = sign_in().await;
        let made = kids(&quire).await;
        assert_eq!((made.len(), &first), (2, &made[0]), "the next key is published, and does not sign yet");
        let published = quire.get("/.well-known/jwks.json").await.expect(200);
        let published: Vec<_> = published["keys"].as_array().into_iter().flatten().map(|key: &Value| text(&key["kid"])).collect();
        assert_eq!(published, made);
        some(20).await;
        // An hour passes. Whoever verifies has fetched the keys again long before.
        quire.cloud().functions().replace("GetUser");
        some(20).await;
        begins(&quire, 2, 1).await;
        assert_eq!(sign_in().await, made[1], "the next key signs");
        some(40).await;
        stop.store(true, Ordering::Relaxed);
        made
    };
    let ((), (), made) = tokio::join!(load(), load(), rotation);
    // The last token of the first key has expired by now, whatever it says itself.
    begins(&quire, 2, 661).await;
    quire.cloud().functions().replace("GetUser");
    for token in newest() {
        assert_eq!(sees_itself(&quire, &ada.id, &token).await, kid(&token) == made[1], "only the first key is retired");
    }
    let published = quire.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(published["keys"].as_array().map(Vec::len), Some(1));
    quire.stop().await;
}

//! Failures to sign in make later tries wait.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use quire_local::functions::Outcome;
use quire_tests::{PASSWORD, Quire, Reply, root, text};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use super::{entries, told};

const WRONG: &str = "wrong horse battery";

/// Signs in from an address, as the gateway would tell it.
async fn sign_in_from(quire: &Quire, address: &str, name: &str, password: &str) -> Reply {
    let event = std::fs::read_to_string(root().join("events/create-session.json")).expect("an event");
    let mut event: Value = serde_json::from_str(&event).expect("JSON");
    event["requestContext"]["http"]["sourceIp"] = json!(address);
    event["body"] = json!(json!({"username": name, "password": password}).to_string());
    let reply = match quire.cloud().functions().invoke("CreateSession", event.to_string().into(), None).await.outcome {
        Outcome::Reply(reply) => serde_json::from_slice::<Value>(&reply).expect("JSON"),
        other => panic!("{other:?}"),
    };
    let status = reply["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    let mut headers = HeaderMap::new();
    for (name, value) in reply["headers"].as_object().into_iter().flatten() {
        headers.insert(name.parse::<reqwest::header::HeaderName>().expect("a name"), text(value).parse().expect("a value"));
    }
    Reply { status: StatusCode::from_u16(status).expect("a status"), headers, body: text(&reply["body"]).into_bytes() }
}

/// The counts of a kind in the table.
async fn counts(quire: &Quire, kind: &str) -> Vec<(String, i64)> {
    let number = |value: &AttributeValue| value.as_n().expect("a number").parse().expect("a number");
    let items = quire.items().await.into_iter();
    let counts = items.filter_map(|item| Some((item["pk"].as_s().ok()?.clone(), number(item.get("failures")?))));
    counts.filter(|(key, _)| key.starts_with(&format!("THROTTLE#{kind}#"))).collect()
}

/// Makes every count of a kind so many failures, the last of them so many seconds ago.
async fn set(quire: &Quire, kind: &str, failures: i64, seconds_ago: i64) {
    change(quire, kind, "SET failures = :a, lastAt = :b", failures, (now() - seconds_ago) * 1000).await;
}

async fn change(quire: &Quire, kind: &str, change: &str, one: i64, other: i64) {
    for (key, _) in counts(quire, kind).await {
        let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", AttributeValue::S(key));
        let update = update.key("sk", AttributeValue::S("THROTTLE".into())).update_expression(change);
        let update = update.expression_attribute_values(":a", AttributeValue::N(one.to_string()));
        update.expression_attribute_values(":b", AttributeValue::N(other.to_string())).send().await.expect("the count is changed");
    }
}

fn now() -> i64 {
    crate::forge::now().cast_signed()
}

#[track_caller]
fn expect_wait(reply: &Reply, seconds: std::ops::RangeInclusive<i64>) {
    reply.expect_problem(429, "too-many-attempts");
    let wait = reply.header("retry-after").expect("a wait").parse().expect("seconds");
    assert!(seconds.contains(&wait), "{wait} is not in {seconds:?}");
}

#[tokio::test]
async fn failures_make_a_name_wait_longer_and_longer_and_success_forgets_them() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    for number in 0..5 {
        sign_in_from(&quire, &format!("192.0.2.{number}"), "ada", WRONG).await.expect_problem(401, "wrong-password");
    }
    assert_eq!(counts(&quire, "NAME").await.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [5]);
    for (failures, wait) in [(11, 64), (12, 128), (13, 256), (14, 512), (15, 900), (16, 900), (1000, 900)] {
        set(&quire, "NAME", failures, 0).await;
        // Also with the right password, and however the name is written.
        for (name, password) in [("ada", WRONG), (" ADA", PASSWORD)] {
            expect_wait(&sign_in_from(&quire, "203.0.113.1", name, password).await, wait - 30..=wait);
        }
        set(&quire, "NAME", failures, wait + 1).await;
        sign_in_from(&quire, &format!("203.0.113.{}", failures % 200), "ada", WRONG).await.expect_problem(401, "wrong-password");
        assert_eq!(counts(&quire, "NAME").await[0].1, failures + 1, "only what was let through counts");
    }
    set(&quire, "NAME", 20, 901).await;
    sign_in_from(&quire, "203.0.113.2", "ada", PASSWORD).await.expect(201);
    assert_eq!(counts(&quire, "NAME").await, []);
    for _ in 0..4 {
        sign_in_from(&quire, "203.0.113.3", "ada", WRONG).await.expect_problem(401, "wrong-password");
    }
    quire.stop().await;
}

#[tokio::test]
async fn failures_are_forgotten_after_a_day_even_where_the_table_still_has_them() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    sign_in_from(&quire, "192.0.2.1", "ada", WRONG).await.expect_problem(401, "wrong-password");
    change(&quire, "NAME", "SET failures = :a, expiresAt = :b", 1000, now() - 1).await;
    sign_in_from(&quire, "192.0.2.2", "ada", WRONG).await.expect_problem(401, "wrong-password");
    assert_eq!(counts(&quire, "NAME").await[0].1, 1);
    quire.stop().await;
}

#[tokio::test]
async fn a_try_that_has_to_wait_compares_nothing() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    for name in ["ada", "nobody"] {
        sign_in_from(&quire, "192.0.2.1", name, WRONG).await.expect_problem(401, "wrong-password");
    }
    set(&quire, "NAME", 15, 0).await;
    let mut replies = Vec::new();
    for name in ["ada", "nobody"] {
        quire.faults().consumed();
        let reply = sign_in_from(&quire, "192.0.2.1", name, PASSWORD).await;
        expect_wait(&reply, 870..=900);
        let calls: Vec<_> = quire.faults().consumed().into_iter().map(|(call, units)| format!("{} {units}", call.operation)).collect();
        replies.push((calls, (reply.status, reply.json(), reply.headers.keys().cloned().collect::<Vec<_>>().len())));
    }
    assert_eq!(replies[0], replies[1], "a known name and an unknown one");
    let entries = entries(&quire, "session.refused").await;
    assert_eq!(entries.iter().filter(|entry| entry["data"]["reason"] == "throttled").count(), 2);
    quire.stop().await;
}

#[tokio::test]
async fn a_name_that_waits_has_the_same_bytes_whether_or_not_an_account_has_it() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    let mut replies = Vec::new();
    for name in ["ada", "nobody", "ada@example.com", "nobody@example.com", "no name", ""] {
        sign_in_from(&quire, "192.0.2.1", name, WRONG).await.expect_problem(401, "wrong-password");
        // The last failure is in the future, so that all wait for the longest time however fast this is.
        set(&quire, "NAME", 15, -86_400).await;
        let (status, mut headers, body) = told(&sign_in_from(&quire, "192.0.2.1", name, WRONG).await);
        let wait: i64 = headers.remove("retry-after").expect("a wait").parse().expect("seconds");
        assert!((87_000..=87_301).contains(&wait), "{wait}");
        headers.remove("ratelimit");
        replies.push((status, headers, body));
        change(&quire, "ADDRESS", "SET failures = :a, expiresAt = :b", 0, now() + 1000).await;
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:#?}");
    assert_eq!(replies[0].0, 429);
    quire.stop().await;
}

#[tokio::test]
async fn strangers_cannot_lock_anybody_out_of_where_they_have_signed_in() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    sign_in_from(&quire, "192.0.2.1", "ada", PASSWORD).await.expect(201);
    sign_in_from(&quire, "2001:db8:1:2::1", "ada", PASSWORD).await.expect(201);
    sign_in_from(&quire, "203.0.113.1", "ada", WRONG).await.expect_problem(401, "wrong-password");
    set(&quire, "NAME", 1000, 0).await;
    for stranger in ["203.0.113.1", "192.0.2.2", "2001:db8:1:3::1"] {
        expect_wait(&sign_in_from(&quire, stranger, "ada", PASSWORD).await, 800..=900);
    }
    for known in ["192.0.2.1", "2001:db8:1:2:ffff::9", "::ffff:192.0.2.1"] {
        sign_in_from(&quire, known, "ada", PASSWORD).await.expect(201);
        assert_eq!(counts(&quire, "NAME").await[0].1, 1000, "strangers go on waiting");
    }
    // A known address guesses no more than anybody else.
    for _ in 0..5 {
        sign_in_from(&quire, "192.0.2.1", "ada", WRONG).await.expect_problem(401, "wrong-password");
    }
    set(&quire, "KNOWN", 12, 0).await;
    expect_wait(&sign_in_from(&quire, "192.0.2.1", "ada", WRONG).await, 98..=128);
    set(&quire, "KNOWN", 12, 129).await;
    sign_in_from(&quire, "192.0.2.1", "ada", WRONG).await.expect_problem(401, "wrong-password");
    set(&quire, "KNOWN", 0, 0).await;
    // After thirty days it is an address like all others.
    change(&quire, "KNOWN", "SET failures = :a, expiresAt = :b", 0, now() - 1).await;
    expect_wait(&sign_in_from(&quire, "192.0.2.1", "ada", PASSWORD).await, 800..=900);
    quire.stop().await;
}

#[tokio::test]
async fn an_address_waits_whatever_names_it_tries_and_others_do_not() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    for number in 0..20 {
        sign_in_from(&quire, "2001:db8::1", &format!("name{number}"), WRONG).await.expect_problem(401, "wrong-password");
    }
    assert_eq!(counts(&quire, "ADDRESS").await[0].1, 20);
    set(&quire, "ADDRESS", 26, 0).await;
    expect_wait(&sign_in_from(&quire, "2001:db8::2", "ada", PASSWORD).await, 34..=64);
    sign_in_from(&quire, "2001:db8:0:1::1", "ada", PASSWORD).await.expect(201);
    set(&quire, "ADDRESS", 10, 0).await;
    for _ in 0..3 {
        sign_in_from(&quire, "2001:db8::1", "ada", PASSWORD).await.expect(201);
    }
    assert!(counts(&quire, "ADDRESS").await.iter().all(|(_, count)| *count == 10), "success is no failure, and forgives none");
    quire.stop().await;
}

#[tokio::test]
async fn tries_at_once_gain_nothing() {
    let quire = Quire::start().await;
    quire.register("ada").await;
    let burst = async |tries: usize| {
        let addresses: Vec<_> = (0..tries).map(|number| format!("192.0.2.{number}")).collect();
        let replies = join_all(addresses.iter().map(|address| sign_in_from(&quire, address, "ada", WRONG))).await;
        replies.iter().filter(|reply| reply.status == 401).count()
    };
    assert_eq!(burst(5).await, 5);
    assert_eq!(counts(&quire, "NAME").await[0].1, 5, "each is counted");
    set(&quire, "NAME", 11, 65).await;
    assert_eq!(burst(10).await, 1, "one is let through");
    assert_eq!(counts(&quire, "NAME").await[0].1, 12);
    quire.stop().await;
}

//! What readers did with posts, counted from events by the worker `tally-engagement`: duplicates, reordering, poison and deleted posts.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::{StreamExt, future::join_all, stream};
use quire_local::functions::Outcome;
use quire_tests::{Quire, eventually, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{counted, deliver, forge::Forge, outbox};

/// An event of a post; its id ends with this number.
fn event(post: &str, number: usize, counter: &str, delta: i64) -> String {
    json!({
        "id": format!("019e0000-0000-7000-8000-{number:012}"),
        "version": 1,
        "occurredAt": "2026-05-07T00:00:00.000Z",
        "correlationId": "tally",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "type": "post.engagement-changed",
        "data": {"postId": post, "counter": counter, "delta": delta},
    })
    .to_string()
}

/// Gives messages to the worker, each named by its place; the places of those that are to be delivered again.
async fn tally(quire: &Quire, messages: &[String]) -> Vec<usize> {
    let record = |(place, body): (usize, &String)| json!({"messageId": place.to_string(), "body": body});
    let records: Vec<_> = messages.iter().enumerate().map(record).collect();
    let payload = json!({ "Records": records }).to_string();
    let Outcome::Reply(reply) = quire.cloud().functions().invoke("TallyEngagement", payload.into(), None).await.outcome else {
        panic!("the worker failed");
    };
    let reply: Value = serde_json::from_slice(&reply).expect("JSON");
    let failures = reply["batchItemFailures"].as_array().expect("failures");
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().and_then(|place| place.parse().ok()).expect("a place")).collect()
}

/// The operations that the worker has called.
fn calls(quire: &Quire) -> Vec<String> {
    let calls = quire.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some("TallyEngagement"));
    calls.map(|call| call.operation).collect()
}

#[tokio::test]
async fn events_of_one_post_are_few_writes_and_each_counts_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let messages: Vec<_> = (0..250).map(|number| event(&post, number, if number % 5 == 0 { "sad" } else { "like" }, 1)).collect();
    // Each stands in the batch twice.
    assert_eq!(tally(&quire, &[messages.clone(), messages.clone()].concat()).await, [] as [usize; 0]);
    assert_eq!(calls(&quire), [vec!["BatchGetItem"; 3], vec!["TransactWriteItems"; 3]].concat(), "98 events are one write");
    assert_eq!((counted(&quire, &post, "like").await, counted(&quire, &post, "sad").await), (200, 50));
    let before = calls(&quire).len();
    // All of them come again, in another order, with one that is new.
    let again: Vec<_> = messages.into_iter().rev().chain([event(&post, 250, "love", 1)]).collect();
    assert_eq!(tally(&quire, &again).await, [] as [usize; 0]);
    assert_eq!(calls(&quire)[before..], ["BatchGetItem", "BatchGetItem", "BatchGetItem", "TransactWriteItems"]);
    assert_eq!((counted(&quire, &post, "like").await, counted(&quire, &post, "love").await), (200, 1));
    assert_eq!(counted(&quire, &post, "changes").await, 4, "one for each write");
    quire.stop().await;
}

#[tokio::test]
async fn what_went_may_be_counted_before_what_came() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let path = format!("/api/v1/posts/{post}");
    deliver(&quire, "TallyEngagement", &event(&post, 1, "like", -1)).await;
    deliver(&quire, "TallyEngagement", &event(&post, 2, "commentCount", -1)).await;
    assert_eq!((counted(&quire, &post, "like").await, counted(&quire, &post, "commentCount").await), (-1, -1));
    let shown = quire.get(&path).await;
    assert_eq!((&shown.expect(200)["reactions"], &shown.expect(200)["commentCount"]), (&json!([]), &json!(0)));
    for (number, counter) in [(3, "like"), (4, "like"), (5, "commentCount")] {
        deliver(&quire, "TallyEngagement", &event(&post, number, counter, 1)).await;
    }
    let shown = quire.get(&path).await;
    assert_eq!((&shown.expect(200)["reactions"], &shown.expect(200)["commentCount"]), (&json!([{"kind": "like", "count": 1}]), &json!(0)));
    let tag = shown.header("etag").map(str::to_owned);
    // What comes and goes in one batch is no change.
    assert_eq!(tally(&quire, &[event(&post, 6, "sad", 1), event(&post, 7, "sad", -1)]).await, [] as [usize; 0]);
    assert_eq!(quire.get(&path).await.header("etag").map(str::to_owned), tag);
    quire.stop().await;
}

#[tokio::test]
async fn poison_among_what_is_counted_fails_alone() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (post, other) = (quire.published_post(&ada, "T").await, quire.published_post(&ada, "U").await);
    let of_somebody_else = event(&post, 3, "like", 1).replace("engagement-changed", "published").replace(r#""counter":"like","#, "");
    let unknown = event(&post, 4, "hate", 1);
    let messages = [event(&post, 1, "like", 1), "no JSON".into(), event(&other, 2, "sad", 1), of_somebody_else, unknown, event(&post, 5, "like", 1)];
    let mut failed = tally(&quire, &messages).await;
    failed.sort_unstable();
    assert_eq!(failed, [1, 3, 4]);
    assert_eq!((counted(&quire, &post, "like").await, counted(&quire, &other, "sad").await), (2, 1));
    quire.stop().await;
}

#[tokio::test]
async fn a_deleted_post_leaves_no_counts_whenever_they_come() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    send(quire.request(Method::PUT, &format!("/api/v1/posts/{post}/reactions/like")).bearer_auth(&ada.token)).await.expect(204);
    assert_eq!(counted(&quire, &post, "like").await, 1);
    quire.delete_as(&ada, &format!("/api/v1/posts/{post}")).await.expect(204);
    deliver(&quire, "TallyEngagement", &event(&post, 1, "like", -1)).await;
    let left: Vec<_> = quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| *pk == format!("POST#{post}"))).collect();
    assert!(left.iter().all(|item| item["sk"].as_s().is_ok_and(|sk| sk != "COUNTS")), "{left:?}");
    quire.stop().await;
}

#[tokio::test]
async fn a_hot_post_is_written_seldom() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let post = quire.published_post(&ada, "T").await;
    let like = format!("/api/v1/posts/{post}/reactions/like");
    let people: Vec<_> = (0..200).map(|number| forge.person(&format!("0190a5a5-0000-7000-8000-{number:012}"), &["reader"])).collect();
    for reply in join_all(people.iter().map(|person| send(quire.request(Method::PUT, &like).bearer_auth(&person.token)))).await {
        reply.expect(204);
    }
    assert_eq!(counted(&quire, &post, "like").await, 200);
    let writes = calls(&quire).into_iter().filter(|operation| operation == "TransactWriteItems").count();
    assert!(writes <= 40, "{writes} writes");
    quire.stop().await;
}

/// Each of so many users reacts to each of ten posts, and takes back one reaction of seven. The events are delivered, one of five twice.
/// Once all is counted, the counts are those of the reactions that are there.
async fn counts_equal_a_recount(users: usize) {
    const POSTS: usize = 10;
    let data = tempfile::tempdir().expect("a temporary folder");
    let quire = Quire::with(data, |options| options.sources = false).await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let mut posts = Vec::new();
    for number in 0..POSTS {
        posts.push(quire.published_post(&ada, &format!("Post {number}")).await);
    }
    let people: Vec<_> = (0..users).map(|number| forge.person(&format!("0190a5a5-0000-7000-8000-{number:012}"), &["reader"])).collect();
    let reactions = (0..users * POSTS).map(|number| {
        let kind = ["like", "love", "sad"][number % 3];
        let path = format!("/api/v1/posts/{}/reactions/{kind}", posts[number % POSTS]);
        let (quire, person) = (&quire, &people[number / POSTS]);
        async move {
            let methods = if number % 7 == 0 { &[Method::PUT, Method::DELETE][..] } else { &[Method::PUT] };
            for method in methods {
                send(quire.request(method.clone(), &path).bearer_auth(&person.token)).await.expect(204);
            }
        }
    });
    stream::iter(reactions).buffer_unordered(20).collect::<Vec<()>>().await;
    let events = outbox(&quire).await.remove("post.engagement-changed").expect("events");
    assert_eq!(events.len(), users * POSTS + (users * POSTS).div_ceil(7), "one for each change");

    // The relay publishes each once; these come besides.
    let quire = Quire::over(quire.stop().await, &[]).await;
    let (sqs, url) = (quire.sqs(), quire.queue_url("TallyEngagementQueue"));
    for chunk in events.iter().step_by(5).collect::<Vec<_>>().chunks(10) {
        let entry = |(number, body): (usize, &&String)| SendMessageBatchRequestEntry::builder().id(number.to_string()).message_body(*body).build();
        let entries: Vec<_> = chunk.iter().enumerate().map(entry).collect::<Result<_, _>>().expect("entries");
        sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.expect("they are sent");
    }
    // A tenth of the events at a time, so that many have as much time as few.
    for tenth in (0..10).rev() {
        eventually(|| async {
            let left = outbox(&quire).await.remove("post.engagement-changed").unwrap_or_default().len();
            (left <= events.len() * tenth / 10).then_some(())
        })
        .await;
    }
    quire.is_tallied().await;
    let (mut counted, mut recounted) = (BTreeMap::new(), BTreeMap::new());
    for item in quire.items().await {
        let text = |name: &str| item[name].as_s().cloned().expect("text");
        if let Some(post) = text("pk").strip_prefix("REACTIONS#") {
            let kind = text("sk").rsplit('#').next().expect("a kind").to_owned();
            *recounted.entry((post.to_owned(), kind)).or_insert(0) += 1;
        } else if text("sk") == "COUNTS" {
            let post = text("pk").trim_start_matches("POST#").to_owned();
            for (name, number) in item.iter().filter(|(name, _)| !["pk", "sk", "changes"].contains(&name.as_str())) {
                counted.insert((post.clone(), name.clone()), number.as_n().expect("a number").parse::<i64>().expect("a number"));
            }
        }
    }
    counted.retain(|_, count| *count != 0);
    assert_eq!(counted, recounted);
    assert!(counted.len() > POSTS, "{counted:?}");
    quire.stop().await;
}

#[tokio::test]
async fn counts_equal_a_recount_whatever_is_delivered_twice() {
    let users = std::env::var("TALLY_USERS").ok().map_or(50, |users| users.parse().expect("a number of users"));
    counts_equal_a_recount(users).await;
}

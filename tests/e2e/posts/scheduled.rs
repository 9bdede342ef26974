//! Scheduled posts: published at their time, whether the run that writes it down is there or not.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use quire_local::{
    faults::{Action, Rule},
    functions::Outcome,
};
use quire_tests::{Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{drafted, in_seconds, partition};
use crate::{members, outbox, walk};

const FUNCTION: &str = "PublishScheduledPosts";

/// A Quire in which nothing runs by itself, and an author.
async fn begin() -> (Quire, Person) {
    let data = tempfile::tempdir().expect("a temporary folder");
    let quire = Quire::with(data, |options| options.sources = false).await;
    let ada = quire.person("ada").await;
    (quire, ada)
}

/// A post that is scheduled for so many seconds from now, which may be negative: its id and that time.
async fn scheduled(quire: &Quire, author: &Person, title: &str, seconds: i64) -> (String, String) {
    let (path, draft) = drafted(quire, author, &json!({"title": title, "tags": ["rust"], "language": "en"})).await;
    let (future, at, id) = (in_seconds(3600), in_seconds(seconds), text(&draft["postId"]));
    quire.patch_as(author, &path, &json!({"status": "scheduled", "publishAt": future})).await.expect(200);
    // Nobody can schedule a post for the past: the clock is moved by moving the time.
    let dynamodb = quire.dynamodb();
    for item in quire.items().await {
        if item.get("publishAt").is_none_or(|at| at.as_s() != Ok(&future)) || !mentions(&item, &id) {
            continue;
        }
        let mut moved = item.clone();
        moved.insert("publishAt".into(), AttributeValue::S(at.clone()));
        if item["pk"] == AttributeValue::S("SCHEDULED".into()) {
            let key = |name: &str| item[name].clone();
            dynamodb.delete_item().table_name(quire.table()).key("pk", key("pk")).key("sk", key("sk")).send().await.expect("it is deleted");
            moved.insert("sk".into(), AttributeValue::S(format!("{at}#{id}")));
        }
        dynamodb.put_item().table_name(quire.table()).set_item(Some(moved)).send().await.expect("it is stored");
    }
    (id, at)
}

fn mentions(item: &HashMap<String, AttributeValue>, id: &str) -> bool {
    item.get("id").is_some_and(|value| value.as_s().is_ok_and(|text| text == id))
}

async fn run(quire: &Quire) -> Outcome {
    quire.cloud().functions().invoke(FUNCTION, "{}".into(), None).await.outcome
}

async fn published_events(quire: &Quire) -> Vec<String> {
    let events = outbox(quire).await.remove("post.published").unwrap_or_default();
    let mut ids: Vec<_> = events.iter().map(|event| text(&serde_json::from_str::<Value>(event).expect("JSON")["data"]["postId"])).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_post_whose_time_has_come_is_published_before_the_run_and_the_same_after_it() {
    let (quire, ada) = begin().await;
    let (later, _) = scheduled(&quire, &ada, "Later", 3600).await;
    let (id, at) = scheduled(&quire, &ada, "Due", -5).await;
    let path = format!("/api/v1/posts/{id}");
    let slug = text(&quire.get(&path).await.expect(200)["slug"]);
    let author = format!("/api/v1/posts?author={}", ada.id);
    let pages = [
        path.clone(),
        format!("/api/v1/posts/{slug}"),
        "/api/v1/posts".into(),
        author.clone(),
        format!("{author}&status=published"),
        "/api/v1/posts?tag=rust".into(),
        "/api/v1/posts?language=en".into(),
        format!("{path}/comments"),
        format!("{path}/reactions"),
    ];
    let mut before = Vec::new();
    for page in &pages {
        let reply = quire.get(page).await;
        assert!(!String::from_utf8_lossy(&reply.body).contains(&later), "nothing is shown before its time: {page}");
        before.push((reply.expect(200), reply.header("etag").map(str::to_owned)));
    }
    let post = before[0].0.clone();
    assert_eq!((&post["status"], &post["publishedAt"], &post["publishAt"]), (&json!("published"), &json!(at), &Value::Null));
    for list in &before[2..7] {
        assert_eq!(members(list.0["items"].as_array().expect("items"), "postId"), [id.as_str()]);
    }
    // Its author sees it so too, in the lists of everything.
    let own = quire.get_as(&ada, &author).await.expect(200);
    let own: HashMap<_, _> = own["items"].as_array().expect("items").iter().map(|post| (text(&post["postId"]), text(&post["status"]))).collect();
    assert_eq!(own, HashMap::from([(id.clone(), "published".to_owned()), (later.clone(), "scheduled".to_owned())]));
    let waiting = quire.get_as(&ada, &format!("{author}&status=scheduled")).await.expect(200);
    assert_eq!(members(waiting["items"].as_array().expect("items"), "postId"), [later.as_str()]);
    quire.get(&format!("/api/v1/posts/{later}")).await.expect_problem(404, "post-not-found");
    assert_eq!(published_events(&quire).await, [] as [String; 0]);

    assert!(matches!(run(&quire).await, Outcome::Reply(_)));
    for (page, before) in pages.iter().zip(&before) {
        let reply = quire.get(page).await;
        assert_eq!((reply.expect(200), reply.header("etag").map(str::to_owned)), *before, "{page}");
    }
    assert_eq!(published_events(&quire).await, [id.as_str()]);
    let [left] = &partition(&quire, "SCHEDULED").await[..] else { panic!("one post is scheduled") };
    assert!(mentions(left, &later));
    quire.stop().await;
}

#[tokio::test]
async fn posts_that_are_due_stand_in_lists_in_order_and_once() {
    let (quire, ada) = begin().await;
    let mut expected = Vec::new();
    for (number, seconds) in [-50, -40, -30, -20, -10].into_iter().enumerate() {
        let (id, _) = scheduled(&quire, &ada, &format!("Post {number}"), seconds).await;
        // Every other one is published by a run, the others are due.
        expected.insert(0, id);
        if number == 2 {
            assert!(matches!(run(&quire).await, Outcome::Reply(_)));
        }
    }
    expected.insert(0, quire.published_post(&ada, "Now").await);
    for filter in ["", "?tag=rust", "?language=en", &format!("?author={}&tag=rust", ada.id)] {
        let listed = if filter.is_empty() { &expected[..] } else { &expected[1..] };
        for limit in [1, 2, 3, 100] {
            let posts = walk(&quire, None, &format!("/api/v1/posts{filter}"), limit).await.concat();
            assert_eq!(members(&posts, "postId"), listed, "{filter} by {limit}");
        }
    }
    // One that is published between two pages keeps its place.
    let first = quire.get("/api/v1/posts?limit=2").await.expect(200);
    assert!(matches!(run(&quire).await, Outcome::Reply(_)));
    let rest = quire.get(&format!("/api/v1/posts?cursor={}", text(&first["nextCursor"]))).await.expect(200);
    let both = [first, rest].map(|page| page["items"].as_array().cloned().unwrap_or_default()).concat();
    assert_eq!(members(&both, "postId"), expected);
    quire.stop().await;
}

#[tokio::test]
async fn a_post_that_is_due_is_commented_on_reacted_to_and_changed_as_a_published_one() {
    let (quire, ada) = begin().await;
    let bob = quire.person("bob").await;
    let (id, at) = scheduled(&quire, &ada, "Due", -5).await;
    let path = format!("/api/v1/posts/{id}");
    quire.post_as(&bob, &format!("{path}/comments"), &json!({"content": "First"})).await.expect(201);
    send(quire.request(Method::PUT, &format!("{path}/reactions/like")).bearer_auth(&bob.token)).await.expect(204);
    for late in [json!({"status": "draft"}), json!({"publishAt": in_seconds(60)}), json!({"status": "scheduled", "publishAt": in_seconds(60)})] {
        let problem = quire.patch_as(&ada, &path, &late).await;
        assert!(matches!(problem.status.as_u16(), 409 | 422), "{late}");
    }
    let tag = text(&json!(quire.get(&path).await.header("etag")));
    let archived = super::patch_if(&quire, &ada, &path, &tag, &json!({"status": "archived"})).await.expect(200);
    assert_eq!((&archived["publishedAt"], &archived["version"]), (&json!(at), &json!(4)));
    assert_eq!(published_events(&quire).await, [id], "it was published all the same");
    assert!(matches!(run(&quire).await, Outcome::Reply(_)));
    assert_eq!(quire.get_as(&ada, &path).await.expect(200)["status"], "archived");
    assert!(partition(&quire, "SCHEDULED").await.is_empty());

    let (gone, _) = scheduled(&quire, &ada, "Deleted", -5).await;
    quire.delete_as(&ada, &format!("/api/v1/posts/{gone}")).await.expect(204);
    assert!(matches!(run(&quire).await, Outcome::Reply(_)));
    assert!(partition(&quire, "SCHEDULED").await.is_empty());
    quire.stop().await;
}

#[tokio::test]
async fn runs_that_overlap_or_are_killed_at_any_call_publish_each_post_once() {
    let (quire, ada) = begin().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(scheduled(&quire, &ada, &format!("Overlap {number}"), -5).await.0);
    }
    for outcome in futures::future::join_all((0..4).map(|_| run(&quire))).await {
        assert!(matches!(outcome, Outcome::Reply(_)), "{outcome:?}");
    }
    ids.sort();
    assert_eq!(published_events(&quire).await, ids);

    quire.faults().clear();
    let calls = |quire: &Quire| quire.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some(FUNCTION)).count();
    let before = calls(&quire);
    ids.push(scheduled(&quire, &ada, "Counted", -5).await.0);
    assert!(matches!(run(&quire).await, Outcome::Reply(_)));
    let count = calls(&quire) - before;
    assert_eq!(count, 3, "find, read, commit");
    for call in 0..count {
        for kill in [Action::KillBefore, Action::KillAfter] {
            ids.push(scheduled(&quire, &ada, &format!("Killed {call} {kill:?}"), -5).await.0);
            let fired = quire.faults().add(Rule::new(kill.clone()).function(FUNCTION).skip(call));
            assert!(matches!(run(&quire).await, Outcome::Failed(_)), "{call} {kill:?}");
            assert_eq!(fired.count(), 1);
            quire.faults().clear();
            assert!(matches!(run(&quire).await, Outcome::Reply(_)));
        }
    }
    ids.sort();
    assert_eq!(published_events(&quire).await, ids);
    assert!(partition(&quire, "SCHEDULED").await.is_empty());
    quire.stop().await;
}

#[tokio::test]
async fn a_post_that_cannot_be_published_holds_back_no_other() {
    let (quire, ada) = begin().await;
    let (broken, _) = scheduled(&quire, &ada, "Broken", -60).await;
    let (good, _) = scheduled(&quire, &ada, "Good", -5).await;
    let key = AttributeValue::S;
    let broken_post = [("pk", key(format!("POST#{broken}"))), ("sk", key("POST".into()))].map(|(name, value)| (name.to_owned(), value));
    quire.dynamodb().put_item().table_name(quire.table()).set_item(Some(broken_post.into())).send().await.expect("it is stored");
    let outcome = run(&quire).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "the alarm must hear of it: {outcome:?}");
    assert_eq!(published_events(&quire).await, [good]);
    quire.stop().await;
}

//! Many at once: what is unique stays unique, and no change is lost.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use quire_tests::{PASSWORD, Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

const MANY: usize = 100;

/// How many replies have each status and kind of problem.
fn counted(replies: &[Reply]) -> BTreeMap<(u16, String), usize> {
    let mut counts = BTreeMap::new();
    for reply in replies {
        let kind = reply.json()["type"].as_str().unwrap_or_default().replace("urn:quire:problem:", "");
        *counts.entry((reply.status.as_u16(), kind)).or_default() += 1;
    }
    counts
}

async fn register_at_once(body: impl Fn(usize) -> Value, problem: &str) {
    let quire = Quire::start().await;
    let bodies: Vec<_> = (0..MANY).map(body).collect();
    let replies = join_all(bodies.iter().map(|body| quire.post("/api/v1/users", body))).await;
    assert_eq!(counted(&replies), [((201, String::new()), 1), ((409, problem.to_owned()), MANY - 1)].into());
    let items = quire.items().await;
    let count = |attribute: &str, value: &str| items.iter().filter(|item| item[attribute].as_s().is_ok_and(|own| own.starts_with(value))).count();
    assert_eq!((count("sk", "USER"), count("sk", "CREDENTIAL"), count("sk", "CLAIM")), (1, 1, 2), "one account, whole");

    let winner = replies.iter().position(|reply| reply.status == 201).expect("one has won");
    let session = json!({"username": bodies[winner]["username"], "password": PASSWORD});
    quire.post("/api/v1/sessions", &session).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn a_hundred_registrations_of_one_address_give_one_account() {
    let body = |number| json!({"username": format!("user{number}"), "email": "ada@example.com", "password": PASSWORD});
    register_at_once(body, "email-taken").await;
}

#[tokio::test]
async fn a_hundred_registrations_of_one_username_give_one_account() {
    let body = |number| json!({"username": "ada", "email": format!("ada{number}@example.com"), "password": PASSWORD});
    register_at_once(body, "username-taken").await;
}

#[tokio::test]
async fn of_many_changes_to_one_version_exactly_one_is_made() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/posts/{}", quire.published_post(&ada, "T").await);
    let change = |number: usize| {
        let request = quire.request(Method::PATCH, &path).bearer_auth(&ada.token).header("if-match", "\"2\"");
        send(request.json(&json!({"title": format!("Title {number}")})))
    };
    let replies = join_all((0..20).map(change)).await;
    assert_eq!(counted(&replies), [((200, String::new()), 1), ((412, "version-mismatch".to_owned()), 19)].into());
    let made = replies.iter().find(|reply| reply.status == 200).expect("one is made").json();
    assert_eq!((quire.get(&path).await.expect(200), &made["version"]), (made.clone(), &json!(3)));
    quire.stop().await;
}

#[tokio::test]
async fn changes_that_name_no_version_are_made_one_after_the_other() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/posts/{}", quire.published_post(&ada, "T").await);
    let (title, content) = (json!({"title": "Another title"}), json!({"content": "Other content"}));
    let (title, content) = tokio::join!(quire.patch_as(&ada, &path, &title), quire.patch_as(&ada, &path, &content));
    let versions = BTreeSet::from([&title, &content].map(|reply| reply.expect(200)["version"].as_u64()));
    assert_eq!(versions, [Some(3), Some(4)].into());
    let post = quire.get(&path).await.expect(200);
    assert_eq!((&post["title"], &post["content"], &post["version"]), (&json!("Another title"), &json!("Other content"), &json!(4)));

    let bodies: Vec<_> = (0..20).map(|number| json!({"title": format!("Title {number}")})).collect();
    let replies = join_all(bodies.iter().map(|body| quire.patch_as(&ada, &path, body))).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    for reply in &refused {
        reply.expect_problem(503, "unavailable");
        assert_eq!(reply.header("retry-after"), Some("1"), "the client is told to come again");
    }
    let versions: BTreeSet<_> = made.iter().map(|reply| reply.json()["version"].as_u64().unwrap_or_default()).collect();
    let last = 4 + made.len() as u64;
    assert_eq!(versions, (5..=last).collect(), "each change that is made has a version of its own");
    let post = quire.get(&path).await.expect(200);
    let newest = made.iter().map(|reply| reply.json()).max_by_key(|post| post["version"].as_u64());
    assert_eq!((Some(&post), &post["version"]), (newest.as_ref(), &json!(last)));
    quire.stop().await;
}

#[tokio::test]
async fn of_many_posts_with_one_slug_exactly_one_is_created() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let body = json!({"title": "T", "slug": "on-notes"});
    let replies = join_all((0..20).map(|_| quire.post_as(&ada, "/api/v1/posts", &body))).await;
    assert_eq!(counted(&replies), [((201, String::new()), 1), ((409, "slug-taken".to_owned()), 19)].into());
    let created = replies.iter().find(|reply| reply.status == 201).expect("one is created").json();
    let owned = quire.get_as(&ada, &format!("/api/v1/posts?author={}", ada.id)).await.expect(200);
    assert_eq!(owned["items"].as_array().map(|posts| posts.iter().map(|post| text(&post["postId"])).collect()), Some(vec![text(&created["postId"])]));
    quire.stop().await;
}

//! Reactions, followers and the feed.

use futures::future::join_all;
use quire_local::{
    faults::{Action, Rule},
    service::ServiceError,
};
use quire_tests::{Person, Quire, Reply, eventually, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, counted, deliver, errors, forge::Forge, is_time, members, outbox, walk};

async fn call(quire: &Quire, person: &Person, method: Method, path: &str) -> Reply {
    send(quire.request(method, path).bearer_auth(&person.token)).await
}

async fn put(quire: &Quire, person: &Person, path: &str) -> Reply {
    call(quire, person, Method::PUT, path).await
}

async fn delete(quire: &Quire, person: &Person, path: &str) -> Reply {
    call(quire, person, Method::DELETE, path).await
}

/// Somebody who is no other.
fn stranger(forge: &Forge, number: usize) -> Person {
    forge.person(&format!("0190a5a5-0000-7000-8000-{number:012}"), &["reader"])
}

/// The path under which `follower` follows `user`.
fn following(user: &Person, follower: &Person) -> String {
    format!("/api/v1/users/{}/followers/{}", user.id, follower.id)
}

/// The ids of the posts in somebody's feed.
async fn feed(quire: &Quire, person: &Person) -> Vec<String> {
    members(&walk(quire, Some(&person.token), "/api/v1/feed", 100).await.concat(), "postId")
}

#[tokio::test]
async fn a_reaction_is_there_or_not_however_often_it_is_said() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let post = quire.published_post(&ada, "T").await;
    let reactions = format!("/api/v1/posts/{post}/reactions");
    let like = format!("{reactions}/like");
    for _ in 0..2 {
        assert_eq!(put(&quire, &ada, &like).await.expect(204), Value::Null);
        assert_eq!((counted(&quire, &post, "like").await, counted(&quire, &post, "changes").await), (1, 1));
    }
    put(&quire, &ada, &format!("{reactions}/sad")).await.expect(204);
    assert_eq!(counted(&quire, &post, "changes").await, 2);
    let page = quire.get(&reactions).await.expect(200);
    let expected = ["like", "sad"].map(|kind| json!({"postId": post, "userId": ada.id, "kind": kind}));
    for (reaction, expected) in page["items"].as_array().expect("items").iter().zip(expected) {
        assert!(is_time(&reaction["createdAt"]));
        let mut whole = expected.clone();
        whole["createdAt"] = reaction["createdAt"].clone();
        assert_eq!(*reaction, whole);
    }
    for _ in 0..2 {
        delete(&quire, &ada, &like).await.expect(204);
        assert_eq!((counted(&quire, &post, "like").await, counted(&quire, &post, "sad").await), (0, 1));
    }
    assert_eq!(counted(&quire, &post, "changes").await, 3);
    assert_eq!(members(quire.get(&reactions).await.expect(200)["items"].as_array().expect("items"), "kind"), ["sad"]);
    for (path, status) in [(&like, 204), (&like, 412), (&following(&bob, &ada), 204), (&following(&bob, &ada), 412)] {
        let only_new = send(quire.request(Method::PUT, path).bearer_auth(&ada.token).header("if-none-match", "*")).await;
        assert_eq!(only_new.status.as_u16(), status, "{path}");
    }
    delete(&quire, &ada, &like).await.expect(204);
    let copies = quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("REACTED#"))).count();
    assert_eq!(copies, 1);
    quire.stop().await;
}

#[tokio::test]
async fn fifty_reactions_of_one_account_at_once_count_as_one() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let path = format!("/api/v1/posts/{post}/reactions/love");
    for (method, count, changes) in [(Method::PUT, 1, 1), (Method::DELETE, 0, 2)] {
        for reply in join_all((0..50).map(|_| call(&quire, &ada, method.clone(), &path))).await {
            reply.expect(204);
        }
        assert_eq!((counted(&quire, &post, "love").await, counted(&quire, &post, "changes").await), (count, changes));
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_hundred_accounts_react_to_one_post_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let post = quire.published_post(&ada, "T").await;
    let people: Vec<_> = (0..100).map(|number| stranger(&forge, number)).collect();
    let path = format!("/api/v1/posts/{post}/reactions/like");
    for reply in join_all(people.iter().map(|person| put(&quire, person, &path))).await {
        reply.expect(204);
    }
    assert_eq!(counted(&quire, &post, "like").await, 100);
    let listed = walk(&quire, None, &format!("/api/v1/posts/{post}/reactions"), 33).await.concat();
    assert_eq!(members(&listed, "userId"), people.into_iter().map(|person| person.id).collect::<Vec<_>>());
    quire.stop().await;
}

#[tokio::test]
async fn a_reaction_that_meets_others_fifteen_times_is_counted() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let conflict = ServiceError::client("TransactionCanceledException", "Transaction cancelled [TransactionConflict]");
    let rule = Rule::new(Action::Fail(conflict)).function("PutReaction").operation("TransactWriteItems");
    let met = quire.faults().add(rule.times(15));
    put(&quire, &ada, &format!("/api/v1/posts/{post}/reactions/like")).await.expect(204);
    assert_eq!((met.count(), counted(&quire, &post, "like").await), (15, 1));
    quire.stop().await;
}

#[tokio::test]
async fn only_what_is_published_is_reacted_to() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let draft = text(&quire.post_as(&ada, "/api/v1/posts", &json!({"title": "D"})).await.expect(201)["postId"]);
    let post = quire.published_post(&ada, "T").await;
    for method in [Method::PUT, Method::DELETE] {
        for id in [draft.as_str(), NOBODY, "x"] {
            let reply = call(&quire, &ada, method.clone(), &format!("/api/v1/posts/{id}/reactions/like")).await;
            reply.expect_problem(404, "post-not-found");
        }
        for kind in ["hate", "Like", "commentCount"] {
            let reply = call(&quire, &ada, method.clone(), &format!("/api/v1/posts/{post}/reactions/{kind}")).await;
            reply.expect_problem(404, "not-found");
        }
        let like = format!("/api/v1/posts/{post}/reactions/like");
        send(quire.request(method.clone(), &like)).await.expect_problem(401, "sign-in-required");
        call(&quire, &forge.person(NOBODY, &["author"]), method, &like).await.expect_problem(403, "forbidden");
    }
    quire.get(&format!("/api/v1/posts/{draft}/reactions")).await.expect_problem(404, "post-not-found");
    quire.stop().await;
}

#[tokio::test]
async fn reactions_are_listed_by_kind() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let reactions = format!("/api/v1/posts/{}/reactions", quire.published_post(&ada, "T").await);
    let people: Vec<_> = (0..6).map(|number| stranger(&forge, number)).collect();
    for (number, person) in people.iter().enumerate() {
        put(&quire, person, &format!("{reactions}/{}", if number % 3 == 0 { "laugh" } else { "insightful" })).await.expect(204);
    }
    for limit in [1, 2, 100] {
        let laughing = walk(&quire, None, &format!("{reactions}?kind=laugh"), limit).await.concat();
        assert_eq!(members(&laughing, "userId"), [&people[0], &people[3]].map(|person| person.id.clone()), "limit {limit}");
    }
    assert_eq!(send(quire.request(Method::HEAD, &reactions)).await.expect(200), Value::Null);
    let wrong = quire.get(&format!("{reactions}?kind=hate&cursor=x&limit=0")).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&wrong).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>(), ["/kind", "/limit"]);
    quire.stop().await;
}

#[tokio::test]
async fn one_follows_others_for_oneself_and_once() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let path = following(&ada, &bob);
    for reply in join_all((0..10).map(|_| put(&quire, &bob, &path))).await {
        assert_eq!(reply.expect(204), Value::Null);
    }
    let (followers, followed) = (format!("/api/v1/users/{}/followers", ada.id), format!("/api/v1/users/{}/following", bob.id));
    let page = quire.get(&followers).await.expect(200);
    let follow = page["items"][0].clone();
    assert_eq!(follow, json!({"userId": ada.id, "followerId": bob.id, "createdAt": follow["createdAt"]}));
    assert!(is_time(&follow["createdAt"]));
    assert_eq!(page, json!({"items": [follow]}));
    assert_eq!(quire.get(&followed).await.expect(200), page);
    for path in [&followers, &followed] {
        assert_eq!(send(quire.request(Method::HEAD, path)).await.expect(200), Value::Null);
    }

    for method in [Method::PUT, Method::DELETE] {
        call(&quire, &bob, method.clone(), &following(&bob, &ada)).await.expect_problem(403, "forbidden");
        send(quire.request(method.clone(), &following(&ada, &bob))).await.expect_problem(401, "sign-in-required");
        for nobody in [NOBODY, "x"] {
            let path = format!("/api/v1/users/{nobody}/followers/{}", bob.id);
            call(&quire, &bob, method.clone(), &path).await.expect_problem(404, "user-not-found");
        }
        call(&quire, &bob, method, &format!("{followers}/x")).await.expect_problem(404, "user-not-found");
    }
    let oneself = put(&quire, &bob, &following(&bob, &bob)).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&oneself)[0].0, "/followerId");
    for part in ["followers", "following"] {
        quire.get(&format!("/api/v1/users/{NOBODY}/{part}")).await.expect_problem(404, "user-not-found");
    }

    for reply in join_all((0..10).map(|_| delete(&quire, &bob, &path))).await {
        assert_eq!(reply.expect(204), Value::Null);
    }
    for path in [&followers, &followed] {
        assert_eq!(quire.get(path).await.expect(200), json!({"items": []}));
    }
    quire.stop().await;
}

#[tokio::test]
async fn followers_are_listed_newest_first() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let mut people = Vec::new();
    for number in 0..5 {
        let person = stranger(&forge, number);
        put(&quire, &person, &following(&ada, &person)).await.expect(204);
        people.insert(0, person.id);
    }
    let followers = format!("/api/v1/users/{}/followers", ada.id);
    let times = |items: &[Value]| members(items, "createdAt");
    for limit in [1, 2, 100] {
        let listed = walk(&quire, None, &followers, limit).await.concat();
        assert!(times(&listed).is_sorted_by(|newer, older| newer >= older));
        let mut ids = members(&listed, "followerId");
        if times(&listed).is_sorted_by(|newer, older| newer > older) {
            assert_eq!(ids, people, "limit {limit}");
        }
        ids.sort();
        assert_eq!(ids.len(), people.len());
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_feed_has_the_posts_of_those_who_are_followed() {
    let quire = Quire::start().await;
    let (ada, bob, eve) = (quire.person("ada").await, quire.person("bob").await, quire.person("eve").await);
    let mut posts = Vec::new();
    for number in 0..3 {
        posts.insert(0, quire.published_post(&ada, &format!("Post {number}")).await);
    }
    quire.post_as(&ada, "/api/v1/posts", &json!({"title": "Draft"})).await.expect(201);
    quire.published_post(&bob, "My own").await;
    let other = quire.published_post(&eve, "Of somebody else").await;
    assert_eq!(feed(&quire, &bob).await, [] as [String; 0]);

    put(&quire, &bob, &following(&ada, &bob)).await.expect(204);
    assert_eq!(feed(&quire, &bob).await, posts, "the reader sees their own write at once");
    for limit in [1, 2] {
        assert_eq!(members(&walk(&quire, Some(&bob.token), "/api/v1/feed", limit).await.concat(), "postId"), posts, "limit {limit}");
    }
    let summaries = quire.get("/api/v1/posts?limit=100").await.expect(200);
    let page = quire.get_as(&bob, "/api/v1/feed").await.expect(200);
    let summary = summaries["items"].as_array().expect("items").iter().find(|post| post["postId"] == posts[0]).expect("the post");
    assert_eq!(&page["items"][0], summary);
    assert_eq!(call(&quire, &bob, Method::HEAD, "/api/v1/feed").await.expect(200), Value::Null);

    posts.insert(0, quire.published_post(&ada, "A new one").await);
    eventually(|| async { (feed(&quire, &bob).await == posts).then_some(()) }).await;
    put(&quire, &bob, &following(&eve, &bob)).await.expect(204);
    posts.push(other.clone());
    posts.sort();
    let sorted = |mut feed: Vec<String>| {
        feed.sort();
        feed
    };
    assert_eq!(sorted(feed(&quire, &bob).await), posts);
    delete(&quire, &bob, &following(&ada, &bob)).await.expect(204);
    assert_eq!(feed(&quire, &bob).await, [other], "those who are not followed are gone at once");
    put(&quire, &bob, &following(&ada, &bob)).await.expect(204);
    assert_eq!(sorted(feed(&quire, &bob).await), posts);

    quire.get("/api/v1/feed").await.expect_problem(401, "sign-in-required");
    quire.stop().await;
}

#[tokio::test]
async fn a_feed_passes_over_what_is_not_published_any_more() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let mut posts = Vec::new();
    for number in 0..4 {
        posts.insert(0, quire.published_post(&ada, &format!("Post {number}")).await);
    }
    put(&quire, &bob, &following(&ada, &bob)).await.expect(204);
    for item in quire.items().await {
        let listed = item["pk"].as_s().is_ok_and(|pk| pk.starts_with("POSTS#"));
        if listed && posts[..2].iter().any(|post| item["sk"].as_s().is_ok_and(|sk| sk.ends_with(post))) {
            let (pk, sk) = (item["pk"].clone(), item["sk"].clone());
            quire.dynamodb().delete_item().table_name(quire.table()).key("pk", pk).key("sk", sk).send().await.expect("it is deleted");
        }
    }
    for limit in [1, 2, 100] {
        assert_eq!(members(&walk(&quire, Some(&bob.token), "/api/v1/feed", limit).await.concat(), "postId"), posts[2..], "limit {limit}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_post_that_is_fanned_out_twice_is_in_each_feed_once() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let quire = Quire::with(data, |options| options.sources = false).await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let people: Vec<_> = (0..60).map(|number| stranger(&forge, number)).collect();
    let paths: Vec<_> = people.iter().map(|person| following(&ada, person)).collect();
    for reply in join_all(people.iter().zip(&paths).map(|(person, path)| put(&quire, person, path))).await {
        reply.expect(204);
    }
    let post = quire.published_post(&ada, "T").await;
    assert_eq!(feed(&quire, &people[0]).await, [] as [String; 0]);
    let published = outbox(&quire).await["post.published"][0].clone();
    for _ in 0..2 {
        deliver(&quire, "FanOutPost", &published).await;
        for person in [&people[0], &people[59]] {
            assert_eq!(feed(&quire, person).await, [post.as_str()]);
        }
    }
    let entries = quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("FEED#"))).count();
    assert_eq!(entries, people.len());
    quire.stop().await;
}

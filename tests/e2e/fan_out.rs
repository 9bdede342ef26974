//! Posts on their way into feeds: pages of followers, and authors with too many of them.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use quire_local::{
    faults::{Action, Rule},
    functions::Outcome,
};
use quire_tests::{Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{deliver, forge::Forge, members, outbox, walk};

/// As many authors can be pulled at a time (`docs/api.md`).
const PULLED_AUTHORS: usize = 50;

/// A Quire in which nothing runs by itself, that fans out to two followers at a time; an author, and their followers.
async fn begin(followers: usize, most: usize) -> (Quire, Person, Vec<Person>) {
    let data = tempfile::tempdir().expect("a temporary folder");
    let parameters = [("FanOutPage", "2".to_owned()), ("FanOutFollowers", most.to_string())];
    let quire = Quire::with(data, |options| {
        options.sources = false;
        options.parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    })
    .await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let people: Vec<_> = (0..followers).map(|number| forge.person(&format!("0190a5a5-0000-7000-8000-{number:012}"), &["reader"])).collect();
    for person in &people {
        follow(&quire, Method::PUT, &ada, person).await;
    }
    (quire, ada, people)
}

async fn follow(quire: &Quire, method: Method, author: &Person, follower: &Person) {
    let path = format!("/api/v1/users/{}/followers/{}", author.id, follower.id);
    send(quire.request(method, &path).bearer_auth(&follower.token)).await.expect(204);
}

async fn feed(quire: &Quire, person: &Person) -> Vec<String> {
    members(&walk(quire, Some(&person.token), "/api/v1/feed", 2).await.concat(), "postId")
}

/// The events of the fan-out in the outbox that are not in `seen` yet, which are added to it.
async fn new_events(quire: &Quire, seen: &mut BTreeSet<String>) -> Vec<String> {
    let mut events = outbox(quire).await;
    let kinds = ["post.published", "post.fan-out-continued"];
    kinds.into_iter().flat_map(|kind| events.remove(kind).unwrap_or_default()).filter(|event| seen.insert(event.clone())).collect()
}

/// Delivers events, and those that follow, until none is left; how many there were.
async fn settle(quire: &Quire, seen: &mut BTreeSet<String>) -> usize {
    let mut count = 0;
    loop {
        let events = new_events(quire, seen).await;
        if events.is_empty() {
            return count;
        }
        for event in events {
            deliver(quire, "FanOutPost", &event).await;
            count += 1;
        }
    }
}

async fn entries(quire: &Quire) -> usize {
    quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("FEED#"))).count()
}

#[tokio::test]
async fn a_post_is_fanned_out_by_one_message_for_each_page_of_followers() {
    let (quire, ada, people) = begin(5, 100).await;
    let post = quire.published_post(&ada, "T").await;
    let mut seen = BTreeSet::new();
    let [published] = &new_events(&quire, &mut seen).await[..] else { panic!("one event") };
    // A message that comes twice fans out once more, and what follows it follows once.
    for _ in 0..2 {
        deliver(&quire, "FanOutPost", published).await;
    }
    assert_eq!(entries(&quire).await, 2);
    let [second] = &new_events(&quire, &mut seen).await[..] else { panic!("one event follows") };
    let continued: Value = serde_json::from_str(second).expect("JSON");
    assert_eq!((&continued["data"]["postId"], &continued["data"]["followers"]), (&json!(post), &json!(2)));
    let origin: Value = serde_json::from_str(published).expect("JSON");
    assert_eq!(continued["correlationId"], origin["correlationId"]);
    deliver(&quire, "FanOutPost", second).await;
    assert_eq!(settle(&quire, &mut seen).await, 1);
    for person in &people {
        assert_eq!(feed(&quire, person).await, [post.as_str()]);
    }
    assert_eq!(entries(&quire).await, people.len());
    quire.stop().await;
}

#[tokio::test]
async fn a_fan_out_killed_at_any_call_reaches_every_follower() {
    let (quire, ada, people) = begin(5, 100).await;
    let mut seen = BTreeSet::new();
    quire.published_post(&ada, "Counted").await;
    let [published] = &new_events(&quire, &mut seen).await[..] else { panic!("one event") };
    let calls = |quire: &Quire| quire.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some("FanOutPost")).count();
    deliver(&quire, "FanOutPost", published).await;
    let count = calls(&quire);
    assert_eq!(count, 5, "post, whether its author is pulled, followers, entries, commit");
    settle(&quire, &mut seen).await;
    let mut posts = 1;
    for call in 0..count {
        for kill in [Action::KillBefore, Action::KillAfter] {
            quire.published_post(&ada, &format!("Killed {call} {kill:?}")).await;
            posts += 1;
            let [published] = &new_events(&quire, &mut seen).await[..] else { panic!("one event") };
            let fired = quire.faults().add(Rule::new(kill.clone()).function("FanOutPost").skip(call));
            let event = json!({"Records": [{"messageId": "m", "body": published}]}).to_string();
            let outcome = quire.cloud().functions().invoke("FanOutPost", event.into(), None).await.outcome;
            assert!(matches!(outcome, Outcome::Failed(_)) && fired.count() == 1, "{call} {kill:?}: {outcome:?}");
            quire.faults().clear();
            deliver(&quire, "FanOutPost", published).await;
            assert_eq!(settle(&quire, &mut seen).await, 2, "two more pages");
            assert_eq!(entries(&quire).await, posts * people.len(), "{call} {kill:?}");
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_post_that_is_withdrawn_on_its_way_goes_no_further() {
    let (quire, ada, _) = begin(5, 100).await;
    let post = quire.published_post(&ada, "T").await;
    let mut seen = BTreeSet::new();
    let [published] = &new_events(&quire, &mut seen).await[..] else { panic!("one event") };
    deliver(&quire, "FanOutPost", published).await;
    quire.patch_as(&ada, &format!("/api/v1/posts/{post}"), &json!({"status": "archived"})).await.expect(200);
    settle(&quire, &mut seen).await;
    assert_eq!(entries(&quire).await, 2);
    quire.stop().await;
}

#[tokio::test]
async fn the_posts_of_an_author_with_too_many_followers_are_looked_for_and_stand_once_and_in_order() {
    let (quire, ada, people) = begin(3, 3).await;
    let eve = quire.person("eve").await;
    let (reader, late) = (&people[0], Forge::known(&quire).await.person("0190a5a5-0000-7000-8000-000000000099", &["reader"]));
    follow(&quire, Method::PUT, &eve, reader).await;
    let mut seen = BTreeSet::new();
    let mut expected = Vec::new();
    // Written into feeds.
    for author in [&ada, &eve, &ada] {
        expected.insert(0, quire.published_post(author, "Fanned out").await);
        settle(&quire, &mut seen).await;
    }
    let written = entries(&quire).await;
    // One follower too many.
    follow(&quire, Method::PUT, &ada, &late).await;
    let backfilled = entries(&quire).await;
    assert_eq!(backfilled, written + 2);
    for author in [&ada, &eve, &ada] {
        expected.insert(0, quire.published_post(author, "Pulled").await);
        settle(&quire, &mut seen).await;
        assert_eq!(feed(&quire, reader).await, expected);
    }
    assert_eq!(entries(&quire).await, backfilled + 2 + 1, "one page of the first, and that of the other author");
    assert_eq!(feed(&quire, &late).await.len(), 4, "a new follower has the author's newest posts");
    // As few as before: posts are written again, and those of between are there still.
    follow(&quire, Method::DELETE, &ada, &late).await;
    assert_eq!(feed(&quire, &late).await, [] as [String; 0]);
    for _ in 0..2 {
        expected.insert(0, quire.published_post(&ada, "Fanned out again").await);
        settle(&quire, &mut seen).await;
        assert_eq!(feed(&quire, reader).await, expected);
    }
    let pulled: Vec<_> = quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk == "PULLED")).collect();
    assert!(pulled.len() == 1 && pulled[0].contains_key("until") && pulled[0].contains_key("expiresAt"), "{pulled:?}");
    assert_eq!(entries(&quire).await, backfilled + 3 + people.len(), "the first one still counted, the second one is written");
    // Withdrawn posts leave, whichever way they came.
    for post in expected.split_off(1) {
        let author = if text(&quire.get(&format!("/api/v1/posts/{post}")).await.expect(200)["authorId"]) == ada.id { &ada } else { &eve };
        quire.patch_as(author, &format!("/api/v1/posts/{post}"), &json!({"status": "archived"})).await.expect(200);
    }
    assert_eq!(feed(&quire, reader).await, expected);
    quire.stop().await;
}

#[tokio::test]
async fn where_as_many_authors_are_pulled_as_can_be_the_posts_of_the_next_are_written() {
    let (quire, ada, people) = begin(3, 2).await;
    let mut seen = BTreeSet::new();
    quire.published_post(&ada, "Pulled").await;
    settle(&quire, &mut seen).await;
    let is_pulled = |item: &HashMap<String, AttributeValue>| item["pk"].as_s().is_ok_and(|pk| pk == "PULLED");
    let pulled = quire.items().await.into_iter().find(is_pulled).expect("ada is pulled");
    for number in 1..PULLED_AUTHORS {
        let author = format!("0190a5a5-0000-7000-8000-1{number:011}");
        let mut item = pulled.clone();
        item.insert("sk".to_owned(), AttributeValue::S(author.clone()));
        item.insert("authorId".to_owned(), AttributeValue::S(author));
        quire.dynamodb().put_item().table_name(quire.table()).set_item(Some(item)).send().await.expect("it is stored");
    }
    let eve = quire.person("eve").await;
    for person in &people {
        follow(&quire, Method::PUT, &eve, person).await;
    }
    let before = entries(&quire).await;
    let post = quire.published_post(&eve, "Written").await;
    settle(&quire, &mut seen).await;
    assert_eq!(entries(&quire).await, before + people.len());
    let own = quire.published_post(&ada, "Pulled as before").await;
    settle(&quire, &mut seen).await;
    assert_eq!(entries(&quire).await, before + people.len());
    for person in &people {
        assert_eq!(feed(&quire, person).await[..2], [own.as_str(), post.as_str()]);
    }
    quire.stop().await;
}

//! Posts: `/api/v1/posts` and what is below it, and `/api/v1/tags`.

mod counts;
mod deletion;
mod lifecycle;
mod lists;
mod revisions;
mod scheduled;
mod selection;
mod slugs;
mod tags;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    primitives::{DateTime, DateTimeFormat},
    types::AttributeValue,
};
use quire_tests::{Person, Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, errors, forge::Forge, is_time, pointers};

async fn patch_if(quire: &Quire, person: &Person, path: &str, if_match: &str, patch: &Value) -> Reply {
    send(quire.request(Method::PATCH, path).bearer_auth(&person.token).header("if-match", if_match).json(patch)).await
}

/// A draft of `author`'s: its address and its view.
async fn drafted(quire: &Quire, author: &Person, body: &Value) -> (String, Value) {
    let draft = quire.post_as(author, "/api/v1/posts", body).await.expect(201);
    (format!("/api/v1/posts/{}", text(&draft["postId"])), draft)
}

async fn put_as(quire: &Quire, person: &Person, path: &str, body: &Value) -> Reply {
    send(quire.request(Method::PUT, path).bearer_auth(&person.token).json(body)).await
}

/// The document with one more member.
fn with(document: &Value, name: &str, value: &str) -> Value {
    let mut document = document.clone();
    document[name] = json!(value);
    document
}

/// The time so many seconds from now, as the API writes it.
fn in_seconds(seconds: i64) -> String {
    let now = i64::try_from(crate::forge::now()).expect("a time that is not far away");
    let text = DateTime::from_secs(now + seconds).fmt(DateTimeFormat::DateTime).expect("a time");
    text.replace('Z', ".000Z")
}

/// Every item of a partition.
async fn partition(quire: &Quire, pk: &str) -> Vec<HashMap<String, AttributeValue>> {
    quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|key| key == pk)).collect()
}

#[tokio::test]
async fn a_draft_is_created_and_published_with_its_version_as_its_tag() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let reply = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "  Café — crème ", "content": "# Hi\n"})).await;
    let draft = reply.expect(201);
    let id = text(&draft["postId"]);
    let expected = json!({
        "postId": id, "authorId": ada.id, "title": "Café — crème", "content": "# Hi\n", "slug": draft["slug"], "tags": [],
        "status": "draft", "createdAt": draft["createdAt"], "updatedAt": draft["createdAt"], "commentCount": 0, "reactions": [], "version": 1,
    });
    assert_eq!(draft, expected);
    assert!(is_time(&draft["createdAt"]));
    assert_eq!(text(&draft["slug"]), format!("cafe-creme-{}", &id[28..]));
    let path = format!("/api/v1/posts/{id}");
    assert_eq!(["location", "etag", "cache-control"].map(|name| reply.header(name)), [Some(path.as_str()), Some("\"1-0\""), Some("no-store")]);

    let reply = quire.patch_as(&ada, &path, &json!({"status": "published"})).await;
    let published = reply.expect(200);
    let mut expected = draft.clone();
    expected["status"] = json!("published");
    expected["version"] = json!(2);
    expected["updatedAt"] = published["publishedAt"].clone();
    expected["publishedAt"] = published["publishedAt"].clone();
    assert_eq!(published, expected);
    assert!(is_time(&published["publishedAt"]));
    let got = quire.get(&path).await;
    assert_eq!(got.expect(200), published);
    for (reply, caching) in [(&reply, "no-store"), (&got, "public, max-age=0, s-maxage=30, stale-while-revalidate=60")] {
        assert_eq!(["etag", "cache-control"].map(|name| reply.header(name)), [Some("\"2-0\""), Some(caching)]);
    }
    let known = send(quire.request(Method::GET, &path).header("if-none-match", "\"2-0\"")).await;
    assert_eq!((known.expect(304), known.header("etag")), (Value::Null, Some("\"2-0\"")));
    send(quire.request(Method::GET, &path).header("if-none-match", "\"1-0\"")).await.expect(200);
    quire.stop().await;
}

#[tokio::test]
async fn every_wrong_field_of_a_post_is_listed_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let long = "ü".repeat(128 * 1024 + 1);
    let wrong = json!({"title": "", "content": long, "slug": "Not a slug"});
    let problem = quire.post_as(&ada, "/api/v1/posts", &wrong).await.expect_problem(422, "invalid-input");
    let slug = "must have 1 to 80 of a to z, 0 to 9 and single hyphens between them";
    let expected = [("/title", "must have 1 to 200 characters"), ("/content", "must have at most 262144 bytes"), ("/slug", slug)];
    assert_eq!(errors(&problem), expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())));

    let longest = json!({"title": "ü".repeat(200), "content": "x".repeat(256 * 1024), "slug": "s".repeat(80)});
    let post = quire.post_as(&ada, "/api/v1/posts", &longest).await.expect(201);
    let path = format!("/api/v1/posts/{}", text(&post["postId"]));
    let wrong = json!({"title": "a\nb", "content": "a\u{0}b", "slug": "a--b", "status": "deleted"});
    let problem = quire.patch_as(&ada, &path, &wrong).await.expect_problem(422, "invalid-input");
    assert_eq!(pointers(&problem), ["/title", "/content", "/slug", "/status"]);
    let null = json!({"title": null, "content": null, "slug": null, "status": null});
    let problem = quire.patch_as(&ada, &path, &null).await.expect_problem(422, "invalid-input");
    let removed = |pointer: &str| (pointer.to_owned(), "cannot be removed".to_owned());
    assert_eq!(errors(&problem), ["/title", "/content", "/slug", "/status"].map(removed));
    for slug in ["-a", "a-", "a_b", "", "ä", NOBODY, &"s".repeat(81)] {
        let body = json!({"title": "T", "slug": slug});
        assert_eq!(pointers(&quire.post_as(&ada, "/api/v1/posts", &body).await.expect_problem(422, "invalid-input")), ["/slug"], "{slug}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_merge_patch_leaves_alone_what_it_does_not_name() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let created = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T", "content": "C", "slug": "s"})).await.expect(201);
    let path = format!("/api/v1/posts/{}", text(&created["postId"]));
    let mut expected = created;
    for (patch, version) in [
        (json!({"title": "U"}), 2),
        (json!({"content": ""}), 3),
        (json!({"slug": "u"}), 4),
        (json!({}), 4),
        (json!({"title": "U", "content": "", "slug": "u", "status": "draft"}), 4),
        (json!({"status": "published", "title": "V"}), 5),
        (json!({"status": "published"}), 5),
    ] {
        let reply = quire.patch_as(&ada, &path, &patch).await;
        let post = reply.expect(200);
        for (name, value) in patch.as_object().expect("an object") {
            expected[name] = value.clone();
        }
        expected["version"] = json!(version);
        expected["updatedAt"] = post["updatedAt"].clone();
        if version == 5 {
            expected["publishedAt"] = post["publishedAt"].clone();
        }
        assert_eq!(post, expected, "{patch}");
        assert_eq!(reply.header("etag"), Some(format!("\"{version}-0\"").as_str()), "{patch}");
    }
    assert_eq!(quire.get(&path).await.expect(200), expected);
    quire.stop().await;
}

#[tokio::test]
async fn a_published_post_does_not_become_a_draft_again() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/posts/{}", quire.published_post(&ada, "T").await);
    let before = quire.get(&path).await.expect(200);
    let problem = quire.patch_as(&ada, &path, &json!({"status": "draft", "title": "U"})).await.expect_problem(409, "illegal-move");
    assert!(problem["detail"].is_string(), "{problem}");
    assert_eq!(quire.get(&path).await.expect(200), before);
    quire.stop().await;
}

#[tokio::test]
async fn a_slug_belongs_to_one_post_and_stays_with_it() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let first = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T", "slug": "on-notes"})).await.expect(201);
    let taken = json!({"title": "T", "slug": "on-notes"});
    for person in [&ada, &bob] {
        quire.post_as(person, "/api/v1/posts", &taken).await.expect_problem(409, "slug-taken");
    }
    let second = quire.post_as(&bob, "/api/v1/posts", &json!({"title": "T"})).await.expect(201);
    let (first, second) = (format!("/api/v1/posts/{}", text(&first["postId"])), format!("/api/v1/posts/{}", text(&second["postId"])));
    quire.patch_as(&bob, &second, &json!({"slug": "on-notes"})).await.expect_problem(409, "slug-taken");

    quire.patch_as(&ada, &first, &json!({"slug": "renamed"})).await.expect(200);
    quire.patch_as(&bob, &second, &json!({"slug": "on-notes"})).await.expect_problem(409, "slug-taken");
    let back = quire.patch_as(&ada, &first, &json!({"slug": "on-notes"})).await.expect(200);
    assert_eq!((&back["slug"], &back["version"]), (&json!("on-notes"), &json!(3)));
    assert_eq!(quire.get_as(&bob, &second).await.expect(200)["version"], 1, "a refused change changes nothing");
    quire.stop().await;
}

#[tokio::test]
async fn a_change_is_made_to_the_version_that_if_match_names() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let draft = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T"})).await.expect(201);
    let path = format!("/api/v1/posts/{}", text(&draft["postId"]));
    let mut version = 1;
    for (if_match, matches) in [
        ("\"1\"", true),
        ("\"1\"", false),
        ("\"7\", \"2\"", true),
        ("*", true),
        ("W/\"4\"", false),
        ("4", false),
        ("\"04x\"", false),
        ("\"18446744073709551616\"", false),
        ("", false),
        ("\"4\"", true),
    ] {
        let reply = patch_if(&quire, &ada, &path, if_match, &json!({"content": format!("after {version}")})).await;
        if matches {
            version += 1;
            assert_eq!(reply.expect(200)["version"], version, "{if_match}");
        } else {
            reply.expect_problem(412, "version-mismatch");
        }
    }
    let stale = patch_if(&quire, &ada, &path, "\"1\"", &json!({})).await;
    stale.expect_problem(412, "version-mismatch");
    assert_eq!(quire.get_as(&ada, &path).await.expect(200)["version"], version);
    quire.stop().await;
}

#[tokio::test]
async fn a_draft_is_seen_and_changed_by_its_author_and_by_editors_only() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let (editor, admin) = (forge.person(NOBODY, &["editor"]), forge.person(NOBODY, &["admin", "author"]));
    let draft = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T"})).await.expect(201);
    let path = format!("/api/v1/posts/{}", text(&draft["postId"]));

    quire.get(&path).await.expect_problem(404, "post-not-found");
    for stranger in [&bob, &admin] {
        quire.get_as(stranger, &path).await.expect_problem(404, "post-not-found");
        quire.patch_as(stranger, &path, &json!({"title": "Mine"})).await.expect_problem(404, "post-not-found");
        patch_if(&quire, stranger, &path, "\"9\"", &json!({})).await.expect_problem(404, "post-not-found");
        quire.get_as(stranger, &format!("{path}/comments")).await.expect_problem(404, "post-not-found");
        quire
            .post_as(stranger, &format!("{path}/comments"), &json!({"content": "Hi"}))
            .await
            .expect_problem(if stranger.id == bob.id { 404 } else { 403 }, if stranger.id == bob.id { "post-not-found" } else { "forbidden" });
    }
    for reader in [&ada, &editor] {
        assert_eq!(quire.get_as(reader, &path).await.expect(200), draft);
    }
    quire.post_as(&ada, &format!("{path}/comments"), &json!({"content": "Hi"})).await.expect_problem(404, "post-not-found");
    let published = quire.patch_as(&editor, &path, &json!({"status": "published"})).await.expect(200);
    assert_eq!((&published["authorId"], &published["status"]), (&json!(ada.id), &json!("published")));
    for stranger in [&bob, &admin] {
        quire.patch_as(stranger, &path, &json!({"title": "Mine"})).await.expect_problem(403, "forbidden");
        patch_if(&quire, stranger, &path, "\"9\"", &json!({})).await.expect_problem(403, "forbidden");
    }
    let lost = forge.person(&ada.id, &["reader", "commenter"]);
    quire.patch_as(&lost, &path, &json!({"title": "Mine"})).await.expect_problem(403, "forbidden");
    assert_eq!(quire.get(&path).await.expect(200), published);
    quire.stop().await;
}

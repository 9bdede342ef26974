//! From draft to archive: `PATCH` and `PUT /api/v1/posts/{postId}`.

use quire_tests::{Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{drafted, in_seconds, partition, put_as, with};
use crate::{errors, pointers};

/// The partitions that a post stands in, besides its author's.
async fn listed(quire: &Quire, id: &str) -> Vec<String> {
    let mut partitions = Vec::new();
    for item in quire.items().await {
        let (pk, sk) = (item["pk"].as_s().expect("a key"), item["sk"].as_s().expect("a key"));
        if sk.ends_with(id) && !pk.starts_with("OWNER#") {
            partitions.push(pk.clone());
        }
    }
    partitions.sort();
    partitions
}

#[tokio::test]
async fn a_post_is_scheduled_published_archived_and_published_again() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, draft) = drafted(&quire, &ada, &json!({"title": "T", "tags": ["rust"], "language": "EN-gb"})).await;
    let id = text(&draft["postId"]);
    assert_eq!((&draft["language"], listed(&quire, &id).await), (&json!("en-GB"), vec!["STATUS#draft".to_owned()]));
    let (soon, later) = (in_seconds(3600), in_seconds(300 * 24 * 3600));
    let public = ["AUTHOR#", "LANGUAGE#en-GB", "POSTS#", "TAG#rust"];
    let mut published_at = Value::Null;
    for (patch, status, publish_at, lists) in [
        (json!({"status": "scheduled", "publishAt": soon}), "scheduled", json!(soon), vec!["SCHEDULED", "STATUS#scheduled"]),
        (json!({"publishAt": later}), "scheduled", json!(later), vec!["SCHEDULED", "STATUS#scheduled"]),
        (json!({"status": "scheduled"}), "scheduled", json!(later), vec!["SCHEDULED", "STATUS#scheduled"]),
        (json!({"title": "U"}), "scheduled", json!(later), vec!["SCHEDULED", "STATUS#scheduled"]),
        (json!({"status": "draft"}), "draft", Value::Null, vec!["STATUS#draft"]),
        (json!({"status": "archived"}), "archived", Value::Null, vec!["STATUS#archived"]),
        (json!({"status": "published"}), "published", Value::Null, public.to_vec()),
        (json!({"status": "archived"}), "archived", Value::Null, vec!["STATUS#archived"]),
        (json!({"status": "published", "title": "V"}), "published", Value::Null, public.to_vec()),
    ] {
        let post = quire.patch_as(&ada, &path, &patch).await.expect(200);
        assert_eq!((&post["status"], &post["publishAt"]), (&json!(status), &publish_at), "{patch}");
        if published_at.is_null() {
            published_at = post["publishedAt"].clone();
        }
        assert_eq!(post["publishedAt"], published_at, "it is published once: {patch}");
        let partitions = listed(&quire, &id).await;
        assert_eq!(partitions.len(), lists.len(), "{patch}: {partitions:?}");
        for list in lists {
            assert!(partitions.iter().any(|pk| pk.starts_with(list)), "{patch}: {partitions:?}");
        }
        quire.get(&path).await.expect(if status == "published" { 200 } else { 404 });
    }
    let scheduled = drafted(&quire, &ada, &json!({"title": "W"})).await.0;
    quire.patch_as(&ada, &scheduled, &json!({"status": "scheduled", "publishAt": soon})).await.expect(200);
    let [item] = &partition(&quire, "SCHEDULED").await[..] else { panic!("one post is scheduled") };
    assert!(item["sk"].as_s().is_ok_and(|sk| sk.starts_with(&format!("{soon}#"))), "sorted by the time to publish at");
    quire.stop().await;
}

#[tokio::test]
async fn a_status_that_cannot_follow_is_refused_and_changes_nothing() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    for status in ["published", "archived"] {
        let before = quire.patch_as(&ada, &path, &json!({"status": status})).await.expect(200);
        for next in [json!({"status": "draft"}), json!({"status": "scheduled", "publishAt": in_seconds(60)}), json!({"status": "scheduled"})] {
            let problem = quire.patch_as(&ada, &path, &with(&next, "title", "U")).await.expect_problem(409, "illegal-move");
            assert!(problem["detail"].is_string(), "{problem}");
            put_as(&quire, &ada, &path, &with(&next, "title", "U")).await.expect_problem(409, "illegal-move");
        }
        assert_eq!(quire.get_as(&ada, &path).await.expect(200), before);
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_time_to_publish_at_is_for_the_future_and_for_scheduled_posts() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, draft) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    let year = 365 * 24 * 3600;
    for (patch, detail) in [
        (json!({"status": "scheduled"}), "is required for the status \"scheduled\""),
        (json!({"publishAt": in_seconds(60)}), "is for the status \"scheduled\" only"),
        (json!({"status": "published", "publishAt": in_seconds(60)}), "is for the status \"scheduled\" only"),
        (json!({"status": "scheduled", "publishAt": in_seconds(-1)}), "must be in the future and within a year"),
        (json!({"status": "scheduled", "publishAt": in_seconds(year + 60)}), "must be in the future and within a year"),
        (json!({"status": "scheduled", "publishAt": "tomorrow"}), "must be a time such as 2026-12-24T18:00:00Z"),
        (json!({"status": "scheduled", "publishAt": null}), "cannot be removed"),
        (json!({"status": "scheduled", "publishAt": 1}), "must be a string"),
    ] {
        let problem = quire.patch_as(&ada, &path, &patch).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/publishAt".to_owned(), detail.to_owned())], "{patch}");
    }
    assert_eq!(quire.get_as(&ada, &path).await.expect(200), draft);
    let at = in_seconds(year - 60);
    let offset = at.replace('Z', "+00:00");
    let post = put_as(&quire, &ada, &path, &json!({"title": "T", "status": "scheduled", "publishAt": offset})).await.expect(200);
    assert_eq!((&post["status"], &post["publishAt"]), (&json!("scheduled"), &json!(at)));
    quire.stop().await;
}

fn whole() -> Value {
    json!({
        "title": "T", "content": "C", "excerpt": "E", "tags": ["rust", "web"], "coverUrl": "https://example.com/cover.png", "language": "en",
        "canonicalUrl": "http://example.com/original",
    })
}

#[track_caller]
fn assert_has(post: &Value, members: &Value) {
    for (name, value) in members.as_object().expect("an object") {
        assert_eq!(&post[name], value, "{name} of {post}");
    }
}

#[tokio::test]
async fn a_replacement_removes_what_it_does_not_name() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, draft) = drafted(&quire, &ada, &with(&whole(), "slug", "on-notes")).await;
    assert_has(&draft, &whole());
    quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
    let reply = put_as(&quire, &ada, &path, &json!({"title": "U"})).await;
    let post = reply.expect(200);
    let removed = json!({"title": "U", "content": "", "tags": [], "slug": "on-notes", "status": "published", "version": 3});
    assert_has(&post, &removed);
    for name in ["excerpt", "coverUrl", "language", "canonicalUrl"] {
        assert_eq!(post.get(name), None, "an absent value is left out: {post}");
    }
    assert_eq!(reply.header("etag"), Some("\"3-0\""));
    assert_eq!(put_as(&quire, &ada, &path, &json!({"title": "U"})).await.expect(200), post, "the same again changes nothing");
    let post = put_as(&quire, &ada, &path, &with(&whole(), "status", "archived")).await.expect(200);
    assert_has(&post, &with(&whole(), "status", "archived"));
    assert_eq!(post["version"], 4);
    quire.stop().await;
}

#[tokio::test]
async fn a_replacement_is_made_to_the_version_that_if_match_names() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    let put = |header: &'static str, value: &'static str| {
        send(quire.request(Method::PUT, &path).bearer_auth(&ada.token).header(header, value).json(&json!({"title": "U"})))
    };
    put("if-match", "\"2-0\"").await.expect_problem(412, "version-mismatch");
    put("if-none-match", "*").await.expect_problem(412, "version-mismatch");
    assert_eq!(put("if-match", "\"1-0\"").await.expect(200)["version"], 2);
    assert_eq!(put("if-match", "\"2-0-xml\"").await.expect(200)["version"], 2, "a tag of another form names the same version");
    quire.stop().await;
}

#[tokio::test]
async fn null_removes_a_field_and_empties_the_tags() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &whole()).await;
    let patch = json!({"excerpt": null, "tags": null, "coverUrl": null, "language": null, "canonicalUrl": null});
    let post = quire.patch_as(&ada, &path, &patch).await.expect(200);
    assert_has(&post, &json!({"title": "T", "content": "C", "tags": [], "version": 2}));
    for name in ["excerpt", "coverUrl", "language", "canonicalUrl"] {
        assert_eq!(post.get(name), None, "{post}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn every_wrong_detail_of_a_post_is_listed_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    let wrong = json!({
        "title": "T", "excerpt": " ", "tags": ["ok", "Not ok", 3], "coverUrl": "javascript:alert(1)", "language": "english!", "canonicalUrl": "ftp://a",
    });
    let expected = ["/excerpt", "/tags/1", "/tags/2", "/coverUrl", "/language", "/canonicalUrl"];
    for reply in
        [quire.post_as(&ada, "/api/v1/posts", &wrong).await, quire.patch_as(&ada, &path, &wrong).await, put_as(&quire, &ada, &path, &wrong).await]
    {
        assert_eq!(pointers(&reply.expect_problem(422, "invalid-input")), expected);
    }
    let eleven: Vec<_> = (0..11).map(|number| format!("tag-{number}")).collect();
    for (tags, detail) in
        [(json!(eleven), "must have at most 10 items"), (json!(["a", "a"]), "must not have an item twice"), (json!("a"), "must be a list")]
    {
        let problem = quire.patch_as(&ada, &path, &json!({"tags": tags})).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/tags".to_owned(), detail.to_owned())], "{tags}");
    }
    put_as(&quire, &ada, &path, &json!({"content": "no title"})).await.expect_problem(422, "invalid-input");
    quire.stop().await;
}

#[tokio::test]
async fn a_replacement_comes_in_xml_too() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    let xml = "<post><title>On notes</title><tags>rust</tags><tags>web</tags><excerpt>E &amp; F</excerpt></post>";
    let request = quire.request(Method::PUT, &path).bearer_auth(&ada.token).header("content-type", "application/xml").body(xml);
    assert_has(&send(request).await.expect(200), &json!({"title": "On notes", "tags": ["rust", "web"], "excerpt": "E & F"}));
    quire.stop().await;
}

#[tokio::test]
async fn a_post_is_replaced_by_its_author_and_by_editors_only() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    let body = json!({"title": "Mine"});
    let nobody = Person { id: String::new(), token: "x.y.z".to_owned() };
    put_as(&quire, &nobody, &path, &body).await.expect_problem(401, "invalid-token");
    send(quire.request(Method::PUT, &path).json(&body)).await.expect_problem(401, "sign-in-required");
    put_as(&quire, &bob, &path, &body).await.expect_problem(404, "post-not-found");
    quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
    put_as(&quire, &bob, &path, &body).await.expect_problem(403, "forbidden");
    put_as(&quire, &ada, &format!("/api/v1/posts/{}", crate::NOBODY), &body).await.expect_problem(404, "post-not-found");
    quire.stop().await;
}

//! `GET /api/v1/posts/{postId}/revisions` and `GET /api/v1/posts/{postId}/revisions/{version}`.

use quire_tests::{Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{drafted, put_as};
use crate::{NOBODY, forge::Forge, walk};

fn versions(items: &[Value]) -> Vec<u64> {
    items.iter().map(|item| item["version"].as_u64().expect("a version")).collect()
}

#[tokio::test]
async fn each_change_of_what_a_post_says_keeps_what_it_said_before() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, first) = drafted(&quire, &ada, &json!({"title": "One", "content": "1", "tags": ["a"], "language": "en"})).await;
    for patch in [
        json!({"title": "Two"}),                              // version 2 keeps 1
        json!({"status": "published"}),                       // 3: says the same
        json!({"slug": "on-notes"}),                          // 4: says the same
        json!({"content": "2"}),                              // 5 keeps 4
        json!({"coverUrl": "https://example.com/cover.png"}), // 6: says the same
        json!({"excerpt": "E"}),                              // 7 keeps 6
        json!({"tags": ["b"]}),                               // 8 keeps 7
        json!({"language": "de"}),                            // 9 keeps 8
        json!({"title": "Two"}),                              // changes nothing
    ] {
        quire.patch_as(&ada, &path, &patch).await.expect(200);
    }
    let revisions = format!("{path}/revisions");
    let all = quire.get_as(&ada, &revisions).await;
    let items = all.expect(200)["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(versions(&items), [9, 8, 7, 6, 4, 1]);
    assert_eq!(all.header("cache-control"), Some("private, no-cache"));
    let listed = json!({
        "postId": first["postId"], "version": 1, "authorId": ada.id, "title": "One", "tags": ["a"], "language": "en", "updatedAt": first["updatedAt"],
    });
    assert_eq!(items[5], listed);
    for limit in [1, 2, 5, 6, 7] {
        assert_eq!(walk(&quire, Some(&ada.token), &revisions, limit).await.concat(), items, "limit {limit}");
    }
    for item in &items {
        let reply = quire.get_as(&ada, &format!("{revisions}/{}", item["version"])).await;
        let mut revision = reply.expect(200);
        assert_eq!(reply.header("etag"), Some(format!("\"{}\"", item["version"]).as_str()));
        let content = revision.as_object_mut().expect("an object").remove("content");
        assert_eq!(&revision, item);
        assert_eq!(content, Some(json!(if item["version"].as_u64() < Some(5) { "1" } else { "2" })));
    }
    for absent in ["2", "3", "5", "10", "0", "01", "-1", "x", "18446744073709551616"] {
        quire.get_as(&ada, &format!("{revisions}/{absent}")).await.expect_problem(404, "revision-not-found");
    }
    let post = put_as(&quire, &ada, &path, &json!({"title": "Three"})).await.expect(200);
    let newest = quire.get_as(&ada, &format!("{revisions}/10")).await.expect(200);
    assert_eq!((&newest["title"], &newest["content"], &newest["updatedAt"]), (&json!("Three"), &json!(""), &post["updatedAt"]));
    assert_eq!(quire.get_as(&ada, &format!("{revisions}/9")).await.expect(200)["language"], "de");
    quire.stop().await;
}

#[tokio::test]
async fn revisions_are_for_the_author_and_for_editors() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let (path, _) = drafted(&quire, &ada, &json!({"title": "One"})).await;
    quire.patch_as(&ada, &path, &json!({"title": "Two"})).await.expect(200);
    let addresses = [format!("{path}/revisions"), format!("{path}/revisions/1"), format!("{path}/revisions/2")];
    for address in &addresses {
        quire.get(address).await.expect_problem(401, "sign-in-required");
        quire.get_as(&bob, address).await.expect_problem(404, "post-not-found");
    }
    quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
    for address in &addresses[..2] {
        quire.get_as(&bob, address).await.expect_problem(403, "forbidden");
        quire.get_as(&editor, address).await.expect(200);
        let head = send(quire.request(Method::HEAD, address).bearer_auth(&ada.token)).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    }
    quire.get_as(&ada, &format!("/api/v1/posts/{NOBODY}/revisions")).await.expect_problem(404, "post-not-found");
    let cursor = text(&quire.get_as(&ada, &format!("{}?limit=1", addresses[0])).await.expect(200)["nextCursor"]);
    quire.get_as(&ada, &format!("/api/v1/posts?cursor={cursor}")).await.expect_problem(422, "invalid-input");
    quire.stop().await;
}

#[tokio::test]
async fn the_longest_content_has_revisions_too() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (before, after) = ("b".repeat(256 * 1024), "a".repeat(256 * 1024));
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T", "content": before})).await;
    quire.patch_as(&ada, &path, &json!({"content": after, "status": "published"})).await.expect(200);
    assert_eq!(quire.get_as(&ada, &format!("{path}/revisions/1")).await.expect(200)["content"], before);
    assert_eq!(quire.get_as(&ada, &format!("{path}/revisions/2")).await.expect(200)["content"], after);
    quire.stop().await;
}

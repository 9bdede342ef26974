//! `DELETE /api/v1/posts/{postId}`.

use futures::future::join_all;
use quire_tests::{Person, Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{drafted, partition};
use crate::{NOBODY, forge::Forge};

async fn delete_as(quire: &Quire, person: &Person, path: &str) -> Reply {
    send(quire.request(Method::DELETE, path).bearer_auth(&person.token)).await
}

#[tokio::test]
async fn a_deleted_post_is_gone_for_everybody_and_its_slugs_stay_taken() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T", "slug": "first", "tags": ["rust"], "language": "en"})).await;
    quire.patch_as(&ada, &path, &json!({"status": "published", "slug": "second", "content": "C"})).await.expect(200);
    quire.post_as(&bob, &format!("{path}/comments"), &json!({"content": "Hi"})).await.expect(201);

    send(quire.request(Method::DELETE, &path)).await.expect_problem(401, "sign-in-required");
    delete_as(&quire, &bob, &path).await.expect_problem(403, "forbidden");
    let reply = delete_as(&quire, &ada, &path).await;
    assert_eq!((reply.expect(204), reply.header("cache-control")), (Value::Null, Some("no-store")));

    for person in [&ada, &bob, &editor] {
        for address in [path.as_str(), "/api/v1/posts/first", "/api/v1/posts/second"] {
            quire.get_as(person, address).await.expect_problem(404, "post-not-found");
        }
        for below in ["comments", "revisions", "revisions/1"] {
            quire.get_as(person, &format!("{path}/{below}")).await.expect_problem(404, "post-not-found");
        }
        quire.patch_as(person, &path, &json!({"title": "U"})).await.expect_problem(404, "post-not-found");
    }
    let author = format!("/api/v1/posts?author={}", ada.id);
    for list in ["/api/v1/posts", "/api/v1/posts?tag=rust", "/api/v1/posts?language=en", &author, "/api/v1/tags"] {
        assert_eq!(quire.get_as(&ada, list).await.expect(200), json!({"items": []}), "{list}");
    }
    assert_eq!(quire.get_as(&editor, "/api/v1/posts?status=archived").await.expect(200), json!({"items": []}));
    for slug in ["first", "second"] {
        quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T", "slug": slug})).await.expect_problem(409, "slug-taken");
    }
    quire.stop().await;
}

#[tokio::test]
async fn whoever_could_delete_a_post_can_repeat_it() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    delete_as(&quire, &bob, &path).await.expect_problem(404, "post-not-found");
    for person in [&editor, &ada, &editor] {
        delete_as(&quire, person, &path).await.expect(204);
    }
    delete_as(&quire, &bob, &path).await.expect_problem(404, "post-not-found");
    delete_as(&quire, &ada, &format!("/api/v1/posts/{NOBODY}")).await.expect_problem(404, "post-not-found");
    delete_as(&quire, &ada, "/api/v1/posts/no-id").await.expect_problem(404, "post-not-found");
    quire.stop().await;
}

#[tokio::test]
async fn a_post_is_deleted_in_the_version_that_if_match_names() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    let delete = |tag: &'static str| send(quire.request(Method::DELETE, &path).bearer_auth(&ada.token).header("if-match", tag));
    delete("\"2-0\"").await.expect_problem(412, "version-mismatch");
    quire.get_as(&ada, &path).await.expect(200);
    delete("\"1-0\"").await.expect(204);
    delete("\"1-0\"").await.expect(204);
    quire.stop().await;
}

#[tokio::test]
async fn a_post_that_many_delete_and_change_at_once_is_deleted_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, post) = drafted(&quire, &ada, &json!({"title": "T", "tags": ["rust"]})).await;
    quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
    let change = json!({"tags": ["web"]});
    let (deleted, changed) =
        tokio::join!(join_all((0..8).map(|_| delete_as(&quire, &ada, &path))), join_all((0..4).map(|_| quire.patch_as(&ada, &path, &change))),);
    assert!(deleted.iter().any(|reply| reply.status == 204) && deleted.iter().all(|reply| [204, 503].contains(&reply.status.as_u16())));
    assert!(changed.iter().all(|reply| [200, 404, 503].contains(&reply.status.as_u16())));
    delete_as(&quire, &ada, &path).await.expect(204);
    let items = partition(&quire, &format!("POST#{}", text(&post["postId"]))).await;
    let left: Vec<_> = items.iter().filter_map(|item| item["sk"].as_s().ok()).filter(|sk| !sk.starts_with("REVISION#")).collect();
    assert_eq!(left, ["TOMBSTONE"]);
    for counter in partition(&quire, "TAGS").await {
        assert_eq!(counter["postCount"].as_n().map(String::as_str), Ok("0"));
    }
    for prefix in ["POSTS#", "AUTHOR#", "TAG#", "OWNER#", "STATUS#"] {
        assert!(quire.items().await.iter().all(|item| item["pk"].as_s().is_ok_and(|pk| !pk.starts_with(prefix))), "{prefix}");
    }
    quire.stop().await;
}

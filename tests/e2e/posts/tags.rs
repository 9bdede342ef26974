//! `GET /api/v1/tags`.

use std::collections::BTreeMap;

use futures::{StreamExt, future::join_all, stream};
use quire_tests::{Quire, send, text};
use reqwest::Method;
use serde_json::json;

use super::drafted;
use crate::{members, walk};

/// What the list of tags says, after it was compared with a recount of all published posts.
async fn counts(quire: &Quire) -> BTreeMap<String, u64> {
    let mut recount = BTreeMap::new();
    for post in walk(quire, None, "/api/v1/posts", 100).await.concat() {
        for tag in post["tags"].as_array().expect("tags") {
            *recount.entry(text(tag)).or_default() += 1;
        }
    }
    let listed = walk(quire, None, "/api/v1/tags", 3).await.concat();
    assert!(members(&listed, "tag").is_sorted(), "in the order of the alphabet");
    let counted: BTreeMap<_, _> = listed.iter().map(|tag| (text(&tag["tag"]), tag["postCount"].as_u64().expect("a count"))).collect();
    assert_eq!((counted.len(), &counted), (listed.len(), &recount));
    counted
}

#[tokio::test]
async fn tags_are_counted_over_published_posts_through_all_that_happens_to_them() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    assert_eq!(quire.get("/api/v1/tags").await.expect(200), json!({"items": []}));
    let (first, _) = drafted(&quire, &ada, &json!({"title": "T", "tags": ["rust", "web"]})).await;
    assert_eq!(counts(&quire).await, [].into(), "drafts do not count");
    let map = |tags: &[(&str, u64)]| tags.iter().map(|(tag, count)| ((*tag).to_owned(), *count)).collect::<BTreeMap<_, _>>();
    quire.patch_as(&ada, &first, &json!({"status": "published"})).await.expect(200);
    assert_eq!(counts(&quire).await, map(&[("rust", 1), ("web", 1)]));
    let (second, _) = drafted(&quire, &ada, &json!({"title": "T", "tags": ["a", "web"]})).await;
    quire.patch_as(&ada, &second, &json!({"status": "published"})).await.expect(200);
    assert_eq!(counts(&quire).await, map(&[("a", 1), ("rust", 1), ("web", 2)]));
    quire.patch_as(&ada, &second, &json!({"tags": ["b", "web", "z"], "title": "U"})).await.expect(200);
    assert_eq!(counts(&quire).await, map(&[("b", 1), ("rust", 1), ("web", 2), ("z", 1)]), "a tag that no post has is not listed");
    quire.patch_as(&ada, &second, &json!({"title": "V"})).await.expect(200);
    quire.patch_as(&ada, &first, &json!({"status": "archived"})).await.expect(200);
    assert_eq!(counts(&quire).await, map(&[("b", 1), ("web", 1), ("z", 1)]));
    quire.patch_as(&ada, &first, &json!({"tags": ["web", "old"]})).await.expect(200);
    quire.patch_as(&ada, &first, &json!({"status": "published"})).await.expect(200);
    assert_eq!(counts(&quire).await, map(&[("b", 1), ("old", 1), ("web", 2), ("z", 1)]));
    for _ in 0..2 {
        send(quire.request(Method::DELETE, &second).bearer_auth(&ada.token)).await.expect(204);
    }
    assert_eq!(counts(&quire).await, map(&[("old", 1), ("web", 1)]));
    let head = send(quire.request(Method::HEAD, "/api/v1/tags")).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert!(head.header("etag").is_some_and(|etag| etag.starts_with("W/")));
    quire.stop().await;
}

#[tokio::test]
async fn counts_of_tags_equal_a_recount_after_many_changes_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let tags = ["a", "b", "c", "d", "e"];
    let paths = stream::iter(0..12).map(|number: usize| {
        let (quire, ada) = (&quire, &ada);
        async move { drafted(quire, ada, &json!({"title": "T", "tags": [tags[number % 5], tags[(number + 1) % 5]]})).await.0 }
    });
    let paths: Vec<_> = paths.buffer_unordered(4).collect().await;
    let changes = [
        json!({"status": "published"}),
        json!({"tags": ["a", "b"]}),
        json!({"status": "archived"}),
        json!({"tags": ["c", "d", "e"], "status": "published"}),
    ];
    let mut made = 0;
    for change in &changes {
        // Two of each change, which meet each other; one that met too many is told so and has changed nothing.
        let replies = join_all(paths.iter().chain(&paths).map(|path| quire.patch_as(&ada, path, change))).await;
        assert!(replies.iter().all(|reply| [200, 503].contains(&reply.status.as_u16())));
        made += replies.iter().filter(|reply| reply.status == 200).count();
        counts(&quire).await;
    }
    assert!(made > 24, "{made}");
    join_all(paths.iter().map(|path| send(quire.request(Method::DELETE, path).bearer_auth(&ada.token)))).await;
    counts(&quire).await;
    quire.stop().await;
}

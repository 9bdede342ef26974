//! Pages: `GET /api/v1/posts` and `GET /api/v1/posts/{postId}/comments`.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::{StreamExt, stream};
use quire_tests::{Quire, text};
use serde_json::{Value, json};

use crate::{NOBODY, forge::Forge, members, pointers, walk};

#[tokio::test]
async fn published_posts_are_walked_newest_first_without_gaps_or_repetitions() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let mut posts = Vec::new();
    for number in 0..7 {
        posts.push(quire.published_post(&ada, &format!("Post {number}")).await);
        quire.post_as(&ada, "/api/v1/posts", &json!({"title": "A draft"})).await.expect(201);
    }
    let all = quire.get("/api/v1/posts").await;
    let page = all.expect(200);
    let items = page["items"].as_array().cloned().unwrap_or_default();
    let newest = quire.get(&format!("/api/v1/posts/{}", posts[6])).await.expect(200);
    let mut expected = newest;
    for name in ["content", "commentCount", "reactions"] {
        expected.as_object_mut().expect("an object").remove(name);
    }
    assert_eq!(items[0], expected, "a list shows all but the content and the counts");
    assert_eq!(page, json!({"items": items}));
    let caching = "public, max-age=0, s-maxage=30, stale-while-revalidate=60";
    assert_eq!((all.header("link"), all.header("cache-control")), (None, Some(caching)));

    for (position, shown) in [(format!("9999-01-01T00:00:00.000Z#{NOBODY}"), 7), (format!("2026-01-01T00:00:00.000Z#{NOBODY}"), 0)] {
        let forged = quire.get(&format!("/api/v1/posts?cursor={}", BASE64_URL_SAFE_NO_PAD.encode(position))).await.expect(200);
        assert_eq!(forged["items"].as_array().map(Vec::len), Some(shown), "a position is all that a cursor holds");
    }

    posts.sort();
    let mut found = members(&items, "postId");
    found.sort();
    assert_eq!(found, posts);
    for limit in [1, 2, 3, 6, 7, 8, 100] {
        let pages = walk(&quire, None, "/api/v1/posts", limit).await;
        assert_eq!(pages.concat(), items, "limit {limit}");
        assert_eq!(pages.len(), 7_usize.div_ceil(limit), "limit {limit}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn posts_published_in_one_millisecond_are_walked_by_their_ids() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let id = quire.published_post(&ada, "T").await;
    let list =
        quire.items().await.into_iter().find(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("POSTS#"))).expect("the list has the post");
    let at = text(&quire.get(&format!("/api/v1/posts/{id}")).await.expect(200)["publishedAt"]);
    let mut ids = vec![id];
    for number in 1..8 {
        let twin = format!("0190a5a5-0000-7000-8000-00000000000{number}");
        let mut item = list.clone();
        item.insert("sk".into(), AttributeValue::S(format!("{at}#{twin}")));
        item.insert("id".into(), AttributeValue::S(twin.clone()));
        quire.dynamodb().put_item().table_name(quire.table()).set_item(Some(item)).send().await.expect("the twin is stored");
        ids.push(twin);
    }
    ids.sort();
    ids.reverse();
    for limit in [1, 3, 8] {
        let posts = walk(&quire, None, "/api/v1/posts", limit).await.concat();
        assert_eq!(members(&posts, "postId"), ids, "limit {limit}");
        assert!(posts.iter().all(|post| post["publishedAt"] == json!(at)));
    }
    quire.stop().await;
}

#[tokio::test]
async fn an_author_walks_own_drafts_too_and_others_do_not() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let published = quire.published_post(&ada, "Published").await;
    let mut owned = vec![published];
    for number in 0..4 {
        let draft = quire.post_as(&ada, "/api/v1/posts", &json!({"title": format!("Draft {number}")})).await.expect(201);
        owned.push(text(&draft["postId"]));
    }
    quire.published_post(&bob, "Of somebody else").await;
    let path = format!("/api/v1/posts?author={}", ada.id);
    for reader in [&ada, &forge.person(NOBODY, &["editor"])] {
        let pages = walk(&quire, Some(&reader.token), &path, 2).await;
        assert_eq!(pages.len(), 3);
        let posts = pages.concat();
        let mut found = members(&posts, "postId");
        assert!(found.is_sorted_by(|a, b| a[..13] >= b[..13]), "newest first: {found:?}");
        found.sort();
        owned.sort();
        assert_eq!(found, owned);
        assert_eq!(posts.iter().filter(|post| post["status"] == "draft").count(), 4);
        assert!(posts.iter().all(|post| post.get("content").is_none()));
    }
    for page in [quire.get_as(&bob, &path).await.expect(200), quire.get(&path).await.expect(200)] {
        let posts = page["items"].as_array().cloned().unwrap_or_default();
        assert_eq!(members(&posts, "status"), ["published"], "others see what is published");
    }
    quire.get_as(&bob, &format!("{path}&status=draft")).await.expect_problem(403, "forbidden");
    let anonymous = quire.get(&format!("{path}&status=draft")).await;
    anonymous.expect_problem(401, "sign-in-required");
    assert_eq!(anonymous.header("www-authenticate"), Some("Bearer realm=\"quire\""));
    quire.stop().await;
}

#[tokio::test]
async fn comments_are_walked_oldest_first_and_a_cursor_holds_for_its_list_only() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let path = format!("/api/v1/posts/{post}/comments");
    assert_eq!(quire.get(&path).await.expect(200), json!({"items": []}));
    let written = stream::iter(0..23).map(|number| {
        let (quire, ada, path) = (&quire, &ada, &path);
        async move { text(&quire.post_as(ada, path, &json!({"content": format!("Comment {number}")})).await.expect(201)["commentId"]) }
    });
    let mut written: Vec<_> = written.buffer_unordered(4).collect().await;
    written.sort();
    quire.comments_when(&ada, &post, |comments| comments.len() == 23 && comments.iter().all(|comment| comment["status"] == "approved")).await;
    let page = quire.get(&path).await.expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(20), "twenty, if nobody says how many");
    for limit in [1, 10, 23, 100] {
        let comments = walk(&quire, None, &path, limit).await.concat();
        assert_eq!(members(&comments, "commentId"), written, "limit {limit}");
    }

    quire.published_post(&ada, "U").await;
    let (published, owned) = ("/api/v1/posts".to_owned(), format!("/api/v1/posts?author={}", ada.id));
    let mut cursors = Vec::new();
    for list in [&published, &owned, &path] {
        let separator = if list.contains('?') { '&' } else { '?' };
        let first: Value = quire.get_as(&ada, &format!("{list}{separator}limit=1")).await.expect(200);
        cursors.push((list, separator, text(&first["nextCursor"])));
    }
    for (list, separator, _) in &cursors {
        for (_, _, cursor) in cursors.iter().filter(|(of, _, _)| of != list) {
            let problem = quire.get_as(&ada, &format!("{list}{separator}cursor={cursor}")).await.expect_problem(422, "invalid-input");
            assert_eq!(pointers(&problem), ["/cursor"]);
        }
    }
    quire.stop().await;
}

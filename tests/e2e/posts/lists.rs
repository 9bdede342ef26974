//! `GET /api/v1/posts` with its filters.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use quire_tests::{Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{drafted, in_seconds};
use crate::{NOBODY, forge::Forge, members, pointers, walk};

/// A post as a test knows it.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    author: String,
    tags: Vec<&'static str>,
    language: Option<&'static str>,
    status: &'static str,
}

async fn write(quire: &Quire, author: &Person, tags: &[&'static str], language: Option<&'static str>, status: &'static str) -> Known {
    let mut body = json!({"title": "T", "tags": tags});
    if let Some(language) = language {
        body["language"] = json!(language);
    }
    let (path, post) = drafted(quire, author, &body).await;
    let patch = if status == "scheduled" { json!({"status": status, "publishAt": in_seconds(3600)}) } else { json!({"status": status}) };
    quire.patch_as(author, &path, &patch).await.expect(200);
    Known { id: text(&post["postId"]), author: author.id.clone(), tags: tags.to_vec(), language, status }
}

#[tokio::test]
async fn filters_combine_and_each_reader_finds_what_is_theirs() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let mut posts = Vec::new();
    for author in [&ada, &bob] {
        for (tags, language) in [(&["rust", "web"][..], Some("en")), (&["web"], Some("de")), (&[], Some("en")), (&["rust"], None)] {
            for status in ["draft", "scheduled", "published", "archived"] {
                posts.push(write(&quire, author, tags, language, status).await);
            }
        }
    }
    let mut queries = 0;
    for reader in [None, Some(&ada), Some(&editor)] {
        for author in [None, Some(&ada.id), Some(&bob.id)] {
            for tag in [None, Some("rust"), Some("nothing")] {
                for language in [None, Some("en"), Some("EN")] {
                    for status in [None, Some("draft"), Some("scheduled"), Some("published"), Some("archived")] {
                        let parameters = [("author", author.map(String::as_str)), ("tag", tag), ("language", language), ("status", status)];
                        let query: Vec<_> = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", (*value)?))).collect();
                        let path = format!("/api/v1/posts?{}", query.join("&"));
                        let own = reader.is_some_and(|reader| reader.id == editor.id || Some(&reader.id) == author);
                        let is_public = matches!(status, None | Some("published"));
                        if !is_public && !own {
                            match reader {
                                None => quire.get(&path).await.expect_problem(401, "sign-in-required"),
                                Some(reader) => quire.get_as(reader, &path).await.expect_problem(403, "forbidden"),
                            };
                            continue;
                        }
                        let wanted = |post: &&Known| {
                            author.is_none_or(|author| *author == post.author)
                                && tag.is_none_or(|tag| post.tags.contains(&tag))
                                && language.is_none_or(|_| post.language == Some("en"))
                                && match status {
                                    Some(status) => post.status == status,
                                    None => post.status == "published" || (own && author.is_some()),
                                }
                        };
                        let expected: BTreeSet<_> = posts.iter().filter(wanted).map(|post| post.id.clone()).collect();
                        let limit = if queries % 7 == 0 { 3 } else { 100 };
                        let found = walk(&quire, reader.map(|reader| reader.token.as_str()), &path, limit).await.concat();
                        let ids = members(&found, "postId");
                        assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), expected, "{path}");
                        assert_eq!(ids.len(), expected.len(), "each once: {path}");
                        let order =
                            |post: &Value| if status == Some("published") || !own { post["publishedAt"].clone() } else { post["createdAt"].clone() };
                        if status.is_some() || !own {
                            assert!(found.is_sorted_by(|a, b| order(a).as_str() >= order(b).as_str()), "newest first: {path}");
                        }
                        queries += 1;
                    }
                }
            }
        }
    }
    assert!(queries > 100, "{queries}");
    quire.stop().await;
}

#[tokio::test]
async fn a_list_follows_each_change_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T", "tags": ["rust"], "language": "en"})).await;
    let ids = async |query: &str| quire.get(&format!("/api/v1/posts?{query}")).await.expect(200)["items"].as_array().map_or(0, Vec::len);
    quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
    assert_eq!((ids("tag=rust").await, ids("tag=web").await, ids("language=en").await, ids("language=de").await), (1, 0, 1, 0));
    quire.patch_as(&ada, &path, &json!({"tags": ["web"], "language": "de"})).await.expect(200);
    assert_eq!((ids("tag=rust").await, ids("tag=web").await, ids("language=en").await, ids("language=de").await), (0, 1, 0, 1));
    let shown = quire.get("/api/v1/posts?tag=web").await.expect(200)["items"][0].clone();
    let mut post = quire.get(&path).await.expect(200);
    for name in ["content", "commentCount", "reactions"] {
        post.as_object_mut().expect("an object").remove(name);
    }
    assert_eq!(shown, post, "a list shows the newest version");
    let head = send(quire.request(Method::HEAD, "/api/v1/posts?tag=web")).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    quire.patch_as(&ada, &path, &json!({"status": "archived"})).await.expect(200);
    assert_eq!((ids("tag=web").await, ids("language=de").await, ids("").await, ids(&format!("author={}", ada.id)).await), (0, 0, 0, 0));
    quire.stop().await;
}

#[tokio::test]
async fn posts_published_at_once_are_walked_in_one_order_whatever_the_page() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let published = stream::iter(0..24).map(|number| {
        let (quire, ada) = (&quire, &ada);
        async move { write(quire, ada, &["rust"], Some(if number % 5 == 0 { "de" } else { "en" }), "published").await }
    });
    let published: Vec<_> = published.buffer_unordered(8).collect().await;
    for query in ["tag=rust", "language=en", "tag=rust&language=de", &format!("author={}&status=published", ada.id)] {
        let path = format!("/api/v1/posts?{query}");
        let all = walk(&quire, None, &path, 100).await.concat();
        let german = query.contains("de");
        let count = published.iter().filter(|post| !query.contains("language") || (post.language == Some("de")) == german).count();
        assert_eq!(all.len(), count, "{query}");
        let key = |post: &Value| (text(&post["publishedAt"]), text(&post["postId"]));
        assert!(all.is_sorted_by(|a, b| key(a) > key(b)), "the id decides among those of one millisecond: {query}");
        for limit in [1, 3, 7] {
            assert_eq!(walk(&quire, None, &path, limit).await.concat(), all, "{query} limit {limit}");
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn wrong_parameters_of_a_list_are_all_pointed_at() {
    let quire = Quire::start().await;
    let path = "/api/v1/posts?author=x&tag=Not%20a%20tag&status=lost&language=e&fields=title,secret&limit=0&cursor=!&unknown=1";
    let problem = quire.get(path).await.expect_problem(422, "invalid-input");
    assert_eq!(pointers(&problem), ["/author", "/tag", "/status", "/language", "/fields", "/limit"]);
    for path in ["/api/v1/posts?cursor=!", "/api/v1/posts?tag=a&cursor=!", "/api/v1/tags?cursor=!"] {
        assert_eq!(pointers(&quire.get(path).await.expect_problem(422, "invalid-input")), ["/cursor"], "{path}");
    }
    quire.stop().await;
}

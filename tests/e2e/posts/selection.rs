//! `?fields=`, and the content as HTML.

use quire_tests::{Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::drafted;
use crate::errors;

#[tokio::test]
async fn a_reader_gets_the_fields_that_they_name_and_the_id() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, post) = drafted(&quire, &ada, &json!({"title": "T", "content": "C", "tags": ["rust"]})).await;
    let post = {
        quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
        json!({"postId": post["postId"], "title": "T", "tags": ["rust"], "slug": post["slug"], "commentCount": 0, "reactions": []})
    };
    for (fields, names) in [
        ("title", &["postId", "title"][..]),
        ("slug,title", &["postId", "slug", "title"]),
        ("postId", &["postId"]),
        ("reactions,commentCount,tags", &["postId", "reactions", "commentCount", "tags"]),
        ("excerpt", &["postId"]),
    ] {
        let expected: Value = names.iter().map(|name| ((*name).to_owned(), post[*name].clone())).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(quire.get(&format!("{path}?fields={fields}")).await.expect(200), expected, "{fields}");
        if !fields.contains("reactions") {
            let page = quire.get(&format!("/api/v1/posts?fields={fields}")).await.expect(200);
            assert_eq!(page, json!({"items": [expected]}), "{fields}");
        }
    }
    let next = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "U"})).await.expect(201);
    quire.patch_as(&ada, &format!("/api/v1/posts/{}", text(&next["postId"])), &json!({"status": "published"})).await.expect(200);
    let page = quire.get("/api/v1/posts?fields=title&limit=1").await;
    assert_eq!(page.expect(200)["items"], json!([{"postId": next["postId"], "title": "U"}]));
    assert!(page.header("link").is_some_and(|link| link.contains("fields=title")), "the next page has the same fields");
    quire.stop().await;
}

#[tokio::test]
async fn names_that_are_no_fields_are_refused() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    let unknown = "must be names of fields, separated by commas";
    for (address, fields, detail) in [
        (path.as_str(), "secret", unknown),
        (&path, "title,", unknown),
        (&path, "", unknown),
        (&path, "Title", unknown),
        (&path, "title,%20slug", unknown),
        (&path, "title,title", "must not name a field twice"),
        ("/api/v1/posts", "content", unknown),
        ("/api/v1/posts", "contentHtml", unknown),
        ("/api/v1/posts", "commentCount", unknown),
    ] {
        let problem = quire.get_as(&ada, &format!("{address}?fields={fields}")).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/fields".to_owned(), detail.to_owned())], "{address} {fields}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn two_selections_never_share_a_tag_and_all_forms_have_them() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
    let mut tags = Vec::new();
    for query in ["", "?fields=title", "?fields=slug", "?fields=title,slug", "?fields=postId"] {
        for accept in ["application/json", "application/xml", "application/x-protobuf"] {
            let get = |tag: &str| {
                send(quire.request(Method::GET, &format!("{path}{query}")).header("accept", accept).header("if-none-match", tag.to_owned()))
            };
            let reply = get("\"x\"").await;
            assert_eq!(reply.status, 200);
            if accept == "application/xml" && query == "?fields=title" {
                let body = String::from_utf8(reply.body.clone()).expect("text");
                assert!(body.contains("<title>T</title>") && body.contains("<postId>") && !body.contains("<slug>"), "{body}");
            }
            let tag = reply.header("etag").expect("a tag").to_owned();
            assert!(tag.starts_with("\"2-0"), "{tag}");
            assert_eq!(get(&tag).await.status, 304);
            tags.push(tag);
        }
    }
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count, "{tags:?}");
    let same = ["title,slug", "slug,title", "slug,title,postId"].map(|fields| format!("{path}?fields={fields}"));
    let mut tags = Vec::new();
    for path in &same {
        tags.push(quire.get(path).await.header("etag").map(str::to_owned));
    }
    assert!(tags.iter().all(|tag| *tag == tags[0]), "one selection has one tag: {tags:?}");
    let if_match = tags[0].clone().expect("a tag");
    let changed = quire.request(Method::PATCH, &path).bearer_auth(&ada.token).header("if-match", if_match).json(&json!({"title": "U"}));
    assert_eq!(send(changed).await.expect(200)["version"], 3, "a tag of a selection names the version");
    quire.stop().await;
}

#[tokio::test]
async fn content_is_html_without_anything_that_runs_where_a_reader_asks_for_it() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let content = "# Hi\n\n<script>alert(1)</script>\n\n[a](javascript:alert(1)) <img src=x onerror=alert(1)>\n\n*fine* & <b>bold</b>";
    let (path, draft) = drafted(&quire, &ada, &json!({"title": "T", "content": content})).await;
    assert_eq!(draft.get("contentHtml"), None);
    assert_eq!(quire.get_as(&ada, &path).await.expect(200).get("contentHtml"), None);
    let post = quire.get_as(&ada, &format!("{path}?fields=contentHtml,content")).await.expect(200);
    assert_eq!(post["content"], content);
    let html = text(&post["contentHtml"]);
    for part in ["<h1>Hi</h1>", "<em>fine</em> &amp; <b>bold</b>"] {
        assert!(html.contains(part), "{html}");
    }
    for bad in ["script", "onerror", "alert(1)"] {
        assert!(!html.contains(bad), "{html}");
    }
    assert_eq!(post.as_object().map(|members| members.len()), Some(3));
    quire.stop().await;
}

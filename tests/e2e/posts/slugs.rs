//! `GET /api/v1/posts/{postId}` by slug.

use quire_tests::{Quire, Reply, text};
use reqwest::Method;
use serde_json::json;

use super::drafted;

/// GET without following redirects.
async fn get(quire: &Quire, method: Method, path: &str) -> Reply {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let response = client.request(method, format!("{}{path}", quire.cloud().url())).send().await.expect("a reply");
    let (status, headers) = (response.status(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.expect("a body").to_vec() }
}

#[tokio::test]
async fn a_slug_stands_for_its_post_and_an_old_one_leads_to_the_present_one() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, draft) = drafted(&quire, &ada, &json!({"title": "T", "slug": "first"})).await;
    quire.get("/api/v1/posts/first").await.expect_problem(404, "post-not-found");
    assert_eq!(quire.get_as(&ada, "/api/v1/posts/first").await.expect(200), draft, "the author sees the draft by its slug too");

    quire.patch_as(&ada, &path, &json!({"slug": "second"})).await.expect(200);
    for old in ["first", "second"] {
        quire.get(&format!("/api/v1/posts/{old}")).await.expect_problem(404, "post-not-found");
    }
    quire.patch_as(&ada, &path, &json!({"slug": "third", "status": "published"})).await.expect(200);
    let (by_id, by_slug) = (quire.get(&path).await, get(&quire, Method::GET, "/api/v1/posts/third").await);
    assert_eq!((by_slug.expect(200), by_slug.header("etag")), (by_id.expect(200), by_id.header("etag")));
    for old in ["first", "second"] {
        for method in [Method::GET, Method::HEAD] {
            let moved = get(&quire, method, &format!("/api/v1/posts/{old}")).await;
            let headers = ["location", "cache-control"].map(|name| moved.header(name));
            assert_eq!((moved.status.as_u16(), headers), (308, [Some("/api/v1/posts/third"), Some("no-store")]));
            assert!(moved.body.is_empty());
        }
    }
    let moved = get(&quire, Method::GET, "/api/v1/posts/first?fields=title").await;
    assert_eq!(moved.header("location"), Some("/api/v1/posts/third?fields=title"));
    quire.patch_as(&ada, &path, &json!({"slug": "first"})).await.expect(200);
    assert_eq!(text(&quire.get("/api/v1/posts/first").await.expect(200)["slug"]), "first", "an old slug can be the present one again");
    assert_eq!(get(&quire, Method::GET, "/api/v1/posts/third").await.header("location"), Some("/api/v1/posts/first"));
    quire.stop().await;
}

#[tokio::test]
async fn what_is_neither_id_nor_slug_names_no_post() {
    let quire = Quire::start().await;
    for name in ["nothing", "Not-A-Slug", "a--b", "%20", &"a".repeat(81)] {
        quire.get(&format!("/api/v1/posts/{name}")).await.expect_problem(404, "post-not-found");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_post_with_its_counts_is_one_call_by_id_and_two_by_slug() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, _) = drafted(&quire, &ada, &json!({"title": "T", "slug": "on-notes"})).await;
    quire.get_as(&ada, &path).await.expect(200);
    let calls = || -> Vec<String> {
        let calls = quire.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some("GetPost"));
        calls.map(|call| call.operation).collect()
    };
    let before = calls().len();
    quire.get_as(&ada, &path).await.expect(200);
    quire.get_as(&ada, "/api/v1/posts/on-notes").await.expect(200);
    assert_eq!(calls()[before..], ["Query", "GetItem", "Query"]);
    quire.stop().await;
}

//! `GET /api/v1/users`, and `HEAD` of both reads.

use quire_tests::{Quire, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{members, pointers, walk};

#[tokio::test]
async fn admins_list_accounts_newest_first_as_they_see_each() {
    let (quire, root) = Quire::with_admin().await;
    let mut ids = vec![root.id.clone()];
    for number in 0..6 {
        ids.insert(0, quire.register(&format!("user{number}")).await);
    }
    for limit in [1, 3, 7, 100] {
        let pages = walk(&quire, Some(&root.token), "/api/v1/users", limit).await;
        assert_eq!(members(&pages.concat(), "userId"), ids, "{limit} on a page");
    }
    let first = quire.get_as(&root, "/api/v1/users?limit=1").await.expect(200);
    assert_eq!(first["items"][0], quire.get_as(&root, &format!("/api/v1/users/{}", ids[0])).await.expect(200));

    quire.patch_as(&root, &format!("/api/v1/users/{}", ids[2]), &json!({"username": "renamed", "bio": "New"})).await.expect(200);
    let listed = quire.get_as(&root, "/api/v1/users?limit=3").await.expect(200);
    assert_eq!((&listed["items"][2]["username"], &listed["items"][2]["bio"]), (&json!("renamed"), &json!("New")), "a list is never behind");
    quire.stop().await;
}

#[tokio::test]
async fn a_list_holds_only_what_is_asked_for() {
    let (quire, root) = Quire::with_admin().await;
    for number in 0..8 {
        let id = quire.register(&format!("user{number}")).await;
        let path = format!("/api/v1/users/{id}");
        if number % 2 == 0 {
            quire.put_as(&root, &format!("{path}/roles"), &json!({"roles": ["reader", "editor"]})).await.expect(200);
        }
        if number % 4 < 2 {
            quire.patch_as(&root, &path, &json!({"isActive": false})).await.expect(200);
        }
    }
    let all = walk(&quire, Some(&root.token), "/api/v1/users", 100).await.concat();
    for role in [None, Some("reader"), Some("author"), Some("editor"), Some("admin")] {
        for is_active in [None, Some(true), Some(false)] {
            let fits = |user: &&Value| {
                let has = |role| user["roles"].as_array().is_some_and(|roles| roles.contains(&json!(role)));
                role.is_none_or(has) && is_active.is_none_or(|is_active| user["isActive"] == json!(is_active))
            };
            let expected: Vec<_> = all.iter().filter(fits).cloned().collect();
            let filters = [role.map(|role| format!("role={role}")), is_active.map(|is_active| format!("isActive={is_active}"))];
            let query: Vec<_> = filters.into_iter().flatten().collect();
            for limit in [1, 3, 100] {
                let pages = walk(&quire, Some(&root.token), &format!("/api/v1/users?{}", query.join("&")), limit).await;
                assert_eq!(pages.concat(), expected, "{query:?}, {limit} on a page");
            }
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn only_admins_list_accounts_and_only_by_what_there_is() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    quire.get("/api/v1/users").await.expect_problem(401, "sign-in-required");
    quire.get_as(&ada, "/api/v1/users").await.expect_problem(403, "forbidden");
    let problem = quire.get_as(&root, "/api/v1/users?role=god&isActive=yes&limit=0").await.expect_problem(422, "invalid-input");
    assert_eq!(pointers(&problem), ["/role", "/isActive", "/limit"]);
    let problem = quire.get_as(&root, "/api/v1/users?cursor=UE9TVCMx").await.expect_problem(422, "invalid-input");
    assert_eq!(pointers(&problem), ["/cursor"]);
    quire.stop().await;
}

#[tokio::test]
async fn the_head_of_a_reply_is_that_of_the_whole() {
    let (quire, root) = Quire::with_admin().await;
    for path in ["/api/v1/users?limit=1".to_owned(), format!("/api/v1/users/{}", root.id)] {
        let whole = quire.get_as(&root, &path).await;
        let head = send(quire.request(Method::HEAD, &path).bearer_auth(&root.token)).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        for name in ["etag", "content-type", "cache-control", "vary", "link"] {
            assert_eq!(head.header(name), whole.header(name), "{name} of {path}");
        }
    }
    assert_eq!(send(quire.request(Method::HEAD, "/api/v1/users")).await.status, 401);
    quire.stop().await;
}

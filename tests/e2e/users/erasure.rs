//! `DELETE /api/v1/users/{userId}`.

use futures::future::join_all;
use quire_tests::{PASSWORD, Person, Quire, eventually, send, text};
use reqwest::Method;
use serde_json::json;

use crate::NOBODY;

fn path(person: &Person) -> String {
    format!("/api/v1/users/{}", person.id)
}

/// A Quire in which nothing erases what is to be erased.
async fn still(data: tempfile::TempDir) -> Quire {
    Quire::with(data, |options| options.sources = false).await
}

#[tokio::test]
async fn a_deleted_account_is_switched_off_at_once_and_deleting_it_again_changes_nothing() {
    let quire = still(tempfile::tempdir().expect("a temporary folder")).await;
    let ada = quire.person("ada").await;
    let late = quire.request(Method::DELETE, &path(&ada)).bearer_auth(&ada.token).header("if-match", "\"7\"");
    send(late).await.expect_problem(412, "version-mismatch");
    for (attempt, tag) in ["\"1-own\"", "\"1-own\"", "*"].into_iter().enumerate() {
        let reply = send(quire.request(Method::DELETE, &path(&ada)).bearer_auth(&ada.token).header("if-match", tag)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "attempt {attempt}");
        let user = quire.get(&path(&ada)).await.expect(200);
        assert_eq!((&user["isActive"], &user["version"]), (&json!(false), &json!(2)), "attempt {attempt}");
    }
    for name in ["ada", "ada@example.com"] {
        let reply = quire.post("/api/v1/sessions", &json!({"username": name, "password": PASSWORD})).await;
        reply.expect_problem(401, "wrong-password");
    }
    quire.patch_as(&ada, &path(&ada), &json!({"bio": "Still here"})).await.expect_problem(401, "invalid-token");
    quire.stop().await;
}

#[tokio::test]
async fn of_many_deletions_at_once_one_is_done_and_all_are_accepted() {
    let quire = still(tempfile::tempdir().expect("a temporary folder")).await;
    let ada = quire.person("ada").await;
    let path = path(&ada);
    let replies = join_all((0..10).map(|_| quire.delete_as(&ada, &path))).await;
    assert!(replies.iter().all(|reply| reply.status == 202));
    assert_eq!(quire.get(&path).await.expect(200)["version"], json!(2));
    quire.stop().await;
}

#[tokio::test]
async fn an_account_is_deleted_by_itself_and_by_admins_and_then_changes_no_more() {
    let (quire, root) = Quire::with_admin().await;
    let quire = still(quire.stop().await).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    quire.delete_as(&bob, &path(&ada)).await.expect_problem(403, "forbidden");
    quire.patch_as(&root, &path(&ada), &json!({"isActive": false})).await.expect(200);
    for _ in 0..2 {
        assert_eq!(quire.delete_as(&root, &path(&ada)).await.status, 202);
    }
    assert_eq!(quire.get(&path(&ada)).await.expect(200)["version"], json!(3), "what was switched off is deleted all the same, once");
    quire.delete_as(&bob, &path(&ada)).await.expect_problem(403, "forbidden");
    assert_eq!(quire.delete_as(&ada, &path(&ada)).await.status, 202);
    quire.patch_as(&root, &path(&ada), &json!({"isActive": true})).await.expect_problem(409, "being-erased");
    let replacement = json!({"username": "ada", "email": "ada@example.com", "bio": "Back"});
    quire.put_as(&root, &path(&ada), &replacement).await.expect_problem(409, "being-erased");
    quire.put_as(&root, &format!("{}/roles", path(&ada)), &json!({"roles": ["reader"]})).await.expect_problem(409, "being-erased");
    quire.delete_as(&root, &format!("/api/v1/users/{NOBODY}")).await.expect_problem(404, "user-not-found");
    let listed = quire.get_as(&root, "/api/v1/users?isActive=false").await.expect(200);
    assert_eq!(listed["items"][0]["userId"], json!(ada.id));
    quire.stop().await;
}

#[tokio::test]
async fn an_erased_account_is_gone_and_its_name_and_address_are_free() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    assert_eq!(quire.delete_as(&ada, &path(&ada)).await.status, 202);
    eventually(|| async { (quire.get(&path(&ada)).await.status == 404).then_some(()) }).await;
    quire.delete_as(&ada, &path(&ada)).await.expect_problem(401, "invalid-token");
    quire.delete_as(&root, &path(&ada)).await.expect_problem(404, "user-not-found");
    let again = quire.person("ada").await;
    assert_ne!(again.id, ada.id);
    quire.stop().await;
}

#[tokio::test]
async fn published_posts_stay_without_their_author_where_the_template_says_so() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let quire = Quire::over(data, &[("ErasedPosts", "anonymise")]).await;
    let ada = quire.person("ada").await;
    let published = quire.published_post(&ada, "On engines").await;
    let post = format!("/api/v1/posts/{published}");
    quire.patch_as(&ada, &post, &json!({"title": "On analytical engines"})).await.expect(200);
    let draft = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "Draft", "content": "…"})).await.expect(201);
    let slug = text(&quire.get(&post).await.expect(200)["slug"]);
    assert_eq!(quire.delete_as(&ada, &path(&ada)).await.status, 202);
    eventually(|| async { (quire.get(&path(&ada)).await.status == 404).then_some(()) }).await;
    let stays = quire.get(&format!("/api/v1/posts/{slug}")).await.expect(200);
    assert_eq!((&stays["authorId"], &stays["title"]), (&json!("00000000-0000-7000-8000-000000000000"), &json!("On analytical engines")));
    let left = quire.items().await;
    let holds = |what: &str| left.iter().filter(|item| format!("{item:?}").contains(what)).count();
    assert_eq!(holds(&text(&draft["postId"])), 1, "the tombstone of the draft");
    assert_eq!(left.iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("REVISIONS#"))).count(), 0);
    quire.stop().await;
}

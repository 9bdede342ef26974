//! The whole story: from registering to a comment that everybody sees.

use quire_tests::{PASSWORD, Quire, text};
use serde_json::json;

#[tokio::test]
async fn somebody_registers_writes_publishes_and_is_commented_on() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let profile = quire.get_as(&ada, &format!("/api/v1/users/{}", ada.id)).await.expect(200);
    assert_eq!((&profile["username"], &profile["email"]), (&json!("ada"), &json!("ada@example.com")));

    let draft = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "On notes", "content": "# Hi"})).await.expect(201);
    let post = format!("/api/v1/posts/{}", text(&draft["postId"]));
    quire.get(&post).await.expect_problem(404, "post-not-found");
    let published = quire.patch_as(&ada, &post, &json!({"status": "published"})).await.expect(200);
    assert_eq!((&published["status"], &published["version"]), (&json!("published"), &json!(2)));
    assert_eq!(quire.get(&post).await.expect(200), published);
    let list = quire.get("/api/v1/posts").await.expect(200);
    assert_eq!(list["items"][0]["postId"], draft["postId"]);

    let bob = quire.person("bob").await;
    let comment = quire.post_as(&bob, &format!("{post}/comments"), &json!({"content": "Well said"})).await.expect(201);
    assert_eq!(comment["status"], "pending");
    let comments = quire.comments_when(&ada, &text(&draft["postId"]), |comments| !comments.is_empty()).await;
    assert_eq!((&comments[0]["commentId"], &comments[0]["status"]), (&comment["commentId"], &json!("approved")));

    let logs = quire.logs().concat();
    let secrets = [PASSWORD, &ada.token, &bob.token, "@example.com"];
    assert_eq!(secrets.iter().find(|secret| logs.contains(**secret)), None, "a secret is in the logs");
    quire.stop().await;
}

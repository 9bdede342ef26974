//! What becomes of a comment after its way through the outbox, the stream, the queue and the worker.

use quire_tests::{Quire, text};
use serde_json::json;

#[tokio::test]
async fn comments_are_approved_or_held_by_the_rules() {
    let quire = Quire::start_with(&[("BlockedWords", "spam, cheap pills")]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let post = quire.published_post(&ada, "T").await;
    let path = format!("/api/v1/posts/{post}/comments");
    let cases = [
        (&bob, "Well said", "approved"),
        (&bob, "See https://a.example and http://b.example", "approved"),
        (&bob, "https://a.example https://b.example www.c.example", "held"),
        (&bob, "This is SPAM!", "held"),
        (&bob, "ｓｐａｍ", "held"),
        (&bob, "Cheap   pills, anyone?", "held"),
        (&bob, "spamalot", "approved"),
        (&bob, "well SAID!", "held"),
        (&ada, "Well said", "approved"),
    ];
    let mut written = Vec::new();
    for (author, content, expected) in cases {
        let comment = quire.post_as(author, &path, &json!({"content": content})).await.expect(201);
        let id = text(&comment["commentId"]);
        let decided = |comment: &serde_json::Value| comment["commentId"] == json!(id) && comment["status"] != "pending";
        let comments = quire.comments_when(author, &post, |comments| comments.iter().any(decided)).await;
        let after = comments.into_iter().find(|comment| comment["commentId"] == json!(id)).expect("the comment");
        let mut whole = comment.clone();
        whole["status"] = json!(expected);
        whole["version"] = json!(2);
        whole["updatedAt"] = after["updatedAt"].clone();
        assert_eq!(after, whole, "{content}");
        written.push((id, expected));
    }
    written.sort();
    let public = quire.get(&path).await.expect(200);
    let seen: Vec<_> = public["items"].as_array().into_iter().flatten().map(|comment| text(&comment["commentId"])).collect();
    let approved: Vec<_> = written.into_iter().filter(|(_, status)| *status == "approved").map(|(id, _)| id).collect();
    assert_eq!(seen, approved, "others see what is approved");
    quire.stop().await;
}

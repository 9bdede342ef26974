//! `POST /api/v1/posts/{postId}/comments` and who sees what is not approved.

use quire_local::{
    faults::{Action, Rule},
    service::ServiceError,
};
use quire_tests::{Quire, text};
use serde_json::{Value, json};

use crate::{NOBODY, errors, forge::Forge, is_time, members, walk};

/// Keeps comments pending: no event of theirs reaches a queue.
fn stop_moderation(quire: &Quire) {
    let fail = || Action::Fail(ServiceError::internal("for a test"));
    quire.faults().add(Rule::new(fail()).operation("SendMessageBatch").times(usize::MAX));
    quire.faults().add(Rule::new(fail()).operation("SendMessage").times(usize::MAX));
}

#[tokio::test]
async fn a_new_comment_is_pending() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let reply = quire.post_as(&ada, &format!("/api/v1/posts/{post}/comments"), &json!({"content": "  Well said\n "})).await;
    let comment = reply.expect(201);
    let id = text(&comment["commentId"]);
    let expected = json!({
        "commentId": id, "postId": post, "authorId": ada.id, "depth": 0, "content": "Well said", "status": "pending",
        "createdAt": comment["createdAt"], "updatedAt": comment["createdAt"], "version": 1,
    });
    assert_eq!(comment, expected);
    assert!(is_time(&comment["createdAt"]));
    let location = format!("/api/v1/posts/{post}/comments/{id}");
    let headers = ["location", "etag", "cache-control"].map(|name| reply.header(name));
    assert_eq!(headers, [Some(location.as_str()), Some("\"1\""), Some("no-store")]);
    quire.stop().await;
}

#[tokio::test]
async fn a_comment_has_1_to_5000_characters() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/posts/{}/comments", quire.published_post(&ada, "T").await);
    let detail = "must have 1 to 5000 characters";
    for (content, detail) in
        [(String::new(), detail), ("  \n ".into(), detail), ("é".repeat(5001), detail), ("a\0b".into(), "must not hold control characters")]
    {
        let problem = quire.post_as(&ada, &path, &json!({"content": content})).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/content".to_owned(), detail.to_owned())]);
    }
    quire.post_as(&ada, &path, &json!({"content": "é".repeat(5000)})).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn a_pending_comment_is_seen_by_its_author_and_by_editors_only() {
    let quire = Quire::start().await;
    stop_moderation(&quire);
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let post = quire.published_post(&ada, "T").await;
    let path = format!("/api/v1/posts/{post}/comments");
    let mut written = Vec::new();
    for number in 0..3 {
        let comment = quire.post_as(&bob, &path, &json!({"content": format!("Comment {number}")})).await.expect(201);
        written.push(comment);
    }
    written.sort_by_key(|comment| text(&comment["commentId"]));
    for reader in [&bob, &forge.person(NOBODY, &["editor"])] {
        assert_eq!(walk(&quire, Some(&reader.token), &path, 2).await.concat(), written);
    }
    let strangers = [None, Some(ada.token.clone()), Some(forge.person(NOBODY, &["admin", "commenter"]).token)];
    for stranger in strangers {
        assert_eq!(walk(&quire, stranger.as_deref(), &path, 2).await.concat(), [] as [Value; 0]);
    }
    quire.stop().await;
}

#[tokio::test]
async fn pages_skip_what_the_reader_may_not_see_without_losing_the_rest() {
    let quire = Quire::start_with(&[("BlockedWords", "spam")]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let post = quire.published_post(&ada, "T").await;
    let path = format!("/api/v1/posts/{post}/comments");
    let mut shown = Vec::new();
    for number in 0..30 {
        let good = number % 10 == 9;
        let content = if good { format!("Comment {number}") } else { format!("spam {number}") };
        let comment = quire.post_as(&bob, &path, &json!({"content": content})).await.expect(201);
        if good {
            shown.push(text(&comment["commentId"]));
        }
    }
    shown.sort();
    let all =
        quire.comments_when(&bob, &post, |comments| comments.len() == 30 && comments.iter().all(|comment| comment["status"] != "pending")).await;
    assert_eq!(all.iter().filter(|comment| comment["status"] == "held").count(), 27);
    for limit in [1, 2, 5, 100] {
        let comments = walk(&quire, None, &path, limit).await.concat();
        assert_eq!(members(&comments, "commentId"), shown, "limit {limit}");
        assert_eq!(walk(&quire, Some(&bob.token), &path, limit).await.concat(), all, "limit {limit}");
    }
    quire.stop().await;
}

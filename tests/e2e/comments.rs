//! Comments: written in threads, seen once approved, changed, deleted and moderated.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use quire_local::{
    faults::{Action, Rule},
    service::ServiceError,
};
use quire_tests::{Person, Quire, Reply, eventually, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, counted, deliver, errors, forge::Forge, is_time, members, outbox, walk};

/// A request as somebody, with a body and headers if there are any.
async fn call(quire: &Quire, person: &Person, method: Method, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Reply {
    let mut request = quire.request(method, path).bearer_auth(&person.token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(if let Some(body) = body { request.json(&body) } else { request }).await
}

async fn put(quire: &Quire, person: &Person, path: &str, body: Value) -> Reply {
    call(quire, person, Method::PUT, path, Some(body), &[]).await
}

async fn delete(quire: &Quire, person: &Person, path: &str) -> Reply {
    call(quire, person, Method::DELETE, path, None, &[]).await
}

/// The comment at `path` once it has a status.
async fn once(quire: &Quire, reader: &Person, path: &str, status: &str) -> Value {
    eventually(|| async {
        let comment = quire.get_as(reader, path).await.expect(200);
        (comment["status"] == status).then_some(comment)
    })
    .await
}

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

#[tokio::test]
async fn an_answer_stands_below_the_comment_that_it_answers() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let (post, other) = (quire.published_post(&ada, "T").await, quire.published_post(&ada, "U").await);
    let path = format!("/api/v1/posts/{post}/comments");
    let (mut parent, mut thread) = (None, Vec::new());
    for depth in 0..=4 {
        let mut body = json!({"content": format!("Level {depth}")});
        if let Some(parent) = &parent {
            body["parentId"] = json!(parent);
        }
        let comment = quire.post_as(&bob, &path, &body).await.expect(201);
        assert_eq!((&comment["depth"], &comment["parentId"]), (&json!(depth), &body["parentId"]));
        let id = text(&comment["commentId"]);
        once(&quire, &bob, &format!("{path}/{id}"), "approved").await;
        thread.push(id.clone());
        parent = Some(id);
    }
    let too_deep = quire.post_as(&ada, &path, &json!({"content": "Too deep", "parentId": parent})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&too_deep), [("/parentId".to_owned(), "has 4 comments above it already".to_owned())]);

    stop_moderation(&quire);
    let pending = text(&quire.post_as(&bob, &path, &json!({"content": "Pending"})).await.expect(201)["commentId"]);
    quire.post_as(&bob, &path, &json!({"content": "To myself", "parentId": pending})).await.expect(201);
    let elsewhere = format!("/api/v1/posts/{other}/comments");
    for (path, parent) in [(&path, pending.as_str()), (&path, NOBODY), (&elsewhere, &thread[0])] {
        let problem = quire.post_as(&ada, path, &json!({"content": "Answer", "parentId": parent})).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/parentId".to_owned(), "is no comment of this post that you can answer".to_owned())]);
    }
    let both = quire.post_as(&ada, &path, &json!({"content": "", "parentId": "x"})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&both).iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(), ["/content", "/parentId"]);
    quire.stop().await;
}

#[tokio::test]
async fn a_comment_is_read_by_those_who_may_see_it() {
    let quire = Quire::start().await;
    stop_moderation(&quire);
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let post = quire.published_post(&ada, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let comment = quire.post_as(&bob, &comments, &json!({"content": "Well said"})).await.expect(201);
    let path = format!("{comments}/{}", text(&comment["commentId"]));
    for reader in [&bob, &forge.person(NOBODY, &["editor"])] {
        let reply = quire.get_as(reader, &path).await;
        assert_eq!((reply.expect(200), reply.header("etag")), (comment.clone(), Some("\"1\"")));
    }
    let unchanged = call(&quire, &bob, Method::GET, &path, None, &[("if-none-match", "\"1\"")]).await;
    assert_eq!((unchanged.expect(304), unchanged.header("etag")), (Value::Null, Some("\"1\"")));
    let head = call(&quire, &bob, Method::HEAD, &path, None, &[]).await;
    assert_eq!((head.expect(200), head.header("etag")), (Value::Null, Some("\"1\"")));
    assert_eq!(send(quire.request(Method::HEAD, &comments)).await.status, 200);

    quire.get(&path).await.expect_problem(404, "comment-not-found");
    quire.get_as(&ada, &path).await.expect_problem(404, "comment-not-found");
    for id in [NOBODY, "x"] {
        quire.get(&format!("{comments}/{id}")).await.expect_problem(404, "comment-not-found");
    }
    let draft = text(&quire.post_as(&ada, "/api/v1/posts", &json!({"title": "D"})).await.expect(201)["postId"]);
    for post in [NOBODY, &draft] {
        quire.get_as(&bob, &format!("/api/v1/posts/{post}/comments/{NOBODY}")).await.expect_problem(404, "post-not-found");
    }
    quire.stop().await;
}

#[tokio::test]
async fn changed_words_are_moderated_again() {
    let quire = Quire::start_with(&[("BlockedWords", "spam")]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let post = quire.published_post(&ada, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let comment = quire.post_as(&bob, &comments, &json!({"content": "Well sad"})).await.expect(201);
    let path = format!("{comments}/{}", text(&comment["commentId"]));
    once(&quire, &bob, &path, "approved").await;
    assert_eq!(counted(&quire, &post, "commentCount").await, 1);

    let same = quire.patch_as(&bob, &path, &json!({"content": " Well sad "})).await.expect(200);
    assert_eq!((&same["status"], &same["version"]), (&json!("approved"), &json!(2)), "the same words are no change");
    assert_eq!(quire.patch_as(&bob, &path, &json!({})).await.expect(200), same);

    let reply = put(&quire, &bob, &path, json!({"content": "Buy spam"})).await;
    let edited = reply.expect(200);
    assert_eq!((&edited["content"], &edited["status"], &edited["version"]), (&json!("Buy spam"), &json!("pending"), &json!(3)));
    assert_eq!(reply.header("etag"), Some("\"3\""));
    once(&quire, &bob, &path, "held").await;
    quire.get(&path).await.expect_problem(404, "comment-not-found");
    assert_eq!(counted(&quire, &post, "commentCount").await, 0);

    let edited = quire.patch_as(&bob, &path, &json!({"content": "Well said"})).await.expect(200);
    assert_eq!((&edited["status"], &edited["version"]), (&json!("pending"), &json!(5)));
    once(&quire, &bob, &path, "approved").await;
    assert_eq!((counted(&quire, &post, "commentCount").await, counted(&quire, &post, "changes").await), (1, 3));
    quire.stop().await;
}

#[tokio::test]
async fn words_are_changed_by_their_author_and_in_the_version_that_was_read() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let post = quire.published_post(&ada, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let path = format!("{comments}/{}", text(&quire.post_as(&bob, &comments, &json!({"content": "Well said"})).await.expect(201)["commentId"]));
    once(&quire, &bob, &path, "approved").await;
    let body = json!({"content": "Mine now"});
    for method in [Method::PUT, Method::PATCH] {
        for other in [&ada, &forge.person(NOBODY, &["editor"])] {
            call(&quire, other, method.clone(), &path, Some(body.clone()), &[]).await.expect_problem(403, "forbidden");
        }
        send(quire.request(method.clone(), &path).json(&body)).await.expect_problem(401, "sign-in-required");
        let stale = call(&quire, &bob, method.clone(), &path, Some(body.clone()), &[("if-match", "\"1\"")]).await;
        stale.expect_problem(412, "version-mismatch");
        let elsewhere = call(&quire, &bob, method, &format!("{comments}/{NOBODY}"), Some(body.clone()), &[]).await;
        elsewhere.expect_problem(404, "comment-not-found");
    }
    let wrong = put(&quire, &bob, &path, json!({"parentId": NOBODY})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&wrong), [("/content", "is required"), ("/parentId", "is not known")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let removed = quire.patch_as(&bob, &path, &json!({"content": null})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&removed), [("/content".to_owned(), "cannot be removed".to_owned())]);
    let right = call(&quire, &bob, Method::PUT, &path, Some(json!({"content": "Better"})), &[("if-match", "\"2\"")]).await;
    assert_eq!(right.expect(200)["version"], 3);
    quire.stop().await;
}

#[tokio::test]
async fn words_stay_as_they_are_after_fifteen_minutes() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let id = text(&quire.post_as(&ada, &comments, &json!({"content": "Well said"})).await.expect(201)["commentId"]);
    let path = format!("{comments}/{id}");
    once(&quire, &ada, &path, "approved").await;
    let attribute = |text: &str| AttributeValue::S(text.to_owned());
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", attribute(&format!("COMMENTS#{post}"))).key("sk", attribute(&id));
    let update =
        update.update_expression("SET createdAt = :long_ago").expression_attribute_values(":long_ago", attribute("2026-01-01T00:00:00.000Z"));
    update.send().await.expect("the comment is older now");
    put(&quire, &ada, &path, json!({"content": "Later"})).await.expect_problem(409, "edit-window-closed");
    quire.patch_as(&ada, &path, &json!({"content": "Later"})).await.expect_problem(409, "edit-window-closed");
    delete(&quire, &ada, &path).await.expect(204);
    quire.stop().await;
}

#[tokio::test]
async fn words_that_change_while_they_are_moderated_are_judged_anew() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let quire = Quire::with(data, |options| {
        options.sources = false;
        options.parameters = [("BlockedWords".to_owned(), "spam".to_owned())].into();
    })
    .await;
    let bob = quire.person("bob").await;
    let post = quire.published_post(&bob, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let path = format!("{comments}/{}", text(&quire.post_as(&bob, &comments, &json!({"content": "Well said"})).await.expect(201)["commentId"]));
    let created = outbox(&quire).await["comment.created"][0].clone();

    let delay = Rule::new(Action::Delay(Duration::from_secs(2))).function("ModerateComment").operation("TransactWriteItems");
    let judged = quire.faults().add(delay);
    let edit = async {
        eventually(|| async { (judged.count() > 0).then_some(()) }).await;
        quire.patch_as(&bob, &path, &json!({"content": "Buy spam"})).await.expect(200);
    };
    tokio::join!(deliver(&quire, "ModerateComment", &created), edit);
    let held = quire.get_as(&bob, &path).await.expect(200);
    assert_eq!((&held["content"], &held["status"], &held["version"]), (&json!("Buy spam"), &json!("held"), &json!(3)));

    let updated = outbox(&quire).await["comment.updated"][0].clone();
    for message in [&updated, &created, &updated] {
        deliver(&quire, "ModerateComment", message).await;
    }
    assert_eq!(quire.get_as(&bob, &path).await.expect(200), held, "what is decided is not decided again");

    // An event that comes again after another edit does not decide that one; its own event does.
    quire.patch_as(&bob, &path, &json!({"content": "Better said"})).await.expect(200);
    deliver(&quire, "ModerateComment", &created).await;
    assert_eq!(quire.get_as(&bob, &path).await.expect(200)["status"], "pending");
    let events = outbox(&quire).await["comment.updated"].clone();
    let newest = events.into_iter().find(|event| *event != updated).expect("an event of the second edit");
    deliver(&quire, "ModerateComment", &newest).await;
    assert_eq!(quire.get(&path).await.expect(200)["status"], "approved");
    quire.stop().await;
}

#[tokio::test]
async fn a_deleted_comment_leaves_an_empty_place_and_its_answers() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let post = quire.published_post(&ada, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let first = quire.post_as(&bob, &comments, &json!({"content": "Well said"})).await.expect(201);
    let path = format!("{comments}/{}", text(&first["commentId"]));
    once(&quire, &bob, &path, "approved").await;
    let answer = quire.post_as(&ada, &comments, &json!({"content": "Thanks", "parentId": first["commentId"]})).await.expect(201);
    let answer = once(&quire, &ada, &format!("{comments}/{}", text(&answer["commentId"])), "approved").await;
    assert_eq!(counted(&quire, &post, "commentCount").await, 2);

    delete(&quire, &ada, &path).await.expect_problem(403, "forbidden");
    send(quire.request(Method::DELETE, &path)).await.expect_problem(401, "sign-in-required");
    delete(&quire, &bob, &format!("{comments}/{NOBODY}")).await.expect_problem(404, "comment-not-found");
    call(&quire, &bob, Method::DELETE, &path, None, &[("if-match", "\"1\"")]).await.expect_problem(412, "version-mismatch");
    for _ in 0..2 {
        assert_eq!(call(&quire, &bob, Method::DELETE, &path, None, &[("if-match", "\"2\"")]).await.expect(204), Value::Null);
        assert_eq!(counted(&quire, &post, "commentCount").await, 1);
    }
    delete(&quire, &editor, &path).await.expect(204);
    let place = quire.get(&path).await.expect(200);
    let expected = json!({
        "commentId": first["commentId"], "postId": post, "depth": 0, "status": "deleted",
        "createdAt": first["createdAt"], "updatedAt": place["updatedAt"], "version": 3,
    });
    assert_eq!(place, expected);
    assert_eq!(quire.get(&comments).await.expect(200)["items"], json!([place, answer]));
    let stored = quire.items().await;
    assert!(!stored.iter().any(|item| item.get("content").is_some_and(|content| content.as_s().is_ok_and(|text| text == "Well said"))));

    quire.patch_as(&bob, &path, &json!({"content": "Again"})).await.expect_problem(409, "edit-window-closed");
    put(&quire, &editor, &format!("{path}/status"), json!({"status": "approved"})).await.expect_problem(409, "illegal-move");
    let late = quire.post_as(&ada, &comments, &json!({"content": "Late", "parentId": first["commentId"]})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&late)[0].0, "/parentId");
    delete(&quire, &editor, &format!("{comments}/{}", text(&answer["commentId"]))).await.expect(204);
    assert_eq!(counted(&quire, &post, "commentCount").await, 0);
    quire.stop().await;
}

#[tokio::test]
async fn editors_decide_and_everybody_else_does_not() {
    let quire = Quire::start_with(&[("BlockedWords", "spam")]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let post = quire.published_post(&ada, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let path = format!("{comments}/{}", text(&quire.post_as(&bob, &comments, &json!({"content": "No spam"})).await.expect(201)["commentId"]));
    once(&quire, &bob, &path, "held").await;
    let status = format!("{path}/status");
    let decide = |decision: &str| {
        let (quire, editor, status, body) = (&quire, &editor, &status, json!({"status": decision}));
        async move { put(quire, editor, status, body).await.expect(200) }
    };
    for (decision, version, seen, count) in
        [("approved", 3, true, 1), ("approved", 3, true, 1), ("rejected", 4, false, 0), ("held", 5, false, 0), ("approved", 6, true, 1)]
    {
        let comment = decide(decision).await;
        assert_eq!((&comment["status"], &comment["version"], &comment["content"]), (&json!(decision), &json!(version), &json!("No spam")));
        assert_eq!((quire.get(&path).await.status == 200, counted(&quire, &post, "commentCount").await), (seen, count), "{decision}");
    }
    decide("rejected").await;
    quire.patch_as(&bob, &path, &json!({"content": "Please"})).await.expect_problem(409, "edit-window-closed");

    for person in [&bob, &forge.person(NOBODY, &["admin"])] {
        put(&quire, person, &status, json!({"status": "approved"})).await.expect_problem(403, "forbidden");
    }
    send(quire.request(Method::PUT, &status).json(&json!({"status": "approved"}))).await.expect_problem(401, "sign-in-required");
    for wrong in ["pending", "deleted", "", "x"] {
        let problem = put(&quire, &editor, &status, json!({"status": wrong})).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [("/status".to_owned(), "must be \"approved\", \"held\" or \"rejected\"".to_owned())]);
    }
    call(&quire, &editor, Method::PUT, &status, Some(json!({"status": "held"})), &[("if-match", "\"6\"")])
        .await
        .expect_problem(412, "version-mismatch");
    put(&quire, &editor, &format!("{comments}/{NOBODY}/status"), json!({"status": "held"})).await.expect_problem(404, "comment-not-found");
    quire.stop().await;
}

#[tokio::test]
async fn moderators_find_what_is_to_be_done_oldest_first() {
    let quire = Quire::start_with(&[("BlockedWords", "spam")]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let mut held = Vec::new();
    for title in ["T", "U"] {
        let comments = format!("/api/v1/posts/{}/comments", quire.published_post(&ada, title).await);
        for number in 0..3 {
            let comment = quire.post_as(&bob, &comments, &json!({"content": format!("spam {number} in {title}")})).await.expect(201);
            held.push(once(&quire, &bob, &format!("{comments}/{}", text(&comment["commentId"])), "held").await);
        }
    }
    held.sort_by_key(|comment| text(&comment["commentId"]));
    let list = "/api/v1/comments";
    for limit in [1, 4, 100] {
        assert_eq!(walk(&quire, Some(&editor.token), list, limit).await.concat(), held, "limit {limit}");
    }
    let path = |comment: &Value| format!("/api/v1/posts/{}/comments/{}", text(&comment["postId"]), text(&comment["commentId"]));
    let rejected = put(&quire, &editor, &format!("{}/status", path(&held[0])), json!({"status": "rejected"})).await.expect(200);
    put(&quire, &editor, &format!("{}/status", path(&held[1])), json!({"status": "approved"})).await.expect(200);
    delete(&quire, &bob, &path(&held[2])).await.expect(204);
    stop_moderation(&quire);
    let pending = quire.patch_as(&bob, &path(&held[3]), &json!({"content": "Better"})).await.expect(200);
    for (query, expected) in [("", &held[4..]), ("?status=held", &held[4..]), ("?status=rejected", &[rejected]), ("?status=pending", &[pending])] {
        assert_eq!(quire.get_as(&editor, &format!("{list}{query}")).await.expect(200)["items"], json!(expected), "{query}");
    }
    assert_eq!(call(&quire, &editor, Method::HEAD, list, None, &[]).await.status, 200);

    quire.get(list).await.expect_problem(401, "sign-in-required");
    quire.get_as(&bob, list).await.expect_problem(403, "forbidden");
    let wrong = quire.get_as(&editor, &format!("{list}?status=approved&limit=0")).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&wrong).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>(), ["/status", "/limit"]);
    quire.stop().await;
}

#[tokio::test]
async fn comments_are_listed_by_status_to_those_who_see_them() {
    let quire = Quire::start_with(&[("BlockedWords", "spam")]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let editor = forge.person(NOBODY, &["editor"]);
    let post = quire.published_post(&ada, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let mut ids = Vec::new();
    for (author, content, status) in [(&bob, "Well said", "approved"), (&bob, "spam", "held"), (&ada, "More spam", "held")] {
        let id = text(&quire.post_as(author, &comments, &json!({"content": content})).await.expect(201)["commentId"]);
        once(&quire, author, &format!("{comments}/{id}"), status).await;
        ids.push(id);
    }
    let (mut own, mut held) = (vec![ids[1].clone()], ids[1..].to_vec());
    held.sort();
    own.sort();
    let none = Vec::new();
    for (reader, status, expected) in
        [(&ada, "approved", &ids[..1]), (&editor, "approved", &ids[..1]), (&bob, "held", &own), (&editor, "held", &held), (&bob, "rejected", &none)]
    {
        let page = quire.get_as(reader, &format!("{comments}?status={status}")).await.expect(200);
        assert_eq!(members(page["items"].as_array().expect("items"), "commentId"), expected, "{status}");
    }
    assert_eq!(quire.get(&format!("{comments}?status=held")).await.expect(200)["items"], json!([]));
    let wrong = quire.get(&format!("{comments}?status=x")).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&wrong)[0].0, "/status");
    quire.stop().await;
}

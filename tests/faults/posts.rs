//! Requests that write: a table that fails or hangs up, and crashes of the function, never write twice.

use std::time::Duration;

use quire_local::{
    faults::{Action, Rule},
    service::ServiceError,
};
use quire_tests::{Person, Quire, Reply, send};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{aws, story::calls};

const FUNCTION: &str = "CreatePost";

fn commits(action: Action) -> Rule {
    Rule::new(action).function(FUNCTION).operation("TransactWriteItems")
}

#[tokio::test]
async fn a_lost_reply_of_the_table_writes_one_post() {
    let (quire, ada) = begin().await;
    for lost in [1, 2] {
        quire.faults().add(commits(Action::DropReply).times(lost));
        write(&quire, &ada, &format!("Lost {lost}"), None).await.expect(201);
        assert_posts(&quire, lost).await;
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_table_that_answers_too_late_writes_one_post() {
    let (quire, ada) = begin().await;
    // The AWS client waits two seconds for one attempt.
    let delayed = quire.faults().add(commits(Action::Delay(Duration::from_millis(2200))));
    write(&quire, &ada, "Late", None).await.expect(201);
    assert_eq!(delayed.count(), 1);
    assert_posts(&quire, 1).await;
    quire.stop().await;
}

#[tokio::test]
async fn a_request_whose_reply_the_table_never_gives_can_be_sent_again_with_its_idempotency_key() {
    let (quire, ada) = begin().await;
    quire.faults().add(commits(Action::DropReply).times(3));
    write(&quire, &ada, "Lost", Some("key")).await.expect_problem(503, "unavailable");
    assert_posts(&quire, 1).await;
    let post = write(&quire, &ada, "Lost", Some("key")).await.expect(201);
    assert_eq!(aws::items(&quire, "POST#").await[0]["pk"]["S"], format!("POST#{}", post["postId"].as_str().unwrap_or_default()));
    assert_posts(&quire, 1).await;
    quire.stop().await;
}

#[tokio::test]
async fn a_table_that_throttles_or_fails_gives_201_or_503_and_never_two_posts() {
    let (quire, ada) = begin().await;
    let error = |status, code| ServiceError { status, ..ServiceError::client(code, "Not now") };
    let (client, server) = (StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR);
    let errors = [
        error(client, "ProvisionedThroughputExceededException"),
        error(client, "ThrottlingException"),
        error(client, "RequestLimitExceeded"),
        error(client, "TransactionInProgressException"),
        error(server, "InternalServerError"),
        error(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
    ];
    for (done, error) in errors.into_iter().enumerate() {
        let title = format!("Throttled {done}");
        quire.faults().add(commits(Action::Fail(error.clone())).times(100));
        write(&quire, &ada, &title, None).await.expect_problem(503, "unavailable");
        assert_posts(&quire, done).await;
        quire.faults().clear();
        quire.faults().add(commits(Action::Fail(error)));
        write(&quire, &ada, &title, None).await.expect(201);
        assert_posts(&quire, done + 1).await;
        quire.faults().clear();
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_refusal_of_the_table_is_a_defect_and_writes_nothing() {
    let (quire, ada) = begin().await;
    quire.faults().add(commits(Action::Fail(ServiceError::client("AccessDeniedException", "Not you"))));
    write(&quire, &ada, "Refused", None).await.expect_problem(500, "internal");
    assert_posts(&quire, 0).await;
    quire.stop().await;
}

#[tokio::test]
async fn keys_that_cannot_be_read_do_not_make_a_good_token_a_bad_one() {
    let (quire, ada) = begin().await;
    let error = Action::Fail(ServiceError::client("ThrottlingException", "Not now"));
    // A new process fetches them ahead, and then once more for the request; each time the AWS client tries three times.
    let failed = quire.faults().add(Rule::new(error).function(FUNCTION).operation("Query").times(6));
    write(&quire, &ada, "Soon", None).await.expect_problem(503, "unavailable");
    assert_eq!(failed.count(), 6);
    write(&quire, &ada, "Soon", None).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn a_function_killed_at_any_call_of_a_request_makes_one_post_for_one_idempotency_key() {
    let (quire, ada) = begin().await;
    write(&quire, &ada, "First", Some("first")).await.expect(201);
    let first = calls(&quire, FUNCTION);
    // The same again, in a new process: what a repetition calls.
    quire.cloud().functions().replace(FUNCTION);
    write(&quire, &ada, "First", Some("first")).await.expect(201);
    let again = calls(&quire, FUNCTION).split_off(first.len());
    assert!(first.contains(&"TransactWriteItems".to_owned()) && again.contains(&"GetItem".to_owned()), "{first:?} {again:?}");

    let kills = |count: usize| (0..count).flat_map(|call| [(call, Action::KillBefore), (call, Action::KillAfter)]);
    let mut posts = 1;
    for (call, kill) in kills(first.len()) {
        posts += 1;
        attempts(&quire, &ada, posts, &[Rule::new(kill).function(FUNCTION).skip(call)]).await;
    }
    for (call, kill) in kills(again.len()) {
        posts += 1;
        attempts(&quire, &ada, posts, &[commits(Action::KillAfter), Rule::new(kill).function(FUNCTION).skip(call)]).await;
    }
    quire.stop().await;
}

/// Sends one request until nothing kills its function any more; there must be this many posts then.
async fn attempts(quire: &Quire, person: &Person, posts: usize, kills: &[Rule]) {
    let (title, key) = (format!("Post {posts}"), format!("key-{posts}"));
    for kill in kills {
        quire.cloud().functions().replace(FUNCTION);
        let fired = quire.faults().add(kill.clone());
        let reply = write(quire, person, &title, Some(&key)).await;
        assert_eq!((reply.status.as_u16(), fired.count()), (500, 1), "{kill:?}");
        quire.faults().clear();
    }
    let post = write(quire, person, &title, Some(&key)).await.expect(201);
    assert_eq!(write(quire, person, &title, Some(&key)).await.expect(201), post);
    let path = format!("/api/v1/posts/{}", post["postId"].as_str().unwrap_or_default());
    assert_eq!(quire.get_as(person, &path).await.expect(200), post);
    assert_posts(quire, posts).await;
}

async fn begin() -> (Quire, Person) {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    (quire, ada)
}

async fn write(quire: &Quire, person: &Person, title: &str, key: Option<&str>) -> Reply {
    let request = quire.request(Method::POST, "/api/v1/posts").bearer_auth(&person.token).json(&json!({"title": title}));
    send(match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    })
    .await
}

/// Checks that there are so many posts, and for each one claim of its slug and one entry in the list of its author.
async fn assert_posts(quire: &Quire, posts: usize) {
    for prefix in ["POST#", "SLUG#", "OWNER#"] {
        let items: Vec<Value> = aws::items(quire, prefix).await;
        assert_eq!(items.len(), posts, "{items:?}");
    }
}

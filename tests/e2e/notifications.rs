//! News by mail: who is told of comments and followers, how often, and how that ends.

use aws_sdk_sqs::types::QueueAttributeName;
use quire_local::{
    faults::{Action, Rule},
    functions::Outcome,
    service::ServiceError,
    ses::Mail,
};
use quire_tests::{Person, Quire, Reply, eventually, send, text};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    NOBODY, deliver,
    forge::Forge,
    mail::{put, still},
    outbox, pointers, post_text,
};

const VERIFY: &str = "Verify your e-mail address";
const COMMENT: &str = "A comment on your post";
const ANSWER: &str = "An answer to your comment";
const FOLLOWER: &str = "You have a new follower";

/// Shows that the address of an account is its own.
pub(crate) async fn verify(quire: &Quire, email: &str) {
    let token = quire.mailed_token(email, "qev_", 1).await;
    put(quire, "email-verifications", &token, None).await.expect(204);
}

/// The path by which the newest mail of this subject to an address is answered, once there is one.
pub(crate) async fn link(quire: &Quire, to: &str, subject: &str) -> String {
    let mail = eventually(|| async { quire.mails().into_iter().rev().find(|mail| mail.to == [to] && mail.subject == subject) }).await;
    path(&mail)
}

fn path(mail: &Mail) -> String {
    let header = |name: &str| mail.headers.iter().find(|header| header.name == name).map(|header| header.value.clone());
    assert_eq!(header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    let address = header("List-Unsubscribe").expect("the header");
    let address = address.strip_prefix('<').and_then(|address| address.strip_suffix('>')).expect("an address in angle brackets");
    assert!(mail.text.as_ref().is_some_and(|text| text.contains(address)) && mail.html.as_ref().is_some_and(|html| html.contains(address)));
    address.strip_prefix("https://quire.localhost").expect("the deployment's own address").to_owned()
}

/// A Quire in which nothing happens by itself, and people whose addresses are verified.
async fn verified(names: &[&str]) -> (Quire, Vec<Person>) {
    let quire = still().await;
    let mut people = Vec::new();
    for name in names {
        people.push(quire.person(name).await);
    }
    for registered in outbox(&quire).await.remove("user.registered").unwrap_or_default() {
        deliver(&quire, "SendEmail", &registered).await;
    }
    for name in names {
        verify(&quire, &format!("{name}@example.com")).await;
    }
    (quire, people)
}

/// What was mailed besides tokens: to whom, about what.
fn news(quire: &Quire) -> Vec<(String, String)> {
    quire.mails().into_iter().filter(|mail| mail.subject != VERIFY).map(|mail| (mail.to[0].clone(), mail.subject)).collect()
}

fn told(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, subject)| (format!("{name}@example.com"), (*subject).to_owned())).collect()
}

/// The newest event of a type that has this id in its data.
async fn event(quire: &Quire, kind: &str, id: &str) -> String {
    let mut events = outbox(quire).await.remove(kind).unwrap_or_default();
    events.retain(|event| event.contains(id));
    events.sort_by_key(|event| text(&serde_json::from_str::<Value>(event).expect("JSON")["id"]));
    events.pop().unwrap_or_else(|| panic!("there is no {kind} of {id}"))
}

/// A comment that moderation has approved; its id.
async fn comment(quire: &Quire, by: &Person, post: &str, content: &str, parent: Option<&str>) -> String {
    let mut comment = json!({"content": content});
    if let Some(parent) = parent {
        comment["parentId"] = json!(parent);
    }
    let id = text(&quire.post_as(by, &format!("/api/v1/posts/{post}/comments"), &comment).await.expect(201)["commentId"]);
    deliver(quire, "ModerateComment", &event(quire, "comment.created", &id).await).await;
    id
}

/// A comment that moderation has approved, and that was told to whom it concerns; the event of the approval.
async fn told_comment(quire: &Quire, by: &Person, post: &str, content: &str, parent: Option<&str>) -> (String, String) {
    let id = comment(quire, by, post, content, parent).await;
    let approved = event(quire, "comment.approved", &id).await;
    deliver(quire, "SendEmail", &approved).await;
    (id, approved)
}

async fn follow(quire: &Quire, follower: &Person, user: &Person) -> Reply {
    let path = format!("/api/v1/users/{}/followers/{}", user.id, follower.id);
    send(quire.request(Method::PUT, &path).bearer_auth(&follower.token)).await
}

async fn prefer(quire: &Quire, person: &Person, comments: bool, followers: bool) {
    let preferences = json!({"comments": comments, "followers": followers});
    let path = format!("/api/v1/users/{}/notification-preferences", person.id);
    assert_eq!(quire.put_as(person, &path, &preferences).await.expect(200), preferences);
    assert_eq!(quire.get_as(person, &path).await.expect(200), preferences);
}

#[tokio::test]
async fn a_comment_is_told_to_the_authors_of_the_post_and_of_the_comment_that_it_answers() {
    let (quire, people) = verified(&["ada", "bob", "carl"]).await;
    let [ada, bob, carl] = &people[..] else { panic!("three people") };
    let post = quire.published_post(ada, "On <b>notes</b>").await;
    let (first, approved) = told_comment(&quire, bob, &post, "Well said,\n<i>Ada</i>", None).await;
    assert_eq!(news(&quire), told(&[("ada", COMMENT)]));
    let mail = quire.mails().pop().expect("a mail");
    let (words, html) = (mail.text.unwrap_or_default(), mail.html.unwrap_or_default());
    assert!(words.contains("bob has commented on your post “On <b>notes</b>”:\n\n> Well said,\n> <i>Ada</i>\n"), "{words}");
    assert!(html.contains("Well said,<br>&lt;i&gt;Ada") && !html.contains("<b>"), "{html}");

    // In any order and any number of times.
    let (answer, answered) = told_comment(&quire, carl, &post, "Said well", Some(&first)).await;
    for event in [&answered, &approved, &answered] {
        deliver(&quire, "SendEmail", event).await;
    }
    assert_eq!(news(&quire), told(&[("ada", COMMENT), ("bob", ANSWER), ("ada", COMMENT)]));
    // Nobody is told of their own, and one who is concerned twice is told once.
    told_comment(&quire, ada, &post, "Thank you", Some(&first)).await;
    told_comment(&quire, bob, &post, "No, thank you", Some(&first)).await;
    told_comment(&quire, ada, &post, "No, you", None).await;
    let fourth = told(&[("ada", COMMENT), ("bob", ANSWER), ("ada", COMMENT), ("bob", ANSWER), ("ada", COMMENT)]);
    assert_eq!(news(&quire), fourth);

    // An approval after another look is no news, and a comment that is held again is told to nobody.
    let editor = Forge::known(&quire).await.person(NOBODY, &["editor"]);
    let status = format!("/api/v1/posts/{post}/comments/{answer}/status");
    for status_name in ["held", "approved"] {
        quire.put_as(&editor, &status, &json!({"status": status_name})).await.expect(200);
    }
    let again = event(&quire, "comment.approved", &answer).await;
    assert_ne!(again, answered);
    deliver(&quire, "SendEmail", &again).await;
    let hidden = comment(&quire, carl, &post, "Hidden", None).await;
    quire.put_as(&editor, &format!("/api/v1/posts/{post}/comments/{hidden}/status"), &json!({"status": "held"})).await.expect(200);
    deliver(&quire, "SendEmail", &event(&quire, "comment.approved", &hidden).await).await;
    assert_eq!(news(&quire), fourth);
    quire.stop().await;
}

#[tokio::test]
async fn a_new_follower_is_told_once_and_only_while_it_follows() {
    let (quire, people) = verified(&["ada", "bob", "carl"]).await;
    let [ada, bob, carl] = &people[..] else { panic!("three people") };
    for _ in 0..2 {
        follow(&quire, bob, ada).await.expect(204);
    }
    let events = outbox(&quire).await.remove("user.followed").unwrap_or_default();
    assert_eq!(events.len(), 1, "what changes nothing is no event");
    for _ in 0..2 {
        deliver(&quire, "SendEmail", &events[0]).await;
    }
    assert_eq!(news(&quire), told(&[("ada", FOLLOWER)]));
    assert!(quire.mails().pop().and_then(|mail| mail.text).is_some_and(|text| text.contains("bob follows you")));
    let unfollow = format!("/api/v1/users/{}/followers", ada.id);
    quire.delete_as(bob, &format!("{unfollow}/{}", bob.id)).await.expect(204);
    follow(&quire, bob, ada).await.expect(204);
    follow(&quire, carl, ada).await.expect(204);
    quire.delete_as(carl, &format!("{unfollow}/{}", carl.id)).await.expect(204);
    for event in outbox(&quire).await.remove("user.followed").unwrap_or_default() {
        deliver(&quire, "SendEmail", &event).await;
    }
    assert_eq!(news(&quire), told(&[("ada", FOLLOWER)]));
    quire.stop().await;
}

#[tokio::test]
async fn only_verified_accounts_are_told_what_they_want() {
    let (quire, people) = verified(&["ada", "bob"]).await;
    let [ada, bob] = &people[..] else { panic!("two people") };
    let dora = quire.person("dora").await;
    let path = format!("/api/v1/users/{}/notification-preferences", ada.id);
    assert_eq!(quire.get_as(ada, &path).await.expect(200), json!({"comments": true, "followers": true}), "everything, until it says something");
    for (body, wrong) in [
        (json!({}), &["/comments", "/followers"][..]),
        (json!({"comments": true}), &["/followers"][..]),
        (json!({"comments": "yes", "followers": null, "posts": true}), &["/comments", "/followers", "/posts"][..]),
    ] {
        assert_eq!(pointers(&quire.put_as(ada, &path, &body).await.expect_problem(422, "invalid-input")), wrong, "{body}");
    }
    quire.get(&path).await.expect_problem(401, "sign-in-required");
    quire.get_as(bob, &path).await.expect_problem(403, "forbidden");
    quire.put_as(bob, &path, &json!({"comments": true, "followers": true})).await.expect_problem(403, "forbidden");

    prefer(&quire, ada, false, true).await;
    let post = quire.published_post(ada, "T").await;
    told_comment(&quire, bob, &post, "One", None).await;
    assert_eq!(news(&quire), []);
    prefer(&quire, ada, true, false).await;
    follow(&quire, bob, ada).await.expect(204);
    deliver(&quire, "SendEmail", &event(&quire, "user.followed", &bob.id).await).await;
    assert_eq!(news(&quire), []);
    told_comment(&quire, bob, &post, "Two", None).await;
    assert_eq!(news(&quire), told(&[("ada", COMMENT)]));
    // Nobody has shown yet that this address is theirs.
    let post = quire.published_post(&dora, "T").await;
    told_comment(&quire, bob, &post, "Three", None).await;
    assert_eq!(news(&quire).len(), 1);
    quire.stop().await;
}

#[tokio::test]
async fn one_click_ends_mail_of_one_kind() {
    let (quire, people) = verified(&["ada", "bob", "carl"]).await;
    let [ada, bob, carl] = &people[..] else { panic!("three people") };
    let post = quire.published_post(ada, "T").await;
    told_comment(&quire, bob, &post, "One", None).await;
    let address = link(&quire, "ada@example.com", COMMENT).await;
    // Whoever looks at the link, person or program, changes nothing.
    let page = quire.get(&address).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, Some("no-store")));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'; form-action 'self'")));
    assert!(String::from_utf8_lossy(&page.body).contains("<form method=\"post\">"));
    send(quire.request(Method::HEAD, &address)).await;
    told_comment(&quire, bob, &post, "Two", None).await;
    assert_eq!(news(&quire).len(), 2);
    assert_eq!(link(&quire, "ada@example.com", COMMENT).await, address, "each mail of a kind has the same address");

    let click = async || post_text(&quire, &address, "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click").await;
    for _ in 0..2 {
        assert_eq!(click().await.status, StatusCode::OK);
    }
    let preferences = format!("/api/v1/users/{}/notification-preferences", ada.id);
    assert_eq!(quire.get_as(ada, &preferences).await.expect(200), json!({"comments": false, "followers": true}));
    told_comment(&quire, bob, &post, "Three", None).await;
    assert_eq!(news(&quire).len(), 2);
    follow(&quire, carl, ada).await.expect(204);
    deliver(&quire, "SendEmail", &event(&quire, "user.followed", &carl.id).await).await;
    let other = link(&quire, "ada@example.com", FOLLOWER).await;
    assert_ne!(other, address);
    // A page's own button sends no body.
    assert_eq!(send(quire.request(Method::POST, &other)).await.status, StatusCode::OK);
    assert_eq!(quire.get_as(ada, &preferences).await.expect(200), json!({"comments": false, "followers": false}));

    // A token that was made for nobody, for another account, or of another kind.
    let token = address.rsplit('/').next().expect("a token");
    let wrong = [
        token.replacen("qun_", "qev_", 1),
        format!("{token}A"),
        format!("{}{}", &token[..token.len() - 8], "AAAAAAAA"),
        format!("{}{}", &token[..50], &other.rsplit('/').next().expect("a token")[50..]),
    ];
    for wrong in wrong {
        let path = format!("/api/v1/unsubscriptions/{wrong}");
        send(quire.request(Method::POST, &path)).await.expect_problem(404, "unsubscription-not-found");
    }
    assert!(!quire.logs().concat().contains("qun_"), "a token is in the logs");
    quire.stop().await;
}

/// Whether the worker deals with a message; if not, it asks for it again.
async fn is_done(quire: &Quire, message: &str) -> bool {
    let event = json!({"Records": [{"messageId": "m", "body": message}]}).to_string();
    match quire.cloud().functions().invoke("SendEmail", event.into(), None).await.outcome {
        Outcome::Reply(reply) => &reply[..] == br#"{"batchItemFailures":[]}"#,
        Outcome::Failed(_) => false,
        Outcome::Throttled => panic!("throttled"),
    }
}

fn calls(quire: &Quire) -> Vec<String> {
    let calls = quire.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some("SendEmail"));
    calls.map(|call| call.operation).collect()
}

#[tokio::test]
async fn a_worker_killed_at_any_call_tells_everybody_and_nobody_twice_unless_the_mail_was_out() {
    let (quire, people) = verified(&["ada", "bob", "carl"]).await;
    let [ada, bob, carl] = &people[..] else { panic!("three people") };
    let post = quire.published_post(ada, "T").await;
    let first = comment(&quire, bob, &post, "First", None).await;
    // Without their keys, so that making those is among the calls.
    let forget = async || {
        for person in [ada, bob] {
            let key = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
            let request = quire.dynamodb().delete_item().table_name(quire.table());
            request.key("pk", key(&format!("USER#{}", person.id))).key("sk", key("NOTIFICATIONS")).send().await.expect("it is gone");
        }
    };
    let before = calls(&quire).len();
    told_comment(&quire, carl, &post, "Undisturbed", Some(&first)).await;
    let undisturbed = calls(&quire).split_off(before);
    let one = ["BatchGetItem", "TransactWriteItems", "SendEmail", "TransactWriteItems"];
    assert_eq!(undisturbed, [&["BatchGetItem", "BatchGetItem"][..], &one, &one].concat());
    let mut told_before = news(&quire).len();
    for (call, operation) in undisturbed.iter().enumerate() {
        for action in [Action::KillBefore, Action::KillAfter] {
            forget().await;
            let id = comment(&quire, carl, &post, &format!("Number {call} {action:?}"), Some(&first)).await;
            let approved = event(&quire, "comment.approved", &id).await;
            let fired = quire.faults().add(Rule::new(action.clone()).function("SendEmail").skip(call));
            assert!(!is_done(&quire, &approved).await, "{action:?} {call}");
            assert_eq!(fired.count(), 1);
            quire.faults().clear();
            for _ in 0..2 {
                assert!(is_done(&quire, &approved).await, "{action:?} {call}");
            }
            // The marker comes after the mail.
            let is_out = call > 0 && undisturbed[call - 1] == "SendEmail";
            let twice = if matches!(action, Action::KillAfter) { operation == "SendEmail" } else { is_out };
            let mut told_now = news(&quire).split_off(told_before);
            told_before += told_now.len();
            told_now.sort();
            assert_eq!(told_now.len(), if twice { 3 } else { 2 }, "{action:?} {call} {operation}: {told_now:?}");
            told_now.dedup();
            assert_eq!(told_now, told(&[("ada", COMMENT), ("bob", ANSWER)]));
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn mail_that_was_given_up_is_redriven_and_sent_once_and_poison_stays() {
    let quire = Quire::start().await;
    let queue = |id: &str| quire.cloud().stack().queues.iter().find(|queue| queue.logical_id == id).expect("a queue").arn.clone();
    let (dead, source) = (queue("SendEmailDeadLetters"), quire.queue_url("SendEmailQueue"));
    let redrive = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 2}).to_string();
    let impatient = quire.sqs().set_queue_attributes().queue_url(&source).attributes(QueueAttributeName::VisibilityTimeout, "1");
    impatient.attributes(QueueAttributeName::RedrivePolicy, redrive).send().await.expect("the queue");
    let given_up = async || {
        let names = QueueAttributeName::ApproximateNumberOfMessages;
        let url = quire.queue_url("SendEmailDeadLetters");
        let reply = quire.sqs().get_queue_attributes().queue_url(url).attribute_names(names.clone()).send().await.expect("the queue");
        reply.attributes().and_then(|attributes| attributes.get(&names)?.parse::<usize>().ok()).expect("a number")
    };
    // SES is down, for longer than the queue has patience.
    let down = ServiceError { status: StatusCode::SERVICE_UNAVAILABLE, ..ServiceError::internal("down") };
    quire.faults().add(Rule::new(Action::Fail(down)).function("SendEmail").operation("SendEmail").times(1000));
    quire.register("ada").await;
    quire.sqs().send_message().queue_url(&source).message_body("poison").send().await.expect("a message");
    quire.register("bob").await;
    eventually(|| async { (given_up().await == 3).then_some(()) }).await;
    assert_eq!(quire.mails(), []);

    // It is up again. What stood in line is not tried by itself, and poison among it holds nobody up.
    quire.faults().clear();
    let patient = quire.sqs().set_queue_attributes().queue_url(&source).attributes(QueueAttributeName::VisibilityTimeout, "10");
    patient.send().await.expect("the queue");
    quire.sqs().start_message_move_task().source_arn(&dead).send().await.expect("a task");
    for name in ["ada", "bob"] {
        quire.mailed_token(&format!("{name}@example.com"), "qev_", 1).await;
    }
    eventually(|| async { (given_up().await == 1).then_some(()) }).await;
    let tasks = quire.sqs().list_message_move_tasks().source_arn(&dead).send().await.expect("tasks");
    assert_eq!(tasks.results()[0].status(), Some("COMPLETED"));
    assert_eq!(quire.mails().len(), 2);
    quire.stop().await;
}

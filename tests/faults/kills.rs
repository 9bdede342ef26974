//! Whatever queues, streams and schedules invoke is killed before and after each call that it makes, and each ends as if nothing had
//! happened. The calls are those that it was seen to make, so a new call is covered by itself; a new function needs a row in `CASES`.

use std::{collections::BTreeSet, io::Read, time::Duration};

use flate2::read::GzDecoder;
use futures::{StreamExt, stream};
use quire_local::{
    faults::{Action, Rule},
    functions::Phase,
};
use quire_tests::{Quire, eventually, text};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    aws,
    events::aged,
    story::{AT_ONCE, Story, calls, copy, impatient, settled},
};

/// A function, and the events that it has to do with.
struct Case {
    function: &'static str,
    /// Type of the events.
    event: &'static str,
    /// How many there are of them.
    events: usize,
    /// What ends in another way if something is done again, and may: names of attributes.
    differs: &'static [&'static str],
}

const CASES: [Case; 7] = [
    Case { function: "ModerateComment", event: "comment.created", events: 2, differs: &[] },
    Case { function: "FanOutPost", event: "post.published", events: 1, differs: &[] },
    // A token that was stored and may not have been mailed is replaced.
    Case { function: "SendEmail", event: "user.registered", events: 1, differs: &["version", "hash"] },
    Case { function: "TallyEngagement", event: "post.engagement-changed", events: 4, differs: &[] },
    // When it was made stands in the document, whose size is therefore another.
    Case { function: "ExportUser", event: "user.export-requested", events: 1, differs: &["outcome"] },
    Case { function: "RelayOutbox", event: "post.published", events: 2, differs: &[] },
    Case { function: "SweepOutbox", event: "post.published", events: 2, differs: &[] },
];

/// Workers that want a story of their own, and the tests that kill them at every call.
const ELSEWHERE: [(&str, &str); 3] = [
    ("DeliverWebhook", "a_worker_killed_at_any_call_makes_each_delivery_once_and_records_each_attempt_once"),
    ("EraseUser", "an_erasure_that_is_killed_before_or_after_any_of_its_calls_erases_everything"),
    ("PublishScheduledPosts", "runs_that_overlap_or_are_killed_at_any_call_publish_each_post_once"),
];

/// What tells when something happened, and in how many parts something was counted.
const TIMES: [&str; 5] = ["createdAt", "updatedAt", "ends", "expiresAt", "changes"];

/// The data of a Quire in which much has happened, and its events, which nobody has seen.
struct World {
    data: TempDir,
    events: Vec<Value>,
}

impl World {
    async fn new() -> Self {
        let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
        let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
        let put = |path: String| quire.request(Method::PUT, &path).bearer_auth(&bob.token);
        quire_tests::send(put(format!("/api/v1/users/{}/followers/{}", ada.id, bob.id))).await.expect(204);
        let (post, other) = (quire.published_post(&ada, "One").await, quire.published_post(&ada, "Two").await);
        for path in [format!("{post}/reactions/like"), format!("{post}/reactions/sad"), format!("{other}/reactions/like")] {
            quire_tests::send(put(format!("/api/v1/posts/{path}"))).await.expect(204);
        }
        quire.delete_as(&bob, &format!("/api/v1/posts/{post}/reactions/sad")).await.expect(204);
        for words in ["Well said", "Well written"] {
            quire.post_as(&bob, &format!("/api/v1/posts/{post}/comments"), &json!({"content": words})).await.expect(201);
        }
        quire_tests::send(quire.request(Method::POST, &format!("/api/v1/users/{}/exports", ada.id)).bearer_auth(&ada.token)).await.expect(202);
        let events = aws::items(&quire, "OUTBOX#").await;
        for event in &events {
            aws::delete(&quire, event).await;
        }
        Self { data: settled(quire).await, events }
    }

    /// What is to happen in a case, with another rule each time: all end in the same way, and so they end without any.
    async fn holds(&self, case: &Case) {
        let (expected, calls) = self.play(case, None).await;
        assert!(!calls.is_empty(), "{} has something to do", case.function);
        let mut rules = Vec::new();
        for call in 0..calls.len() {
            // Longer than messages stay invisible: another process gets them meanwhile.
            for action in [Action::KillBefore, Action::KillAfter, Action::Delay(Duration::from_secs(5))] {
                rules.push(Rule::new(action).function(case.function).skip(call));
            }
        }
        let play = |rule: Rule| async move { (format!("{rule:?}"), self.play(case, Some(rule)).await.0) };
        let ends: Vec<_> = stream::iter(rules).map(play).buffer_unordered(AT_ONCE).collect().await;
        for (rule, end) in ends {
            let differing: Vec<_> = end.iter().zip(&expected).filter(|(end, expected)| end != expected).collect();
            assert!(end.len() == expected.len() && differing.is_empty(), "{rule}: {} and {} items, {differing:?}", end.len(), expected.len());
        }
    }

    /// How it ends, and the calls that the function has made until then.
    async fn play(&self, case: &Case, rule: Option<Rule>) -> (Vec<Value>, Vec<String>) {
        let is_scheduled = case.function == "SweepOutbox";
        // What is swept is what the relay has not seen.
        let changes: &[_] = if is_scheduled { &[(r#"{"prefix": "OUTBOX#"}"#, r#"{"prefix": "NOTHING#"}"#)] } else { &[] };
        let quire = Story::over(copy(&self.data, changes), true).await;
        impatient(&quire, 1000, 2).await;
        let fired = rule.map(|rule| quire.faults().add(rule));
        let named = format!("\"{}\"", case.event);
        let mut events: Vec<_> = self.events.iter().filter(|event| text(&event["event"]["S"]).contains(&named)).cloned().collect();
        events.truncate(case.events);
        assert_eq!(events.len(), case.events, "{}", case.event);
        if is_scheduled {
            events.iter_mut().for_each(|event| *event = aged(event, Duration::from_secs(120)));
        }
        aws::put(&quire, &events).await;
        if is_scheduled {
            // Killed or not, the next run does what is left.
            for _ in 0..2 {
                quire.cloud().functions().invoke(case.function, "{}".into(), None).await;
            }
        }
        eventually(|| async { (is_idle(&quire).await && is_idle(&quire).await).then_some(()) }).await;
        if let Some(fired) = fired {
            assert_eq!(fired.count(), 1, "the call is made");
        }
        let dead = quire.cloud().stack().queues.iter().filter(|queue| !queue.attributes.contains_key("RedrivePolicy"));
        for queue in dead {
            assert_eq!(aws::count(&quire, &queue.logical_id).await, 0, "{} is empty", queue.logical_id);
        }
        let (state, calls) = (state(&quire, case).await, calls(&quire, case.function));
        quire.stop().await;
        (state, calls)
    }
}

/// Whether nothing is left to do.
async fn is_idle(quire: &Quire) -> bool {
    for queue in &quire.cloud().stack().queues {
        if aws::count(quire, &queue.logical_id).await > 0 {
            return false;
        }
    }
    let functions = quire.cloud().stack().functions.keys();
    let is_busy = |function: &String| quire.cloud().functions().instances(function).iter().any(|instance| instance.phase == Phase::Busy);
    aws::items(quire, "OUTBOX#").await.is_empty() && !functions.into_iter().any(is_busy)
}

/// All that the table holds and who was mailed, without what differs between two runs.
async fn state(quire: &Quire, case: &Case) -> Vec<Value> {
    let page = aws::call(quire, "DynamoDB_20120810.Scan", &json!({"TableName": quire.table(), "ConsistentRead": true})).await;
    assert_eq!(page.get("LastEvaluatedKey"), None, "one page holds everything");
    let mut state = page["Items"].as_array().cloned().expect("items");
    // The table forgets how much was written a minute ago.
    state.retain(|item| !text(&item["pk"]["S"]).starts_with("RATE#"));
    for item in &mut state {
        let item = item.as_object_mut().expect("an item");
        item.retain(|name, _| !TIMES.contains(&name.as_str()) && !case.differs.contains(&name.as_str()));
        // An event that follows has another id each time.
        let key = text(&item["pk"]["S"]);
        if let Some((consumer, _)) = key.rsplit_once('#').filter(|_| key.starts_with("EFFECT#")) {
            item.insert("pk".to_owned(), json!({"S": consumer}));
        }
        // And so has an entry of the audit trail.
        if key.starts_with("AUDIT#") {
            item.retain(|name, _| !["id", "occurredAt"].contains(&name.as_str()));
            item.insert("sk".to_owned(), json!({"S": item.get("type").map(|kind| text(&kind["S"])).unwrap_or_default()}));
        }
    }
    state.sort_by_key(|item| (text(&item["pk"]["S"]), text(&item["sk"]["S"])));
    if case.function == "ExportUser" {
        let export = state.iter().find(|item| item["sk"]["S"] == "EXPORT").expect("an export");
        let name = format!("exports/{}.json.gz", text(&export["userId"]["S"]));
        let document = quire.object("ExportBucket", &name).await.expect("a document");
        let mut copy = String::new();
        GzDecoder::new(document.as_slice()).read_to_string(&mut copy).expect("gzip");
        let mut copy: Value = serde_json::from_str(&copy).expect("JSON");
        copy.as_object_mut().expect("an object").remove("exportedAt");
        state.push(copy);
    }
    let mailed: BTreeSet<_> = quire.mails().into_iter().map(|mail| (mail.to, mail.subject)).collect();
    state.extend(mailed.into_iter().map(|mail| json!(mail)));
    state
}

#[tokio::test]
async fn a_worker_killed_or_slow_at_any_call_ends_as_one_that_was_not() {
    let world = World::new().await;
    for case in &CASES {
        world.holds(case).await;
    }
}

#[test]
fn every_worker_is_killed() {
    let stack = quire_local::template::load(&quire_tests::root().join("template.yaml"), &quire_tests::source()).expect("the template is right");
    let workers = stack.functions.values().filter(|function| !function.triggers.is_empty());
    let workers: BTreeSet<_> = workers.map(|function| function.logical_id.as_str()).collect();
    let killed = CASES.iter().map(|case| case.function).chain(ELSEWHERE.iter().map(|(function, _)| *function));
    assert_eq!(killed.collect::<BTreeSet<_>>(), workers);
    let tests = ["faults/webhooks.rs", "faults/erasure.rs", "e2e/posts/scheduled.rs"].map(|file| quire_tests::root().join("tests").join(file));
    let tests = tests.map(|file| std::fs::read_to_string(file).expect("a file of tests")).concat();
    for (function, test) in ELSEWHERE {
        assert!(tests.contains(&format!("async fn {test}()")), "{function} is killed by {test}");
    }
}

//! A story that every crash begins in: comments are written, and nothing has happened with them yet.

use std::path::Path;

use futures::{StreamExt, stream};
use quire_local::{faults::Rule, stack::Trigger};
use quire_tests::{Person, Quire, eventually, root, text};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::aws;

/// How many clouds run at once. They wait for visibility timeouts for most of the time.
pub(crate) const AT_ONCE: usize = 6;

/// The data of a Quire with a published post and new comments, whose events were taken out of the outbox before anybody saw them.
pub(crate) struct Story {
    data: TempDir,
    author: Person,
    post: String,
    /// The outbox items, in the order of the comments.
    pub(crate) events: Vec<Value>,
}

impl Story {
    /// Begins with this many comments.
    pub(crate) async fn with_comments(comments: usize) -> Self {
        let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
        let author = quire.person("ada").await;
        let post = quire.published_post(&author, "On crashes").await;
        for number in 1..=comments {
            let comment = json!({"content": format!("Comment number {number}")});
            quire.post_as(&author, &format!("/api/v1/posts/{post}/comments"), &comment).await.expect(201);
        }
        let mut events = aws::items(&quire, "OUTBOX#").await;
        for event in &events {
            aws::delete(&quire, event).await;
        }
        events.retain(|event| text(&event["event"]["S"]).contains("\"comment.created\""));
        events.sort_by_key(|event| text(&event["sk"]["S"]));
        assert_eq!(events.len(), comments);
        Self { data: settled(quire).await, author, post, events }
    }

    /// A Quire over a copy of the story.
    pub(crate) async fn begin(&self) -> Quire {
        self.begin_with(&[], true).await
    }

    /// A Quire over a copy of the story, with a template in which each of these texts is another; `sources` says whether anything
    /// invokes the functions behind queues, streams and schedules.
    pub(crate) async fn begin_with(&self, changes: &[(&str, &str)], sources: bool) -> Quire {
        Self::over(copy(&self.data, changes), sources).await
    }

    /// A Quire over what another one that began has left.
    pub(crate) async fn over(data: TempDir, sources: bool) -> Quire {
        let template = data.path().join("template.yaml");
        Quire::with(data, |options| (options.template, options.sources) = (template, sources)).await
    }

    /// Puts all events into the outbox.
    pub(crate) async fn release(&self, quire: &Quire) {
        aws::put(quire, &self.events).await;
    }

    /// The events as the queue carries them.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.events.iter().map(|event| text(&event["event"]["S"])).collect()
    }

    /// Waits until nothing is left to do but with this many poison items in the outbox, and checks that each comment was moderated
    /// exactly once.
    pub(crate) async fn ends_well(&self, quire: &Quire, poison: usize) {
        eventually(|| async {
            let comments = quire.get_as(&self.author, &format!("/api/v1/posts/{}/comments?limit=100", self.post)).await.expect(200);
            let approved = comments["items"].as_array()?.iter().filter(|comment| comment["status"] == "approved").count();
            let idle = aws::items(quire, "OUTBOX#").await.len() == poison && aws::count(quire, "ModerateCommentQueue").await == 0;
            (approved == self.events.len() && idle).then_some(())
        })
        .await;
        let comments = aws::items(quire, "COMMENTS#").await;
        assert!(comments.iter().all(|comment| comment["version"]["N"] == "2"), "a comment was moderated twice: {comments:?}");
        let mut effects: Vec<_> = aws::items(quire, "EFFECT#moderate-comment#").await.iter().map(|effect| text(&effect["pk"]["S"])).collect();
        effects.sort();
        let mut expected: Vec<_> = self.events.iter().map(|event| format!("EFFECT#moderate-comment#{}", text(&event["sk"]["S"]))).collect();
        expected.sort();
        assert_eq!(effects, expected);
    }

    /// Plays the story once for each rule: something goes wrong in each, and all end well.
    pub(crate) async fn survives(&self, rules: impl IntoIterator<Item = Rule>) {
        let play = |rule: Rule| async move {
            let quire = self.begin().await;
            // A consumer on a busy machine may take longer for a batch, and get it once more in the meantime; that alone shall
            // bring no message into the dead-letter queue.
            impatient(&quire, 1000, 2).await;
            let fired = quire.faults().add(rule.clone());
            self.release(&quire).await;
            self.ends_well(&quire, 0).await;
            assert!(fired.count() > 0, "{rule:?} met no call");
            for queue in ["ModerateCommentDeadLetters", "RelayOutboxFailures"] {
                assert_eq!(aws::count(&quire, queue).await, 0, "{queue} holds messages after {rule:?}");
            }
            quire.stop().await;
        };
        stream::iter(rules).map(play).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    /// The operations that a function calls, in their order, when nothing goes wrong.
    pub(crate) async fn calls_of(&self, function: &str) -> Vec<String> {
        let quire = self.begin().await;
        self.release(&quire).await;
        self.ends_well(&quire, 0).await;
        let calls = calls(&quire, function);
        quire.stop().await;
        calls
    }
}

/// Stops a Quire; its data, which may be copied.
pub(crate) async fn settled(quire: Quire) -> TempDir {
    let data = quire.stop().await;
    // SQLite removes the journal as the last thing when it closes a file, which may then be copied.
    eventually(|| async { files(data.path()).iter().all(|name| !name.ends_with("-wal")).then_some(()) }).await;
    data
}

/// A copy of data whose events were taken out of the outbox, with a template in which each of these texts is another.
pub(crate) fn copy(from: &TempDir, changes: &[(&str, &str)]) -> TempDir {
    let data = tempfile::tempdir().expect("a temporary folder");
    for name in files(from.path()) {
        std::fs::copy(from.path().join(&name), data.path().join(&name)).expect("a copy");
    }
    let mut template = std::fs::read_to_string(root().join("template.yaml")).expect("the template");
    // The stream still tells of the events that were taken out.
    for (old, new) in [("StartingPosition: TRIM_HORIZON", "StartingPosition: LATEST")].iter().chain(changes) {
        assert_eq!(template.matches(old).count(), 1, "{old} stands in the template once");
        template = template.replace(old, new);
    }
    std::fs::write(data.path().join("template.yaml"), template).expect("a template");
    data
}

/// Makes messages that were not dealt with come again after so many seconds, and so often before they are given up. By the template a
/// message is given up after a quarter of an hour.
pub(crate) async fn impatient(quire: &Quire, receives: u32, seconds: u32) {
    for queue in quire.cloud().stack().queues.iter().filter(|queue| queue.attributes.contains_key("RedrivePolicy")) {
        let mut redrive: Value = serde_json::from_str(&queue.attributes["RedrivePolicy"]).expect("JSON");
        redrive["maxReceiveCount"] = json!(receives);
        aws::set_queue(quire, &queue.logical_id, "RedrivePolicy", &redrive.to_string()).await;
        // While a batch is gathered its messages are invisible too.
        let triggers = quire.cloud().stack().functions.values().flat_map(|function| &function.triggers);
        let window = triggers.filter_map(|trigger| match trigger {
            Trigger::Queue(trigger) if trigger.queue_arn == queue.arn => Some(trigger.batch_window.as_secs()),
            _ => None,
        });
        let visibility = u64::from(seconds) + window.sum::<u64>();
        aws::set_queue(quire, &queue.logical_id, "VisibilityTimeout", &visibility.to_string()).await;
    }
}

/// The operations that a function has called.
pub(crate) fn calls(quire: &Quire, function: &str) -> Vec<String> {
    let calls = quire.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some(function));
    calls.map(|call| call.operation).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.filter_map(|name| name.into_string().ok()).collect()
}

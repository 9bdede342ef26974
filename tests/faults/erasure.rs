//! Erasing an account: nothing of it is left in the store, wherever the worker dies and however often it is asked.

use std::{io::Read, path::Path};

use flate2::read::GzDecoder;
use futures::{StreamExt, stream};
use quire_local::faults::{Action, Rule};
use quire_tests::{PASSWORD, Person, Quire, eventually, root, send, text};
use reqwest::Method;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{aws, story::calls};

/// How many clouds run at once. They wait for visibility timeouts for most of the time.
const AT_ONCE: usize = 4;
/// Part of every word of the account that is erased: its name, its addresses, what it says and writes, its posts and their addresses.
const WORD: &str = "zugzwang";
/// Where exports are.
const BUCKET: &str = "ExportBucket";
/// What its browser says it is, as sessions keep it.
const DEVICE: &str = "Firefox on Linux";

/// The data of a Quire with an account that has done all there is to do, and that is to be erased.
struct Story {
    data: TempDir,
    anna: Person,
    bob: Person,
    /// Bob's post, with a comment of Anna's that Bob has answered.
    post: String,
    /// The password's hash.
    hash: String,
    /// The outbox item that asks for the erasure.
    event: Value,
    /// The table as it was before.
    before: Vec<Value>,
    /// The export as it was before.
    export: Vec<u8>,
}

impl Story {
    async fn new() -> Self {
        let quire = Quire::start().await;
        let (anna, bob) = (anna(&quire).await, quire.person("bob").await);
        let post = quire.published_post(&bob, "On chess").await;
        let lost = quire.published_post(&anna, "Lost by zugzwang").await;
        let won = quire.published_post(&anna, "Won by zugzwang").await;
        let won_path = format!("/api/v1/posts/{won}");
        let other = json!({"title": "Zugzwang, once more", "slug": "zugzwang-once-more", "content": "zugzwang", "tags": ["chess"]});
        quire.patch_as(&anna, &won_path, &other).await.expect(200);
        quire.patch_as(&anna, &format!("/api/v1/posts/{lost}"), &json!({"slug": "zugzwang-lost", "content": "zugzwang!"})).await.expect(200);
        quire.delete_as(&anna, &format!("/api/v1/posts/{lost}")).await.expect(204);
        let draft = json!({"title": "Zugzwang to come", "content": "…"});
        let keyed = quire.request(Method::POST, "/api/v1/posts").bearer_auth(&anna.token).header("idempotency-key", "k").json(&draft);
        send(keyed).await.expect(201);
        // A thread on Bob's post, and one on Anna's.
        let comment = async |who: &Person, post: &str, body: Value| {
            let comment = quire.post_as(who, &format!("/api/v1/posts/{post}/comments"), &body).await.expect(201);
            let id = text(&comment["commentId"]);
            let is_approved = |items: &[Value]| items.iter().any(|item| item["commentId"] == json!(id) && item["status"] == "approved");
            quire.comments_when(who, post, is_approved).await;
            id
        };
        let first = comment(&anna, &post, json!({"content": "This is zugzwang"})).await;
        comment(&bob, &post, json!({"content": "It is not", "parentId": first})).await;
        let gone = comment(&anna, &post, json!({"content": "It is zugzwang"})).await;
        quire.delete_as(&anna, &format!("/api/v1/posts/{post}/comments/{gone}")).await.expect(204);
        comment(&bob, &won, json!({"content": "Well done"})).await;
        comment(&anna, &won, json!({"content": "zugzwang, thanks"})).await;
        for (who, post) in [(&anna, &post), (&bob, &won), (&bob, &post), (&anna, &won)] {
            let path = format!("/api/v1/posts/{post}/reactions/like");
            send(quire.request(Method::PUT, &path).bearer_auth(&who.token)).await;
        }
        for (follower, user) in [(&anna, &bob), (&bob, &anna)] {
            let path = format!("/api/v1/users/{}/followers/{}", user.id, follower.id);
            send(quire.request(Method::PUT, &path).bearer_auth(&follower.token)).await;
        }
        let token = json!({"name": "zugzwang", "scopes": ["posts:read"]});
        quire.post_as(&anna, &format!("/api/v1/users/{}/tokens", anna.id), &token).await.expect(201);
        let account = format!("/api/v1/users/{}", anna.id);
        quire.patch_as(&anna, &account, &json!({"email": "zugzwang-2@example.com", "currentPassword": PASSWORD})).await.expect(200);
        let exports = format!("{account}/exports");
        let export = send(quire.request(Method::POST, &exports).bearer_auth(&anna.token)).await.expect(202);
        let export = format!("{exports}/{}", text(&export["exportId"]));
        eventually(|| async { (quire.get_as(&anna, &export).await.expect(200)["status"] == "ready").then_some(()) }).await;
        let export = quire.object(BUCKET, &object(&anna)).await.expect("an export");
        eventually(|| async { aws::items(&quire, "OUTBOX#").await.is_empty().then_some(()) }).await;

        // From here on nothing happens by itself: a comment stays pending, and nothing is erased.
        let quire = Quire::with(quire.stop().await, |options| options.sources = false).await;
        quire.post_as(&anna, &format!("/api/v1/posts/{post}/comments"), &json!({"content": "zugzwang?"})).await.expect(201);
        assert_eq!(quire.delete_as(&anna, &account).await.status, 202);
        let (mut events, others): (Vec<_>, Vec<_>) =
            aws::items(&quire, "OUTBOX#").await.into_iter().partition(|item| text(&item["event"]["S"]).contains("user.erasure-requested"));
        for event in events.iter().chain(&others) {
            aws::delete(&quire, event).await;
        }
        // Counters of the last minutes, which hold ids only: whether one is still there would change how many calls there are to kill.
        for counter in aws::items(&quire, "RATE#").await {
            aws::delete(&quire, &counter).await;
        }
        let items = aws::items(&quire, "").await;
        let credential = items.iter().find(|item| item["pk"]["S"] == json!(format!("USER#{}", anna.id)) && item["sk"]["S"] == "CREDENTIAL");
        let hash = text(&credential.expect("a credential")["passwordHash"]["S"]);
        let data = quire.stop().await;
        closed(data.path()).await;
        Self { data, anna, bob, post, hash, event: events.remove(0), before: items, export }
    }

    /// A Quire over a copy of the story.
    async fn begin(&self) -> Quire {
        let data = tempfile::tempdir().expect("a temporary folder");
        for entry in std::fs::read_dir(self.data.path()).expect("a folder") {
            let entry = entry.expect("an entry");
            // Without its position, the stream is read from what comes next: it still tells of the events that were taken out.
            if !entry.file_name().to_string_lossy().starts_with("checkpoints") {
                std::fs::copy(entry.path(), data.path().join(entry.file_name())).expect("a copy");
            }
        }
        let template = std::fs::read_to_string(root().join("template.yaml")).expect("the template");
        std::fs::write(data.path().join("template.yaml"), template.replace("TRIM_HORIZON", "LATEST")).expect("a template");
        let template = data.path().join("template.yaml");
        let quire = Quire::with(data, |options| options.template = template).await;
        let queues = &quire.cloud().stack().queues;
        let dead_letters = queues.iter().find(|queue| queue.logical_id == "EraseUserDeadLetters").expect("the template has the queue");
        let redrive = json!({"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": 1000}).to_string();
        aws::set_queue(&quire, "EraseUserQueue", "RedrivePolicy", &redrive).await;
        // Longer than a run takes on a busy machine: runs at once are right, and slow each other down.
        aws::set_queue(&quire, "EraseUserQueue", "VisibilityTimeout", "10").await;
        quire
    }

    /// Waits until the account is erased and nothing is left to do now.
    async fn erased(&self, quire: &Quire) {
        let account = format!("USER#{}", self.anna.id);
        eventually(|| async {
            let left: Vec<_> = aws::items(quire, &account).await.iter().map(|item| text(&item["sk"]["S"])).collect();
            let idle = aws::items(quire, "OUTBOX#").await.is_empty() && aws::count(quire, "EraseUserQueue").await == 0;
            (left == ["TOMBSTONE"] && idle).then_some(())
        })
        .await;
    }

    /// Checks that nothing is left of the account in the table and in the queues, and what others have is whole.
    async fn ends_well(&self, quire: &Quire, note: &str) {
        self.erased(quire).await;
        let left: Vec<_> = aws::items(quire, "").await.into_iter().filter(|item| is_personal(&item.to_string(), &self.hash)).collect();
        assert_eq!(left, Vec::<Value>::new(), "{note}");
        assert_eq!(quire.object(BUCKET, &object(&self.anna)).await, None, "{note}");
        let comments = quire.comments_when(&self.bob, &self.post, |items| !items.is_empty()).await;
        let shown: Vec<_> = comments.iter().map(|comment| (&comment["status"], comment.get("content"), comment.get("authorId"))).collect();
        let (deleted, approved, bob) = (json!("deleted"), json!("approved"), json!(self.bob.id));
        let gone = (&deleted, None, None);
        assert_eq!(shown, [gone, (&approved, Some(&json!("It is not")), Some(&bob)), gone, gone], "{note}");
        // What is counted follows.
        eventually(|| async {
            let post = quire.get(&format!("/api/v1/posts/{}", self.post)).await.expect(200);
            ((&post["commentCount"], &post["reactions"]) == (&json!(1), &json!([{"kind": "like", "count": 1}]))).then_some(())
        })
        .await;
        assert_eq!(quire.get(&format!("/api/v1/users/{}", self.bob.id)).await.status, 200);
        for list in ["followers", "following"] {
            let page = quire.get(&format!("/api/v1/users/{}/{list}", self.bob.id)).await.expect(200);
            assert_eq!(page["items"], json!([]), "{note}");
        }
        let ledger = aws::items(quire, "ERASURES#").await;
        assert!(ledger.iter().any(|entry| entry["userId"]["S"] == json!(self.anna.id)), "{note}");
        assert_eq!(aws::count(quire, "EraseUserDeadLetters").await, 0, "{note}");
    }

    /// Plays the story with something that goes wrong.
    async fn survives(&self, rule: Rule) {
        let note = format!("{rule:?}");
        let quire = self.begin().await;
        let fired = quire.faults().add(rule);
        // What was killed is tried again soon, and then left time to end.
        aws::set_queue(&quire, "EraseUserQueue", "VisibilityTimeout", "2").await;
        aws::put(&quire, std::slice::from_ref(&self.event)).await;
        eventually(|| async { (fired.count() > 0).then_some(()) }).await;
        aws::set_queue(&quire, "EraseUserQueue", "VisibilityTimeout", "10").await;
        self.ends_well(&quire, &note).await;
        quire.stop().await;
    }
}

/// Name of the export of an account.
fn object(person: &Person) -> String {
    format!("exports/{}.json.gz", person.id)
}

async fn anna(quire: &Quire) -> Person {
    let registration = json!({
        "username": "zugzwang-anna", "email": "zugzwang@example.com", "password": PASSWORD, "displayName": "Anna Zugzwang", "bio": "I play for zugzwang",
    });
    let keyed = quire.request(Method::POST, "/api/v1/users").header("idempotency-key", "anna").json(&registration);
    send(keyed).await.expect(201);
    quire.post("/api/v1/sessions", &json!({"username": "zugzwang-anna", "password": "no, it is not"})).await.expect(401);
    let sign_in = json!({"username": "zugzwang-anna", "password": PASSWORD});
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let session = send(quire.request(Method::POST, "/api/v1/sessions").header("user-agent", browser).json(&sign_in)).await.expect(201);
    Person { id: text(&session["userId"]), token: text(&session["accessToken"]) }
}

fn is_personal(text: &str, hash: &str) -> bool {
    let text = text.to_lowercase();
    [WORD, &DEVICE.to_lowercase(), &hash.to_lowercase()].iter().any(|canary| text.contains(canary))
}

/// SQLite removes the journal as the last thing when it closes a file, which may then be copied.
async fn closed(folder: &Path) {
    let is_open = || std::fs::read_dir(folder).expect("a folder").any(|entry| entry.expect("an entry").path().to_string_lossy().ends_with("-wal"));
    eventually(|| async { (!is_open()).then_some(()) }).await;
}

/// The tables of all databases in a folder that hold something of the account: every column of every row, whatever it is for.
fn scan(folder: &Path, hash: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if path.extension().is_none_or(|extension| extension != "sqlite") {
            continue;
        }
        let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
        let mut names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").expect("a statement");
        let names: Vec<String> = names.query_map([], |row| row.get(0)).expect("tables").collect::<Result<_, _>>().expect("names");
        for name in names {
            let mut statement = database.prepare(&format!("SELECT * FROM \"{name}\"")).expect("a statement");
            let columns = statement.column_count();
            let mut rows = statement.query([]).expect("rows");
            while let Some(row) = rows.next().expect("a row") {
                for column in 0..columns {
                    let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(column).expect("a value") else { continue };
                    let mut unpacked = Vec::new();
                    let is_packed = bytes.starts_with(&[0x1f, 0x8b]) && GzDecoder::new(bytes).read_to_end(&mut unpacked).is_ok();
                    let value = String::from_utf8_lossy(if is_packed { &unpacked } else { bytes });
                    if is_personal(&value, hash) {
                        found.push(format!("{}, {name}: {value}", path.display()));
                    }
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn nothing_of_an_erased_account_is_left_in_the_raw_store_and_a_backup_brings_none_of_it_back() {
    let story = Story::new().await;
    let found = scan(story.data.path(), &story.hash);
    assert!(found.iter().any(|place| place.contains(", objects: ")), "the export is looked into");
    assert!(found.len() > 20 && story.before.len() > 20, "what is looked for is there before");
    let quire = story.begin().await;
    aws::put(&quire, std::slice::from_ref(&story.event)).await;
    story.ends_well(&quire, "nothing goes wrong").await;

    // The second pass comes later; here it comes at once, and twice, with the first once more.
    let message = text(&story.event["event"]["S"]);
    let mut later: Value = serde_json::from_str(&message).expect("JSON");
    later["type"] = json!("user.erasure-continued");
    later["data"]["notBefore"] = json!("2026-01-01T00:00:00.000Z");
    aws::send_messages(&quire, "EraseUserQueue", &[later.to_string(), message.clone(), later.to_string()]).await;
    story.ends_well(&quire, "all events once more").await;

    // A backup brings back what was there, and the ledger tells what to erase again.
    for items in story.before.chunks(50) {
        aws::put(&quire, items).await;
    }
    quire.put_object(BUCKET, &object(&story.anna), story.export.clone()).await;
    aws::send_messages(&quire, "EraseUserQueue", &[message]).await;
    story.ends_well(&quire, "after a backup was restored").await;

    // The stream keeps what it told until everybody has read it.
    let data = quire.stop().await;
    let template = data.path().join("template.yaml");
    let quire = Quire::with(data, |options| options.template = template).await;
    let folder = quire.data().to_owned();
    eventually(|| async { scan(&folder, &story.hash).is_empty().then_some(()) }).await;
    quire.stop().await;
}

#[tokio::test]
async fn an_erasure_that_is_killed_before_or_after_any_of_its_calls_erases_everything() {
    let story = Story::new().await;
    let quire = story.begin().await;
    aws::put(&quire, std::slice::from_ref(&story.event)).await;
    story.erased(&quire).await;
    let calls = calls(&quire, "EraseUser").len();
    quire.stop().await;
    assert!(calls > 20, "{calls}");
    let kill = |action: Action| (0..calls).map(move |call| Rule::new(action.clone()).function("EraseUser").skip(call));
    let rules = kill(Action::KillBefore).chain(kill(Action::KillAfter));
    stream::iter(rules).map(|rule| story.survives(rule)).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn an_erasure_that_is_too_long_for_one_run_goes_on() {
    let story = Story::new().await;
    let quire = story.begin().await;
    let entry = |number: usize| {
        let place = format!("2026-01-01T00:00:00.000Z#{number:012}");
        json!({"pk": {"S": format!("FEED#{}", story.anna.id)}, "sk": {"S": place}, "note": {"S": WORD}})
    };
    for hundred in 0..12 {
        aws::put(&quire, &(0..100).map(|number| entry(hundred * 100 + number)).collect::<Vec<_>>()).await;
    }
    aws::put(&quire, std::slice::from_ref(&story.event)).await;
    story.ends_well(&quire, "1,200 entries in the feed").await;
    quire.stop().await;
}

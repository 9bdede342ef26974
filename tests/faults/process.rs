//! The local cloud as a process: what it keeps and what it leaves behind, however it ends.

use std::{
    collections::BTreeSet,
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use quire_local::{identity::DEVELOPER_ACCESS_KEY, service::ACCOUNT};
use quire_tests::{DEADLINE, PASSWORD, binaries, eventually, quire_binary, root, send, source, text};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
};

/// A `quire` command. Cargo has built the functions for this test already; a stand-in in the folder `cargo` says where they are, because
/// the real one waits for whoever else builds at this moment.
pub(crate) async fn quire(cargo: &Path) -> Command {
    let artifact =
        |(name, path): (&String, &PathBuf)| json!({"reason": "compiler-artifact", "target": {"kind": ["bin"], "name": name}, "executable": path});
    let messages: String = binaries().await.iter().map(|binary| format!("{}\n", artifact(binary))).collect();
    let script = cargo.join("cargo");
    std::fs::write(&script, format!("#!/bin/sh\ncat <<'END'\n{messages}END\n")).expect("a script");
    std::fs::set_permissions(&script, Permissions::from_mode(0o700)).expect("a script that can be run");
    let mut command = Command::new(quire_binary().await);
    command.env("CARGO", script).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A running `quire start`.
pub(crate) struct LocalCloud {
    child: Child,
    _cargo: TempDir,
    pub(crate) url: String,
    endpoint: String,
}

impl LocalCloud {
    /// Starts on a free port and waits until it says where it is.
    pub(crate) async fn start(data: &Path) -> Self {
        let cargo = tempfile::tempdir().expect("a temporary folder");
        let mut command = quire(cargo.path()).await;
        command.args(["--parameter", "RequireVerifiedEmail=false", "--port", "0", "--data"]).arg(data).current_dir(root());
        Self::spawn(command, cargo).await
    }

    /// Runs a command that starts one, and waits until it says where it is.
    pub(crate) async fn spawn(mut command: Command, cargo: TempDir) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut after = async |word: &str| {
            while let Some(line) = lines.next_line().await.expect("text") {
                if let Some((_, rest)) = line.split_once(word) {
                    return rest.split_whitespace().next().unwrap_or_default().to_owned();
                }
            }
            panic!("it ended before it said {word}")
        };
        let greeting = async { (after("Quire runs at ").await, after("AWS services: ").await) };
        let (url, endpoint) = tokio::time::timeout(DEADLINE, greeting).await.expect("it starts before the deadline");
        // A pipe that nobody empties would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, _cargo: cargo, url, endpoint }
    }

    /// Ends it with SIGKILL and waits until none of its processes is left.
    pub(crate) async fn kill(mut self) {
        let processes = self.processes();
        self.child.kill().await.expect("it can be killed");
        self.gone(&processes).await;
    }

    /// Asks it to end, and waits until none of its processes is left.
    pub(crate) async fn end(mut self, signal: &str) -> ExitStatus {
        let processes = self.processes();
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.expect("kill runs").success());
        let status = tokio::time::timeout(DEADLINE, self.child.wait()).await.expect("it ends").expect("a status");
        self.gone(&processes).await;
        status
    }

    async fn gone(&self, processes: &BTreeSet<u32>) {
        eventually(|| async { processes.is_disjoint(&alive()).then_some(()) }).await;
        assert_eq!(functions_at(&self.endpoint), BTreeSet::new());
    }

    /// Every process that it has started.
    fn processes(&self) -> BTreeSet<u32> {
        let parent = self.child.id().expect("it runs");
        // Functions come and go meanwhile; one that has gone has no parent any more.
        assert!(functions_at(&self.endpoint).into_iter().all(|id| parent_of(id).is_none_or(|of| of == parent)));
        alive().into_iter().filter(|id| parent_of(*id) == Some(parent)).collect()
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Option<Value> {
        let reply = Client::new().post(format!("{}{path}", self.url)).bearer_auth(token).json(body).send().await.ok()?;
        // A reply that was not finished was not acknowledged.
        let (created, body) = (reply.status() == 201, reply.json().await.ok()?);
        created.then_some(body)
    }

    async fn sqs(&self, operation: &str, queue: &str, mut request: Value) -> Option<Value> {
        request["QueueUrl"] = json!(format!("{}/{ACCOUNT}/{queue}", self.endpoint));
        let authorization = format!("AWS4-HMAC-SHA256 Credential={DEVELOPER_ACCESS_KEY}/any, Signature=0");
        let call = Client::new().post(&self.endpoint).header("authorization", authorization).header("x-amz-target", format!("AmazonSQS.{operation}"));
        let reply = call.json(&request).send().await.ok()?;
        let (done, body) = (reply.status() == 200, reply.bytes().await.ok()?);
        if body.is_empty() { Some(Value::Null) } else { serde_json::from_slice(&body).ok() }.filter(|_| done)
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        send(Client::new().get(format!("{}{path}", self.url)).bearer_auth(token)).await.expect(200)
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there_after_a_restart() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let first = Arc::new(LocalCloud::start(data.path()).await);
    let (token, post) = begin(&first).await;
    let (queue, dead_letters) = (queue("ModerateCommentQueue"), queue("ModerateCommentDeadLetters"));
    // What a consumer holds when the cloud is killed comes again after two seconds.
    let patience = json!({"Attributes": {"VisibilityTimeout": "2"}});
    first.sqs("SetQueueAttributes", &queue, patience).await.expect("it is done");

    let (comments, messages) = (Acknowledged::default(), Acknowledged::default());
    let mut writers = JoinSet::new();
    for writer in 0..3 {
        let (cloud, token, path, comments) = (first.clone(), token.clone(), format!("/api/v1/posts/{post}/comments"), comments.clone());
        writers.spawn(async move {
            let write = async |number: u32| cloud.post(&path, &token, &json!({"content": format!("{number} of {writer}")})).await;
            // No more than one page holds.
            for number in 0..33 {
                match write(number).await {
                    Some(comment) => comments.add(text(&comment["commentId"])),
                    None => return,
                }
            }
        });
        let (cloud, dead_letters, messages) = (first.clone(), dead_letters.clone(), messages.clone());
        writers.spawn(async move {
            for number in 0.. {
                let body = format!("{number} of {writer}");
                match cloud.sqs("SendMessage", &dead_letters, json!({"MessageBody": body})).await {
                    Some(_) => messages.add(body),
                    None => return,
                }
            }
        });
    }
    eventually(|| async { (comments.all().len() >= 30 && messages.all().len() >= 30).then_some(()) }).await;
    let (id, processes, endpoint) = (first.child.id().expect("it runs").to_string(), first.processes(), first.endpoint.clone());
    assert!(!functions_at(&endpoint).is_empty());
    assert!(Command::new("kill").args(["-KILL", &id]).status().await.expect("kill runs").success());
    while let Some(writer) = writers.join_next().await {
        writer.expect("a writer ends");
    }
    Arc::into_inner(first).expect("nobody writes").child.wait().await.expect("a status");
    eventually(|| async { (processes.is_disjoint(&alive()) && functions_at(&endpoint).is_empty()).then_some(()) }).await;

    let second = LocalCloud::start(data.path()).await;
    let path = format!("/api/v1/posts/{post}/comments?limit=100");
    eventually(|| async {
        let page = second.get(&path, &token).await;
        let all = page["items"].as_array().into_iter().flatten();
        let approved: BTreeSet<_> = all.filter(|comment| comment["status"] == "approved").map(|comment| text(&comment["commentId"])).collect();
        approved.is_superset(&comments.all()).then_some(())
    })
    .await;
    let mut found = BTreeSet::new();
    while !found.is_superset(&messages.all()) {
        let reply = second.sqs("ReceiveMessage", &dead_letters, json!({"MaxNumberOfMessages": 10})).await.expect("a reply");
        let received = reply["Messages"].as_array().expect("messages that were acknowledged are there");
        found.extend(received.iter().map(|message| text(&message["Body"])));
    }
    second.kill().await;
}

#[tokio::test]
async fn a_cloud_that_is_asked_to_end_leaves_no_process() {
    let data = tempfile::tempdir().expect("a temporary folder");
    for signal in ["-TERM", "-INT"] {
        let cloud = LocalCloud::start(data.path()).await;
        cloud.get("/.well-known/jwks.json", "").await;
        assert_eq!(functions_at(&cloud.endpoint).len(), 1);
        assert_eq!(cloud.end(signal).await.code(), Some(0));
    }
}

/// An account's token and a published post.
async fn begin(cloud: &LocalCloud) -> (String, String) {
    let registration = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    cloud.post("/api/v1/users", "", &registration).await.expect("an account");
    let session = cloud.post("/api/v1/sessions", "", &json!({"username": "ada", "password": PASSWORD})).await.expect("a session");
    let token = text(&session["accessToken"]);
    let post = text(&cloud.post("/api/v1/posts", &token, &json!({"title": "On crashes"})).await.expect("a post")["postId"]);
    let publish = Client::new().patch(format!("{}/api/v1/posts/{post}", cloud.url)).bearer_auth(&token);
    send(publish.json(&json!({"status": "published"}))).await.expect(200);
    (token, post)
}

/// Physical name of a queue.
fn queue(logical_id: &str) -> String {
    let stack = quire_local::template::load(&root().join("template.yaml"), &source()).expect("the template is right");
    stack.queues.into_iter().find(|queue| queue.logical_id == logical_id).expect("the template has the queue").name
}

/// What was acknowledged; clones share it.
#[derive(Clone, Default)]
struct Acknowledged(Arc<Mutex<BTreeSet<String>>>);

impl Acknowledged {
    fn add(&self, name: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    }

    fn all(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The processes of this machine that have not ended.
fn alive() -> BTreeSet<u32> {
    let entries = std::fs::read_dir("/proc").expect("the tests of processes need Linux");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| status(*id).is_some_and(|(state, _)| state != "Z" && state != "X")).collect()
}

fn parent_of(id: u32) -> Option<u32> {
    status(id)?.1.parse().ok()
}

/// State and parent of a process (proc_pid_stat(5)).
fn status(id: u32) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}

/// The processes of functions that call the services at this endpoint.
fn functions_at(endpoint: &str) -> BTreeSet<u32> {
    let variable = format!("AWS_ENDPOINT_URL={endpoint}");
    let calls_it = |id: &u32| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == variable.as_bytes())
    };
    alive().into_iter().filter(calls_it).collect()
}

//! The harness of the end-to-end tests: a local cloud for each test, on ports that the system picks, over a data folder of its own.

pub mod contract;
pub mod pages;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use aws_sdk_sqs::types::QueueAttributeName;
use quire_local::{
    cloud::{Cloud, Options, REGION},
    faults::Faults,
    identity::DEVELOPER_ACCESS_KEY,
    ses::Mail,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Time that anything may take before a test gives up on it.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// A password for everybody.
pub const PASSWORD: &str = "correct horse battery";

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The function binaries, built once for all tests of a run.
pub async fn binaries() -> &'static BTreeMap<String, PathBuf> {
    static BINARIES: OnceCell<BTreeMap<String, PathBuf>> = OnceCell::const_new();
    BINARIES
        .get_or_init(|| async {
            let stack = quire_local::template::load(&root().join("template.yaml"), &source()).expect("the template is right");
            let names: Vec<_> = stack.functions.into_values().map(|function| function.binary).collect();
            quire_local::cargo::build(&root(), &names, |line| eprintln!("{line}")).await.expect("the functions build")
        })
        .await
}

/// How tests read the template.
pub fn source() -> quire_local::template::Source {
    quire_local::template::Source {
        stack_name: quire_local::cloud::STACK.into(),
        region: REGION.into(),
        account: quire_local::service::ACCOUNT.into(),
        parameters: BTreeMap::new(),
        endpoint_url: "http://127.0.0.1:1".into(),
    }
}

/// Lines of the functions that a failing test shows.
const LINES_OF_A_FAILURE: usize = 40;

/// A running Quire.
pub struct Quire {
    cloud: Cloud,
    data: TempDir,
    http: reqwest::Client,
    logs: Logs,
}

/// What the functions have printed; a test that fails shows the end of it.
struct Logs(Arc<Mutex<Vec<String>>>);

impl Drop for Logs {
    fn drop(&mut self) {
        if thread::panicking() {
            let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let remarkable: Vec<_> = lines.iter().filter(|line| !line.contains(r#""level":"INFO""#)).map(String::as_str).collect();
            let end = &remarkable[remarkable.len().saturating_sub(LINES_OF_A_FAILURE)..];
            eprintln!("The functions' last lines, without those of usual work:\n{}", end.join("\n"));
        }
    }
}

/// A signed-in account.
#[derive(Debug, Clone)]
pub struct Person {
    /// Its id.
    pub id: String,
    /// Its access token.
    pub token: String,
}

/// A reply, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, byte for byte.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Checks the status and gives the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks that this is a problem detail of this status and name, and gives it.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, name: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!((&problem["type"], &problem["status"]), (&json!(format!("urn:quire:problem:{name}")), &json!(status)), "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        problem
    }
}

impl Quire {
    /// A Quire with nothing in it.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A Quire with nothing in it and these parameters of the template.
    pub async fn start_with(parameters: &[(&str, &str)]) -> Self {
        Self::over(tempfile::tempdir().expect("a temporary folder"), parameters).await
    }

    /// A Quire with nothing in it but an admin called `root`, made as `docs/deployment.md` says.
    pub async fn with_admin() -> (Self, Person) {
        let quire = Self::start().await;
        let id = quire.register("root").await;
        let quire = Self::over(quire.stop().await, &[("FirstAdmin", &id)]).await;
        let root = quire.sign_in("root").await;
        (quire, root)
    }

    /// A Quire over the data of an earlier one.
    pub async fn over(data: TempDir, parameters: &[(&str, &str)]) -> Self {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::with(data, |options| options.parameters = parameters).await
    }

    /// A Quire over the data of an earlier one, with other options than usual.
    pub async fn with(data: TempDir, change: impl FnOnce(&mut Options)) -> Self {
        let logs = Arc::new(Mutex::new(Vec::new()));
        let lines = logs.clone();
        let mut options = Options {
            template: root().join("template.yaml"),
            parameters: BTreeMap::new(),
            data: data.path().to_owned(),
            port: 0,
            sources: true,
            binaries: binaries().await.clone(),
            log: Arc::new(move |line| lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.text)),
        };
        change(&mut options);
        // Tests write faster than people do; those of the quotas set their own.
        for quota in ["WritesPerMinute", "AnonymousWritesPerMinute"] {
            options.parameters.entry(quota.to_owned()).or_insert_with(|| "1000000".to_owned());
        }
        // Most tests are about other things than mail.
        options.parameters.entry("RequireVerifiedEmail".to_owned()).or_insert_with(|| "false".to_owned());
        let cloud = Cloud::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        Self { cloud, data, http: reqwest::Client::new(), logs: Logs(logs) }
    }

    /// Stops everything and gives back the data folder.
    pub async fn stop(self) -> TempDir {
        self.cloud.stop().await;
        self.data
    }

    /// Where everything is kept.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// What runs behind.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        self.cloud.faults()
    }

    /// Every line that the functions have printed.
    pub fn logs(&self) -> Vec<String> {
        self.logs.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every mail that was sent, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.cloud.ses().mails()
    }

    /// The newest token in mail to an address, with this prefix, once there are so many mails that have one.
    pub async fn mailed_token(&self, to: &str, prefix: &str, mails: usize) -> String {
        eventually(|| async {
            let tokens: Vec<_> = self.mails().iter().filter(|mail| mail.to == [to]).filter_map(|mail| token_in(mail, prefix)).collect();
            (tokens.len() >= mails).then(|| tokens.last().cloned()).flatten()
        })
        .await
    }

    /// A request to a path of the API.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.cloud.url()))
    }

    /// The address of a path, for clients of their own.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.cloud.url())
    }

    /// GET as nobody in particular.
    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// GET as somebody.
    pub async fn get_as(&self, person: &Person, path: &str) -> Reply {
        send(self.request(Method::GET, path).bearer_auth(&person.token)).await
    }

    /// POST of JSON as nobody in particular.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// POST of JSON as somebody.
    pub async fn post_as(&self, person: &Person, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).bearer_auth(&person.token).json(body)).await
    }

    /// PATCH with JSON as somebody.
    pub async fn patch_as(&self, person: &Person, path: &str, body: &Value) -> Reply {
        send(self.request(Method::PATCH, path).bearer_auth(&person.token).json(body)).await
    }

    /// PUT of JSON as somebody.
    pub async fn put_as(&self, person: &Person, path: &str, body: &Value) -> Reply {
        send(self.request(Method::PUT, path).bearer_auth(&person.token).json(body)).await
    }

    /// DELETE as somebody.
    pub async fn delete_as(&self, person: &Person, path: &str) -> Reply {
        send(self.request(Method::DELETE, path).bearer_auth(&person.token)).await
    }

    /// Registers and signs in.
    pub async fn person(&self, username: &str) -> Person {
        self.register(username).await;
        self.sign_in(username).await
    }

    /// Registers; the account's id.
    pub async fn register(&self, username: &str) -> String {
        let registration = json!({"username": username, "email": format!("{username}@example.com"), "password": PASSWORD});
        text(&self.post("/api/v1/users", &registration).await.expect(201)["userId"])
    }

    /// Signs in.
    pub async fn sign_in(&self, username: &str) -> Person {
        let session = self.post("/api/v1/sessions", &json!({"username": username, "password": PASSWORD})).await.expect(201);
        Person { id: text(&session["userId"]), token: text(&session["accessToken"]) }
    }

    /// A post that `author` has published; its id.
    pub async fn published_post(&self, author: &Person, title: &str) -> String {
        let post = self.post_as(author, "/api/v1/posts", &json!({"title": title, "content": "…"})).await.expect(201);
        let id = text(&post["postId"]);
        self.patch_as(author, &format!("/api/v1/posts/{id}"), &json!({"status": "published"})).await.expect(200);
        id
    }

    /// The comments of a post as `reader` sees them, once `enough` is true of them.
    pub async fn comments_when(&self, reader: &Person, post: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        eventually(|| async {
            let page = self.get_as(reader, &format!("/api/v1/posts/{post}/comments?limit=100")).await.expect(200);
            let items = page["items"].as_array().cloned().unwrap_or_default();
            enough(&items).then_some(items)
        })
        .await
    }

    /// DynamoDB, as a person at this machine sees it.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::from_conf(
            aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(REGION))
                .credentials_provider(developer())
                .endpoint_url(self.cloud.endpoint_url())
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    }

    /// Every item of the table.
    pub async fn items(&self) -> Vec<HashMap<String, AttributeValue>> {
        let pages = self.dynamodb().scan().table_name(self.table()).consistent_read(true).into_paginator().items().send();
        pages.collect::<Result<_, _>>().await.expect("the table can be read")
    }

    /// SQS, as a person at this machine sees it.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::from_conf(
            aws_sdk_sqs::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(REGION))
                .credentials_provider(developer())
                .endpoint_url(self.cloud.endpoint_url())
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    }

    /// Waits until all that readers did is counted.
    pub async fn is_tallied(&self) {
        let (dynamodb, sqs, url) = (self.dynamodb(), self.sqs(), self.queue_url("TallyEngagementQueue"));
        let unpublished = async |shard: u8| {
            let query = dynamodb.query().table_name(self.table()).consistent_read(true).key_condition_expression("pk = :pk");
            let query =
                query.filter_expression("contains(event, :type)").expression_attribute_values(":pk", AttributeValue::S(format!("OUTBOX#{shard}")));
            let query = query.expression_attribute_values(":type", AttributeValue::S("\"post.engagement-changed\"".to_owned()));
            query.send().await.expect("the table can be read").count
        };
        eventually(|| async {
            for shard in 0..8 {
                if unpublished(shard).await > 0 {
                    return None;
                }
            }
            // What is published is in the queue until it is counted.
            (waiting(&sqs, &url).await == 0).then_some(())
        })
        .await;
    }

    /// An object of a bucket, by the bucket's logical id, as a person at this machine sees it.
    pub async fn object(&self, bucket: &str, name: &str) -> Option<Vec<u8>> {
        let reply = self.object_request(Method::GET, bucket, name).send().await.expect("a reply");
        if reply.status() == 404 {
            return None;
        }
        Some(reply.error_for_status().expect("an object").bytes().await.expect("a body").to_vec())
    }

    /// Puts an object into a bucket.
    pub async fn put_object(&self, bucket: &str, name: &str, content: Vec<u8>) {
        let reply = self.object_request(Method::PUT, bucket, name).body(content).send().await.expect("a reply");
        reply.error_for_status().expect("the object is stored");
    }

    fn object_request(&self, method: Method, bucket: &str, name: &str) -> RequestBuilder {
        let address = format!("{}/{}/{name}", self.cloud.endpoint_url(), self.cloud.stack().buckets[bucket].name);
        let credential = format!("AWS4-HMAC-SHA256 Credential={DEVELOPER_ACCESS_KEY}/20260101/{REGION}/s3/aws4_request");
        self.http.request(method, address).header("authorization", credential)
    }

    /// URL of a queue by its logical id.
    pub fn queue_url(&self, logical_id: &str) -> String {
        let queue = self.cloud.stack().queues.iter().find(|queue| queue.logical_id == logical_id).expect("the template has the queue");
        format!("{}/{}/{}", self.cloud.endpoint_url(), quire_local::service::ACCOUNT, queue.name)
    }

    /// Name of the table.
    pub fn table(&self) -> String {
        self.cloud.stack().tables["Table"].name.clone()
    }
}

/// How many messages a queue holds, whether somebody has them at the moment or not.
async fn waiting(sqs: &aws_sdk_sqs::Client, url: &str) -> usize {
    let attributes = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await;
    let attributes = attributes.expect("the queue answers").attributes.unwrap_or_default();
    let counts = attributes.iter().filter(|(name, _)| name.as_str().starts_with("ApproximateNumberOf"));
    counts.map(|(_, count)| count.parse::<usize>().expect("a number")).sum()
}

fn developer() -> Credentials {
    Credentials::new(DEVELOPER_ACCESS_KEY, "any", None, None, "tests")
}

/// Sends a request, reads the reply and holds both against the contract.
pub async fn send(request: RequestBuilder) -> Reply {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let asked = contract::Request {
        method: request.method().to_string(),
        path: request.url().path().to_owned(),
        content_type: request.headers().get("content-type").and_then(|value| Some(value.to_str().ok()?.to_owned())),
        body: request.body().and_then(|body| body.as_bytes()).map(<[u8]>::to_vec),
    };
    let response: Response = client.execute(request).await.expect("a reply");
    let (status, headers) = (response.status(), response.headers().clone());
    let reply = Reply { status, headers, body: response.bytes().await.expect("a body").to_vec() };
    contract::check(&asked, &reply);
    reply
}

/// The token with this prefix in a mail.
fn token_in(mail: &Mail, prefix: &str) -> Option<String> {
    mail.text.as_deref()?.lines().find(|line| line.starts_with(prefix)).map(str::to_owned)
}

/// The text of a JSON value.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Looks until there is something, at most until the deadline: soon at first, and ever less often, because looking takes time from what is
/// waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    let started = Instant::now();
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep((started.elapsed() / 4).clamp(Duration::from_millis(20), Duration::from_millis(250))).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking).await.expect("it happens before the deadline")
}

/// The local cloud's own binary, built once for all tests of a run.
pub async fn quire_binary() -> PathBuf {
    static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
    let build = || async {
        let built = quire_local::cargo::build(&root(), &["quire".to_owned()], |line| eprintln!("{line}")).await.expect("it builds");
        built["quire"].clone()
    };
    BINARY.get_or_init(build).await.clone()
}

/// Names of the files in a folder of the repository, sorted.
pub fn files(folder: &str) -> Vec<String> {
    entries(folder, |path| path.is_file())
}

/// Names of the folders in a folder of the repository, sorted.
pub fn folders(folder: &str) -> Vec<String> {
    entries(folder, |path| path.is_dir())
}

fn entries(folder: &str, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut names: Vec<_> = entries.filter(|path| wanted(path)).filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

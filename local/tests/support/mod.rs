//! An endpoint with queues on a free port, and clients for it.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_credential_types::Credentials;
use aws_sdk_sqs::{
    Client, Config,
    config::{BehaviorVersion, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::QueueAttributeName,
};
use quire_local::{
    endpoint::Endpoint,
    faults::Faults,
    identity::{DEVELOPER_ACCESS_KEY, Identities},
    sqs::Sqs,
    stack::{Function, Stack, Statement},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot};

pub(crate) const REGION: &str = "eu-central-1";

/// Longest time that anything here may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Cloud {
    pub(crate) url: String,
    pub(crate) faults: Faults,
    pub(crate) stack: Arc<Stack>,
    pub(crate) folder: TempDir,
    pub(crate) shutdown: Option<oneshot::Sender<()>>,
    pub(crate) served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Cloud {
    /// A cloud with the function `Sender`, which may send to the queue `allowed`.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let sqs = Sqs::open(&folder.path().join("sqs.db"), REGION, &url).unwrap();
        let stack = Arc::new(stack());
        let faults = Faults::default();
        let (shutdown, stopped) = oneshot::channel::<()>();
        let endpoint = Endpoint::new(stack.clone(), Identities::new(&stack), faults.clone()).with("AmazonSQS", Arc::new(sqs));
        let served = tokio::spawn(endpoint.serve(listener, stopped));
        Self { url, faults, stack, folder, shutdown: Some(shutdown), served }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("sqs.db")
    }

    /// A client with the rights of a person.
    pub(crate) fn developer(&self) -> Client {
        self.client(DEVELOPER_ACCESS_KEY, None)
    }

    /// A client with the rights of the process `instance` of a function.
    pub(crate) fn function(&self, logical_id: &str, instance: &str) -> Client {
        let credentials = Identities::issue(&self.stack, logical_id, instance);
        self.client(&credentials.access_key_id, Some(credentials.session_token))
    }

    pub(crate) fn client(&self, access_key: &str, session_token: Option<String>) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new(access_key, "secret", session_token, None, "test"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::disabled())
            .build();
        Client::from_conf(config)
    }
}

fn stack() -> Stack {
    let statement =
        Statement { allow: true, actions: vec!["sqs:SendMessage".to_owned()], resources: vec![arn("allowed")], conditions: BTreeMap::new() };
    let sender = Function {
        logical_id: "Sender".to_owned(),
        name: "test-Sender".to_owned(),
        binary: "sender".to_owned(),
        timeout: Duration::from_secs(3),
        memory: 128,
        reserved_concurrency: None,
        environment: BTreeMap::new(),
        statements: vec![statement],
        routes: Vec::new(),
        triggers: Vec::new(),
    };
    Stack {
        name: "test".to_owned(),
        region: REGION.to_owned(),
        functions: BTreeMap::from([(sender.logical_id.clone(), sender)]),
        tables: BTreeMap::new(),
        queues: Vec::new(),
        keys: BTreeMap::new(),
        buckets: BTreeMap::new(),
        cors: None,
    }
}

pub(crate) fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:000000000000:{queue}")
}

/// Creates a queue; gives its URL.
pub(crate) async fn create(client: &Client, name: &str, attributes: &[(&str, &str)]) -> String {
    let mut request = client.create_queue().queue_name(name);
    for (attribute, value) in attributes {
        request = request.attributes(QueueAttributeName::from(*attribute), *value);
    }
    request.send().await.unwrap().queue_url.unwrap()
}

/// The code of an error that the service sent.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> String {
    match result {
        Ok(reply) => panic!("expected an error, got {reply:?}"),
        Err(error) => error.code().unwrap_or("none").to_owned(),
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "the condition did not come true in time");
        tokio::task::yield_now().await;
    }
}

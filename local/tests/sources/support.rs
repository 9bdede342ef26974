//! A cloud of one function `Relay`, one table and two queues for the tests of the event sources.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use quire_local::{
    dynamodb::DynamoDb,
    service::{Service, ServiceError},
    sources::{Error, Invoke, InvokeOutcome, Queues, Sources},
    stack::{Function, Queue, Stack, Table, Trigger},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};

const DEADLINE: Duration = Duration::from_secs(30);

/// ARN of a queue.
pub(crate) fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:eu-west-1:000000000000:{queue}")
}

/// What the fakes saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) events: Vec<Value>,
    pub(crate) running: usize,
    pub(crate) most_running: usize,
    pub(crate) receives: usize,
    pub(crate) deleted: Vec<String>,
    pub(crate) sent: Vec<Value>,
    waiting: VecDeque<Value>,
}

type Script = dyn Fn(&Value, usize) -> InvokeOutcome + Send + Sync;

struct Fakes {
    state: watch::Sender<State>,
    script: Box<Script>,
    /// A permit for each invocation that may end.
    gate: Semaphore,
}

pub(crate) struct Cloud {
    fakes: Arc<Fakes>,
    folder: TempDir,
    dynamodb: DynamoDb,
    table: Table,
}

impl Cloud {
    /// A cloud whose function answers the `n`th event (from 1) as `script` says.
    pub(crate) async fn new(script: impl Fn(&Value, usize) -> InvokeOutcome + Send + Sync + 'static) -> Self {
        let cloud = Self::gated(script).await;
        cloud.fakes.gate.add_permits(Semaphore::MAX_PERMITS);
        cloud
    }

    /// The same, but each invocation waits for a [`Cloud::release`].
    pub(crate) async fn gated(script: impl Fn(&Value, usize) -> InvokeOutcome + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let create = json!({
            "TableName": "quire-Table",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
        });
        let arn = "arn:aws:dynamodb:eu-west-1:000000000000:table/quire-Table".to_owned();
        let table = Table { name: "quire-Table".to_owned(), arn, create, ttl_attribute: None };
        let dynamodb = DynamoDb::open(&folder.path().join("dynamodb.sqlite")).await.unwrap();
        let fakes = Fakes { state: watch::Sender::default(), script: Box::new(script), gate: Semaphore::new(0) };
        let cloud = Self { fakes: Arc::new(fakes), folder, dynamodb, table };
        cloud.dynamodb.ensure(&cloud.stack(vec![])).await.unwrap();
        cloud
    }

    pub(crate) async fn start(&self, triggers: impl Into<Vec<Trigger>>) -> Sources {
        self.try_start(triggers.into()).await.unwrap()
    }

    pub(crate) async fn try_start(&self, triggers: Vec<Trigger>) -> Result<Sources, Error> {
        let stack = Arc::new(self.stack(triggers));
        let checkpoints = self.folder.path().join("checkpoints.sqlite");
        Sources::start(stack, self.fakes.clone(), self.dynamodb.clone(), self.fakes.clone(), &checkpoints).await
    }

    pub(crate) async fn put(&self, key: &str) {
        let request = json!({"TableName": "quire-Table", "Item": {"pk": {"S": key}}});
        assert_eq!(self.dynamodb.call("PutItem", Bytes::from(request.to_string())).await.status(), 200);
    }

    /// How many records the stream holds.
    pub(crate) async fn records(&self) -> usize {
        self.dynamodb.stream(&self.table, 0, 1000).await.unwrap().len()
    }

    pub(crate) async fn until_records(&self, count: usize) {
        let wait = async {
            while self.records().await != count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.unwrap();
    }

    pub(crate) fn send(&self, message: Value) {
        self.fakes.state.send_modify(|state| state.waiting.push_back(message));
    }

    pub(crate) fn send_body(&self, body: &str) {
        self.send(json!({"MessageId": format!("id-{body}"), "ReceiptHandle": format!("handle-{body}"), "Body": body, "Attributes": {}}));
    }

    /// Lets one invocation end.
    pub(crate) fn release(&self) {
        self.fakes.gate.add_permits(1);
    }

    pub(crate) async fn until(&self, condition: impl Fn(&State) -> bool) {
        let mut states = self.fakes.state.subscribe();
        let waited = tokio::time::timeout(DEADLINE, states.wait_for(condition)).await.map(drop);
        assert!(waited.is_ok(), "{:#?}", self.state());
    }

    pub(crate) async fn until_events(&self, count: usize) {
        self.until(|state| state.events.len() >= count).await;
    }

    pub(crate) async fn until_deleted(&self, handles: &[&str]) {
        self.until(|state| handles.iter().all(|handle| state.deleted.iter().any(|deleted| deleted == handle))).await;
    }

    pub(crate) fn state(&self) -> State {
        self.fakes.state.borrow().clone()
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        self.state().events
    }

    pub(crate) fn deleted(&self) -> Vec<String> {
        self.state().deleted
    }

    fn stack(&self, triggers: Vec<Trigger>) -> Stack {
        let function = Function {
            logical_id: "Relay".to_owned(),
            name: "quire-Relay".to_owned(),
            binary: "relay".to_owned(),
            timeout: Duration::from_secs(30),
            memory: 128,
            reserved_concurrency: None,
            environment: BTreeMap::new(),
            statements: vec![],
            routes: vec![],
            triggers,
        };
        let queue = |name: &str| Queue {
            logical_id: name.to_owned(),
            name: name.to_owned(),
            arn: arn(name),
            attributes: BTreeMap::from([("VisibilityTimeout".to_owned(), "60".to_owned())]),
        };
        Stack {
            name: "quire".to_owned(),
            region: "eu-west-1".to_owned(),
            functions: BTreeMap::from([("Relay".to_owned(), function)]),
            tables: BTreeMap::from([("Table".to_owned(), self.table.clone())]),
            queues: vec![queue("failures"), queue("jobs")],
            keys: BTreeMap::new(),
            buckets: BTreeMap::new(),
            cors: None,
        }
    }
}

impl Invoke for Fakes {
    fn invoke<'a>(&'a self, function: &'a str, event: Bytes) -> BoxFuture<'a, InvokeOutcome> {
        assert_eq!(function, "Relay");
        let event: Value = serde_json::from_slice(&event).unwrap();
        async move {
            let mut n = 0;
            self.state.send_modify(|state| {
                state.events.push(event.clone());
                state.running += 1;
                state.most_running = state.most_running.max(state.running);
                n = state.events.len();
            });
            self.gate.acquire().await.unwrap().forget();
            self.state.send_modify(|state| state.running -= 1);
            (self.script)(&event, n)
        }
        .boxed()
    }
}

impl Queues for Fakes {
    fn call<'a>(&'a self, operation: &'a str, request: Value) -> BoxFuture<'a, Result<Value, ServiceError>> {
        async move {
            match operation {
                "ReceiveMessage" => Ok(self.receive(&request).await),
                "DeleteMessageBatch" => {
                    let entries = request["Entries"].as_array().unwrap();
                    let handles = entries.iter().map(|entry| entry["ReceiptHandle"].as_str().unwrap().to_owned());
                    self.state.send_modify(|state| state.deleted.extend(handles));
                    Ok(json!({"Successful": [], "Failed": []}))
                }
                "SendMessage" => {
                    self.state.send_modify(|state| state.sent.push(request));
                    Ok(json!({"MessageId": "sent"}))
                }
                _ => panic!("{operation}"),
            }
        }
        .boxed()
    }
}

impl Fakes {
    async fn receive(&self, request: &Value) -> Value {
        assert_eq!(request["QueueUrl"], "http://localhost/000000000000/jobs");
        let wait = Duration::from_secs(request["WaitTimeSeconds"].as_u64().unwrap());
        let most = usize::try_from(request["MaxNumberOfMessages"].as_u64().unwrap()).unwrap();
        assert!((1..=10).contains(&most) && wait <= Duration::from_secs(20));
        self.state.send_modify(|state| state.receives += 1);
        let mut states = self.state.subscribe();
        let _ = tokio::time::timeout(wait, states.wait_for(|state| !state.waiting.is_empty())).await.map(drop);
        let mut messages = vec![];
        self.state.send_modify(|state| messages.extend(state.waiting.drain(..most.min(state.waiting.len()))));
        json!({"Messages": messages})
    }
}

//! Runs the functions: processes on demand that speak the Lambda Runtime API, one invocation at a time each.
//!
//! `Functions` keeps the books (who is idle, who waits) under one lock; each process has one task, in `instance`, that drives it.

mod api;
mod instance;
mod pool;
mod process;
mod watchdog;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    io::{self, ErrorKind},
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::AbortHandle,
};
use uuid::Uuid;

use self::{
    pool::{Job, Pool, Shared, State},
    watchdog::Watchdog,
};
use crate::stack::Stack;

/// Most bytes of an event or of a reply: 6 MB and a little, as Lambda counts them.
pub const MAX_PAYLOAD: usize = 6_291_556;

/// Receives every line that a function's process prints.
pub type LogSink = Arc<dyn Fn(LogLine) + Send + Sync>;

/// One line that a process printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Logical id of the function.
    pub function: String,
    /// Id of the process.
    pub instance: String,
    /// Id of the invocation in flight, if there is one.
    pub request_id: Option<String>,
    /// The line, without its end.
    pub text: String,
}

/// How functions are run.
pub struct Options {
    /// Executables by the name of their Cargo binary.
    pub binaries: BTreeMap<String, PathBuf>,
    /// URL of the emulated services, given to the functions as `AWS_ENDPOINT_URL`.
    pub endpoint_url: String,
    /// Most processes of one function; further invocations wait. A smaller reserved concurrency throttles instead, as it does in AWS.
    pub max_instances: usize,
    /// Longest that a new process may take to ask for its first event.
    pub init: Duration,
    /// Time after which a process that has nothing to do is stopped.
    pub idle: Duration,
    /// Where the lines go that the processes print.
    pub log: LogSink,
}

impl Options {
    /// Ten processes for each function, stopped after five idle minutes; they start within ten seconds, as in Lambda.
    pub fn new(binaries: BTreeMap<String, PathBuf>, endpoint_url: impl Into<String>, log: LogSink) -> Self {
        let (init, idle) = (Duration::from_secs(10), Duration::from_secs(300));
        Self { binaries, endpoint_url: endpoint_url.into(), max_instances: 10, init, idle, log }
    }
}

/// What came of one invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Id of the invocation, as the function saw it.
    pub request_id: String,
    /// The reply or the failure.
    pub outcome: Outcome,
    /// Time from the hand-over of the event to the answer.
    pub duration: Duration,
    /// Time that the start of a new process took, if one was started for this invocation.
    pub init: Option<Duration>,
    /// Most memory that the process has used so far, in MiB; known on Linux only.
    pub max_memory_mb: Option<u64>,
    /// What the process printed meanwhile.
    pub logs: Vec<String>,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function's reply.
    Reply(Bytes),
    /// The function reported an error, crashed or ran out of time.
    Failed(FunctionError),
    /// The event was not handed to any process: no concurrency was left, or the functions are being stopped.
    Throttled,
}

/// A failed invocation, as Lambda reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// Such as `Runtime.ExitError`, or what the function itself named.
    pub error_type: String,
    /// Text for a person.
    pub message: String,
    /// The payload of Lambda's answer: usually JSON with `errorType` and `errorMessage`.
    pub payload: Bytes,
}

impl FunctionError {
    fn new(error_type: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let payload = json!({"errorType": error_type, "errorMessage": message}).to_string().into();
        Self { error_type: error_type.to_owned(), message, payload }
    }

    /// An error as the process itself posted it.
    fn reported(payload: Bytes, error_type: Option<&str>) -> Self {
        let json: Value = serde_json::from_slice(&payload).unwrap_or_default();
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            error_type: text("errorType").or(error_type.map(str::to_owned)).unwrap_or_else(|| "Unhandled".to_owned()),
            message: text("errorMessage").unwrap_or_else(|| String::from_utf8_lossy(&payload).into_owned()),
            payload,
        }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not asked for its first event yet.
    Starting,
    /// It has an event.
    Busy,
    /// It has answered and has not asked for another event yet.
    Finishing,
    /// It waits for an event.
    Idle,
}

/// One process of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceStatus {
    /// Id, such as `RegisterUser-1`; the session token of its credentials.
    pub id: String,
    /// Process id, once it has been started.
    pub pid: Option<u32>,
    /// What it is doing.
    pub phase: Phase,
}

/// The functions of a stack. The processes end when the last clone is dropped.
#[derive(Clone)]
pub struct Functions(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    api: AbortHandle,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        self.api.abort();
    }
}

impl Functions {
    /// Opens the Runtime API on a free port. No process is started before the first invocation.
    ///
    /// Fails if a function has no binary.
    pub async fn start(stack: Arc<Stack>, mut options: Options) -> io::Result<Self> {
        // Processes run in the folder of their binary, where a relative path would lead elsewhere.
        for path in options.binaries.values_mut() {
            *path = std::path::absolute(&*path)?;
        }
        for function in stack.functions.values() {
            if !options.binaries.contains_key(&function.binary) {
                let text = format!("function {} has no binary `{}`", function.logical_id, function.binary);
                return Err(io::Error::new(ErrorKind::NotFound, text));
            }
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let pools = stack.functions.values().map(|it| (it.logical_id.clone(), Pool::new(it, options.max_instances)));
        let state =
            State { closed: false, started: 0, pools: pools.collect::<HashMap<_, _>>(), instances: BTreeMap::new(), watchdog: Watchdog::start()? };
        let api_url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared { stack, options, api_url, state: Mutex::new(state), live: watch::Sender::new(0) });
        let api = tokio::spawn(api::serve(listener, shared.clone())).abort_handle();
        Ok(Self(Arc::new(Handle { shared, api })))
    }

    /// Hands an event to a free process of a function, starting one if need be, and waits for the answer.
    ///
    /// The trace header is one of X-Ray's (`Root=1-…`); without one, a new trace begins. The invocation goes on if this future is dropped.
    pub async fn invoke(&self, logical_id: &str, event: Bytes, trace_header: Option<String>) -> Invocation {
        let request_id = Uuid::new_v4().to_string();
        let not_run = |outcome| Invocation {
            request_id: request_id.clone(),
            outcome,
            duration: Duration::ZERO,
            init: None,
            max_memory_mb: None,
            logs: Vec::new(),
        };
        if event.len() > MAX_PAYLOAD {
            let text = format!("Request must be smaller than {MAX_PAYLOAD} bytes for the InvokeFunction operation");
            return not_run(Outcome::Failed(FunctionError::new("RequestTooLargeException", text)));
        }
        let (reply, answer) = oneshot::channel();
        let trace = trace_header.unwrap_or_else(new_trace);
        let job = Job { request_id: request_id.clone(), event, trace, reply };
        if let Err(outcome) = self.0.shared.submit(logical_id, job) {
            return not_run(outcome);
        }
        answer.await.unwrap_or_else(|_| not_run(Outcome::Throttled))
    }

    /// Kills one process (SIGKILL); an invocation in flight fails as it would in AWS. Returns whether there is such a process.
    pub fn kill(&self, instance: &str) -> bool {
        self.0.shared.kill(instance)
    }

    /// Makes further invocations use new processes: idle ones stop now, busy ones after their invocation.
    pub fn replace(&self, logical_id: &str) {
        self.0.shared.replace(logical_id);
    }

    /// Kills every process and waits until none is left. Invocations in flight fail, later ones are throttled.
    pub async fn stop(&self) {
        self.0.shared.close();
        // The sender lives in `shared`, so waiting cannot fail.
        let _ = self.0.shared.live.subscribe().wait_for(|count| *count == 0).await;
        self.0.api.abort();
    }

    /// The processes of a function.
    pub fn instances(&self, logical_id: &str) -> Vec<InstanceStatus> {
        self.0.shared.statuses(logical_id)
    }
}

/// A new X-Ray trace header.
pub fn new_trace() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{}", jiff::Timestamp::now().as_second(), &random[..24])
}

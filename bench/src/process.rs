//! One process of a function, with a Runtime API of its own: what it costs until it asks for an event, and until it has answered one.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{BoxError, Result};

/// Longest time to the next call of a process.
const DEADLINE: Duration = Duration::from_secs(20);
/// What a process may still do after a call before it waits for the reply.
const SETTLE: Duration = Duration::from_millis(1);
const REQUEST_ID: &str = "6bc28136-xmpl-4365-b021-0ce6b2e64ab0";

/// What a process has used until some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Time from the start; while the process only waits for the bench, it stands still.
    pub(crate) wall: Duration,
    /// Processor time of all its threads, in the program and in the kernel.
    pub(crate) cpu: Duration,
}

/// A cold start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColdStart {
    /// Until it asked for its first event.
    pub(crate) ready: Cost,
    /// Until it had answered that.
    pub(crate) answered: Cost,
    /// Resident memory then, in bytes (`VmRSS`).
    pub(crate) resident: u64,
    /// Most resident memory until then, in bytes (`VmHWM`).
    pub(crate) peak: u64,
}

/// A call of the process. The reply is withheld until the measurement is taken.
enum Call {
    Next(oneshot::Sender<Response>),
    Answer(Bytes),
    Error(Bytes),
}

/// Starts a process, gives it one event and kills it. `ready` is called between the two, `check` judges the answer.
pub(crate) async fn measure(
    binary: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    event: &Value,
    ready: impl FnOnce(),
    check: impl FnOnce(&Value) -> bool,
) -> Result<ColdStart> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let (calls, mut inbox) = mpsc::unbounded_channel();
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, api(calls)).await });

    let mut command = Command::new(binary);
    command.env_clear().envs(environment).env("AWS_LAMBDA_RUNTIME_API", address);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let started = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
    let id = child.id().ok_or("the process has no id")?;
    let outcome = async {
        let Call::Next(reply) = call(&mut inbox).await? else { return Err("it has answered before it asked".into()) };
        let wall = started.elapsed();
        let first = Cost { wall, cpu: settled(id).await? };
        ready();

        let started = Instant::now();
        _ = reply.send(next(event));
        let answer = match call(&mut inbox).await? {
            Call::Answer(body) => body,
            Call::Error(body) => return Err(String::from_utf8_lossy(&body).into_owned().into()),
            Call::Next(_) => return Err("it has not answered".into()),
        };
        let wall = wall + started.elapsed();
        let answered = Cost { wall, cpu: settled(id).await? };
        if !check(&serde_json::from_slice(&answer).unwrap_or_default()) {
            return Err(String::from_utf8_lossy(&answer).into_owned().into());
        }
        Ok::<_, BoxError>(ColdStart { ready: first, answered, resident: status(id, "VmRSS:")?, peak: status(id, "VmHWM:")? })
    }
    .await;
    match outcome {
        Ok(measured) => {
            child.kill().await?;
            Ok(measured)
        }
        Err(error) => Err(format!("{}: {error}\n{}", binary.display(), last_words(child).await).into()),
    }
}

/// The part of the Runtime API that a function uses.
fn api(calls: mpsc::UnboundedSender<Call>) -> Router {
    type Calls = State<mpsc::UnboundedSender<Call>>;
    // The measurement ends with the process: nobody misses a reply that never comes.
    async fn next(State(calls): Calls) -> Response {
        let (sender, receiver) = oneshot::channel();
        _ = calls.send(Call::Next(sender));
        receiver.await.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
    }
    async fn answer(State(calls): Calls, body: Bytes) -> StatusCode {
        _ = calls.send(Call::Answer(body));
        std::future::pending().await
    }
    async fn error(State(calls): Calls, body: Bytes) -> StatusCode {
        _ = calls.send(Call::Error(body));
        StatusCode::ACCEPTED
    }
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(error))
        .layer(DefaultBodyLimit::disable())
        .with_state(calls)
}

fn next(event: &Value) -> Response {
    let headers = [
        ("lambda-runtime-aws-request-id", REQUEST_ID),
        ("lambda-runtime-deadline-ms", "9999999999999"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:bench"),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"),
    ];
    (headers.map(|(name, value)| (HeaderName::from_static(name), value)), event.to_string()).into_response()
}

async fn call(inbox: &mut mpsc::UnboundedReceiver<Call>) -> Result<Call> {
    let call = timeout(DEADLINE, inbox.recv()).await.map_err(|_| "it does not call the Runtime API")?;
    call.ok_or_else(|| "the Runtime API has ended".into())
}

/// Processor time of a process once it only waits.
async fn settled(id: u32) -> Result<Duration> {
    let mut before = cpu(id)?;
    loop {
        sleep(SETTLE).await;
        let now = cpu(id)?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
}

/// The first number of `schedstat`: nanoseconds on a processor.
fn cpu(id: u32) -> Result<Duration> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{id}/task")).map_err(unsupported)? {
        let text = fs::read_to_string(thread?.path().join("schedstat")).map_err(unsupported)?;
        total += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}

/// A figure of `/proc/<pid>/status` that is in kB, in bytes.
fn status(id: u32, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).map_err(unsupported)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")).ok_or("a process has no memory")?;
    Ok(value.parse::<u64>()? * 1024)
}

fn unsupported(error: io::Error) -> BoxError {
    format!("the process has ended, or this is not Linux ({error})").into()
}

async fn last_words(mut child: Child) -> String {
    _ = child.start_kill();
    let output = child.wait_with_output().await.map(|output| [output.stdout, output.stderr].concat());
    String::from_utf8_lossy(&output.unwrap_or_default()).into_owned()
}

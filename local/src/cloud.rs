//! The whole: everything that a stack needs, started together on loopback ports, over one data folder.

use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    dynamodb::{self, DynamoDb},
    endpoint::Endpoint,
    faults::Faults,
    functions::{Functions, LogSink, Options as FunctionOptions, Outcome},
    gateway::Gateway,
    identity::Identities,
    kms::{self, Kms},
    s3::{self, S3},
    service::{ACCOUNT, ServiceError},
    ses::{self, Ses},
    sources::{self, Invoke, InvokeOutcome, Queues, Sources},
    sqs::{self, Sqs},
    stack::Stack,
    template::{self, Source, TemplateError},
};

/// The region that everything is in.
pub const REGION: &str = "eu-central-1";
/// The name of the stack.
pub const STACK: &str = "quire";

/// Time that invocations under way have to end when the cloud stops.
const GRACE: Duration = Duration::from_secs(2);

/// How a cloud is started.
pub struct Options {
    /// The template.
    pub template: PathBuf,
    /// Values for its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Folder for everything that is kept; made if it does not exist.
    pub data: PathBuf,
    /// Port of the HTTP API, before that of the AWS services; 0 for any two.
    pub port: u16,
    /// Whether queues, streams and schedules invoke functions.
    pub sources: bool,
    /// Executables, by the name of their Cargo binary. Functions of the template without one are left out.
    pub binaries: BTreeMap<String, PathBuf>,
    /// Where the functions' lines go.
    pub log: LogSink,
}

/// Why a cloud could not start. Each is one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The data folder cannot be used.
    #[error("the data folder {} cannot be used: {source}", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another local cloud runs on the data folder.
    #[error("another local cloud uses {}; stop it, or choose another folder with --data", .0.display())]
    DataInUse(PathBuf),
    /// The port is taken.
    #[error("port {0} is in use; choose another with --port")]
    PortInUse(u16),
    /// A socket or a process could not be made.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
    /// DynamoDB could not start.
    #[error(transparent)]
    DynamoDb(#[from] dynamodb::Error),
    /// SQS could not start.
    #[error(transparent)]
    Sqs(#[from] sqs::OpenError),
    /// A queue of the template was refused.
    #[error("queue {queue}: {source}")]
    Queue {
        /// Logical id.
        queue: String,
        /// Why.
        source: ServiceError,
    },
    /// KMS could not start.
    #[error(transparent)]
    Kms(#[from] kms::OpenError),
    /// S3 could not start.
    #[error(transparent)]
    S3(#[from] s3::OpenError),
    /// SES could not start.
    #[error(transparent)]
    Ses(#[from] ses::OpenError),
    /// A queue, stream or schedule could not be attached.
    #[error(transparent)]
    Sources(#[from] sources::Error),
}

/// A running cloud. [`Cloud::stop`] ends it in order; a dropped one leaves no process either.
pub struct Cloud {
    stack: Arc<Stack>,
    address: SocketAddr,
    endpoint: SocketAddr,
    functions: Functions,
    faults: Faults,
    ses: Ses,
    sources: Option<Sources>,
    servers: JoinSet<io::Result<()>>,
    shutdown: watch::Sender<bool>,
    _lock: File,
}

impl Cloud {
    /// Reads the template and starts all that it declares.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { template, parameters, data, port, sources, binaries, log } = options;
        let gateway_listener = listen(port).await?;
        let endpoint_listener = listen(if port == 0 { 0 } else { port + 1 }).await?;
        let (address, endpoint) = (gateway_listener.local_addr()?, endpoint_listener.local_addr()?);
        let endpoint_url = format!("http://{endpoint}");
        let source =
            Source { stack_name: STACK.into(), region: REGION.into(), account: ACCOUNT.into(), parameters, endpoint_url: endpoint_url.clone() };
        let mut stack = template::load(&template, &source)?;
        stack.functions.retain(|_, function| binaries.contains_key(&function.binary));
        let stack = Arc::new(stack);
        let lock = lock(&data)?;

        let dynamodb = DynamoDb::open(&data.join("dynamodb.sqlite")).await?;
        dynamodb.ensure(&stack).await?;
        let sqs = Sqs::open(&data.join("sqs.sqlite"), REGION, &endpoint_url)?;
        create_queues(&sqs, &stack).await?;
        let kms = Kms::open(&data.join("kms.json"), &stack.keys)?;
        let ses = Ses::open(&data.join("mail.ndjson"))?;
        let s3 = S3::open(&data.join("s3.sqlite"), &stack)?;

        let functions = Functions::start(stack.clone(), FunctionOptions::new(binaries, endpoint_url, log)).await?;
        let faults = Faults::default();
        let killer = functions.clone();
        faults.kill_with(move |instance| _ = killer.kill(instance));
        let services = Endpoint::new(stack.clone(), Identities::new(&stack), faults.clone())
            .with("DynamoDB_20120810", Arc::new(dynamodb.clone()))
            .with("DynamoDBStreams_20120810", Arc::new(dynamodb.clone()))
            .with("AmazonSQS", Arc::new(sqs.clone()))
            .with("TrentService", Arc::new(kms))
            .with_mail(ses.clone())
            .with_objects(s3);

        let (shutdown, stopped) = watch::channel(false);
        let stopped = move || {
            let mut stopped = stopped.clone();
            async move { _ = stopped.wait_for(|stopped| *stopped).await }
        };
        let mut servers = JoinSet::new();
        servers.spawn(services.serve(endpoint_listener, stopped()));
        servers.spawn(Gateway::new(stack.clone(), functions.clone()).serve(gateway_listener, stopped()));
        let sources = match sources {
            true => {
                let invoker = Arc::new(Invoker(functions.clone()));
                let checkpoints = data.join("checkpoints.sqlite");
                Some(Sources::start(stack.clone(), Arc::new(QueueCalls(sqs)), dynamodb, invoker, &checkpoints).await?)
            }
            false => None,
        };
        Ok(Self { stack, address, endpoint, functions, faults, ses, sources, servers, shutdown, _lock: lock })
    }

    /// What runs.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Base URL of the HTTP API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// URL of the emulated AWS services, for `--endpoint-url`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.endpoint)
    }

    /// The running functions.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// What goes wrong, for tests.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The mail that was sent.
    pub fn ses(&self) -> &Ses {
        &self.ses
    }

    /// Stops everything: first what invokes functions, then the functions, then what they call.
    pub async fn stop(mut self) {
        if let Some(sources) = self.sources.take() {
            // What takes longer is killed below; its batch is delivered again.
            _ = tokio::time::timeout(GRACE, sources.stop()).await;
        }
        self.functions.stop().await;
        self.shutdown.send_replace(true);
        while self.servers.join_next().await.is_some() {}
    }
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse(port),
        _ => error.into(),
    })
}

/// Takes the data folder for this process; the system gives it back when the process ends, however it ends.
fn lock(data: &Path) -> Result<File, StartError> {
    let unusable = |source| StartError::Data { path: data.to_owned(), source };
    std::fs::create_dir_all(data).map_err(unusable)?;
    let file = File::create(data.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::DataInUse(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Makes the queues that do not exist yet, and gives the others the attributes that the template has now.
async fn create_queues(sqs: &Sqs, stack: &Stack) -> Result<(), StartError> {
    for queue in &stack.queues {
        let refused = |source| StartError::Queue { queue: queue.logical_id.clone(), source };
        let attributes = serde_json::to_value(&queue.attributes).unwrap_or_default();
        let existing = sqs.call("GetQueueUrl", serde_json::json!({"QueueName": queue.name})).await;
        let (operation, request) = match existing {
            Ok(found) => ("SetQueueAttributes", serde_json::json!({"QueueUrl": found["QueueUrl"], "Attributes": attributes})),
            Err(_) => ("CreateQueue", serde_json::json!({"QueueName": queue.name, "Attributes": attributes})),
        };
        sqs.call(operation, request).await.map_err(refused)?;
    }
    Ok(())
}

struct QueueCalls(Sqs);

impl Queues for QueueCalls {
    fn call<'a>(&'a self, operation: &'a str, request: Value) -> BoxFuture<'a, Result<Value, ServiceError>> {
        Box::pin(self.0.call(operation, request))
    }
}

struct Invoker(Functions);

impl Invoke for Invoker {
    fn invoke<'a>(&'a self, function: &'a str, event: Bytes) -> BoxFuture<'a, InvokeOutcome> {
        Box::pin(async move {
            match self.0.invoke(function, event, None).await.outcome {
                Outcome::Reply(reply) => InvokeOutcome::Reply(reply),
                Outcome::Failed(error) => InvokeOutcome::Failed(format!("{}: {}", error.error_type, error.message)),
                Outcome::Throttled => InvokeOutcome::Throttled,
            }
        })
    }
}

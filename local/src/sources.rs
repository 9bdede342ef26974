//! Event sources: what invokes functions from queues, streams and schedules, as Lambda's event source mappings and EventBridge do.

mod batch;
mod checkpoints;
mod cron;
mod filter;
mod queue;
mod schedule;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use self::{checkpoints::Checkpoints, filter::Filters, schedule::Schedule};
use crate::{
    dynamodb::{self, DynamoDb, Trim},
    service::{ACCOUNT, ServiceError},
    stack::{Function, Stack, Table, Trigger},
};

/// How often the streams are trimmed.
const TRIM_PERIOD: Duration = Duration::from_secs(60);
/// How long the real service keeps a stream record.
const STREAM_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// SQS, as far as the event sources use it.
pub trait Queues: Send + Sync {
    /// Answers one operation (`ReceiveMessage`) in AWS JSON shapes.
    fn call<'a>(&'a self, operation: &'a str, request: Value) -> BoxFuture<'a, Result<Value, ServiceError>>;
}

/// Runs functions.
pub trait Invoke: Send + Sync {
    /// Gives the function of this logical id one event and waits for what comes of it.
    fn invoke<'a>(&'a self, function: &'a str, event: Bytes) -> BoxFuture<'a, InvokeOutcome>;
}

/// What came of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeOutcome {
    /// The function returned this JSON.
    Reply(Bytes),
    /// The function failed, crashed or took too long.
    Failed(String),
    /// The function already runs as often as it may; nothing happened.
    Throttled,
}

/// Why the event sources could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A trigger of a function is wrong or not supported.
    #[error("{function}: {reason}")]
    Trigger {
        /// Logical id of the function.
        function: String,
        /// What is wrong.
        reason: String,
    },
    /// The file of stream positions could not be used.
    #[error("cannot use the file of stream positions")]
    Checkpoints(#[from] rusqlite::Error),
    /// A stream could not be read.
    #[error(transparent)]
    DynamoDb(#[from] dynamodb::Error),
}

/// The running event sources of a stack. Dropping it cuts them off; [`Sources::stop`] lets them finish what they are at.
pub struct Sources {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What all event sources share.
#[derive(Clone)]
struct Context {
    region: String,
    queues: Arc<dyn Queues>,
    invoker: Arc<dyn Invoke>,
    stop: Stop,
}

/// Tells a task that it shall end.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The result of `work`, or `None` if the stop comes first.
    async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.0.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => None,
            result = work => Some(result),
        }
    }

    async fn sleep(&self, time: Duration) -> Option<()> {
        self.unless(tokio::time::sleep(time)).await
    }
}

impl Sources {
    /// Checks every trigger of the stack and starts those that are enabled. `checkpoints` is the file that keeps the positions in streams.
    pub async fn start(
        stack: Arc<Stack>,
        queues: Arc<dyn Queues>,
        dynamodb: DynamoDb,
        invoker: Arc<dyn Invoke>,
        checkpoints: &Path,
    ) -> Result<Self, Error> {
        let (stop, stopped) = watch::channel(false);
        let context = Context { region: stack.region.clone(), queues, invoker, stop: Stop(stopped) };
        let mut starting =
            Starting { checkpoints: Checkpoints::open(checkpoints)?, readers: BTreeMap::new(), tasks: vec![], stack: &stack, dynamodb, context };
        for function in stack.functions.values() {
            for trigger in &function.triggers {
                starting.add(function, trigger).await?;
            }
        }
        starting.trim();
        let mut tasks = JoinSet::new();
        for task in starting.tasks {
            tasks.spawn(task);
        }
        Ok(Self { stop, tasks })
    }

    /// Stops all event sources: nothing new is read, and invocations under way are waited for.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Collects the tasks, so that none runs before every trigger is known to be right.
struct Starting<'a> {
    stack: &'a Stack,
    dynamodb: DynamoDb,
    context: Context,
    checkpoints: Checkpoints,
    /// The mappings that read the stream of a table (logical id).
    readers: BTreeMap<&'a str, BTreeSet<String>>,
    tasks: Vec<BoxFuture<'static, ()>>,
}

impl<'a> Starting<'a> {
    async fn add(&mut self, function: &'a Function, trigger: &'a Trigger) -> Result<(), Error> {
        let wrong = |reason: String| Error::Trigger { function: function.logical_id.clone(), reason };
        match trigger {
            Trigger::Queue(trigger) => {
                let filters = Filters::parse(&trigger.filters).map_err(wrong)?;
                let queue = self.stack.queues.iter().find(|queue| queue.arn == trigger.queue_arn);
                let queue = queue.ok_or_else(|| wrong(format!("there is no queue {}", trigger.queue_arn)))?;
                let mapping = queue::Mapping::new(function, trigger.clone(), queue, filters, self.context.clone());
                self.run(trigger.enabled, mapping.run());
            }
            Trigger::Stream(trigger) => {
                let filters = Filters::parse(&trigger.filters).map_err(wrong)?;
                let (id, table) =
                    self.stack.tables.get_key_value(&trigger.table).ok_or_else(|| wrong(format!("there is no table {}", trigger.table)))?;
                if trigger.parallelization_factor != 1 {
                    return Err(wrong("the local cloud does not support ParallelizationFactor above 1".to_owned()));
                }
                if let Some(arn) = trigger.on_failure.as_ref().filter(|arn| self.stack.queues.iter().all(|queue| queue.arn != **arn)) {
                    return Err(wrong(format!("the failure destination {arn} is not a queue of this stack")));
                }
                let mapping = format!("{}/{}", function.logical_id, table.name);
                let position = match self.checkpoints.get(&mapping).await? {
                    Some(position) => position,
                    None if trigger.from_trim_horizon => 0,
                    None => self.dynamodb.latest(table).await?,
                };
                // Saved at once: LATEST means the first start, not each.
                self.checkpoints.set(&mapping, position).await?;
                let stream_arn = self.dynamodb.stream_arn(table).await?;
                if trigger.enabled && !self.readers.entry(id).or_default().insert(mapping.clone()) {
                    return Err(wrong(format!("more than one event source mapping reads the stream of {id}")));
                }
                let reader = stream::Mapping {
                    function: function.logical_id.clone(),
                    function_arn: format!("arn:aws:lambda:{}:{ACCOUNT}:function:{}", self.stack.region, function.name),
                    trigger: trigger.clone(),
                    table: table.clone(),
                    stream_arn,
                    filters,
                    name: mapping,
                    position,
                    checkpoints: self.checkpoints.clone(),
                    dynamodb: self.dynamodb.clone(),
                    context: self.context.clone(),
                };
                self.run(trigger.enabled, reader.run());
            }
            Trigger::Schedule(trigger) => {
                let schedule = Schedule::new(self.stack, function, trigger, self.context.clone()).map_err(wrong)?;
                self.run(trigger.enabled, schedule.run(SystemTime::now));
            }
        }
        Ok(())
    }

    fn run(&mut self, enabled: bool, task: impl Future<Output = ()> + Send + 'static) {
        if enabled {
            self.tasks.push(Box::pin(task));
        }
    }

    /// Trims each stream behind the slowest mapping that reads it; one that nothing reads keeps what the real service would.
    fn trim(&mut self) {
        let streams = self.stack.tables.iter().filter(|(_, table)| table.create["StreamSpecification"]["StreamEnabled"] == true);
        let streams: Vec<(Table, BTreeSet<String>)> =
            streams.map(|(id, table)| (table.clone(), self.readers.get(id.as_str()).cloned().unwrap_or_default())).collect();
        let (checkpoints, dynamodb, stop) = (self.checkpoints.clone(), self.dynamodb.clone(), self.context.stop.clone());
        self.run(true, async move {
            loop {
                for (table, readers) in &streams {
                    if let Err(error) = trim(table, readers, &checkpoints, &dynamodb).await {
                        tracing::warn!(table = table.name, "The stream of {} could not be trimmed: {error}", table.name);
                    }
                }
                if stop.sleep(TRIM_PERIOD).await.is_none() {
                    return;
                }
            }
        });
    }
}

async fn trim(table: &Table, readers: &BTreeSet<String>, checkpoints: &Checkpoints, dynamodb: &DynamoDb) -> Result<(), Error> {
    let mut slowest = None;
    for reader in readers {
        let position = checkpoints.get(reader).await?.unwrap_or_default();
        slowest = Some(slowest.map_or(position, |slowest: u64| slowest.min(position)));
    }
    Ok(dynamodb.trim(table, slowest.map_or(Trim::OlderThan(STREAM_RETENTION), Trim::Through)).await?)
}

/// The URL of a queue; SQS goes by its last two parts.
fn queue_url(arn: &str) -> String {
    format!("http://localhost/{ACCOUNT}/{}", arn.rsplit(':').next().unwrap_or_default())
}

/// The wait before the `n`th retry in a row (from 1): doubles from a tenth of a second up to `longest`.
fn back_off(n: u32, longest: Duration) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << n.saturating_sub(1).min(16)).min(longest)
}

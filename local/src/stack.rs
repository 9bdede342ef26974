//! The resolved template: everything that the local cloud runs, with no intrinsic function left.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

/// A stack, ready to run. Every name in it is physical (`quire-Table`), every reference an ARN, a name or a URL.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Stack name, the prefix of physical names.
    pub name: String,
    /// Region that ARNs and functions see.
    pub region: String,
    /// Functions by logical id.
    pub functions: BTreeMap<String, Function>,
    /// DynamoDB tables by logical id.
    pub tables: BTreeMap<String, Table>,
    /// SQS queues by logical id, in an order in which every dead-letter queue comes before the queue that names it.
    pub queues: Vec<Queue>,
    /// KMS keys by logical id.
    pub keys: BTreeMap<String, Key>,
    /// S3 buckets by logical id.
    pub buckets: BTreeMap<String, Bucket>,
    /// CORS of the HTTP API, if it is configured.
    pub cors: Option<Cors>,
}

/// One Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Logical id in the template, such as `RegisterUser`.
    pub logical_id: String,
    /// Physical name, such as `quire-RegisterUser`.
    pub name: String,
    /// Cargo binary that implements it, such as `register-user`.
    pub binary: String,
    /// Time that one invocation may take.
    pub timeout: Duration,
    /// Memory in MiB.
    pub memory: u32,
    /// Most concurrent instances, if the template reserves a number.
    pub reserved_concurrency: Option<u32>,
    /// Environment variables of the template, resolved.
    pub environment: BTreeMap<String, String>,
    /// What its role allows.
    pub statements: Vec<Statement>,
    /// HTTP API routes that it answers.
    pub routes: Vec<Route>,
    /// Queues, streams and schedules that invoke it.
    pub triggers: Vec<Trigger>,
}

/// One statement of an IAM policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// `Allow` (true) or `Deny`.
    pub allow: bool,
    /// Action patterns, such as `dynamodb:GetItem` or `sqs:*`.
    pub actions: Vec<String>,
    /// Resource ARN patterns.
    pub resources: Vec<String>,
    /// Conditions: operator (`ForAllValues:StringLike`) → key (`dynamodb:LeadingKeys`) → values.
    pub conditions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// One route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Upper-case method, or `ANY`.
    pub method: String,
    /// Path with `{param}` and `{proxy+}`, or `$default`.
    pub path: String,
}

/// CORS of an HTTP API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// Origins, or `*`.
    pub allow_origins: Vec<String>,
    /// Methods, or `*`.
    pub allow_methods: Vec<String>,
    /// Header names, or `*`.
    pub allow_headers: Vec<String>,
    /// Header names that scripts may read.
    pub expose_headers: Vec<String>,
    /// Seconds that a preflight may be cached.
    pub max_age: Option<u32>,
    /// Whether credentials are allowed.
    pub allow_credentials: bool,
}

/// What invokes a function besides the HTTP API.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// An SQS event source mapping.
    Queue(QueueTrigger),
    /// A DynamoDB stream event source mapping.
    Stream(StreamTrigger),
    /// An EventBridge schedule.
    Schedule(ScheduleTrigger),
}

/// An SQS event source mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueTrigger {
    /// Queue ARN.
    pub queue_arn: String,
    /// Most messages in one invocation.
    pub batch_size: usize,
    /// Time to gather a batch.
    pub batch_window: Duration,
    /// Whether the reply names the messages that failed.
    pub report_batch_item_failures: bool,
    /// Most concurrent invocations by this mapping.
    pub maximum_concurrency: Option<usize>,
    /// Filter patterns; a message passes if any matches. Empty: all pass.
    pub filters: Vec<Value>,
    /// Whether the mapping polls.
    pub enabled: bool,
}

/// A DynamoDB stream event source mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamTrigger {
    /// Logical id of the table whose stream is read.
    pub table: String,
    /// Most records in one invocation.
    pub batch_size: usize,
    /// Time to gather a batch.
    pub batch_window: Duration,
    /// `true`: from the oldest record; `false`: from now.
    pub from_trim_horizon: bool,
    /// Whether the reply names the record that failed.
    pub report_batch_item_failures: bool,
    /// Whether a failed batch is split in two.
    pub bisect_batch_on_function_error: bool,
    /// Most retries; `None` for no limit.
    pub maximum_retry_attempts: Option<u32>,
    /// Oldest record that is still tried; `None` for no limit.
    pub maximum_record_age: Option<Duration>,
    /// ARN of the queue that is told of batches given up.
    pub on_failure: Option<String>,
    /// Batches of one shard that run at once.
    pub parallelization_factor: usize,
    /// Filter patterns; a record passes if any matches. Empty: all pass.
    pub filters: Vec<Value>,
    /// Whether the mapping polls.
    pub enabled: bool,
}

/// An EventBridge schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleTrigger {
    /// Logical id of the event, such as `EveryMinute`.
    pub name: String,
    /// `rate(1 minute)` or `cron(0 3 * * ? *)`, UTC.
    pub expression: String,
    /// JSON text given as the event instead of the standard one.
    pub input: Option<String>,
    /// Whether it fires.
    pub enabled: bool,
}

/// A DynamoDB table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Physical name.
    pub name: String,
    /// ARN, as policies name it.
    pub arn: String,
    /// The `CreateTable` request, in the API's own JSON.
    pub create: Value,
    /// Attribute that holds the expiry time in epoch seconds.
    pub ttl_attribute: Option<String>,
}

/// An SQS queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Logical id.
    pub logical_id: String,
    /// Physical name; ends in `.fifo` for a FIFO queue.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// `CreateQueue` attributes in the API's own names and text values, `RedrivePolicy` as JSON text.
    pub attributes: BTreeMap<String, String>,
}

/// An S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Physical name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// Which objects are removed once they are how old.
    pub expirations: Vec<Expiration>,
}

/// A lifecycle rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiration {
    /// What the names of the objects begin with; empty for all.
    pub prefix: String,
    /// Days that they are kept.
    pub days: u32,
}

/// A KMS key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Key id, the same at every start of one stack.
    pub id: String,
    /// ARN.
    pub arn: String,
    /// Names such as `alias/quire-signing`.
    pub aliases: Vec<String>,
}

//! SQS queues, dead-letter queues first.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::json;

use super::{Resource, TemplateError, node::Node};
use crate::stack::Queue;

/// Encryption at rest and cost allocation.
const NO_EFFECT: [&str; 4] = ["KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "SqsManagedSseEnabled", "Tags"];

/// Attributes that are numbers, with their ranges.
const NUMBERS: [(&str, RangeInclusive<u32>); 5] = [
    ("DelaySeconds", 0..=900),
    ("MaximumMessageSize", 1_024..=1_048_576),
    ("MessageRetentionPeriod", 60..=1_209_600),
    ("ReceiveMessageWaitTimeSeconds", 0..=20),
    ("VisibilityTimeout", 0..=43_200),
];

/// A queue on its way into the order, and where it names its dead-letter queue.
struct Waiting {
    queue: Queue,
    dead_letters: Option<(Node, String)>,
}

/// Reads all queues.
pub(super) fn read<'a>(resources: impl Iterator<Item = &'a Resource<'a>>) -> Result<Vec<Queue>, TemplateError> {
    let mut waiting: Vec<Waiting> = resources.map(one).collect::<Result<_, _>>()?;
    check_targets(&waiting)?;
    let mut ordered: Vec<Queue> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |entry: &mut Waiting| match &entry.dead_letters {
            Some((_, arn)) => ordered.iter().any(|queue| queue.arn == *arn),
            None => true,
        };
        let ready: Vec<Queue> = waiting.extract_if(.., is_ready).map(|entry| entry.queue).collect();
        // Every target exists, so queues that never become ready wait for each other.
        if let (true, Some(Waiting { dead_letters: Some((node, _)), .. })) = (ready.is_empty(), waiting.first()) {
            return Err(node.error("dead-letter queues form a circle"));
        }
        ordered.extend(ready);
    }
    Ok(ordered)
}

fn one(resource: &Resource<'_>) -> Result<Waiting, TemplateError> {
    let texts = [("DeduplicationScope", ["messageGroup", "queue"]), ("FifoThroughputLimit", ["perQueue", "perMessageGroupId"])];
    let mut modelled = vec!["QueueName", "FifoQueue", "ContentBasedDeduplication", "RedrivePolicy"];
    modelled.extend(NUMBERS.iter().map(|(name, _)| *name));
    modelled.extend(texts.iter().map(|(name, _)| *name));
    let fields = resource.properties.fields(&modelled, &NO_EFFECT)?;

    let fifo = fields.boolean("FifoQueue")?.unwrap_or(false);
    let mut attributes = BTreeMap::new();
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    if fifo {
        set("FifoQueue", "true".to_owned());
    }
    for (name, range) in NUMBERS {
        if let Some(number) = fields.integer(name, range)? {
            set(name, number.to_string());
        }
    }
    let for_fifo_only = |node: &Node| if fifo { Ok(()) } else { Err(node.error("is for FIFO queues only")) };
    if let Some(node) = fields.get("ContentBasedDeduplication") {
        for_fifo_only(node)?;
        set("ContentBasedDeduplication", node.boolean()?.to_string());
    }
    for (name, choices) in texts {
        if let Some(node) = fields.get(name) {
            for_fifo_only(node)?;
            set(name, node.one_of(&choices)?.to_owned());
        }
    }
    let dead_letters = match fields.get("RedrivePolicy") {
        Some(policy) => {
            let policy = policy.fields(&["deadLetterTargetArn", "maxReceiveCount"], &[])?;
            let target = policy.required("deadLetterTargetArn")?;
            let arn = target.text()?.to_owned();
            let count: u32 = policy.required("maxReceiveCount")?.integer(1..=1_000)?;
            set("RedrivePolicy", json!({"deadLetterTargetArn": arn, "maxReceiveCount": count}).to_string());
            Some((target.clone(), arn))
        }
        None => None,
    };
    let physical = resource.physical;
    let queue = Queue { logical_id: resource.definition.logical_id.to_owned(), name: physical.name.clone(), arn: physical.arn.clone(), attributes };
    Ok(Waiting { queue, dead_letters })
}

fn check_targets(queues: &[Waiting]) -> Result<(), TemplateError> {
    let is_fifo = |queue: &Queue| queue.attributes.contains_key("FifoQueue");
    for entry in queues {
        let Some((node, arn)) = &entry.dead_letters else { continue };
        match queues.iter().find(|other| other.queue.arn == *arn) {
            None => return Err(node.error("is not a queue of this template")),
            Some(target) if is_fifo(&target.queue) != is_fifo(&entry.queue) => {
                return Err(node.error("the dead-letter queue of a FIFO queue, and of no other, must be a FIFO queue"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

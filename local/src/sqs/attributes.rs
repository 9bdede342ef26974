//! The attributes that a queue is set up with.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{Error, Result, refused, unsupported};

/// Name, least, most and default.
const NUMBERS: [(&str, i64, i64, i64); 5] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1024, 1_048_576, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, 43_200, 30),
];

/// Name, values (the first is the default), and whether only FIFO queues have it.
const CHOICES: [(&str, [&str; 2], bool); 4] = [
    ("SqsManagedSseEnabled", ["true", "false"], false),
    ("ContentBasedDeduplication", ["false", "true"], true),
    ("DeduplicationScope", ["queue", "messageGroup"], true),
    ("FifoThroughputLimit", ["perQueue", "perMessageGroupId"], true),
];

/// What a queue does with messages that are received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redrive {
    pub(super) target_arn: String,
    pub(super) max_receives: i64,
}

/// All settable attributes of one queue, by the names and texts of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attributes(BTreeMap<String, String>);

impl Attributes {
    pub(super) fn defaults(fifo: bool) -> Self {
        let mut all = BTreeMap::new();
        all.extend(NUMBERS.iter().map(|(name, _, _, default)| ((*name).to_owned(), default.to_string())));
        all.extend(CHOICES.iter().filter(|choice| fifo || !choice.2).map(|(name, values, _)| ((*name).to_owned(), values[0].to_owned())));
        if fifo {
            all.insert("FifoQueue".to_owned(), "true".to_owned());
        }
        Self(all)
    }

    /// From the JSON object that `json` made.
    pub(super) fn stored(value: &Value) -> Self {
        let texts = value.as_object().into_iter().flatten();
        Self(texts.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
    }

    pub(super) fn json(&self) -> Value {
        json!(self.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number of `NUMBERS`.
    pub(super) fn number(&self, name: &str) -> i64 {
        self.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    pub(super) fn redrive(&self) -> Option<Redrive> {
        self.get("RedrivePolicy").and_then(|text| redrive(text).ok())
    }

    /// Sets one attribute after checking it. The text comes in the form in which the service gives it back.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let fifo = self.0.contains_key("FifoQueue");
        let invalid = || invalid_value(name);
        let text = if let Some((_, least, most, _)) = NUMBERS.iter().find(|number| number.0 == name) {
            let number: i64 = value.parse().map_err(|_| invalid())?;
            if !(*least..=*most).contains(&number) {
                return Err(invalid());
            }
            number.to_string()
        } else if let Some((_, values, fifo_only)) = CHOICES.iter().find(|choice| choice.0 == name) {
            if *fifo_only && !fifo {
                return Err(refused("InvalidAttributeName", format!("You can specify the {name} only when FifoQueue is set to true.")));
            }
            (*values.iter().find(|choice| choice.eq_ignore_ascii_case(value)).ok_or_else(invalid)?).to_owned()
        } else {
            match name {
                "RedrivePolicy" if value.is_empty() => {
                    self.0.remove(name);
                    return Ok(());
                }
                "RedrivePolicy" => {
                    let Redrive { target_arn, max_receives } = redrive(value)?;
                    json!({"deadLetterTargetArn": target_arn, "maxReceiveCount": max_receives}).to_string()
                }
                "FifoQueue" if fifo && value == "true" => value.to_owned(),
                "FifoQueue" if fifo => return Err(invalid()),
                "Policy" | "RedriveAllowPolicy" | "KmsMasterKeyId" | "KmsDataKeyReusePeriodSeconds" => {
                    return Err(unsupported(format!("The queue attribute {name} is not supported by the local cloud.")));
                }
                _ => return Err(refused("InvalidAttributeName", format!("Unknown Attribute {name}."))),
            }
        };
        self.0.insert(name.to_owned(), text);
        Ok(())
    }

    /// What no single attribute shows.
    pub(super) fn check(&self) -> Result<()> {
        if self.get("FifoThroughputLimit") == Some("perMessageGroupId") && self.get("DeduplicationScope") != Some("messageGroup") {
            return Err(invalid_value("FifoThroughputLimit"));
        }
        Ok(())
    }
}

fn invalid_value(name: &str) -> Error {
    refused("InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

fn redrive(text: &str) -> Result<Redrive> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Policy {
        dead_letter_target_arn: String,
        max_receive_count: Value,
    }
    let policy: Policy = serde_json::from_str(text).map_err(|_| invalid_value("RedrivePolicy"))?;
    // The service takes the number as a text as well.
    let count = policy.max_receive_count.as_i64().or_else(|| policy.max_receive_count.as_str()?.parse().ok());
    let max_receives = count.filter(|count| (1..=1000).contains(count)).ok_or_else(|| invalid_value("RedrivePolicy"))?;
    Ok(Redrive { target_arn: policy.dead_letter_target_arn, max_receives })
}

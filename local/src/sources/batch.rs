//! What batches from queues and streams have in common: their size, and the function's word on which records failed.

use bytes::Bytes;
use serde_json::{Value, json};

/// Most bytes of an event.
const MAX_EVENT: usize = 6 * 1024 * 1024;

/// Adds up the size of an event.
#[derive(Default)]
pub(super) struct EventSize(usize);

impl EventSize {
    /// Whether `record` still fits into the event, which then counts as in. The first one always does.
    pub(super) fn admit(&mut self, record: &Value) -> bool {
        let size = record.to_string().len() + 1;
        let fits = self.0 == 0 || self.0 + size + "{\"Records\":[]}".len() <= MAX_EVENT;
        if fits {
            self.0 += size;
        }
        fits
    }
}

/// The event that holds these records.
pub(super) fn event<'a>(records: impl Iterator<Item = &'a Value>) -> Bytes {
    Bytes::from(json!({"Records": records.collect::<Vec<_>>()}).to_string())
}

/// The identifiers in `batchItemFailures` of a reply. An error means that the reply is malformed, so that the whole batch has failed.
pub(super) fn failed_items(reply: &[u8]) -> Result<Vec<String>, String> {
    if reply.trim_ascii().is_empty() {
        return Ok(vec![]);
    }
    let reply: Value = serde_json::from_slice(reply).map_err(|error| format!("its reply is not JSON: {error}"))?;
    let failures = match &reply {
        Value::Null => return Ok(vec![]),
        Value::Object(reply) => reply.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return Err("its reply is not a JSON object".to_owned()),
    };
    let identifier = |failure: &Value| match failure["itemIdentifier"].as_str() {
        None | Some("") => Err(format!("its reply has a batch item failure without itemIdentifier: {failure}")),
        Some(identifier) => Ok(identifier.to_owned()),
    };
    match failures {
        Value::Null => Ok(vec![]),
        Value::Array(failures) => failures.iter().map(identifier).collect(),
        _ => Err("batchItemFailures in its reply is not a list".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_or_empty_list_means_success() {
        for reply in ["", "null", "{}", r#"{"batchItemFailures": null}"#, r#"{"batchItemFailures": []}"#, r#"{"other": 1}"#] {
            assert_eq!(failed_items(reply.as_bytes()), Ok(vec![]), "{reply}");
        }
    }

    #[test]
    fn failures_are_named_by_identifier() {
        let reply = br#"{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}"#;
        assert_eq!(failed_items(reply), Ok(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn a_malformed_reply_fails_the_whole_batch() {
        let replies = [
            "not json",
            "true",
            "[]",
            r#"{"batchItemFailures": {}}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#,
            r#"{"batchItemFailures": [{"itemIdentifier": null}]}"#,
            r#"{"batchItemFailures": [{"itemidentifier": "a"}]}"#,
            r#"{"batchItemFailures": ["a"]}"#,
        ];
        for reply in replies {
            assert!(failed_items(reply.as_bytes()).is_err(), "{reply}");
        }
    }

    #[test]
    fn an_event_stays_below_six_mebibytes() {
        let record = json!("x".repeat(1024 * 1024));
        let mut size = EventSize::default();
        let count = (0..10).take_while(|_| size.admit(&record)).count();
        assert_eq!(count, 5);
        assert!(EventSize::default().admit(&json!("x".repeat(MAX_EVENT))));
    }
}

//! What all batch operations have in common.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    error::{Error, Result, coded, missing, parse, refused},
    store::{Queue, Session, take_text},
};

const MAX_ENTRIES: usize = 10;

impl Session<'_> {
    /// Does an operation for each entry. An entry that is refused fails alone.
    pub(super) fn batch(&self, mut request: Value, operation: impl Fn(&Self, &Queue, Value) -> Result<Value>) -> Result<Value> {
        let queue = self.take_queue(&mut request)?;
        let entries = read_entries(request)?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for (id, entry) in entries {
            match operation(self, &queue, entry) {
                Ok(mut result) => {
                    result["Id"] = json!(id);
                    successful.push(result);
                }
                Err(Error::Refused(error)) => {
                    let code = error.query_code.unwrap_or(error.code);
                    failed.push(json!({"Id": id, "SenderFault": true, "Code": code, "Message": error.message}));
                }
                Err(error @ Error::Storage(_)) => return Err(error),
            }
        }
        let mut reply = json!({});
        for (name, results) in [("Successful", successful), ("Failed", failed)] {
            if !results.is_empty() {
                reply[name] = json!(results);
            }
        }
        Ok(reply)
    }
}

/// The entries, each with its id taken out, after the rules for the batch as a whole.
fn read_entries(mut request: Value) -> Result<Vec<(String, Value)>> {
    let entries = request.as_object_mut().and_then(|members| members.remove("Entries")).ok_or_else(|| missing("Entries"))?;
    if let Some(unknown) = request.as_object().and_then(|members| members.keys().next()) {
        return Err(refused("SerializationException", format!("unknown field `{unknown}`")));
    }
    let entries: Vec<Value> = parse(entries)?;
    if entries.is_empty() {
        let message = "There should be at least one entry in the request.";
        return Err(coded("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", message));
    }
    if entries.len() > MAX_ENTRIES {
        let message = format!("Maximum number of entries per request are {MAX_ENTRIES}. You have sent {}.", entries.len());
        return Err(coded("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", message));
    }
    let mut seen = BTreeSet::new();
    let mut read = Vec::new();
    for mut entry in entries {
        let id = take_text(&mut entry, "Id")?.ok_or_else(|| missing("Id"))?;
        if id.is_empty() || id.len() > 80 || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
            return Err(coded("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", message));
        }
        if !seen.insert(id.clone()) {
            let message = format!("Id {id} repeated.");
            return Err(coded("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", message));
        }
        read.push((id, entry));
    }
    Ok(read)
}

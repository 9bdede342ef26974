//! Events by hand.

use std::time::{Duration, SystemTime};

use quire_tests::text;
use serde_json::{Value, json};

/// The outbox item of the event in `item`, as if it had happened this long ago: the id of an event tells its time, and the last
/// digit of the id its shard.
pub(crate) fn aged(item: &Value, age: Duration) -> Value {
    let then = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970") - age;
    let time = format!("{:012x}", then.as_millis());
    let id = format!("{}-{}{}", &time[..8], &time[8..], &text(&item["sk"]["S"])[13..]);
    let mut event: Value = serde_json::from_str(&text(&item["event"]["S"])).expect("JSON");
    event["id"] = json!(id);
    json!({"pk": item["pk"], "sk": {"S": id}, "event": {"S": event.to_string()}})
}

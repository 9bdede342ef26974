//! Rules that depend on minutes and days, with the time as an argument.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::store::Store;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const START: i64 = 1_700_000_000_000;

struct Queues {
    store: Store,
    now: i64,
    _folder: TempDir,
}

impl Queues {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sqs.db"), "eu-central-1", "http://127.0.0.1:1").unwrap();
        Self { store, now: START, _folder: folder }
    }

    fn create(&mut self, name: &str, attributes: Value) {
        self.store.apply("CreateQueue", json!({"QueueName": name, "Attributes": attributes}), self.now).unwrap();
    }

    /// Does an operation on a queue; gives its reply or the code of its error.
    fn call(&mut self, operation: &str, queue: &str, mut request: Value) -> Result<Value, &'static str> {
        request["QueueUrl"] = json!(format!("http://elsewhere:9/000000000000/{queue}"));
        self.store.apply(operation, request, self.now).map_err(|error| error.code)
    }

    fn send(&mut self, queue: &str, body: &str) -> Value {
        let mut request = json!({"MessageBody": body});
        if queue.ends_with(".fifo") {
            request["MessageGroupId"] = json!("group");
            request["MessageDeduplicationId"] = json!(body);
        }
        self.call("SendMessage", queue, request).unwrap()
    }

    fn receive(&mut self, queue: &str) -> Vec<Value> {
        let request = json!({"QueueUrl": format!("x/000000000000/{queue}"), "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]});
        self.store.receive(request, self.now).unwrap().messages
    }

    fn bodies(&mut self, queue: &str) -> Vec<String> {
        self.receive(queue).iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    }
}

fn redrive_to(queue: &str) -> Value {
    let policy = json!({"deadLetterTargetArn": format!("arn:aws:sqs:eu-central-1:000000000000:{queue}"), "maxReceiveCount": "1"});
    json!({"RedrivePolicy": policy.to_string()})
}

#[test]
fn a_message_is_forgotten_after_its_retention_period() {
    let mut queues = Queues::new();
    queues.create("q", json!({"MessageRetentionPeriod": "3600"}));
    queues.send("q", "old");
    queues.now += HOUR - 1;
    queues.send("q", "young");
    assert_eq!(queues.bodies("q"), ["old", "young"]);
    queues.now += 1;
    let reply = queues.call("GetQueueAttributes", "q", json!({"AttributeNames": ["ApproximateNumberOfMessagesNotVisible"]})).unwrap();
    assert_eq!(reply["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "1");
}

#[test]
fn the_age_of_a_message_counts_on_in_a_standard_dead_letter_queue() {
    let mut queues = Queues::new();
    queues.create("dead", json!({"MessageRetentionPeriod": "3600"}));
    queues.create("q", redrive_to("dead"));
    queues.send("q", "x");
    assert_eq!(queues.bodies("q"), ["x"]);
    queues.now += 50 * MINUTE;
    assert!(queues.bodies("q").is_empty());
    assert_eq!(queues.bodies("dead"), ["x"]);
    queues.now += 10 * MINUTE;
    assert!(queues.bodies("dead").is_empty());
}

#[test]
fn the_age_of_a_message_begins_anew_in_a_fifo_dead_letter_queue() {
    let mut queues = Queues::new();
    queues.create("dead.fifo", json!({"FifoQueue": "true", "MessageRetentionPeriod": "3600"}));
    let mut attributes = redrive_to("dead.fifo");
    attributes["FifoQueue"] = json!("true");
    queues.create("q.fifo", attributes);
    queues.send("q.fifo", "x");
    assert_eq!(queues.bodies("q.fifo"), ["x"]);
    queues.now += 50 * MINUTE;
    assert!(queues.bodies("q.fifo").is_empty());
    queues.now += 20 * MINUTE;
    assert_eq!(queues.bodies("dead.fifo"), ["x"]);
}

#[test]
fn a_deduplication_id_is_remembered_for_five_minutes() {
    let mut queues = Queues::new();
    queues.create("q.fifo", json!({"FifoQueue": "true"}));
    let first = queues.send("q.fifo", "x");
    queues.now += 5 * MINUTE - 1;
    assert_eq!(queues.send("q.fifo", "x"), first);
    queues.now += 1;
    assert_ne!(queues.send("q.fifo", "x")["MessageId"], first["MessageId"]);
    assert_eq!(queues.bodies("q.fifo"), ["x", "x"]);
}

#[test]
fn a_fifo_queue_refuses_a_handle_whose_time_is_over() {
    let mut queues = Queues::new();
    queues.create("q.fifo", json!({"FifoQueue": "true"}));
    queues.send("q.fifo", "x");
    let handle = queues.receive("q.fifo")[0]["ReceiptHandle"].clone();
    queues.now += 30 * SECOND;
    let request = json!({"ReceiptHandle": handle});
    assert_eq!(queues.call("DeleteMessage", "q.fifo", request.clone()), Err("InvalidParameterValueException"));
    let handle = queues.receive("q.fifo")[0]["ReceiptHandle"].clone();
    assert_eq!(queues.call("DeleteMessage", "q.fifo", request), Err("InvalidParameterValueException"));
    queues.call("DeleteMessage", "q.fifo", json!({"ReceiptHandle": handle})).unwrap();
    assert_eq!(queues.call("DeleteMessage", "q.fifo", json!({"ReceiptHandle": handle})), Ok(json!({})));
}

#[test]
fn a_message_stays_in_flight_for_twelve_hours_at_most() {
    let mut queues = Queues::new();
    queues.create("q", json!({"VisibilityTimeout": "43200"}));
    queues.send("q", "x");
    let handle = queues.receive("q")[0]["ReceiptHandle"].clone();
    queues.now += HOUR;
    let change = |hours: i64| json!({"ReceiptHandle": handle, "VisibilityTimeout": hours * 3600});
    assert_eq!(queues.call("ChangeMessageVisibility", "q", change(12)), Err("InvalidParameterValueException"));
    queues.call("ChangeMessageVisibility", "q", change(11)).unwrap();
}

#[test]
fn a_handle_of_another_queue_is_refused() {
    let mut queues = Queues::new();
    queues.create("q", json!({}));
    queues.create("other", json!({}));
    queues.send("q", "x");
    let handle = queues.receive("q")[0]["ReceiptHandle"].clone();
    assert_eq!(queues.call("DeleteMessage", "other", json!({"ReceiptHandle": handle})), Err("ReceiptHandleIsInvalid"));
}

#[test]
fn a_queue_can_be_purged_once_a_minute() {
    let mut queues = Queues::new();
    queues.create("q", json!({}));
    queues.call("PurgeQueue", "q", json!({})).unwrap();
    queues.now += MINUTE - 1;
    assert_eq!(queues.call("PurgeQueue", "q", json!({})), Err("PurgeQueueInProgress"));
    queues.now += 1;
    queues.call("PurgeQueue", "q", json!({})).unwrap();
}

#[test]
fn a_move_task_keeps_to_its_rate() {
    let mut queues = Queues::new();
    queues.create("dead", json!({}));
    queues.create("q", redrive_to("dead"));
    for number in 0..8 {
        queues.send("dead", &number.to_string());
    }
    let arn = |queue: &str| format!("arn:aws:sqs:eu-central-1:000000000000:{queue}");
    let request = json!({"SourceArn": arn("dead"), "DestinationArn": arn("q"), "MaxNumberOfMessagesPerSecond": 2});
    queues.store.apply("StartMessageMoveTask", request, queues.now).unwrap();
    let mut moved = Vec::new();
    for _ in 0..4 {
        assert!(queues.store.advance_moves(queues.now).unwrap().is_some());
        moved.push(queues.bodies("q").len());
        queues.now += SECOND;
    }
    assert_eq!(moved, [1, 2, 2, 2]);
    assert!(queues.store.advance_moves(queues.now).unwrap().is_none());
    assert_eq!(queues.bodies("q"), ["7"]);
    let tasks = queues.store.apply("ListMessageMoveTasks", json!({"SourceArn": arn("dead")}), queues.now).unwrap();
    assert_eq!((&tasks["Results"][0]["Status"], &tasks["Results"][0]["ApproximateNumberOfMessagesMoved"]), (&json!("COMPLETED"), &json!(8)));
}

#[test]
fn a_file_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sqs.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&path, "eu-central-1", "http://127.0.0.1:1").err().unwrap();
    assert!(error.to_string().contains("99"), "{error}");
}

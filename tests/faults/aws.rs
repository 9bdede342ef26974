//! Calls to the emulated AWS services as they are on the wire, and what the table and the queues hold.

use quire_local::identity::DEVELOPER_ACCESS_KEY;
use quire_tests::{Quire, Reply, send, text};
use serde_json::{Value, json};

/// Calls an operation such as `AmazonSQS.SendMessage` with an access key and a session token; the signature is not checked.
pub(crate) async fn call_as(endpoint: &str, (key, session): (&str, &str), target: &str, request: &Value) -> Reply {
    let authorization = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/any/any/aws4_request, SignedHeaders=host, Signature=0");
    let call = reqwest::Client::new().post(endpoint).header("authorization", authorization).header("x-amz-target", target);
    send(call.header("x-amz-security-token", session).json(request)).await
}

/// Calls an operation as a person at this machine, who may do everything.
pub(crate) async fn call(quire: &Quire, target: &str, request: &Value) -> Value {
    call_as(&quire.cloud().endpoint_url(), (DEVELOPER_ACCESS_KEY, ""), target, request).await.expect(200)
}

/// All items whose partition key begins so.
pub(crate) async fn items(quire: &Quire, prefix: &str) -> Vec<Value> {
    let request = json!({
        "TableName": quire.table(),
        "ConsistentRead": true,
        "FilterExpression": "begins_with(pk, :prefix)",
        "ExpressionAttributeValues": {":prefix": {"S": prefix}},
    });
    let page = call(quire, "DynamoDB_20120810.Scan", &request).await;
    assert_eq!(page.get("LastEvaluatedKey"), None, "one page holds everything");
    page["Items"].as_array().cloned().unwrap_or_default()
}

/// Puts items into the table, all at once.
pub(crate) async fn put(quire: &Quire, items: &[Value]) {
    let put = |item: &Value| json!({"Put": {"TableName": quire.table(), "Item": item}});
    let request = json!({"TransactItems": items.iter().map(put).collect::<Vec<_>>()});
    call(quire, "DynamoDB_20120810.TransactWriteItems", &request).await;
}

/// Removes an item from the table.
pub(crate) async fn delete(quire: &Quire, item: &Value) {
    let request = json!({"TableName": quire.table(), "Key": {"pk": item["pk"], "sk": item["sk"]}});
    call(quire, "DynamoDB_20120810.DeleteItem", &request).await;
}

/// Sends messages to a queue, all at once.
pub(crate) async fn send_messages(quire: &Quire, queue: &str, bodies: &[String]) {
    let entries: Vec<_> = bodies.iter().enumerate().map(|(n, body)| json!({"Id": n.to_string(), "MessageBody": body})).collect();
    let request = json!({"QueueUrl": quire.queue_url(queue), "Entries": entries});
    let reply = call(quire, "AmazonSQS.SendMessageBatch", &request).await;
    assert_eq!(reply["Successful"].as_array().map(Vec::len), Some(bodies.len()), "{reply}");
}

/// Sets one attribute of a queue.
pub(crate) async fn set_queue(quire: &Quire, queue: &str, attribute: &str, value: &str) {
    let request = json!({"QueueUrl": quire.queue_url(queue), "Attributes": {attribute: value}});
    call(quire, "AmazonSQS.SetQueueAttributes", &request).await;
}

/// How many messages a queue holds, whether somebody has them at the moment or not.
pub(crate) async fn count(quire: &Quire, queue: &str) -> usize {
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let request = json!({"QueueUrl": quire.queue_url(queue), "AttributeNames": names});
    let reply = call(quire, "AmazonSQS.GetQueueAttributes", &request).await;
    names.iter().map(|name| text(&reply["Attributes"][name]).parse::<usize>().expect("a number")).sum()
}

/// Takes up to ten messages out of a queue.
pub(crate) async fn take(quire: &Quire, queue: &str) -> Vec<String> {
    let url = quire.queue_url(queue);
    let reply = call(quire, "AmazonSQS.ReceiveMessage", &json!({"QueueUrl": url, "MaxNumberOfMessages": 10})).await;
    let mut bodies = Vec::new();
    for message in reply["Messages"].as_array().into_iter().flatten() {
        call(quire, "AmazonSQS.DeleteMessage", &json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]})).await;
        bodies.push(text(&message["Body"]));
    }
    bodies
}

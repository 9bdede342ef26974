//! The queues as the official client sees them.

mod batches;
mod fifo;
mod messages;
mod queues;
mod redrive;
#[path = "../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    types::{Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName},
};
use md5::{Digest, Md5};
use quire_local::sqs::Sqs;
use serde_json::json;

use self::support::{Cloud, DEADLINE, REGION, arn, code, create};

async fn send(client: &Client, url: &str, body: &str) -> String {
    client.send_message().queue_url(url).message_body(body).send().await.unwrap().message_id.unwrap()
}

async fn send_fifo(client: &Client, url: &str, group: &str, dedup: &str, body: &str) -> (String, String) {
    let request = client.send_message().queue_url(url).message_body(body).message_group_id(group).message_deduplication_id(dedup);
    let sent = request.send().await.unwrap();
    (sent.message_id.unwrap(), sent.sequence_number.unwrap())
}

/// Up to ten messages with all their attributes, hidden for `hidden` seconds.
async fn receive(client: &Client, url: &str, hidden: i32, wait: i32) -> Vec<Message> {
    let request = client.receive_message().queue_url(url).max_number_of_messages(10).visibility_timeout(hidden).wait_time_seconds(wait);
    let request = request.message_system_attribute_names(MessageSystemAttributeName::All).message_attribute_names("All");
    request.send().await.unwrap().messages.unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

fn system(message: &Message, name: MessageSystemAttributeName) -> Option<&str> {
    message.attributes()?.get(&name).map(String::as_str)
}

fn receives(message: &Message) -> &str {
    system(message, MessageSystemAttributeName::ApproximateReceiveCount).unwrap()
}

async fn delete(client: &Client, url: &str, message: &Message) {
    client.delete_message().queue_url(url).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
}

async fn hide(client: &Client, url: &str, message: &Message, seconds: i32) {
    let request = client.change_message_visibility().queue_url(url).receipt_handle(message.receipt_handle().unwrap());
    request.visibility_timeout(seconds).send().await.unwrap();
}

async fn attribute(client: &Client, url: &str, name: QueueAttributeName) -> Option<String> {
    let reply = client.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.unwrap();
    reply.attributes.and_then(|mut attributes| attributes.remove(&name))
}

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

fn redrive_to(queue: &str, max_receives: u32) -> String {
    json!({"deadLetterTargetArn": arn(queue), "maxReceiveCount": max_receives}).to_string()
}

/// A queue `source` that gives up after `max_receives`, and its dead-letter queue.
async fn create_pair(client: &Client, max_receives: u32) -> (String, String) {
    let dead = create(client, "dead", &[]).await;
    (create(client, "source", &[("RedrivePolicy", &redrive_to("dead", max_receives))]).await, dead)
}

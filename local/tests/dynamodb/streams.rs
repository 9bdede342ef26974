//! Streams, their trimming, and the deletion of expired items.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use quire_local::dynamodb::Trim;
use serde_json::json;

use crate::{get, item, names, open, put, put_new, s};

const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn stream_records_have_the_form_that_a_function_gets() {
    let folder = tempfile::tempdir().unwrap();
    let (database, client, table) = open(&folder.path().join("db")).await;
    put(&client, "p", "s", "one").await;
    put(&client, "p", "s", "two").await;
    client.delete_item().table_name("quire-Table").key("pk", s("p")).key("sk", s("s")).send().await.unwrap();

    let records = database.stream(&table, 0, 10).await.unwrap();
    assert_eq!(names(&records), ["INSERT", "MODIFY", "REMOVE"]);
    assert!(records.is_sorted_by(|a, b| a.sequence < b.sequence));
    let event = &records[1].event;
    assert_eq!(event["eventSource"], "aws:dynamodb");
    assert_eq!(event["eventVersion"], "1.1");
    assert_eq!(event["awsRegion"], "eu-west-1");
    assert!(event["eventSourceARN"].as_str().unwrap().starts_with("arn:aws:dynamodb:eu-west-1:000000000000:table/quire-Table/stream/"));
    assert_eq!(event["eventID"].as_str().unwrap().len(), 32);
    let change = &event["dynamodb"];
    assert_eq!(change["Keys"], json!({"pk": {"S": "p"}, "sk": {"S": "s"}}));
    assert_eq!(change["NewImage"]["text"], json!({"S": "two"}));
    assert_eq!(change["OldImage"]["text"], json!({"S": "one"}));
    assert_eq!(change["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert_eq!(change["SequenceNumber"], (records[1].sequence as u128 + 100_000_000_000_000_000_000).to_string());
    assert!(change["ApproximateCreationDateTime"].is_u64());

    assert_eq!(database.stream(&table, records[0].sequence, 1).await.unwrap(), records[1..2]);
    assert_eq!(database.latest(&table).await.unwrap(), records[2].sequence);
    assert_eq!(database.stream(&table, records[2].sequence, 1).await.unwrap(), []);
}

#[tokio::test]
async fn each_write_wakes_those_who_wait_for_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (database, client, table) = open(&folder.path().join("db")).await;
    let mut changes = database.changes();
    for n in 0..3 {
        assert!(!changes.has_changed().unwrap());
        put(&client, "p", &n.to_string(), "x").await;
        tokio::time::timeout(DEADLINE, changes.changed()).await.unwrap().unwrap();
        assert_eq!(database.stream(&table, 0, 10).await.unwrap().len(), n + 1);
        get(&client, "p", "0").await;
    }
}

#[tokio::test]
async fn trimming_leaves_the_newest_record_and_numbers_keep_rising() {
    let folder = tempfile::tempdir().unwrap();
    let (database, client, table) = open(&folder.path().join("db")).await;
    for n in 0..5 {
        put(&client, "p", &n.to_string(), "x").await;
    }
    let all = database.stream(&table, 0, 10).await.unwrap();
    database.trim(&table, Trim::OlderThan(Duration::from_secs(3600))).await.unwrap();
    assert_eq!(database.stream(&table, 0, 10).await.unwrap().len(), 5);
    database.trim(&table, Trim::Through(all[1].sequence)).await.unwrap();
    assert_eq!(database.stream(&table, 0, 10).await.unwrap(), all[2..]);
    database.trim(&table, Trim::Through(u64::MAX)).await.unwrap();
    assert_eq!(database.stream(&table, 0, 10).await.unwrap(), all[4..]);

    put(&client, "p", "next", "x").await;
    let rest = database.stream(&table, all[4].sequence, 10).await.unwrap();
    assert_eq!(rest.len(), 1);
    database.trim(&table, Trim::OlderThan(Duration::ZERO)).await.unwrap();
    assert_eq!(database.stream(&table, 0, 10).await.unwrap(), rest);
}

#[tokio::test]
async fn trimming_fails_no_write_that_comes_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let (database, client, table) = open(&folder.path().join("db")).await;
    let writers = (0..8).map(|writer| {
        let client = client.clone();
        tokio::spawn(async move {
            for n in 0..25 {
                put(&client, &writer.to_string(), &n.to_string(), "x").await;
                let new = put_new(&format!("{writer} {n}"), ReturnValuesOnConditionCheckFailure::None);
                client.transact_write_items().transact_items(new).send().await.unwrap();
            }
        })
    });
    let writers = futures::future::join_all(writers);
    let trims = async {
        loop {
            database.trim(&table, Trim::Through(u64::MAX)).await.unwrap();
        }
    };
    tokio::select! {
        results = writers => results.into_iter().for_each(|result| result.unwrap()),
        () = trims => {}
    }
    database.trim(&table, Trim::Through(u64::MAX)).await.unwrap();
    assert_eq!(database.stream(&table, 0, 1000).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_engine_numbers_and_reads_records_by_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let (_database, _, _) = open(&path).await;
    let connection = rusqlite::Connection::open(&path).unwrap();
    for query in [
        "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = 't'",
        "SELECT * FROM _stream_records WHERE table_name = 't' AND shard_id = 's' AND CAST(sequence_number AS INTEGER) > 1
         ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT 5",
    ] {
        let plan: String = connection.query_row(&format!("EXPLAIN QUERY PLAN {query}"), [], |row| row.get(3)).unwrap();
        assert!(plan.contains("quire_stream_order"), "{plan}");
    }
}

#[tokio::test]
async fn expired_items_are_deleted_in_the_name_of_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let (database, client, _) = open(&path).await;
    let hour_ago = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 3600;
    let mut expired = item("expired", "a", "x");
    expired.insert("expiresAt".to_owned(), AttributeValue::N(hour_ago.to_string()));
    client.put_item().table_name("quire-Table").set_item(Some(expired)).send().await.unwrap();
    let mut kept = item("kept", "a", "x");
    kept.insert("expiresAt".to_owned(), AttributeValue::N((hour_ago + 7200).to_string()));
    client.put_item().table_name("quire-Table").set_item(Some(kept)).send().await.unwrap();
    drop((database, client));

    // The first sweep is at the start.
    let (database, client, table) = open(&path).await;
    let mut changes = database.changes();
    let removed = async {
        loop {
            changes.borrow_and_update();
            if let Some(record) = database.stream(&table, 0, 10).await.unwrap().get(2) {
                return record.clone();
            }
            changes.changed().await.unwrap();
        }
    };
    let removed = tokio::time::timeout(DEADLINE, removed).await.unwrap();
    assert_eq!(removed.event["eventName"], "REMOVE");
    assert_eq!(removed.event["userIdentity"], json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"}));
    assert_eq!(get(&client, "expired", "a").await, None);
    assert!(get(&client, "kept", "a").await.is_some());
}

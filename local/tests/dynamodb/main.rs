//! The embedded DynamoDB through the official client: what the functions depend on, and what this crate adds to the engine.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
};
use quire_local::{
    dynamodb::{DynamoDb, Error, Record},
    stack::{Stack, Table},
};
use serde_json::{Value, json};

#[path = "../support/serve.rs"]
mod serve;
mod streams;

fn stack(create: Value) -> Stack {
    let name = create["TableName"].as_str().unwrap().to_owned();
    let arn = format!("arn:aws:dynamodb:eu-west-1:000000000000:table/{name}");
    let table = Table { name, arn, create, ttl_attribute: Some("expiresAt".to_owned()) };
    Stack {
        name: "quire".to_owned(),
        region: "eu-west-1".to_owned(),
        functions: BTreeMap::new(),
        tables: BTreeMap::from([("Table".to_owned(), table)]),
        queues: vec![],
        keys: BTreeMap::new(),
        buckets: BTreeMap::new(),
        cors: None,
    }
}

fn create(view: &str) -> Value {
    json!({
        "TableName": "quire-Table",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": view},
        "DeletionProtectionEnabled": true,
    })
}

pub(crate) async fn open(path: &Path) -> (DynamoDb, Client, Table) {
    let stack = stack(create("NEW_AND_OLD_IMAGES"));
    let database = DynamoDb::open(path).await.unwrap();
    database.ensure(&stack).await.unwrap();
    let client = client(database.clone()).await;
    (database, client, stack.tables["Table"].clone())
}

async fn client(database: DynamoDb) -> Client {
    let address = serve::serve(database).await;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(Credentials::new("quire", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(serve::http_client())
        .build();
    Client::from_conf(config)
}

pub(crate) fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn item(pk: &str, sk: &str, text: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk)), ("text".to_owned(), s(text))])
}

pub(crate) async fn put(client: &Client, pk: &str, sk: &str, text: &str) {
    client.put_item().table_name("quire-Table").set_item(Some(item(pk, sk, text))).send().await.unwrap();
}

pub(crate) async fn get(client: &Client, pk: &str, sk: &str) -> Option<HashMap<String, AttributeValue>> {
    let request = client.get_item().table_name("quire-Table").key("pk", s(pk)).key("sk", s(sk)).consistent_read(true);
    request.send().await.unwrap().item
}

pub(crate) fn put_new(pk: &str, returns: ReturnValuesOnConditionCheckFailure) -> TransactWriteItem {
    let put = Put::builder().table_name("quire-Table").set_item(Some(item(pk, "a", "new"))).condition_expression("attribute_not_exists(pk)");
    TransactWriteItem::builder().put(put.return_values_on_condition_check_failure(returns).build().unwrap()).build()
}

async fn cancelled(client: &Client, items: Vec<TransactWriteItem>) -> Vec<CancellationReason> {
    match client.transact_write_items().set_transact_items(Some(items)).send().await.unwrap_err().into_service_error() {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled.cancellation_reasons.unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn names(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.event["eventName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_transaction_that_fails_names_the_reason_for_each_item_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_, client, _) = open(&folder.path().join("db")).await;
    put(&client, "taken", "a", "old").await;

    let reasons = cancelled(
        &client,
        vec![
            put_new("free", ReturnValuesOnConditionCheckFailure::AllOld),
            put_new("taken", ReturnValuesOnConditionCheckFailure::AllOld),
            put_new("also free", ReturnValuesOnConditionCheckFailure::None),
        ],
    )
    .await;
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "None"]);
    assert_eq!(reasons[1].item(), Some(&item("taken", "a", "old")));
    assert_eq!(reasons[1].message(), Some("The conditional request failed"));
    assert_eq!(reasons[0].item(), None);
    assert_eq!(get(&client, "free", "a").await, None);

    let absent = |builder: aws_sdk_dynamodb::types::builders::ConditionCheckBuilder| {
        let check = builder.table_name("quire-Table").condition_expression("attribute_exists(pk)").build().unwrap();
        TransactWriteItem::builder().condition_check(check).build()
    };
    let delete = Delete::builder().table_name("quire-Table").key("pk", s("taken")).key("sk", s("a"));
    let delete = delete.condition_expression("#t = :t").expression_attribute_names("#t", "text").expression_attribute_values(":t", s("other"));
    let check = absent(ConditionCheck::builder().key("pk", s("absent")).key("sk", s("a")));
    let reasons = cancelled(&client, vec![check, TransactWriteItem::builder().delete(delete.build().unwrap()).build()]).await;
    let codes: Vec<_> = reasons.iter().map(|reason| (reason.code().unwrap(), reason.item())).collect();
    assert_eq!(codes, [("ConditionalCheckFailed", None), ("ConditionalCheckFailed", None)]);
}

#[tokio::test]
async fn a_client_token_makes_a_transaction_happen_once() {
    let folder = tempfile::tempdir().unwrap();
    let (database, client, table) = open(&folder.path().join("db")).await;
    let send = |pk: &str| {
        let request = client.transact_write_items().client_request_token("token");
        request.transact_items(put_new(pk, ReturnValuesOnConditionCheckFailure::None)).send()
    };
    send("one").await.unwrap();
    send("one").await.unwrap();
    let error = send("two").await.unwrap_err().into_service_error();
    assert!(error.is_idempotent_parameter_mismatch_exception(), "{error:?}");
    assert_eq!(names(&database.stream(&table, 0, 10).await.unwrap()), ["INSERT"]);
}

#[tokio::test]
async fn of_concurrent_conditional_puts_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (_, client, _) = open(&folder.path().join("db")).await;
    let attempts = (0..50).map(|n| {
        let request = client.put_item().table_name("quire-Table").set_item(Some(item("contested", "a", &n.to_string())));
        tokio::spawn(request.condition_expression("attribute_not_exists(pk)").send())
    });
    let mut won = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert!(error.into_service_error().is_conditional_check_failed_exception()),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn of_concurrent_transactions_on_one_claim_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (_, client, _) = open(&folder.path().join("db")).await;
    let attempts = (0..30).map(|n| {
        let own = put_new(&format!("own {n}"), ReturnValuesOnConditionCheckFailure::None);
        let claim = put_new("claim", ReturnValuesOnConditionCheckFailure::None);
        tokio::spawn(client.transact_write_items().transact_items(own).transact_items(claim).send())
    });
    let mut won = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        won += usize::from(attempt.await.unwrap().is_ok());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_query_pages_in_both_directions_and_reports_capacity() {
    let folder = tempfile::tempdir().unwrap();
    let (_, client, _) = open(&folder.path().join("db")).await;
    for n in 0..5 {
        put(&client, "list", &format!("a#{n}"), "x").await;
    }
    put(&client, "list", "b", "x").await;
    for (forward, expected) in [(true, ["a#0", "a#1", "a#2", "a#3", "a#4"]), (false, ["a#4", "a#3", "a#2", "a#1", "a#0"])] {
        let (mut found, mut start, mut pages) = (vec![], None, 0);
        loop {
            let request = client.query().table_name("quire-Table").consistent_read(true).scan_index_forward(forward).limit(2);
            let request =
                request.key_condition_expression("pk = :pk AND begins_with(sk, :sk)").return_consumed_capacity(ReturnConsumedCapacity::Total);
            let request = request.expression_attribute_values(":pk", s("list")).expression_attribute_values(":sk", s("a#"));
            let page = request.set_exclusive_start_key(start).send().await.unwrap();
            assert_eq!(page.consumed_capacity().unwrap().capacity_units(), Some(if page.count() == 0 { 0.5 } else { 1.0 }));
            found.extend(page.items().iter().map(|item| item["sk"].as_s().unwrap().clone()));
            pages += 1;
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
        assert_eq!(pages, 3);
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let (database, client, table) = open(&path).await;
    put(&client, "kept", "a", "x").await;
    let before = database.latest(&table).await.unwrap();
    drop((database, client));

    let (database, client, table) = open(&path).await;
    assert_eq!(get(&client, "kept", "a").await, Some(item("kept", "a", "x")));
    put(&client, "kept", "b", "x").await;
    let records = database.stream(&table, before, 10).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].event["dynamodb"]["Keys"]["sk"]["S"], "b");
}

#[tokio::test]
async fn a_table_in_another_form_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let (database, _, _) = open(&path).await;
    database.ensure(&stack(create("NEW_AND_OLD_IMAGES"))).await.unwrap();

    let mut keys = create("NEW_AND_OLD_IMAGES");
    keys["KeySchema"] = json!([{"AttributeName": "pk", "KeyType": "HASH"}]);
    let mut index = create("NEW_AND_OLD_IMAGES");
    index["GlobalSecondaryIndexes"] = json!([{"IndexName": "i", "KeySchema": keys["KeySchema"], "Projection": {"ProjectionType": "ALL"}}]);
    for (changed, part) in [(create("NEW_IMAGE"), "StreamSpecification"), (keys, "KeySchema"), (index, "GlobalSecondaryIndexes")] {
        let error = database.ensure(&stack(changed)).await.unwrap_err();
        assert!(matches!(&error, Error::Changed { part: found, .. } if *found == part), "{error:?}");
        assert!(error.to_string().contains("--fresh"));
    }
    let mut nonsense = create("NEW_IMAGE");
    nonsense["TableName"] = json!("other");
    nonsense["BillingMode"] = json!("NONSENSE");
    let error = database.ensure(&stack(nonsense)).await.unwrap_err();
    assert!(error.to_string().contains("ValidationException"), "{error}");
}

#[tokio::test]
async fn a_table_with_indexes_is_the_same_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut with_index = create("KEYS_ONLY");
    with_index["AttributeDefinitions"].as_array_mut().unwrap().push(json!({"AttributeName": "text", "AttributeType": "S"}));
    with_index["GlobalSecondaryIndexes"] = json!([{
        "IndexName": "byText", "KeySchema": [{"AttributeName": "text", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["b", "a"]},
    }]);
    with_index["LocalSecondaryIndexes"] = json!([{
        "IndexName": "local", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "text", "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "ALL"},
    }]);
    for _ in 0..2 {
        DynamoDb::open(&folder.path().join("db")).await.unwrap().ensure(&stack(with_index.clone())).await.unwrap();
    }
}

/// Set in the child process of the test below: the database that it fills until it is killed.
const CHILD: &str = "QUIRE_TEST_DATABASE_OF_CHILD";

#[tokio::test]
async fn every_acknowledged_write_survives_a_kill_of_the_process() {
    if let Some(path) = std::env::var_os(CHILD) {
        let (_database, client, _) = open(Path::new(&path)).await;
        for n in 0.. {
            put(&client, "acknowledged", &n.to_string(), "x").await;
            println!("\nwrote {n}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "every_acknowledged_write_survives_a_kill_of_the_process", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "wrote 50"));
    child.kill().unwrap();
    child.wait().unwrap();
    let last = lines.filter_map(|line| line.strip_prefix("wrote ")?.parse().ok()).last().unwrap_or(50usize);

    let (database, client, table) = open(&path).await;
    for n in 0..=last {
        assert!(get(&client, "acknowledged", &n.to_string()).await.is_some(), "{n} of {last}");
    }
    assert!(database.stream(&table, 0, 1000).await.unwrap().len() > last);
}

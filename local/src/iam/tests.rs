//! Tests of accesses, statements and wildcards.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Access, accesses, authorize, is_operator, wildcard};
use crate::stack::{Bucket, Key, Stack, Statement, Table};

const TABLE: &str = "arn:aws:dynamodb:eu-west-1:000000000000:table/quire-Table";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:000000000000:quire-Jobs";
const KEY: &str = "arn:aws:kms:eu-west-1:000000000000:key/1234";

fn stack() -> Stack {
    let create = json!({
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [{"IndexName": "byOwner", "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}]}],
        "LocalSecondaryIndexes": [{"IndexName": "byDate", "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}],
    });
    let table = Table { name: "quire-Table".to_owned(), arn: TABLE.to_owned(), create, ttl_attribute: None };
    let key = Key { id: "1234".to_owned(), arn: KEY.to_owned(), aliases: vec!["alias/signing".to_owned()] };
    let bucket = Bucket { name: "quire-files".to_owned(), arn: "arn:aws:s3:::quire-files".to_owned(), expirations: Vec::new() };
    Stack {
        name: "quire".to_owned(),
        region: "eu-west-1".to_owned(),
        functions: BTreeMap::new(),
        tables: [("Table".to_owned(), table)].into(),
        queues: Vec::new(),
        keys: [("Key".to_owned(), key)].into(),
        buckets: [("Files".to_owned(), bucket)].into(),
        cors: None,
    }
}

fn access(action: &str, resource: &str, leading_keys: &[&str]) -> Access {
    let mut context = BTreeMap::new();
    if !leading_keys.is_empty() {
        context.insert("dynamodb:LeadingKeys".to_owned(), owned(leading_keys));
    }
    Access { action: action.to_owned(), resource: resource.to_owned(), context }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn allow(action: &str, resource: &str) -> Statement {
    Statement { allow: true, actions: owned(&[action]), resources: owned(&[resource]), conditions: BTreeMap::new() }
}

fn only(statement: Statement, operator: &str, leading_keys: &[&str]) -> Statement {
    let keys = [("dynamodb:LeadingKeys".to_owned(), owned(leading_keys))].into();
    Statement { conditions: [(operator.to_owned(), keys)].into(), ..statement }
}

fn key(pk: &str) -> Value {
    json!({"pk": {"S": pk}, "sk": {"S": "x"}})
}

#[test]
fn dynamodb_calls_need_their_action_on_the_table_with_the_keys_they_touch() {
    let index = format!("{TABLE}/index/byOwner");
    let cases = [
        ("GetItem", json!({"TableName": "quire-Table", "Key": key("A")}), vec![access("dynamodb:GetItem", TABLE, &["A"])]),
        ("GetItem", json!({"TableName": TABLE, "Key": {"pk": {"N": "7"}}}), vec![access("dynamodb:GetItem", TABLE, &["7"])]),
        ("PutItem", json!({"TableName": "quire-Table", "Item": key("A")}), vec![access("dynamodb:PutItem", TABLE, &["A"])]),
        ("UpdateItem", json!({"TableName": "quire-Table", "Key": key("A")}), vec![access("dynamodb:UpdateItem", TABLE, &["A"])]),
        ("DeleteItem", json!({"TableName": "quire-Table", "Key": key("A")}), vec![access("dynamodb:DeleteItem", TABLE, &["A"])]),
        ("Scan", json!({"TableName": "quire-Table"}), vec![access("dynamodb:Scan", TABLE, &[])]),
        ("Scan", json!({"TableName": "quire-Table", "IndexName": "byOwner"}), vec![access("dynamodb:Scan", &index, &[])]),
        ("DescribeTable", json!({"TableName": "quire-Table"}), vec![access("dynamodb:DescribeTable", TABLE, &[])]),
        ("ExecuteStatement", json!({"Statement": "SELECT * FROM x"}), vec![access("dynamodb:ExecuteStatement", "*", &[])]),
        ("GetItem", json!({"Key": key("A")}), vec![access("dynamodb:GetItem", "*", &[])]),
        (
            "BatchGetItem",
            json!({"RequestItems": {"quire-Table": {"Keys": [key("A"), key("B")]}}}),
            vec![access("dynamodb:BatchGetItem", TABLE, &["A", "B"])],
        ),
        (
            "BatchWriteItem",
            json!({"RequestItems": {"quire-Table": [{"PutRequest": {"Item": key("A")}}, {"DeleteRequest": {"Key": key("B")}}]}}),
            vec![access("dynamodb:BatchWriteItem", TABLE, &["A", "B"])],
        ),
        (
            "TransactGetItems",
            json!({"TransactItems": [{"Get": {"TableName": "quire-Table", "Key": key("A")}}, {"Get": {"TableName": "quire-Table", "Key": key("B")}}]}),
            vec![access("dynamodb:GetItem", TABLE, &["A"]), access("dynamodb:GetItem", TABLE, &["B"])],
        ),
        (
            "TransactWriteItems",
            json!({"TransactItems": [
                {"Put": {"TableName": "quire-Table", "Item": key("A")}},
                {"Update": {"TableName": "quire-Table", "Key": key("B")}},
                {"Delete": {"TableName": "quire-Table", "Key": key("C")}},
                {"ConditionCheck": {"TableName": "quire-Table", "Key": key("D")}},
            ]}),
            vec![
                access("dynamodb:PutItem", TABLE, &["A"]),
                access("dynamodb:UpdateItem", TABLE, &["B"]),
                access("dynamodb:DeleteItem", TABLE, &["C"]),
                access("dynamodb:ConditionCheckItem", TABLE, &["D"]),
            ],
        ),
    ];
    for (operation, request, expected) in cases {
        assert_eq!(accesses(&stack(), "dynamodb", operation, &request), expected, "{operation} {request}");
    }
}

#[test]
fn the_key_of_a_query_is_found_in_every_form_of_its_condition() {
    let cases = [
        ("pk = :pk", "A"),
        ("#pk = :pk", "A"),
        ("#pk=:pk", "A"),
        (":pk = #pk", "A"),
        ("(#pk = :pk) AND begins_with(#sk, :sk)", "A"),
        ("#sk >= :sk AND #pk = :pk", "A"),
        ("#sk = :sk and #pk = :pk", "A"),
        ("#pk = :pk AND sk BETWEEN :sk AND :pk", "A"),
        // What names no partition key must not pass as a query that touches none.
        ("#sk = :sk", ""),
        ("pk >= :pk", ""),
        ("pk = :missing", ""),
    ];
    for (condition, expected) in cases {
        let request = json!({
            "TableName": "quire-Table",
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
            "ExpressionAttributeValues": {":pk": {"S": "A"}, ":sk": {"S": "B"}},
        });
        assert_eq!(accesses(&stack(), "dynamodb", "Query", &request), [access("dynamodb:Query", TABLE, &[expected])], "{condition}");
    }
}

#[test]
fn a_query_of_an_index_touches_the_partition_key_of_the_index() {
    let values = json!({":v": {"S": "A"}});
    for (index, condition, leading_key) in [("byOwner", "owner = :v", "A"), ("byOwner", "pk = :v", ""), ("byDate", "pk = :v", "A")] {
        let request =
            json!({"TableName": "quire-Table", "IndexName": index, "KeyConditionExpression": condition, "ExpressionAttributeValues": values});
        let expected = access("dynamodb:Query", &format!("{TABLE}/index/{index}"), &[leading_key]);
        assert_eq!(accesses(&stack(), "dynamodb", "Query", &request), [expected]);
    }
}

#[test]
fn sqs_calls_need_their_action_on_the_queue() {
    let url = json!({"QueueUrl": "http://127.0.0.1:4000/000000000000/quire-Jobs"});
    for (operation, action) in [
        ("SendMessage", "sqs:SendMessage"),
        ("SendMessageBatch", "sqs:SendMessage"),
        ("DeleteMessageBatch", "sqs:DeleteMessage"),
        ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"),
        ("ReceiveMessage", "sqs:ReceiveMessage"),
    ] {
        assert_eq!(accesses(&stack(), "sqs", operation, &url), [access(action, QUEUE, &[])]);
    }
    assert_eq!(accesses(&stack(), "sqs", "GetQueueUrl", &json!({"QueueName": "quire-Jobs"})), [access("sqs:GetQueueUrl", QUEUE, &[])]);
    assert_eq!(accesses(&stack(), "sqs", "ListQueues", &json!({})), [access("sqs:ListQueues", "*", &[])]);
}

#[test]
fn s3_calls_need_their_action_on_the_object() {
    let request = |bucket: &str| json!({"Bucket": bucket, "Key": "exports/a"});
    let needed = accesses(&stack(), "s3", "GetObject", &request("quire-files"));
    assert_eq!(needed, [access("s3:GetObject", "arn:aws:s3:::quire-files/exports/a", &[])]);
    assert_eq!(accesses(&stack(), "s3", "PutObject", &request("other")), [access("s3:PutObject", "*", &[])]);
    assert!(authorize(&[allow("s3:GetObject", "arn:aws:s3:::quire-files/exports/*")], &needed).is_ok());
    for (action, resource) in [("s3:PutObject", "arn:aws:s3:::quire-files/exports/*"), ("s3:GetObject", "arn:aws:s3:::quire-files/others/*")] {
        assert!(authorize(&[allow(action, resource)], &needed).is_err(), "{action} {resource}");
    }
}

#[test]
fn kms_calls_need_their_action_on_the_key_however_it_is_named() {
    let alias = "arn:aws:kms:eu-west-1:000000000000:alias/signing";
    for (id, resource) in [("1234", KEY), (KEY, KEY), ("alias/signing", KEY), (alias, KEY), ("5678", "*")] {
        assert_eq!(accesses(&stack(), "kms", "Decrypt", &json!({"KeyId": id})), [access("kms:Decrypt", resource, &[])], "{id}");
    }
    assert_eq!(accesses(&stack(), "kms", "Decrypt", &json!({"CiphertextBlob": ""})), [access("kms:Decrypt", "*", &[])]);
}

#[test]
fn an_unknown_service_needs_its_action_on_everything() {
    assert_eq!(accesses(&stack(), "ses", "SendEmail", &json!({})), [access("ses:SendEmail", "*", &[])]);
}

#[test]
fn statements_match_by_action_and_resource() {
    let cases = [
        ("dynamodb:GetItem", TABLE, true),
        ("DynamoDB:getitem", TABLE, true),
        ("dynamodb:Get*", TABLE, true),
        ("dynamodb:?etItem", TABLE, true),
        ("*", "*", true),
        ("dynamodb:PutItem", TABLE, false),
        ("dynamodb:GetItems", TABLE, false),
        ("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/quire-*", true),
        ("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/QUIRE-*", false),
        ("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/quire-Table/index/*", false),
    ];
    for (action, resource, expected) in cases {
        let result = authorize(&[allow(action, resource)], &[access("dynamodb:GetItem", TABLE, &["A"])]);
        assert_eq!(result.is_ok(), expected, "{action} {resource}");
    }
}

#[test]
fn condition_operators_compare_as_in_aws() {
    let cases: [(&str, &[&str], &[&str], bool); 22] = [
        ("ForAllValues:StringLike", &["USER#*"], &["USER#1"], true),
        ("ForAllValues:StringLike", &["USER#*"], &["USER#1", "POST#1"], false),
        ("ForAllValues:StringLike", &["USER#*", "POST#*"], &["USER#1", "POST#1"], true),
        ("ForAllValues:StringLike", &["USER#*"], &[], true),
        ("ForAllValues:StringEquals", &["A"], &["A"], true),
        ("ForAllValues:StringEquals", &["A*"], &["AB"], false),
        ("ForAllValues:StringNotLike", &["A*"], &["B", "C"], true),
        ("ForAllValues:StringNotLike", &["A*"], &["B", "AC"], false),
        ("ForAnyValue:StringLike", &["USER#*"], &["USER#1", "POST#1"], true),
        ("ForAnyValue:StringLike", &["USER#*"], &["POST#1"], false),
        ("ForAnyValue:StringLike", &["USER#*"], &[], false),
        ("ForAnyValue:StringNotEquals", &["A"], &["A", "B"], true),
        ("ForAnyValue:StringNotEquals", &["A"], &["A"], false),
        ("StringLike", &["user#*"], &["USER#1"], false),
        ("StringLike", &["USER#?"], &["USER#1"], true),
        ("StringLike", &["*"], &[], false),
        ("StringEquals", &["A", "B"], &["B"], true),
        ("StringEquals", &["A"], &["B"], false),
        ("StringNotEquals", &["A"], &["B"], true),
        ("StringNotEquals", &["A"], &[], true),
        ("StringNotLike", &["A*"], &["AB"], false),
        ("NumericEquals", &["1"], &["1"], false),
    ];
    for (operator, expected, actual, holds) in cases {
        let statement = only(allow("*", "*"), operator, expected);
        let result = authorize(&[statement], &[access("dynamodb:Query", TABLE, actual)]);
        assert_eq!(result.is_ok(), holds, "{operator} {expected:?} {actual:?}");
    }
}

#[test]
fn the_name_of_a_condition_key_has_no_case() {
    let keys = [("DynamoDB:leadingkeys".to_owned(), owned(&["A"]))].into();
    let statement = Statement { conditions: [("StringEquals".to_owned(), keys)].into(), ..allow("*", "*") };
    assert_eq!(authorize(&[statement], &[access("dynamodb:Query", TABLE, &["A"])]), Ok(()));
}

#[test]
fn a_transaction_is_denied_for_one_element_outside_the_leading_keys() {
    let statement = only(allow("dynamodb:PutItem", TABLE), "ForAllValues:StringLike", &["USER#*"]);
    let put = |pk: &str| json!({"Put": {"TableName": "quire-Table", "Item": key(pk)}});
    let check = |items: Value| {
        let needed = accesses(&stack(), "dynamodb", "TransactWriteItems", &json!({ "TransactItems": items }));
        authorize(std::slice::from_ref(&statement), &needed)
    };
    assert_eq!(check(json!([put("USER#1"), put("USER#2")])), Ok(()));
    let denied = check(json!([put("USER#1"), put("POST#1")])).expect_err("the second element is outside");
    assert_eq!(
        denied.to_string(),
        format!("is not authorized to perform: dynamodb:PutItem on resource: {TABLE} because no identity-based policy allows the action")
    );
    let condition = json!({"ConditionCheck": {"TableName": "quire-Table", "Key": key("USER#1")}});
    assert_eq!(check(json!([put("USER#1"), condition])).expect_err("the action is not allowed").action, "dynamodb:ConditionCheckItem");
}

#[test]
fn a_statement_that_denies_wins() {
    let deny = Statement { allow: false, ..only(allow("dynamodb:*", TABLE), "ForAnyValue:StringLike", &["SECRET#*"]) };
    for statements in [[allow("*", "*"), deny.clone()], [deny, allow("*", "*")]] {
        assert_eq!(authorize(&statements, &[access("dynamodb:GetItem", TABLE, &["USER#1"])]), Ok(()));
        let denied = authorize(&statements, &[access("dynamodb:GetItem", TABLE, &["SECRET#1"])]).expect_err("denied");
        assert!(denied.explicit);
    }
}

#[test]
fn without_statements_nothing_is_allowed() {
    assert!(authorize(&[], &[access("sqs:SendMessage", QUEUE, &[])]).is_err());
}

#[test]
fn an_action_without_a_resource_needs_a_wide_statement() {
    let needed = accesses(&stack(), "dynamodb", "ListTables", &json!({}));
    assert!(authorize(&[allow("dynamodb:*", TABLE)], &needed).is_err());
    assert_eq!(authorize(&[allow("dynamodb:*", "*")], &needed), Ok(()));
}

#[test]
fn only_string_operators_are_known() {
    for name in ["StringEquals", "ForAllValues:StringNotLike", "ForAnyValue:StringLike"] {
        assert!(is_operator(name), "{name}");
    }
    for name in ["Bool", "StringEqualsIfExists", "ForSomeValues:StringLike", "ArnLike", "Null", "stringequals", ""] {
        assert!(!is_operator(name), "{name}");
    }
}

#[test]
fn wildcards_match_whole_texts() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("**", "abc", true),
        ("?", "", false),
        ("?", "ä", true),
        ("?", "ab", false),
        ("a*", "a", true),
        ("*a", "ba", true),
        ("*a", "ab", false),
        ("a*b*c", "aXbXbc", true),
        ("a*b*c", "aXbXb", false),
        ("a*ab", "aab", true),
        ("a*ab", "ab", false),
        ("*?", "", false),
        ("?*?", "ab", true),
        ("a.c", "abc", false),
        ("*", "*", true),
        ("abc", "abcd", false),
    ] {
        assert_eq!(wildcard::matches(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

/// The definition of a match, too slow for use.
fn matches_by_definition(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['*', rest @ ..], text) => (0..=text.len()).any(|skipped| matches_by_definition(rest, &text[skipped..])),
        ([first, rest @ ..], [character, others @ ..]) => (*first == '?' || first == character) && matches_by_definition(rest, others),
        (_, []) => false,
    }
}

proptest! {
    #[test]
    fn wildcards_match_what_their_definition_says(pattern in "[ab*?]{0,8}", text in "[ab*]{0,10}") {
        let (pattern_characters, text_characters): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(wildcard::matches(&pattern, &text), matches_by_definition(&pattern_characters, &text_characters));
    }
}

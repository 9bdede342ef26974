//! Functions may call what the template allows them, and nothing else.

use quire_local::identity::Identities;
use quire_tests::{Quire, Reply, text};
use serde_json::{Value, json};

use crate::aws;

const READ: &str = "DynamoDB_20120810.GetItem";
const WRITE: &str = "DynamoDB_20120810.PutItem";
const DELETE: &str = "DynamoDB_20120810.DeleteItem";
const QUERY: &str = "DynamoDB_20120810.Query";
const SCAN: &str = "DynamoDB_20120810.Scan";
const SEND: &str = "AmazonSQS.SendMessage";

#[tokio::test]
async fn a_call_outside_the_statements_of_a_function_is_denied() {
    let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
    let table = quire.table();
    let read = |pk: &str| json!({"TableName": table, "Key": {"pk": {"S": pk}, "sk": {"S": "any"}}});
    let write = |pk: &str| json!({"TableName": table, "Item": {"pk": {"S": pk}, "sk": {"S": "any"}}});
    let partition = |pk: &str| json!({"TableName": table, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": pk}}});
    let message = json!({"QueueUrl": quire.queue_url("ModerateCommentQueue"), "MessageBody": "{}"});
    let other_queue = json!({"QueueUrl": quire.queue_url("ModerateCommentDeadLetters"), "MessageBody": "{}"});
    let key = |logical_id: &str| quire.cloud().stack().keys[logical_id].arn.clone();
    let both = json!({"TransactItems": [{"Put": write("POST#1")}, {"Put": write("USER#1")}]});
    let many = json!({"RequestItems": {&table: [{"DeleteRequest": {"Key": read("POST#1")["Key"]}}]}});
    let pair = json!({"KeyId": key("SigningKey"), "KeyPairSpec": "ECC_NIST_P256"});
    let secret = |logical_id: &str| json!({"KeyId": key(logical_id), "Plaintext": "aGk="});
    let sealed = |logical_id: &str| json!({"KeyId": key(logical_id), "CiphertextBlob": "aGk="});
    let cases = [
        ("GetPost", READ, read("SLUG#1"), true),
        ("GetPost", READ, read("POST#1"), false),
        ("GetPost", READ, read("USER#1"), false),
        ("GetPost", QUERY, partition("POST"), false),
        ("GetPost", WRITE, write("POST#1"), false),
        ("GetPost", DELETE, read("POST#1"), false),
        ("GetPost", QUERY, partition("SIGNING-KEYS"), true),
        ("GetPost", QUERY, partition("SIGNING-PRIVATE"), false),
        ("GetPost", QUERY, partition("POST#1"), true),
        ("GetPost", QUERY, partition("POSTS#2026"), false),
        ("GetPost", SCAN, json!({"TableName": table}), false),
        ("GetPost", "DynamoDB_20120810.ListTables", json!({}), false),
        ("GetPost", SEND, message.clone(), false),
        ("GetPost", "TrentService.GenerateDataKeyPairWithoutPlaintext", pair.clone(), false),
        ("CreateSession", "TrentService.GenerateDataKeyPairWithoutPlaintext", pair, true),
        ("CreateSecondFactor", "TrentService.Encrypt", secret("SecondFactorKey"), true),
        ("CreateSecondFactor", "TrentService.Encrypt", secret("SigningKey"), false),
        ("CreateSecondFactor", "TrentService.Decrypt", sealed("SecondFactorKey"), false),
        ("ConfirmSecondFactor", "TrentService.Encrypt", secret("SecondFactorKey"), false),
        ("ConfirmSecondFactor", "TrentService.Decrypt", sealed("SigningKey"), false),
        ("CreateAccessToken", "TrentService.Decrypt", sealed("SecondFactorKey"), false),
        ("GetUser", READ, read("SECOND-FACTOR#1"), false),
        ("CreateSecondFactor", WRITE, write("USER#1"), false),
        ("ListApiTokens", QUERY, partition("API-TOKENS#1"), true),
        ("ListApiTokens", QUERY, partition("USER#1"), false),
        ("DeleteApiToken", WRITE, write("API-TOKENS#1"), false),
        ("ListAuditEvents", QUERY, partition("AUDIT#2026-11"), true),
        ("ListAuditEvents", WRITE, write("AUDIT#2026-11"), false),
        ("UpdateUser", QUERY, partition("AUDIT#2026-11"), false),
        ("UpdateUser", DELETE, read("AUDIT#2026-11"), false),
        ("CreatePost", WRITE, write("POST#1"), true),
        ("ListUsers", QUERY, partition("USERS"), true),
        ("ListUsers", QUERY, partition("USERS#ROLE#admin"), true),
        ("ListUsers", QUERY, partition("USER#1"), false),
        ("UpdateUser", DELETE, read("USERNAME#ada"), true),
        ("UpdateUser", DELETE, read("POST#1"), false),
        ("ReplaceUserRoles", DELETE, read("USER#1"), false),
        ("DeleteUser", DELETE, read("USERNAME#ada"), false),
        ("ReplaceUserRoles", DELETE, read("USERS#ROLE#admin"), true),
        ("ReplaceUserRoles", WRITE, write("EMAIL#ada@example.com"), false),
        ("CreatePost", WRITE, write("POSTS#2026"), false),
        ("UpdatePost", "DynamoDB_20120810.UpdateItem", read("TAGS"), true),
        ("UpdatePost", "DynamoDB_20120810.UpdateItem", read("POST#1"), false),
        ("UpdatePost", "DynamoDB_20120810.DeleteItem", read("TAG#a"), true),
        ("UpdatePost", "DynamoDB_20120810.DeleteItem", read("POST#1"), false),
        ("UpdatePost", "DynamoDB_20120810.DeleteItem", read("SLUG#a"), false),
        ("DeletePost", "DynamoDB_20120810.DeleteItem", read("POST#1"), true),
        ("DeletePost", "DynamoDB_20120810.DeleteItem", read("SLUG#a"), false),
        ("CreatePost", "DynamoDB_20120810.TransactWriteItems", both, false),
        ("RelayOutbox", SEND, message, true),
        ("RelayOutbox", SEND, other_queue, false),
        ("RelayOutbox", "AmazonSQS.ReceiveMessage", json!({"QueueUrl": quire.queue_url("ModerateCommentQueue")}), false),
        ("RelayOutbox", "DynamoDB_20120810.BatchWriteItem", many, false),
    ];
    for (function, operation, request, allowed) in cases {
        check(&as_function(&quire, function, operation, &request).await, allowed, &format!("{function} {operation} {request}"));
    }
    assert_eq!(aws::items(&quire, "USER#").await, [] as [Value; 0], "what is denied changes nothing");
    quire.stop().await;
}

#[tokio::test]
async fn no_function_may_scan_delete_the_table_or_read_what_is_nobodys() {
    let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
    let table = quire.table();
    let nobodys = json!({"TableName": table, "Key": {"pk": {"S": "NOBODY#1"}, "sk": {"S": "any"}}});
    for function in quire.cloud().stack().functions.keys() {
        for (operation, request) in
            [(SCAN, json!({"TableName": table})), ("DynamoDB_20120810.DeleteTable", json!({"TableName": table})), (READ, nobodys.clone())]
        {
            check(&as_function(&quire, function, operation, &request).await, false, &format!("{function} {operation}"));
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn nobody_calls_with_a_key_that_was_never_issued() {
    let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
    let reply = aws::call_as(&quire.cloud().endpoint_url(), ("AKIAUNKNOWN", ""), SCAN, &json!({"TableName": quire.table()})).await;
    assert_eq!(reply.expect(400)["__type"], "UnrecognizedClientException");
    quire.stop().await;
}

async fn as_function(quire: &Quire, function: &str, operation: &str, request: &Value) -> Reply {
    let credentials = Identities::issue(quire.cloud().stack(), function, "tests");
    aws::call_as(&quire.cloud().endpoint_url(), (&credentials.access_key_id, &credentials.session_token), operation, request).await
}

#[track_caller]
fn check(reply: &Reply, allowed: bool, what: &str) {
    if allowed {
        assert_eq!(reply.status, 200, "{what} is allowed: {}", String::from_utf8_lossy(&reply.body));
    } else {
        assert_eq!((reply.status.as_u16(), text(&reply.json()["__type"]).as_str()), (400, "AccessDeniedException"), "{what} is denied");
    }
}

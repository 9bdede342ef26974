//! The response for what a function replies.

use super::*;

#[tokio::test]
async fn a_reply_becomes_a_response() {
    let api = Api::any().await;
    let reply = json!({
        "statusCode": 201,
        "headers": {"Content-Type": "application/xml", "X-Number": 7, "Connection": "close", "Content-Length": "999", "Link": "<a>, <b>"},
        "multiValueHeaders": {"X-Many": ["a", "b"]},
        "cookies": ["a=1; Secure", "b=2"],
        "body": "<ok/>",
        "isBase64Encoded": false,
    });
    let response = api.reply(reply).await;
    assert_eq!((response.status, response.text()), (201, "<ok/>"));
    assert_eq!(response.all("content-type"), ["application/xml"]);
    assert_eq!(response.header("x-number"), Some("7"));
    assert_eq!(response.header("link"), Some("<a>, <b>"));
    assert_eq!(response.header("x-many"), None);
    assert_eq!(response.header("content-length"), Some("5"));
    assert_eq!(response.all("set-cookie"), ["a=1; Secure", "b=2"]);
    assert_eq!(response.header("apigw-requestid").map(str::len), Some(16));
}

#[tokio::test]
async fn a_base64_reply_is_decoded() {
    let response = Api::any().await.reply(json!({"statusCode": 200, "body": "AP8=", "isBase64Encoded": true})).await;
    assert_eq!(response.body, [0, 255]);
}

#[tokio::test]
async fn a_reply_without_a_type_is_plain_text() {
    let response = Api::any().await.reply(json!({"statusCode": 200, "body": "hello"})).await;
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_reply_without_a_status_is_the_json_body_of_a_200() {
    let api = Api::any().await;
    for (reply, body) in [(json!({"a": 1}), r#"{"a":1}"#), (json!("hello"), "hello"), (json!([1]), "[1]"), (json!(null), "null")] {
        let response = api.reply(reply).await;
        assert_eq!((response.status, response.text()), (200, body));
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let command = json!({"reply": {"statusCode": 200, "body": "hello"}});
    let response = Api::any().await.send("HEAD /", &[&format!("x-do: {command}")], b"").await;
    assert_eq!((response.status, response.text(), response.header("content-length")), (200, "", Some("5")));
}

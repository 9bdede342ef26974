//! What readers did with a post, on the post.

use aws_sdk_dynamodb::types::AttributeValue;
use quire_tests::{Quire, send, text};
use reqwest::Method;
use serde_json::json;

use super::drafted;

/// Adds to a count as those who comment and react do.
async fn add(quire: &Quire, post: &str, attribute: &str, delta: i64) {
    let number = |number: i64| AttributeValue::N(number.to_string());
    let update = quire.dynamodb().update_item().table_name(quire.table());
    let update = update.key("pk", AttributeValue::S(format!("POST#{post}"))).key("sk", AttributeValue::S("COUNTS".to_owned()));
    let update = update.update_expression("ADD #attribute :delta, changes :one").expression_attribute_names("#attribute", attribute);
    update.expression_attribute_values(":delta", number(delta)).expression_attribute_values(":one", number(1)).send().await.expect("it is counted");
}

#[tokio::test]
async fn a_post_shows_its_counts_and_its_tag_changes_with_them() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (path, draft) = drafted(&quire, &ada, &json!({"title": "T"})).await;
    assert_eq!((&draft["commentCount"], &draft["reactions"]), (&json!(0), &json!([])));
    quire.patch_as(&ada, &path, &json!({"status": "published"})).await.expect(200);
    let id = text(&draft["postId"]);
    for (attribute, delta) in [("commentCount", 2), ("sad", 1), ("like", 3), ("love", 1), ("love", -1)] {
        add(&quire, &id, attribute, delta).await;
    }
    let reply = quire.get(&path).await;
    let post = reply.expect(200);
    assert_eq!((&post["commentCount"], &post["version"]), (&json!(2), &json!(2)));
    assert_eq!(post["reactions"], json!([{"kind": "like", "count": 3}, {"kind": "sad", "count": 1}]), "kinds that nobody gave are left out");
    assert_eq!(reply.header("etag"), Some("\"2-5\""));
    let get = |tag: &'static str| send(quire.request(Method::GET, &path).header("if-none-match", tag));
    assert_eq!((get("\"2-5\"").await.status.as_u16(), get("\"2-4\"").await.status.as_u16()), (304, 200));
    let xml = send(quire.request(Method::GET, &path).header("accept", "application/xml")).await;
    let body = String::from_utf8(xml.body).expect("text");
    assert!(
        body.contains("<reactions><count>3</count><kind>like</kind></reactions>")
            || body.contains("<reactions><kind>like</kind><count>3</count></reactions>"),
        "{body}"
    );

    let patch = |tag: &'static str, title: &str| {
        send(quire.request(Method::PATCH, &path).bearer_auth(&ada.token).header("if-match", tag).json(&json!({"title": title})))
    };
    let changed = patch("\"2-0\"", "U").await;
    assert_eq!(
        (changed.expect(200)["commentCount"].as_u64(), changed.header("etag")),
        (Some(2), Some("\"3-5\"")),
        "counts do not stand against a change"
    );
    patch("\"2-5\"", "V").await.expect_problem(412, "version-mismatch");
    quire.stop().await;
}

//! What each function is given: a first event that it answers in full, over data that was made through the API.

use quire_local::{cloud::Cloud, identity::DEVELOPER_ACCESS_KEY};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::Result;

/// What is measured if nothing is chosen: of each kind of function at least one. There are events for some more.
pub(crate) const MEASURED: [&str; 14] = [
    "check-health",
    "create-comment",
    "create-post",
    "create-session",
    "get-jwks",
    "get-post",
    "get-user",
    "list-comments",
    "list-posts",
    "moderate-comment",
    "register-user",
    "relay-outbox",
    "sweep-outbox",
    "update-post",
];
const PASSWORD: &str = "correct horse battery";

/// A Quire with a signed-in author, a published post and comments that nobody has judged yet.
pub(crate) struct Seeded {
    /// The author.
    pub(crate) user: String,
    /// Access token of the author.
    pub(crate) token: String,
    /// The post.
    pub(crate) post: String,
    /// Posts that nothing else is done with.
    spare: Vec<String>,
    /// The outbox events of the comments.
    comments: Vec<String>,
}

/// Fills an empty Quire, with this many comments.
pub(crate) async fn seed(cloud: &Cloud, comments: usize) -> Result<Seeded> {
    let api = Api { http: Client::new(), url: cloud.url() };
    let account = json!({"username": "bench", "email": "bench@example.com", "password": PASSWORD});
    let user = text(&api.send(Method::POST, "/api/v1/users", "", account).await?, "userId")?;
    let credentials = json!({"username": "bench", "password": PASSWORD});
    let token = text(&api.send(Method::POST, "/api/v1/sessions", "", credentials).await?, "accessToken")?;
    let (mut post, mut spare) = (String::new(), Vec::new());
    for number in 0..20 {
        let draft = json!({"title": format!("On notes {number}"), "content": "What is written down can be found again. ".repeat(25)});
        spare.push(post);
        post = text(&api.send(Method::POST, "/api/v1/posts", &token, draft).await?, "postId")?;
        api.send(Method::PATCH, &format!("/api/v1/posts/{post}"), &token, json!({"status": "published"})).await?;
    }
    for number in 0..comments {
        let comment = json!({"content": format!("Well said, for the {number}th time")});
        api.send(Method::POST, &format!("/api/v1/posts/{post}/comments"), &token, comment).await?;
    }
    let comments = if comments > 0 { outbox(cloud).await? } else { Vec::new() };
    spare.retain(|post| !post.is_empty());
    Ok(Seeded { user, token, post, spare, comments })
}

struct Api {
    http: Client,
    url: String,
}

impl Api {
    async fn send(&self, method: Method, path: &str, token: &str, body: Value) -> Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).json(&body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        match response.error_for_status_ref() {
            Ok(_) => Ok(response.json().await?),
            Err(error) => Err(format!("{error}: {}", response.text().await?).into()),
        }
    }
}

/// Every new comment's event in the outbox.
async fn outbox(cloud: &Cloud) -> Result<Vec<String>> {
    let mut request = json!({
        "TableName": cloud.stack().tables["Table"].name,
        "FilterExpression": "begins_with(pk, :outbox)",
        "ExpressionAttributeValues": {":outbox": {"S": "OUTBOX#"}},
    });
    let mut events = Vec::new();
    loop {
        let call = Client::new().post(cloud.endpoint_url()).header("x-amz-target", "DynamoDB_20120810.Scan");
        let call = call.header("authorization", format!("AWS4-HMAC-SHA256 Credential={DEVELOPER_ACCESS_KEY}/bench, Signature=0"));
        let page: Value = call.json(&request).send().await?.error_for_status()?.json().await?;
        let items = page["Items"].as_array().into_iter().flatten();
        let texts = items.filter_map(|item| Some(item["event"]["S"].as_str()?.to_owned()));
        events.extend(texts.filter(|event| event.contains("\"comment.created\"")));
        match page.get("LastEvaluatedKey") {
            Some(last) => request["ExclusiveStartKey"] = last.clone(),
            None => return Ok(events),
        }
    }
}

fn text(value: &Value, name: &str) -> Result<String> {
    Ok(value[name].as_str().ok_or_else(|| format!("{value} has no {name}"))?.to_owned())
}

impl Seeded {
    /// The event for the `number`th cold start of a function, by the name of its binary.
    pub(crate) fn event(&self, binary: &str, number: usize) -> Result<Value> {
        let Self { user, token, post, spare, comments } = self;
        let (posts, post_path) = ("/api/v1/posts", format!("/api/v1/posts/{post}"));
        let id = json!({"postId": post});
        let comment = comments.get(number);
        Ok(match binary {
            "hello" => request("GET", "/", "", json!({}), None),
            "check-health" => request("GET", "/health/ready", "", json!({}), None),
            "get-jwks" => request("GET", "/.well-known/jwks.json", "", json!({}), None),
            "get-user" => request("GET", &format!("/api/v1/users/{user}"), "", json!({"userId": user}), None),
            "get-post" => request("GET", &post_path, "", id, None),
            "list-posts" => request("GET", posts, "", json!({}), None),
            "list-tags" => request("GET", "/api/v1/tags", "", json!({}), None),
            "list-revisions" => request("GET", &format!("{post_path}/revisions"), token, id, None),
            "get-revision" => request("GET", &format!("{post_path}/revisions/2"), token, json!({"postId": post, "version": "2"}), None),
            "replace-post" => request("PUT", &post_path, token, id, Some(json!({"title": format!("Other {number}"), "content": "Brr"}))),
            "delete-post" => {
                let spare = &spare[number % spare.len()];
                request("DELETE", &format!("{posts}/{spare}"), token, json!({"postId": spare}), None)
            }
            "list-comments" => request("GET", &format!("{post_path}/comments"), "", id, None),
            "register-user" => {
                let body = json!({"username": format!("bench-{number}"), "email": format!("bench-{number}@example.com"), "password": PASSWORD});
                request("POST", "/api/v1/users", "", json!({}), Some(body))
            }
            "create-session" => request("POST", "/api/v1/sessions", "", json!({}), Some(json!({"username": "bench", "password": PASSWORD}))),
            "create-post" => request("POST", posts, token, json!({}), Some(json!({"title": format!("Cold {number}"), "content": "Brr"}))),
            "update-post" => request("PATCH", &post_path, token, id, Some(json!({"title": format!("Warmer {number}")}))),
            "create-comment" => {
                request("POST", &format!("{post_path}/comments"), token, id, Some(json!({"content": format!("Cold comment {number}")})))
            }
            "relay-outbox" => {
                let image = json!({"event": {"S": comment.ok_or("there are too few comments")?}});
                json!({"Records": [{"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": image}}]})
            }
            "moderate-comment" => json!({"Records": [{"messageId": "m", "body": comment.ok_or("there are too few comments")?}]}),
            "sweep-outbox" => json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
            other => return Err(format!("bench/src/events.rs has no event for {other}").into()),
        })
    }
}

/// An event of the HTTP API, payload format 2.0.
fn request(method: &str, path: &str, token: &str, path_parameters: Value, body: Option<Value>) -> Value {
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "host": "api.example.com",
            "user-agent": "bench",
            "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "isBase64Encoded": false,
    });
    if path_parameters != json!({}) {
        event["pathParameters"] = path_parameters;
    }
    if !token.is_empty() {
        event["headers"]["authorization"] = json!(format!("Bearer {token}"));
    }
    if let Some(body) = body {
        let body = body.to_string();
        event["headers"]["content-type"] = json!("application/json");
        event["headers"]["content-length"] = json!(body.len().to_string());
        event["body"] = json!(body);
    }
    event
}

/// Whether an answer says that all went well: a status of success, or no failed record.
pub(crate) fn succeeded(answer: &Value) -> bool {
    match answer.get("statusCode").and_then(Value::as_u64) {
        Some(status) => (200..300).contains(&status),
        None => answer.is_null() || answer["batchItemFailures"] == json!([]),
    }
}

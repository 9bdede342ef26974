//! What the gateway refuses, and what it answers for a function that failed.

use super::*;

#[tokio::test]
async fn a_broken_path_is_a_bad_request() {
    let api = Api::any().await;
    for path in ["/%", "/a%zz", "/%ff"] {
        api.get(path).await.assert_refused(400, "Bad Request");
    }
}

#[tokio::test]
async fn a_host_that_is_none_is_a_bad_request() {
    let api = Api::any().await;
    for host in ["[", "a b", "exa%mple", "a<b", "localhost:99999", "", "me@localhost"] {
        assert_eq!(api.send_to(host, "GET /", &[], b"").await.status, 400, "{host:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_route_is_not_found() {
    let api = Api::serve(&["GET /posts"], None).await;
    assert_eq!(api.get("/posts").await.status, 200);
    api.get("/other").await.assert_refused(404, "Not Found");
    api.send("POST /posts", &[], b"").await.assert_refused(404, "Not Found");
    assert_eq!(api.send("HEAD /posts", &[], b"").await.status, 404);
}

#[tokio::test]
async fn bodies_are_limited() {
    let api = Api::any().await;
    // As base64, this just does not fit into an event any more, though the gateway itself would take it.
    api.send("POST /", &[], &vec![b'x'; 4_718_592]).await.assert_refused(413, "Request Entity Too Large");
    let header = format!("Content-Length: {}", 10 * 1024 * 1024 + 1);
    api.send("POST /", &[&header], b"").await.assert_refused(413, "Request Entity Too Large");
    assert!(api.functions.instances("Echo").is_empty());
    let text = vec![b'x'; 3_000_000];
    let event = api.send("POST /", &["Content-Type: text/plain"], &text).await.json();
    assert_eq!(event["body"].as_str().map(str::len), Some(text.len()));
}

#[tokio::test]
async fn headers_are_limited() {
    let api = Api::any().await;
    let header = |length| format!("x-long: {}", "x".repeat(length));
    assert_eq!(api.send("GET /", &[&header(10_000)], b"").await.status, 200);
    api.send("GET /", &[&header(10_240)], b"").await.assert_refused(431, "Request Header Fields Too Large");
    api.get(&format!("/?{}", "x".repeat(10_240))).await.assert_refused(431, "Request Header Fields Too Large");
}

#[tokio::test]
async fn failures_and_malformed_replies_are_internal_server_errors() {
    let api = Api::any().await;
    for reply in [
        json!({"statusCode": "two hundred"}),
        json!({"statusCode": 99}),
        json!({"statusCode": 200, "body": {}}),
        json!({"statusCode": 200, "body": "%", "isBase64Encoded": true}),
        json!({"statusCode": 200, "headers": {"a b": "c"}}),
        json!({"statusCode": 200, "headers": {"a": ["b"]}}),
        json!({"statusCode": 200, "cookies": "a=1"}),
    ] {
        api.reply(reply).await.assert_refused(500, "Internal Server Error");
    }
    api.command(json!({"error": "no"})).await.assert_refused(500, "Internal Server Error");
    api.command(json!({"exit": 1})).await.assert_refused(500, "Internal Server Error");
    api.command(json!({"size": 6_291_556})).await.assert_refused(500, "Internal Server Error");
}

#[tokio::test]
async fn a_throttled_function_is_unavailable() {
    let mut function = function();
    function.routes = routes(&["$default"]);
    function.reserved_concurrency = Some(0);
    let stack = stack([function], None);
    let functions = Functions::start(stack.clone(), Options { max_instances: 1, ..options().0 }).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(Gateway::new(stack, functions.clone()).serve(listener, future::pending()));
    Api { port, functions }.get("/").await.assert_refused(503, "Service Unavailable");
}

//! The event that a function gets for a request.

use super::*;

#[tokio::test]
async fn an_event_is_one_of_payload_format_2_0() {
    let api = Api::serve(&["POST /posts/{postId}/{rest+}"], None).await;
    let headers = [
        "User-Agent: test",
        "Accept: text/html",
        "Accept: application/json",
        "Cookie: a=1; b=2",
        "Cookie: c=3",
        "Content-Type: application/json",
        "X-Forwarded-For: 203.0.113.7",
        "TE: trailers",
    ];
    let path = "/posts/caf%C3%A9%20%2525/x/y?tag=a&tag=b%2Cc&q=hello+%22world%22&flag";
    let response = api.send(&format!("POST {path}"), &headers, br#"{"title": "x"}"#).await;
    let mut event = response.json();

    let context = &mut event["requestContext"];
    let request_id = context["requestId"].take();
    assert_eq!(request_id.as_str(), response.header("apigw-requestid"));
    let (time, epoch) = (context["time"].take(), context["timeEpoch"].take().as_i64().unwrap());
    let expected = jiff::Timestamp::from_millisecond(epoch).unwrap().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
    assert_eq!(time, expected);
    let trace = event["headers"]["x-amzn-trace-id"].take();
    let parts: Vec<_> = trace.as_str().unwrap().split('-').map(str::len).collect();
    assert!(trace.as_str().unwrap().starts_with("Root=1-") && parts == [6, 8, 24], "{trace}");
    let raw_path = "/posts/café %2525/x/y";
    let expected = json!({
        "version": "2.0",
        "routeKey": "POST /posts/{postId}/{rest+}",
        "rawPath": raw_path,
        "rawQueryString": "tag=a&tag=b%2Cc&q=hello+%22world%22&flag",
        "cookies": ["a=1", "b=2", "c=3"],
        "headers": {
            "accept": "text/html,application/json",
            "content-length": "14",
            "content-type": "application/json",
            "host": format!("quire.localhost:{}", api.port),
            "user-agent": "test",
            "x-amzn-trace-id": null,
            "x-forwarded-for": "203.0.113.7, 127.0.0.1",
            "x-forwarded-port": api.port.to_string(),
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"tag": "a,b,c", "q": "hello \"world\"", "flag": ""},
        "pathParameters": {"postId": "café %25", "rest": "x/y"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "quire",
            "domainName": "quire.localhost",
            "domainPrefix": "quire",
            "http": {"method": "POST", "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"},
            "requestId": null,
            "routeKey": "POST /posts/{postId}/{rest+}",
            "stage": "$default",
            "time": null,
            "timeEpoch": null,
        },
        "body": "{\"title\": \"x\"}",
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn what_a_request_does_not_have_is_missing_from_the_event() {
    let event = Api::any().await.get("/").await.json();
    for field in ["cookies", "queryStringParameters", "pathParameters", "body", "stageVariables"] {
        assert_eq!(event.get(field), None, "{field}");
    }
    assert_eq!((&event["rawQueryString"], &event["routeKey"]), (&json!(""), &json!("$default")));
    assert_eq!(event["headers"]["content-length"], "0");
}

#[tokio::test]
async fn a_trace_of_the_client_goes_on() {
    let trace = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
    let header = format!("X-Amzn-Trace-Id: {trace}");
    assert_eq!(Api::any().await.send("GET /", &[&header], b"").await.json()["headers"]["x-amzn-trace-id"], trace);
}

#[tokio::test]
async fn a_body_is_text_for_few_content_types_and_base64_for_all_others() {
    let api = Api::any().await;
    for (content_type, text) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/xml", true),
        ("application/javascript", true),
        ("text/plain", true),
        ("application/problem+json", false),
        ("application/x-www-form-urlencoded", false),
        ("application/proto", false),
        ("", false),
    ] {
        let header = format!("Content-Type: {content_type}");
        let headers: &[&str] = if content_type.is_empty() { &[] } else { &[&header] };
        let event = api.send("POST /", headers, b"[1]").await.json();
        let expected = if text { (json!("[1]"), json!(false)) } else { (json!("WzFd"), json!(true)) };
        assert_eq!((event["body"].clone(), event["isBase64Encoded"].clone()), expected, "{content_type}");
    }
    let event = api.send("POST /", &["Content-Type: text/plain"], b"\xff").await.json();
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
}

#[tokio::test]
async fn a_query_reaches_the_function_as_ascii_or_not_at_all() {
    let api = Api::any().await;
    assert_eq!(api.get("/?q=é|{").await.json()["rawQueryString"], "q=%C3%A9|{");
    for query in [r#"q="a""#, "q=<b>"] {
        assert_eq!(api.get(&format!("/?{query}")).await.status, 400, "{query}");
    }
}

//! The HTTP API: the event that a function gets for a request, and the response for what it replies.

mod common;

use std::{future, time::Duration};

use common::{DEADLINE, accept, function, options, routes, stack, start, until};
use quire_local::{
    functions::{Functions, Options, Phase},
    gateway::Gateway,
    stack::Cors,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

struct Api {
    port: u16,
    functions: Functions,
}

#[derive(Debug)]
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    fn assert_refused(&self, status: u16, message: &str) {
        assert_eq!((self.status, self.text()), (status, format!(r#"{{"message":"{message}"}}"#).as_str()));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("apigw-requestid").map(str::len), Some(16));
    }
}

impl Api {
    async fn serve(routes_: &[&str], cors: Option<Cors>) -> Self {
        let mut function = function();
        function.routes = routes(routes_);
        function.timeout = Duration::from_secs(60);
        let stack = stack([function], cors);
        let functions = start(&stack).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(Gateway::new(stack, functions.clone()).serve(listener, future::pending()));
        Self { port, functions }
    }

    async fn any() -> Self {
        Self::serve(&["$default"], None).await
    }

    /// Sends a request line without its version, header lines and a body.
    async fn send(&self, line: &str, headers: &[&str], body: &[u8]) -> Response {
        let mut request = format!("{line} HTTP/1.1\r\nHost: quire.localhost:{}\r\nConnection: close\r\n", self.port);
        for header in headers {
            request += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        connection.write_all(&[request.as_bytes(), b"\r\n", body].concat()).await.unwrap();
        let mut response = Vec::new();
        timeout(DEADLINE, connection.read_to_end(&mut response)).await.expect("no response came").unwrap();
        let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the response has a head");
        let head = std::str::from_utf8(&response[..end]).unwrap();
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Response {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: head.lines().skip(1).filter_map(header).collect(),
            body: response[end + 4..].to_owned(),
        }
    }

    async fn get(&self, path: &str) -> Response {
        self.send(&format!("GET {path}"), &[], b"").await
    }

    /// Makes the function do something.
    async fn command(&self, command: Value) -> Response {
        self.send("GET /", &[&format!("x-do: {command}")], b"").await
    }

    /// Makes the function reply something.
    async fn reply(&self, reply: Value) -> Response {
        self.command(json!({"reply": reply})).await
    }
}

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

#[tokio::test]
async fn a_broken_path_is_a_bad_request() {
    let api = Api::any().await;
    for path in ["/%", "/a%zz", "/%ff"] {
        api.get(path).await.assert_refused(400, "Bad Request");
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

#[tokio::test]
async fn a_function_that_takes_more_than_30_seconds_is_unavailable() {
    let api = Api::any().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let command = json!({"hold": listener.local_addr().unwrap().to_string(), "do": "hang"});
    let (sent, hangs) = oneshot::channel();
    let client = async {
        let mut connection = TcpStream::connect(("127.0.0.1", api.port)).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nx-do: {command}\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        hangs.await.unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).await.unwrap();
        response
    };
    let (response, _held) = tokio::join!(client, async {
        let held = accept(&listener).await;
        // Nothing but the clock can go on now, so it jumps to the gateway's limit.
        tokio::time::pause();
        sent.send(()).unwrap();
        held
    });
    assert!(response.starts_with("HTTP/1.1 503 ") && response.ends_with(r#"{"message":"Service Unavailable"}"#), "{response}");
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

fn cors(origins: &[&str]) -> Cors {
    let all = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Cors {
        allow_origins: all(origins),
        allow_methods: all(&["GET", "PUT"]),
        allow_headers: all(&["authorization", "content-type"]),
        expose_headers: all(&["etag"]),
        max_age: Some(600),
        allow_credentials: false,
    }
}

#[tokio::test]
async fn the_gateway_answers_a_preflight_itself() {
    let api = Api::serve(&["GET /posts"], Some(cors(&["*"]))).await;
    let headers = ["Origin: https://a.example", "Access-Control-Request-Method: PUT"];
    let response = api.send("OPTIONS /posts", &headers, b"").await;
    assert_eq!((response.status, response.text()), (204, ""));
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert_eq!(response.header("access-control-allow-methods"), Some("GET,PUT"));
    assert_eq!(response.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(response.header("access-control-max-age"), Some("600"));
    api.send("OPTIONS /posts", &[], b"").await.assert_refused(404, "Not Found");
    let without = Api::serve(&["GET /posts"], None).await;
    without.send("OPTIONS /posts", &headers, b"").await.assert_refused(404, "Not Found");
    assert!(api.functions.instances("Echo").is_empty());
}

#[tokio::test]
async fn an_origin_is_allowed_by_name_or_by_scheme() {
    for (allowed, origin, expected) in [
        ("https://a.example", "https://a.example", true),
        ("https://a.example", "https://b.example", false),
        ("https://*", "https://b.example", true),
        ("https://*", "http://b.example", false),
    ] {
        let api = Api::serve(&["$default"], Some(cors(&[allowed]))).await;
        let headers = [&format!("Origin: {origin}"), "Access-Control-Request-Method: GET"];
        let response = api.send("OPTIONS /", &headers, b"").await;
        assert_eq!(response.status, 204);
        assert_eq!(response.header("access-control-allow-origin"), expected.then_some(origin), "{allowed} {origin}");
        assert_eq!(response.header("access-control-allow-methods").is_some(), expected, "{allowed} {origin}");
    }
}

#[tokio::test]
async fn the_configuration_replaces_what_a_function_says_about_cors() {
    let mut cors = cors(&["https://a.example"]);
    cors.allow_credentials = true;
    let api = Api::serve(&["$default"], Some(cors)).await;
    let own = json!({"Access-Control-Allow-Origin": "https://evil.example", "Access-Control-Allow-Methods": "DELETE"});
    let command = format!("x-do: {}", json!({"reply": {"statusCode": 200, "headers": own}}));
    let response = api.send("GET /", &[&command, "Origin: https://a.example"], b"").await;
    assert_eq!(response.all("access-control-allow-origin"), ["https://a.example"]);
    assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(response.header("access-control-expose-headers"), Some("etag"));
    assert_eq!(response.header("access-control-allow-methods"), None);
    for origin in [vec![], vec!["Origin: https://b.example"]] {
        let headers = [vec![command.as_str()], origin].concat();
        let response = api.send("GET /", &headers, b"").await;
        assert!(!response.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{response:?}");
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_the_requests_in_flight() {
    let mut function = function();
    function.routes = routes(&["$default"]);
    let stack = stack([function], None);
    let functions = start(&stack).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(Gateway::new(stack, functions.clone()).serve(listener, async { drop(stopped.await) }));
    let api = Api { port, functions };
    let barrier = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let command = json!({"await": barrier.local_addr().unwrap().to_string(), "reply": "done"});
    let (response, ()) = tokio::join!(api.command(command), async {
        let mut waiting = accept(&barrier).await;
        stop.send(()).unwrap();
        waiting.write_all(b"!").await.unwrap();
    });
    assert_eq!(response.text(), "done");
    timeout(DEADLINE, served).await.expect("the gateway still serves").unwrap().unwrap();
    until(|| api.functions.instances("Echo")[0].phase == Phase::Idle).await;
}

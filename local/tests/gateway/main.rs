//! The HTTP API: the event that a function gets for a request, and the response for what it replies.

#[path = "../common/mod.rs"]
mod common;
mod cors;
mod events;
mod refusals;
mod replies;

use std::{future, time::Duration};

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

use self::common::{DEADLINE, accept, function, options, routes, stack, start, until};

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
        self.send_to(&format!("quire.localhost:{}", self.port), line, headers, body).await
    }

    /// Sends a request with this `Host`.
    async fn send_to(&self, host: &str, line: &str, headers: &[&str], body: &[u8]) -> Response {
        let mut request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
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

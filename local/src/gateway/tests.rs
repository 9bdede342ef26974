//! The limit of the time that a function may take, which a test from outside would have to wait for.

use std::{collections::BTreeMap, mem};

use super::*;
use crate::{
    functions::Options,
    stack::{Function, Route},
};

#[tokio::test]
async fn a_function_that_takes_more_than_30_seconds_is_unavailable() {
    let function = Function {
        logical_id: "Echo".to_owned(),
        name: "quire-Echo".to_owned(),
        binary: "echo".to_owned(),
        timeout: Duration::from_secs(60),
        memory: 128,
        reserved_concurrency: None,
        environment: BTreeMap::new(),
        statements: Vec::new(),
        routes: vec![Route { method: "ANY".to_owned(), path: "$default".to_owned() }],
        triggers: Vec::new(),
    };
    let stack = Arc::new(Stack {
        name: "quire".to_owned(),
        region: "eu-west-1".to_owned(),
        functions: BTreeMap::from([("Echo".to_owned(), function)]),
        tables: BTreeMap::new(),
        queues: Vec::new(),
        keys: BTreeMap::new(),
        buckets: BTreeMap::new(),
        cors: None,
    });
    let binaries = BTreeMap::from([("echo".to_owned(), "/nowhere/echo".into())]);
    // Where no process may be started, an invocation waits for ever.
    let options = Options { max_instances: 0, ..Options::new(binaries, "http://127.0.0.1:1", Arc::new(|_| ())) };
    let functions = Functions::start(stack.clone(), options).await.unwrap();
    let mut gateway = Gateway::new(stack, functions);
    let limit = mem::replace(&mut gateway.integration_timeout, Duration::from_millis(1));
    assert_eq!(limit, Duration::from_secs(30));
    let server = State(Arc::new(Server { gateway, port: 80 }));
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    let response = handle(server, ConnectInfo(([127, 0, 0, 1], 1).into()), request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), r#"{"message":"Service Unavailable"}"#);
}

//! What the tests of `functions` and `gateway` share: a stack of test functions.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use quire_local::{
    functions::{Functions, LogLine, Options},
    stack::{Cors, Function, Route, Stack},
};
use tokio::{io::AsyncReadExt, net::TcpListener, net::TcpStream};

/// Longest that a test waits for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A function named `Echo` that runs the test function.
pub(crate) fn function() -> Function {
    Function {
        logical_id: "Echo".to_owned(),
        name: "quire-Echo".to_owned(),
        binary: "echo".to_owned(),
        timeout: Duration::from_secs(20),
        memory: 256,
        reserved_concurrency: None,
        environment: BTreeMap::new(),
        statements: Vec::new(),
        routes: Vec::new(),
        triggers: Vec::new(),
    }
}

pub(crate) fn routes(keys: &[&str]) -> Vec<Route> {
    let route = |key: &&str| match key.split_once(' ') {
        Some((method, path)) => Route { method: method.to_owned(), path: path.to_owned() },
        None => Route { method: "ANY".to_owned(), path: (*key).to_owned() },
    };
    keys.iter().map(route).collect()
}

pub(crate) fn stack(functions: impl IntoIterator<Item = Function>, cors: Option<Cors>) -> Arc<Stack> {
    Arc::new(Stack {
        name: "quire".to_owned(),
        region: "eu-west-1".to_owned(),
        functions: functions.into_iter().map(|function| (function.logical_id.clone(), function)).collect(),
        tables: BTreeMap::new(),
        queues: Vec::new(),
        keys: BTreeMap::new(),
        buckets: BTreeMap::new(),
        cors,
    })
}

/// Lines that the functions printed.
pub(crate) type Lines = Arc<Mutex<Vec<LogLine>>>;

pub(crate) fn options() -> (Options, Lines) {
    let lines = Lines::default();
    let sink = lines.clone();
    let binaries = BTreeMap::from([("echo".to_owned(), PathBuf::from(env!("CARGO_BIN_EXE_local-test-function")))]);
    let log = Arc::new(move |line| sink.lock().unwrap().push(line));
    (Options::new(binaries, "http://127.0.0.1:4566", log), lines)
}

pub(crate) async fn start(stack: &Arc<Stack>) -> Functions {
    Functions::start(stack.clone(), options().0).await.unwrap()
}

/// Waits until a condition holds, looking again whenever another task has had its turn.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "the condition did not come true");
        tokio::task::yield_now().await;
    }
}

/// Accepts the connection that a test function makes when it is told to hold one.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    tokio::time::timeout(DEADLINE, listener.accept()).await.expect("no connection came").unwrap().0
}

/// Waits for the end of the process that holds a connection.
pub(crate) async fn ends(mut held: TcpStream) {
    let read = tokio::time::timeout(DEADLINE, held.read(&mut [0])).await.expect("the process still runs");
    assert!(matches!(read, Ok(0) | Err(_)));
}

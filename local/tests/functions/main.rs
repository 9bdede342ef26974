//! Functions as processes: their life, their environment and what callers see of their failures.

#[path = "../common/mod.rs"]
mod common;
mod failures;
mod invocations;
mod processes;

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use quire_local::{
    functions::{FunctionError, Functions, Invocation, MAX_PAYLOAD, Options, Outcome, Phase},
    stack::Function,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener, task::JoinSet};

use self::common::{DEADLINE, accept, ends, function, options, stack, start, until};

async fn invoke(functions: &Functions, event: Value) -> Invocation {
    functions.invoke("Echo", Bytes::from(event.to_string()), None).await
}

async fn reply(functions: &Functions, event: Value) -> Value {
    match invoke(functions, event).await.outcome {
        Outcome::Reply(reply) => serde_json::from_slice(&reply).unwrap(),
        other => panic!("no reply but {other:?}"),
    }
}

fn failure(invocation: &Invocation) -> &FunctionError {
    match &invocation.outcome {
        Outcome::Failed(error) => error,
        other => panic!("no failure but {other:?}"),
    }
}

async fn echo() -> Functions {
    start(&stack([function()], None)).await
}

async fn with_init(fault: &str) -> Functions {
    start(&stack([with_variable("INIT", fault)], None)).await
}

fn with_variable(name: &str, value: &str) -> Function {
    Function { environment: BTreeMap::from([(name.to_owned(), value.to_owned())]), ..function() }
}

async fn limited(max_instances: usize, reserved_concurrency: Option<u32>) -> Functions {
    let mut function = function();
    function.reserved_concurrency = reserved_concurrency;
    let options = Options { max_instances, ..options().0 };
    Functions::start(stack([function], None), options).await.unwrap()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

//! Functions as processes: their life, their environment and what callers see of their failures.

mod common;

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use common::{DEADLINE, accept, ends, function, options, stack, start, until};
use quire_local::functions::{FunctionError, Functions, Invocation, MAX_PAYLOAD, Options, Outcome, Phase};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener, task::JoinSet};

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
    let mut function = function();
    function.environment = BTreeMap::from([("INIT".to_owned(), fault.to_owned())]);
    start(&stack([function], None)).await
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

#[tokio::test]
async fn one_process_serves_one_invocation_after_another() {
    let functions = echo().await;
    let first = invoke(&functions, json!({"n": 0})).await;
    assert!(first.init.is_some());
    assert_eq!(first.outcome, Outcome::Reply(Bytes::from_static(br#"{"n":0}"#)));
    for n in 1..20 {
        let warm = invoke(&functions, json!({"n": n})).await;
        assert_eq!((warm.init, warm.outcome), (None, Outcome::Reply(json!({"n": n}).to_string().into())));
    }
    let ids: Vec<_> = functions.instances("Echo").into_iter().map(|instance| instance.id).collect();
    assert_eq!(ids, ["Echo-1"]);
}

#[tokio::test]
async fn concurrent_invocations_start_processes_up_to_the_limit_and_then_wait() {
    let functions = limited(3, None).await;
    let (listener, address) = listen().await;
    let mut invocations = JoinSet::new();
    for n in 0..7 {
        let (functions, event) = (functions.clone(), json!({"await": address, "reply": n}));
        invocations.spawn(async move { reply(&functions, event).await });
    }
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(accept(&listener).await);
    }
    assert_eq!(functions.instances("Echo").iter().filter(|instance| instance.phase == Phase::Busy).count(), 3);
    let mut peak = 3;
    for _ in 3..7 {
        waiting.remove(0).write_all(b"!").await.unwrap();
        waiting.push(accept(&listener).await);
        peak = peak.max(functions.instances("Echo").len());
    }
    for mut connection in waiting {
        connection.write_all(b"!").await.unwrap();
    }
    let mut replies: Vec<_> = invocations.join_all().await.into_iter().filter_map(|reply| reply.as_u64()).collect();
    replies.sort_unstable();
    assert_eq!((replies, peak), ((0..7).collect(), 3));
}

#[tokio::test]
async fn invocations_beyond_the_reserved_concurrency_are_throttled() {
    let functions = limited(10, Some(1)).await;
    let (listener, address) = listen().await;
    let event = json!({"await": address});
    let (first, ()) = tokio::join!(invoke(&functions, event), async {
        let mut connection = accept(&listener).await;
        assert_eq!(invoke(&functions, json!({})).await.outcome, Outcome::Throttled);
        connection.write_all(b"!").await.unwrap();
    });
    assert!(matches!(first.outcome, Outcome::Reply(_)));
    assert_eq!(invoke(&limited(10, Some(0)).await, json!({})).await.outcome, Outcome::Throttled);
}

#[tokio::test]
async fn the_environment_is_what_lambda_sets_and_nothing_else() {
    let mut function = function();
    function.environment = BTreeMap::from([("TABLE_NAME".to_owned(), "quire-Table".to_owned())]);
    let functions = start(&stack([function], None)).await;
    let mut environment = reply(&functions, json!({"do": "environment"})).await;
    let mut take = |name: &str| environment.as_object_mut().unwrap().remove(name).unwrap().as_str().unwrap().to_owned();
    let api = take("AWS_LAMBDA_RUNTIME_API");
    assert!(api.starts_with("http://127.0.0.1:") && api.ends_with("/Echo-1"), "{api}");
    assert!(take("AWS_LAMBDA_LOG_STREAM_NAME").ends_with("/[$LATEST]Echo-1"));
    assert!(take("AWS_ACCESS_KEY_ID").starts_with("ASIA"));
    assert_eq!(take("AWS_SECRET_ACCESS_KEY").len(), 64);
    let binary = env!("CARGO_BIN_EXE_local-test-function");
    assert_eq!(take("LAMBDA_TASK_ROOT"), binary.rsplit_once('/').unwrap().0);
    let expected = json!({
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": "quire-Echo",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/quire-Echo",
        "AWS_REGION": "eu-west-1",
        "AWS_SESSION_TOKEN": "Echo-1",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "TABLE_NAME": "quire-Table",
        "TZ": ":UTC",
        "_HANDLER": "bootstrap",
    });
    assert_eq!(environment, expected);
}

#[tokio::test]
async fn an_event_comes_with_its_id_deadline_arn_and_trace() {
    let functions = echo().await;
    let trace = Some("Root=1-00000000-000000000000000000000000".to_owned());
    let before = jiff::Timestamp::now().as_millisecond();
    let invocation = functions.invoke("Echo", Bytes::from_static(br#"{"do":"context"}"#), trace.clone()).await;
    let Outcome::Reply(context) = invocation.outcome else { panic!("{:?}", invocation.outcome) };
    let context: BTreeMap<String, String> = serde_json::from_slice(&context).unwrap();
    assert_eq!(context["lambda-runtime-aws-request-id"], invocation.request_id);
    assert_eq!(context["lambda-runtime-invoked-function-arn"], "arn:aws:lambda:eu-west-1:000000000000:function:quire-Echo");
    assert_eq!(context.get("lambda-runtime-trace-id"), trace.as_ref());
    let left = context["lambda-runtime-deadline-ms"].parse::<i64>().unwrap() - before;
    assert!((20_000..50_000).contains(&left), "{left} ms");
}

#[tokio::test]
async fn an_error_that_the_function_reports_is_passed_on_and_the_process_lives_on() {
    let functions = echo().await;
    let invocation = invoke(&functions, json!({"error": "not today"})).await;
    let error = failure(&invocation);
    assert_eq!((error.error_type.as_str(), error.message.as_str()), ("Refused", "not today"));
    assert_eq!(error.payload, json!({"errorType": "Refused", "errorMessage": "not today"}).to_string());
    assert_eq!(invoke(&functions, json!({})).await.init, None);
}

#[tokio::test]
async fn a_process_that_exits_in_flight_fails_its_invocation_at_once_and_is_replaced() {
    let functions = echo().await;
    let invocation = invoke(&functions, json!({"print": "last words", "exit": 3})).await;
    let error = failure(&invocation);
    let message = format!("RequestId: {} Error: Runtime exited with error: exit status 3", invocation.request_id);
    assert_eq!((error.error_type.as_str(), &error.message), ("Runtime.ExitError", &message));
    assert_eq!(error.payload, json!({"errorType": "Runtime.ExitError", "errorMessage": message}).to_string());
    assert_eq!(invocation.logs, ["last words", "last words to stderr"]);
    let silent = invoke(&functions, json!({"exit": 0})).await;
    assert!(failure(&silent).message.ends_with("Error: Runtime exited without providing a reason"));
    assert!(invoke(&functions, json!({})).await.init.is_some());
}

#[tokio::test]
async fn a_killed_process_fails_its_invocation_at_once_and_is_replaced() {
    let functions = echo().await;
    let (listener, address) = listen().await;
    let (invocation, ()) = tokio::join!(invoke(&functions, json!({"hold": address, "do": "hang"})), async {
        let held = accept(&listener).await;
        assert!(functions.kill("Echo-1"));
        ends(held).await;
    });
    assert!(failure(&invocation).message.ends_with("Error: Runtime exited with error: signal: killed"));
    assert!(!functions.kill("Echo-1"));
    assert_eq!(reply(&functions, json!({"reply": "again"})).await, "again");
}

#[tokio::test]
async fn a_process_killed_while_idle_is_replaced_without_anybody_noticing() {
    let functions = echo().await;
    invoke(&functions, json!({})).await;
    until(|| functions.instances("Echo")[0].phase == Phase::Idle).await;
    assert!(functions.kill("Echo-1"));
    assert_eq!(reply(&functions, json!({"reply": "again"})).await, "again");
}

#[tokio::test]
async fn a_process_that_exceeds_its_timeout_is_killed() {
    let mut function = function();
    function.timeout = Duration::from_secs(3);
    let functions = start(&stack([function], None)).await;
    let (listener, address) = listen().await;
    let (invocation, held) = tokio::join!(invoke(&functions, json!({"hold": address, "do": "hang"})), async {
        let held = accept(&listener).await;
        // Nothing but the clock can go on now, so it jumps to the timeout.
        tokio::time::pause();
        held
    });
    tokio::time::resume();
    let error = failure(&invocation);
    assert_eq!(error.error_type, "Sandbox.Timedout");
    assert!(error.message.ends_with(&format!("Z {} Task timed out after 3.00 seconds", invocation.request_id)), "{error}");
    assert_eq!(invocation.logs, [error.message.as_str()]);
    ends(held).await;
    assert!(invoke(&functions, json!({})).await.init.is_some());
}

#[tokio::test]
async fn a_process_that_does_not_start_in_time_is_killed() {
    let functions = with_init("hang").await;
    tokio::time::pause();
    let invocation = invoke(&functions, json!({})).await;
    assert!(failure(&invocation).message.ends_with("Init timed out after 10.00 seconds"));
    until(|| functions.instances("Echo").is_empty()).await;
}

#[tokio::test]
async fn a_crash_during_init_fails_one_invocation_and_the_next_starts_afresh() {
    for (fault, message) in [("exit", "exit status 1"), ("abort", "signal: aborted")] {
        let functions = with_init(fault).await;
        for _ in 0..2 {
            let invocation = invoke(&functions, json!({})).await;
            let error = failure(&invocation);
            assert_eq!(error.error_type, "Runtime.ExitError");
            assert!(error.message.ends_with(message), "{error}");
            until(|| functions.instances("Echo").is_empty()).await;
        }
    }
}

#[tokio::test]
async fn an_error_reported_during_init_fails_the_invocation_and_ends_the_process() {
    let functions = with_init("error").await;
    let invocation = invoke(&functions, json!({})).await;
    assert_eq!(failure(&invocation).payload, json!({"errorType": "Init", "errorMessage": "no luck"}).to_string());
    until(|| functions.instances("Echo").is_empty()).await;
}

#[tokio::test]
async fn a_binary_that_cannot_be_run_fails_the_invocation() {
    let binaries = BTreeMap::from([("echo".to_owned(), "/nowhere/echo".into())]);
    let functions = Functions::start(stack([function()], None), Options { binaries, ..options().0 }).await.unwrap();
    assert_eq!(failure(&invoke(&functions, json!({})).await).error_type, "Runtime.InvalidEntrypoint");
}

#[tokio::test]
async fn a_function_without_a_binary_is_an_error_at_the_start() {
    let options = Options { binaries: BTreeMap::new(), ..options().0 };
    let error = Functions::start(stack([function()], None), options).await.err().unwrap();
    assert_eq!(error.to_string(), "function Echo has no binary `echo`");
}

#[tokio::test]
async fn an_unknown_function_is_an_error() {
    let invocation = echo().await.invoke("Other", Bytes::from_static(b"{}"), None).await;
    assert_eq!(failure(&invocation).error_type, "ResourceNotFoundException");
}

#[tokio::test]
async fn payloads_are_limited_as_in_lambda() {
    let functions = echo().await;
    // The reply is a JSON string with its two quotes.
    let largest = invoke(&functions, json!({"size": MAX_PAYLOAD - 2})).await;
    assert!(matches!(largest.outcome, Outcome::Reply(reply) if reply.len() == MAX_PAYLOAD));
    let larger = invoke(&functions, json!({"size": MAX_PAYLOAD - 1})).await;
    let error = failure(&larger);
    assert_eq!(error.error_type, "Function.ResponseSizeTooLarge");
    assert_eq!(error.message, "Response payload size exceeded maximum allowed payload size (6291556 bytes).");
    let event = functions.invoke("Echo", Bytes::from(vec![b' '; MAX_PAYLOAD + 1]), None).await;
    assert_eq!(failure(&event).error_type, "RequestTooLargeException");
    assert_eq!(invoke(&functions, json!({})).await.init, None);
}

#[tokio::test]
async fn a_streamed_reply_is_refused() {
    let functions = echo().await;
    assert_eq!(failure(&invoke(&functions, json!({"do": "stream"})).await).error_type, "Runtime.StreamingUnsupported");
}

#[tokio::test]
async fn an_answer_to_another_invocation_is_refused() {
    let refusal = reply(&echo().await, json!({"do": "answer-another"})).await;
    assert!(refusal.as_str().unwrap().contains("InvalidRequestID"), "{refusal}");
}

#[tokio::test]
async fn printed_lines_reach_the_sink_and_the_invocation() {
    let (options, lines) = options();
    let functions = Functions::start(stack([function()], None), options).await.unwrap();
    let invocation = invoke(&functions, json!({"print": "hello\nworld"})).await;
    assert_eq!(invocation.logs, ["hello", "world", "hello", "world to stderr"]);
    let first = lines.lock().unwrap()[0].clone();
    assert_eq!((first.function.as_str(), first.instance.as_str(), first.text.as_str()), ("Echo", "Echo-1", "hello"));
    assert_eq!(first.request_id, Some(invocation.request_id));
    assert!(invoke(&functions, json!({})).await.logs.is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_memory_of_a_process_is_reported() {
    assert!(invoke(&echo().await, json!({})).await.max_memory_mb.unwrap() > 0);
}

#[tokio::test]
async fn replaced_processes_end_when_they_are_idle_or_after_their_invocation() {
    let functions = echo().await;
    let (listener, address) = listen().await;
    invoke(&functions, json!({"hold": address})).await;
    let idle = accept(&listener).await;
    until(|| functions.instances("Echo")[0].phase == Phase::Idle).await;
    functions.replace("Echo");
    ends(idle).await;
    let (busy, held) = tokio::join!(invoke(&functions, json!({"hold": address, "await": address})), async {
        let held = accept(&listener).await;
        let mut connection = accept(&listener).await;
        functions.replace("Echo");
        connection.write_all(b"!").await.unwrap();
        held
    });
    assert!(matches!(busy.outcome, Outcome::Reply(_)));
    ends(held).await;
}

#[tokio::test]
async fn an_idle_process_ends_after_a_while() {
    let functions = Functions::start(stack([function()], None), Options { idle: Duration::from_millis(1), ..options().0 }).await.unwrap();
    let (listener, address) = listen().await;
    invoke(&functions, json!({"hold": address})).await;
    ends(accept(&listener).await).await;
    until(|| functions.instances("Echo").is_empty()).await;
    assert!(invoke(&functions, json!({})).await.init.is_some());
}

#[tokio::test]
async fn no_process_is_left_after_a_stop() {
    let functions = echo().await;
    let (listener, address) = listen().await;
    let (hanging, idle) = (json!({"hold": address, "do": "hang"}), json!({"hold": address}));
    let (hanging, (first, second)) = tokio::join!(invoke(&functions, hanging), async {
        let first = accept(&listener).await;
        invoke(&functions, idle).await;
        let second = accept(&listener).await;
        functions.stop().await;
        assert!(functions.instances("Echo").is_empty());
        (first, second)
    });
    assert!(failure(&hanging).message.ends_with("signal: killed"));
    ends(first).await;
    ends(second).await;
    assert_eq!(invoke(&functions, json!({})).await.outcome, Outcome::Throttled);
}

#[tokio::test]
async fn no_process_is_left_after_a_drop() {
    let functions = echo().await;
    let (listener, address) = listen().await;
    invoke(&functions, json!({"hold": address})).await;
    let held = accept(&listener).await;
    drop(functions);
    ends(held).await;
}

#[tokio::test]
async fn no_process_is_left_when_the_runtime_ends() {
    let (listener, address) = listen().await;
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let functions = runtime.block_on(echo());
        runtime.block_on(invoke(&functions, json!({"hold": address})));
        drop(runtime);
    });
    let held = accept(&listener).await;
    ends(held).await;
    thread.join().unwrap();
}

#[tokio::test]
async fn no_process_is_left_when_the_local_cloud_is_killed() {
    let (listener, address) = listen().await;
    let mut host = Command::new(env!("CARGO_BIN_EXE_local-test-function"));
    let mut host = host.arg(&address).stdin(Stdio::null()).spawn().unwrap();
    let held = tokio::time::timeout(DEADLINE, listener.accept()).await;
    host.kill().unwrap();
    host.wait().unwrap();
    ends(held.expect("the function did not start").unwrap().0).await;
}

#[tokio::test]
async fn an_invocation_goes_on_when_its_caller_has_gone() {
    let functions = echo().await;
    let (listener, address) = listen().await;
    let caller = tokio::spawn({
        let functions = functions.clone();
        async move { invoke(&functions, json!({"await": address, "print": "done"})).await }
    });
    let mut connection = accept(&listener).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    connection.write_all(b"!").await.unwrap();
    until(|| functions.instances("Echo")[0].phase == Phase::Idle).await;
}

//! Failures: of the function, of its process and of its start.

use super::*;

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
async fn a_process_that_exceeds_its_timeout_is_killed() {
    let (listener, address) = listen().await;
    // It holds the connection from its start on, which the timeout does not limit.
    let function = Function { timeout: Duration::from_millis(50), ..with_variable("HOLD", &address) };
    let functions = start(&stack([function], None)).await;
    let invocation = invoke(&functions, json!({"do": "hang"})).await;
    let error = failure(&invocation);
    assert_eq!(error.error_type, "Sandbox.Timedout");
    assert!(error.message.ends_with(&format!("Z {} Task timed out after 0.05 seconds", invocation.request_id)), "{error}");
    assert_eq!(invocation.logs, [error.message.as_str()]);
    ends(accept(&listener).await).await;
    assert!(invoke(&functions, json!({})).await.init.is_some());
}

#[tokio::test]
async fn a_process_that_does_not_start_in_time_is_killed() {
    let options = options().0;
    assert_eq!(options.init, Duration::from_secs(10));
    let stack = stack([with_variable("INIT", "hang")], None);
    let functions = Functions::start(stack, Options { init: Duration::from_millis(50), ..options }).await.unwrap();
    let invocation = invoke(&functions, json!({})).await;
    assert!(failure(&invocation).message.ends_with("Init timed out after 0.05 seconds"));
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
async fn a_streamed_reply_is_refused() {
    let functions = echo().await;
    assert_eq!(failure(&invoke(&functions, json!({"do": "stream"})).await).error_type, "Runtime.StreamingUnsupported");
}

#[tokio::test]
async fn an_answer_to_another_invocation_is_refused() {
    let refusal = reply(&echo().await, json!({"do": "answer-another"})).await;
    assert!(refusal.as_str().unwrap().contains("InvalidRequestID"), "{refusal}");
}

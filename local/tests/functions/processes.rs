//! The end of processes: one by one, and all with the local cloud.

use super::*;

#[tokio::test]
async fn a_process_killed_while_idle_is_replaced_without_anybody_noticing() {
    let functions = echo().await;
    invoke(&functions, json!({})).await;
    until(|| functions.instances("Echo")[0].phase == Phase::Idle).await;
    assert!(functions.kill("Echo-1"));
    assert_eq!(reply(&functions, json!({"reply": "again"})).await, "again");
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

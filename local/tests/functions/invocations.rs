//! Invocations: how processes share them, and what both sides get to see.

use super::*;

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

#[tokio::test]
async fn the_environment_is_what_lambda_sets_and_nothing_else() {
    let functions = start(&stack([with_variable("TABLE_NAME", "quire-Table")], None)).await;
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

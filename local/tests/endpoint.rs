//! The endpoint: who may call what, and faults.

mod support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::QueueAttributeName,
};
use http::StatusCode;
use quire_local::{
    faults::{Action, Call, Fired, Rule},
    service::ServiceError,
};
use support::{Cloud, DEADLINE, code, create};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn wait(fired: &Fired, times: usize) {
    tokio::time::timeout(DEADLINE, fired.wait(times)).await.unwrap();
}

async fn count(client: &Client, url: &str) -> String {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let reply = client.get_queue_attributes().queue_url(url).attribute_names(name.clone()).send().await.unwrap();
    reply.attributes.unwrap().remove(&name).unwrap()
}

/// Sends bytes as they are; gives everything that comes back until the connection ends.
async fn raw(cloud: &Cloud, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(cloud.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut reply = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut reply)).await.unwrap().unwrap();
    String::from_utf8(reply).unwrap()
}

fn post(headers: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n{{}}").into_bytes()
}

#[tokio::test]
async fn a_function_may_do_what_its_statements_allow_and_nothing_else() {
    let cloud = Cloud::start().await;
    let (allowed, other) = (create(&cloud.developer(), "allowed", &[]).await, create(&cloud.developer(), "other", &[]).await);
    let client = cloud.function("Sender", "instance-7");
    client.send_message().queue_url(&allowed).message_body("x").send().await.unwrap();

    let error = client.purge_queue().queue_url(&allowed).send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert_eq!(
        error.message(),
        Some(
            "User: arn:aws:sts::000000000000:assumed-role/Sender/instance-7 is not authorized to perform: sqs:PurgeQueue \
             on resource: arn:aws:sqs:eu-central-1:000000000000:allowed because no identity-based policy allows the sqs:PurgeQueue action"
        )
    );
    assert_eq!(code(client.send_message().queue_url(&other).message_body("x").send().await), "AccessDeniedException");
    assert_eq!((count(&cloud.developer(), &allowed).await, count(&cloud.developer(), &other).await), ("1".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn an_unknown_access_key_is_refused() {
    let cloud = Cloud::start().await;
    let client = cloud.client("AKIDSTRANGER", None);
    assert_eq!(code(client.list_queues().send().await), "UnrecognizedClientException");
}

#[tokio::test]
async fn malformed_calls_are_refused_as_the_protocol_does() {
    let cloud = Cloud::start().await;
    let target = "x-amz-target: AmazonSQS.ListQueues\r\n";
    let key = "authorization: AWS4-HMAC-SHA256 Credential=quire/20260101/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=00\r\n";
    let length = "content-length: 2\r\n";
    for (request, status, expected) in [
        (post(&format!("{length}{target}{key}")), "200", "QueueUrls"),
        (post(&format!("{length}{target}")), "403", "MissingAuthenticationToken"),
        (post(&format!("{length}{target}authorization: Basic eA==\r\n")), "400", "IncompleteSignatureException"),
        (post(&format!("{length}x-amz-target: AmazonSNS.Publish\r\n{key}")), "400", "UnknownOperationException"),
        (post(&format!("{length}{key}")), "400", "UnknownOperationException"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(), "404", "UnknownOperationException"),
        (post(&format!("content-length: 16777217\r\n{target}{key}")), "413", "RequestEntityTooLarge"),
    ] {
        let reply = raw(&cloud, &request).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")) && reply.contains(expected), "{reply}");
        assert!(reply.contains("x-amzn-requestid: "), "{reply}");
    }
}

#[tokio::test]
async fn calls_are_recorded_with_their_callers() {
    let cloud = Cloud::start().await;
    let url = create(&cloud.developer(), "allowed", &[]).await;
    cloud.function("Sender", "1").purge_queue().queue_url(&url).send().await.unwrap_err();
    let call =
        |function: Option<&str>, operation: &str| Call { function: function.map(str::to_owned), service: "sqs", operation: operation.to_owned() };
    assert_eq!(cloud.faults.calls(), [call(None, "CreateQueue"), call(Some("Sender"), "PurgeQueue")]);
}

/// Sends through a function whose process is killed by `action`; gives the messages in the queue and the processes killed.
async fn send_and_kill(action: Action) -> (String, Vec<String>) {
    let cloud = Cloud::start().await;
    let url = create(&cloud.developer(), "allowed", &[]).await;
    let killed = Arc::new(Mutex::new(Vec::new()));
    cloud.faults.kill_with({
        let killed = killed.clone();
        move |instance| killed.lock().unwrap().push(instance.to_owned())
    });
    let fired = cloud.faults.add(Rule::new(action).function("Sender").operation("SendMessage"));
    let sent = cloud.function("Sender", "instance-7").send_message().queue_url(&url).message_body("x").send().await;
    assert!(matches!(sent, Err(SdkError::DispatchFailure(_))), "{sent:?}");
    wait(&fired, 1).await;
    let killed = killed.lock().unwrap().clone();
    (count(&cloud.developer(), &url).await, killed)
}

#[tokio::test]
async fn a_process_can_be_killed_before_its_call_is_seen() {
    assert_eq!(send_and_kill(Action::KillBefore).await, ("0".to_owned(), vec!["instance-7".to_owned()]));
}

#[tokio::test]
async fn a_process_can_be_killed_after_its_call_was_done() {
    assert_eq!(send_and_kill(Action::KillAfter).await, ("1".to_owned(), vec!["instance-7".to_owned()]));
}

#[tokio::test]
async fn a_reply_can_be_dropped_after_the_call_was_done() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "allowed", &[]).await;
    let fired = cloud.faults.add(Rule::new(Action::DropReply).operation("SendMessage"));
    let sent = client.send_message().queue_url(&url).message_body("x").send().await;
    assert!(matches!(sent, Err(SdkError::DispatchFailure(_))), "{sent:?}");
    wait(&fired, 1).await;
    assert_eq!(count(&client, &url).await, "1");
}

#[tokio::test]
async fn calls_can_fail_without_being_done() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "allowed", &[]).await;
    let throttled = ServiceError { status: StatusCode::SERVICE_UNAVAILABLE, ..ServiceError::client("RequestThrottled", "Slow down.") };
    let fired = cloud.faults.add(Rule::new(Action::Fail(throttled)).operation("SendMessage").skip(1).times(2));
    let send = || client.send_message().queue_url(&url).message_body("x").send();
    send().await.unwrap();
    for _ in 0..2 {
        assert_eq!(code(send().await), "RequestThrottled");
    }
    send().await.unwrap();
    assert_eq!((fired.count(), count(&client, &url).await.as_str()), (2, "2"));
}

#[tokio::test]
async fn a_call_can_be_delayed() {
    let cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "allowed", &[]).await;
    let delay = Duration::from_secs(2);
    let fired = cloud.faults.add(Rule::new(Action::Delay(delay)).operation("SendMessage"));
    let began = Instant::now();
    let sending = tokio::spawn(client.send_message().queue_url(&url).message_body("x").send());
    wait(&fired, 1).await;
    assert_eq!(count(&client, &url).await, "0");
    sending.await.unwrap().unwrap();
    assert!(began.elapsed() >= delay);
    assert_eq!(count(&client, &url).await, "1");
}

#[tokio::test]
async fn shutting_down_cuts_long_polls() {
    let mut cloud = Cloud::start().await;
    let client = cloud.developer();
    let url = create(&client, "allowed", &[]).await;
    let fired = cloud.faults.add(Rule::new(Action::Delay(Duration::ZERO)).operation("ReceiveMessage"));
    let poll = tokio::spawn(client.receive_message().queue_url(&url).wait_time_seconds(20).send());
    wait(&fired, 1).await;
    let began = Instant::now();
    cloud.shutdown.take().unwrap().send(()).unwrap();
    tokio::time::timeout(DEADLINE, cloud.served).await.unwrap().unwrap().unwrap();
    assert!(matches!(poll.await.unwrap(), Err(SdkError::DispatchFailure(_))));
    assert!(began.elapsed() < Duration::from_secs(15));
}

//! Providers that fail, answer again, and publish what they should not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// A server of one reply after the other, each the status and the body; what it has none left for is 404. It ends with the test.
async fn server(replies: impl Fn(usize, &str) -> (u16, String) + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, own) = (asked.clone(), address.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let path = String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default().to_owned();
            let (status, body) = replies(count.fetch_add(1, Ordering::SeqCst), &path);
            let body = body.replace("{own}", &own);
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nlocation: /elsewhere\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (address, asked)
}

fn metadata(authorize: &str) -> String {
    format!(
        r#"{{"issuer": "{{own}}", "authorization_endpoint": "{authorize}", "token_endpoint": "{{own}}/token", "jwks_uri": "{{own}}/keys",
        "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"]}}"#
    )
}

fn published(path: &str) -> (u16, String) {
    if path == "/keys" { (200, r#"{"keys": []}"#.to_owned()) } else { (200, metadata("{own}/authorize")) }
}

fn providers(issuer: &str) -> Providers {
    Providers::new(&format!("test={issuer}"), "test=client", &"test=secret".into(), "https://quire.example.com/").unwrap()
}

async fn ask(providers: &Providers, seconds: i64) -> Result<String, ProviderError> {
    let handshake = Handshake { state: "s".repeat(43).into(), nonce: "n".repeat(43).into(), verifier: "v".repeat(43).into() };
    providers.authorization(&ProviderName::parse("test").unwrap(), &handshake, Timestamp::from_millis(seconds * 1000)).await
}

#[track_caller]
fn retry_after(outcome: Result<String, ProviderError>) -> u32 {
    match outcome {
        Err(ProviderError::Unavailable { retry_after, .. }) => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_provider_that_fails_is_left_alone_until_it_answers_again() {
    let (address, asked) = server(|index, path| if index < 4 { (500, String::new()) } else { published(path) }).await;
    let providers = providers(&address);
    for _ in 0..3 {
        assert_eq!(retry_after(ask(&providers, 0).await), 5);
    }
    assert_eq!((retry_after(ask(&providers, 10).await), asked.load(Ordering::SeqCst)), (21, 3), "nothing is asked");
    assert_eq!(retry_after(ask(&providers, 30).await), 5, "one tries, in vain");
    assert_eq!((retry_after(ask(&providers, 59).await), asked.load(Ordering::SeqCst)), (2, 4));
    assert!(ask(&providers, 60).await.unwrap().starts_with(&format!("{address}/authorize?")));
    assert!(ask(&providers, 61).await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 6, "what it publishes is kept");
    assert!(ask(&providers, 60 + 3600).await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 8, "for an hour");
}

/// Status and body for the n-th request to a path.
type Replies = fn(usize, &str) -> (u16, String);

#[tokio::test]
async fn redirects_long_replies_and_other_addresses_are_no_answers() {
    let replies: [Replies; 5] = [
        |_, path| if path == "/elsewhere" { published("") } else { (302, String::new()) },
        |_, _| (200, " ".repeat(limits_exceeded()) + &metadata("{own}/authorize")),
        |_, _| (200, metadata("{own}/authorize").replace("\"{own}\"", "\"https://other.example.com\"")),
        |_, path| if path == "/keys" { published(path) } else { (200, metadata("http://other.example.com/authorize")) },
        |_, _| (200, metadata("{own}/authorize").replace("{own}/keys", "http://192.0.2.1/keys")),
    ];
    for reply in replies {
        let (address, _) = server(reply).await;
        assert_eq!(retry_after(ask(&providers(&address), 0).await), 5);
    }
}

fn limits_exceeded() -> usize {
    quire_domain::limits::PROVIDER_REPLY_BYTES
}

#[tokio::test]
async fn nobody_at_the_address_is_no_answer_and_an_unknown_name_is_no_provider() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(retry_after(ask(&providers(&address), 0).await), 5);
    let none = Providers::new("", "", &"".into(), "https://quire.example.com").unwrap();
    assert!(matches!(ask(&none, 0).await, Err(ProviderError::Unknown)));
}

#[test]
fn what_is_wrong_with_the_configuration_is_said_without_a_secret() {
    let new = |issuers: &str, clients: &str, secrets: &str| {
        Providers::new(issuers, clients, &secrets.to_owned().into(), "https://quire.example.com").err().unwrap_or_default()
    };
    assert_eq!(new("a=https://a.example.com, b=https://b.example.com", "a=1,b=2", "a=s3cret=,b=t"), "");
    for (issuers, clients, secrets) in [
        ("a", "a=1", "a=s3cret"),
        ("a=https://a.example.com", "", "a=s3cret"),
        ("a=https://a.example.com", "a=1", ""),
        ("a=https://a.example.com", "a=1", "s3cret"),
        ("a=https://a.example.com", "a=1", "a=s3cret,a=s3cret"),
        ("a=https://a.example.com", "a=1", "a=s3cret,b=s3cret"),
        ("a=nothing", "a=1", "a=s3cret"),
        ("a=http://a.example.com", "a=1", "a=s3cret"),
        ("a=http://127.0.0.1.example.com", "a=1", "a=s3cret"),
        ("A=https://a.example.com", "A=1", "A=s3cret"),
    ] {
        let wrong = new(issuers, clients, secrets);
        assert!(!wrong.is_empty() && !wrong.contains("s3cret"), "{issuers}: {wrong}");
    }
}

//! RPC: the published clients, and what they do not show of the protocols.

use std::process::{Output, Stdio};

use base64::{Engine, prelude::BASE64_STANDARD};
use quire_proto::v1;
use quire_tests::{DEADLINE, PASSWORD, Quire, Reply, root, send, text};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

fn path(method: &str) -> String {
    format!("/rpc/quire.v1.{method}")
}

pub(crate) async fn call(quire: &Quire, token: Option<&str>, method: &str, message: &Value) -> Reply {
    let request = quire.request(Method::POST, &path(method)).json(message);
    send(if let Some(token) = token { request.bearer_auth(token) } else { request }).await
}

/// A message and the flags and the length before it.
fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    [&[0], &length[..], message].concat()
}

async fn raw(quire: &Quire, method: &str, form: &str, body: Vec<u8>) -> Reply {
    send(quire.request(Method::POST, &path(method)).header("content-type", form).body(body)).await
}

/// A folder with the clients and the code that buf generates.
async fn clients() -> TempDir {
    let folder = root().join("tests/rpc");
    assert!(folder.join("node_modules/@connectrpc").is_dir(), "install the clients first: npm ci --prefix tests/rpc (Node.js 20 or newer)");
    let generated = tempfile::tempdir().expect("a temporary folder");
    let buf = Command::new(folder.join("buf")).output().await.expect("bash runs");
    assert!(buf.status.success(), "{}", String::from_utf8_lossy(&buf.stderr));
    let mut generate = Command::new(String::from_utf8_lossy(&buf.stdout).trim());
    let generate = generate.args(["generate", "../..", "--template", "buf.gen.yaml", "--output"]).arg(generated.path()).current_dir(&folder);
    let output = generate.output().await.expect("buf runs");
    assert!(output.status.success(), "{output:?}");
    for name in ["scenario.js", "transports.js", "package.json"] {
        std::fs::copy(folder.join(name), generated.path().join(name)).expect("a copy");
    }
    std::os::unix::fs::symlink(folder.join("node_modules"), generated.path().join("node_modules")).expect("a link");
    generated
}

async fn node(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut program = Command::new("node");
    let running = program.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(2 * DEADLINE, running).await.expect("in time").expect("Node.js runs");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    output
}

#[tokio::test]
async fn the_published_clients_call_every_method_and_read_every_error() {
    let (quire, root) = Quire::with_admin().await;
    let output = node(&clients().await, &["scenario.js", &quire.url("/rpc"), &root.token]).await;
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 11, "each client says its name");
    quire.stop().await;
}

#[tokio::test]
async fn the_typescript_of_the_documentation_compiles_and_runs() {
    let document = std::fs::read_to_string(root().join("docs/rpc.md")).expect("the document");
    let example = document.split("```ts\n").nth(1).and_then(|rest| rest.split("```\n").next()).expect("an example");
    let quire = Quire::start().await;
    quire.register("ada").await;
    let folder = clients().await;
    std::fs::write(folder.path().join("example.ts"), example.replace("https://blog.example.org", &quire.url(""))).expect("a file");
    node(&folder, &["node_modules/typescript/bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "example.ts"])
        .await;
    let output = node(&folder, &["example.js"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "VERSION_MISMATCH\n[ 'Hello' ] undefined\n");
    quire.stop().await;
}

/// The problem among an error's details, by its bytes; its JSON says the same.
pub(crate) fn problem(reply: &Reply) -> Value {
    let error = reply.json();
    let detail = error["details"].as_array().expect("details").iter().find(|detail| detail["type"] == "quire.v1.Problem").expect("a problem");
    let bytes = base64::prelude::BASE64_STANDARD_NO_PAD.decode(text(&detail["value"])).expect("base64");
    let problem = quire_proto::decode::<v1::Problem>(&bytes).expect("a message");
    assert_eq!(problem, detail["debug"]);
    problem
}

#[tokio::test]
async fn a_method_without_side_effects_is_got_cached_and_never_counted() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let id = quire.published_post(&ada, "T").await;
    let get = async |query: &str, tag: &str| {
        let request = quire.request(Method::GET, &format!("{}?{query}", path("PostService/GetPost"))).header("if-none-match", tag);
        send(request).await
    };
    let query = format!("connect=v1&encoding=json&message=%7B%22postId%22%3A%22{id}%22%7D");
    let read = get(&query, "").await;
    assert_eq!(read.expect(200)["title"], "T");
    assert!(read.header("cache-control").is_some_and(|caching| caching.starts_with("public")), "{read:?}");
    assert_eq!(read.header("vary"), Some("accept-encoding, authorization"));
    let tag = read.header("etag").expect("a tag");
    let again = get(&query, tag).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let message = quire_proto::encode::<v1::GetPostRequest>(json!({"postId": id})).expect("a message");
    let binary = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(message);
    let as_proto = get(&format!("connect=v1&encoding=proto&base64=1&message={binary}"), tag).await;
    assert_eq!((as_proto.status.as_u16(), as_proto.header("content-type")), (200, Some("application/proto")));
    assert_eq!(quire_proto::decode::<v1::Post>(&as_proto.body).expect("a post")["title"], "T");

    let posted = call(&quire, None, "PostService/GetPost", &json!({"postId": id})).await;
    assert_eq!((posted.status.as_u16(), posted.header("ratelimit")), (200, None));
    let wrote = call(&quire, Some(&ada.token), "PostService/CreatePost", &json!({"post": {"title": "T"}})).await;
    assert!(wrote.header("ratelimit").is_some(), "{wrote:?}");
    let refused = send(quire.request(Method::GET, &format!("{}?encoding=json&message=%7B%7D", path("PostService/CreatePost")))).await;
    assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, Some("POST")));
    for (method, allowed) in [("PostService/GetPost", "GET, POST"), ("PostService/CreatePost", "POST")] {
        let deleted = quire.request(Method::DELETE, &path(method)).header("content-type", "application/proto");
        let deleted = send(deleted).await;
        assert_eq!((deleted.status.as_u16(), deleted.header("allow"), deleted.body.len()), (405, Some(allowed), 0));
    }
    quire.stop().await;
}

#[tokio::test]
async fn grpc_web_has_its_forms_and_its_trailers_in_the_body() {
    let quire = Quire::start().await;
    let message = quire_proto::encode::<v1::ListTagsRequest>(json!({"limit": 1})).expect("a message");
    for (form, body) in [("application/grpc-web+proto", message.clone()), ("application/grpc-web+json", b"{\"limit\": 1}".to_vec())] {
        let reply = raw(&quire, "EngagementService/ListTags", form, frame(&body)).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(form)));
        let length = 5 + usize::try_from(u32::from_be_bytes(reply.body[1..5].try_into().expect("a length"))).expect("a length");
        assert_eq!((reply.body[0], reply.body[length]), (0, 0x80), "a message and trailers: {reply:?}");
        assert!(String::from_utf8_lossy(&reply.body[length + 5..]).contains("grpc-status: 0"), "{reply:?}");
    }
    let reply = raw(&quire, "EngagementService/ListTags", "application/grpc-web-text", BASE64_STANDARD.encode(frame(&message)).into()).await;
    assert_eq!(reply.header("content-type"), Some("application/grpc-web-text+proto"));
    let bytes = BASE64_STANDARD.decode(&reply.body).expect("base64");
    assert!(String::from_utf8_lossy(&bytes).contains("grpc-status: 0"), "{bytes:?}");
    let reply = raw(&quire, "EngagementService/GetFeed", "application/grpc-web+proto", frame(&[])).await;
    let trailers = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(reply.status == 200 && trailers.contains("grpc-status: 16") && trailers.contains("grpc-status-details-bin"), "{trailers}");
    quire.stop().await;
}

#[tokio::test]
async fn what_is_unknown_too_large_or_too_late_is_refused_in_the_protocols_own_way() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let tags = "EngagementService/ListTags";
    for form in ["application/grpc", "application/grpc+proto", "application/connect+json", "text/plain"] {
        let reply = raw(&quire, tags, form, Vec::new()).await;
        assert_eq!(reply.status, 415, "{form}");
        assert!(reply.header("accept-post").is_some_and(|accepted| accepted.contains("application/grpc-web-text")), "{reply:?}");
    }
    let with = async |name: &str, value: &str, body: &str| {
        let request = quire.request(Method::POST, &path(tags)).header("content-type", "application/json").header(name, value);
        let reply = send(request.body(body.to_owned())).await;
        (reply.status.as_u16(), reply.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(with("content-encoding", "br", "{}").await, (501, "unimplemented".to_owned()));
    assert_eq!(with("connect-protocol-version", "2", "{}").await, (400, "invalid_argument".to_owned()));
    assert_eq!(with("connect-timeout-ms", "0", "{}").await, (504, "deadline_exceeded".to_owned()));
    assert_eq!(with("accept", "*/*", "[").await, (400, "invalid_argument".to_owned()));
    assert_eq!(problem(&raw(&quire, tags, "application/json", b"[".to_vec()).await)["title"], "The request cannot be read");
    assert_eq!(with("accept", "*/*", &format!("\"{}\"", "x".repeat(1024 * 1024))).await, (429, "resource_exhausted".to_owned()));
    // The longest message, and one byte more: what stands before it in gRPC-Web does not count.
    for (length, status) in [(1024 * 1024, 3), (1024 * 1024 + 1, 8)] {
        let message = format!("\"{}\"", "x".repeat(length - 2));
        let reply = raw(&quire, tags, "application/grpc-web+json", frame(message.as_bytes())).await;
        let trailers = String::from_utf8_lossy(&reply.body);
        assert!(trailers.contains(&format!("grpc-status: {status}\r")), "{trailers}");
    }
    let unknown = call(&quire, None, "PostService/Nothing", &json!({})).await;
    assert_eq!((unknown.status.as_u16(), unknown.json()["code"].as_str()), (404, Some("unimplemented")));

    let post = json!({"post": {"title": "T", "content": "x".repeat(9000)}});
    let request = quire.request(Method::POST, &path("PostService/CreatePost")).bearer_auth(&ada.token).header("accept-encoding", "gzip").json(&post);
    let reply = send(request).await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert!(reply.body.starts_with(&[0x1f, 0x8b]) && reply.body.len() < 2000, "{}", reply.body.len());

    let again = json!({"session": {"username": "ada", "password": PASSWORD}});
    let session = call(&quire, None, "SessionService/CreateSession", &again).await;
    assert_eq!(session.header("cache-control"), Some("no-store"));
    quire.stop().await;
}

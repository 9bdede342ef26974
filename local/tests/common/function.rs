//! A function for the tests of the local cloud. It does what its event says, or echoes it.
//!
//! The command is the event itself or, if the event is a request of the HTTP API, its header `x-do`:
//! `{"print": text, "hold": address, "await": address, "reply": any, "size": bytes, "error": text, "exit": code, "do": word}`.
//! The variable `INIT` makes its start fail: `exit`, `abort`, `error` or `hang`. `HOLD` is an address to hold from the start on.

use std::{
    collections::BTreeMap,
    env, future,
    io::{self, BufRead, BufReader, Read, Write},
    mem,
    net::TcpStream,
    process,
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use quire_local::{
    functions::{Functions, Options},
    stack::{Function, Stack},
};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(address) = env::args().nth(1) {
        return Ok(host(&address)?);
    }
    let mut api = RuntimeApi::connect()?;
    if let Ok(address) = env::var("HOLD") {
        hold(&address)?;
    }
    match env::var("INIT").as_deref() {
        Ok("exit") => process::exit(1),
        Ok("abort") => process::abort(),
        Ok("hang") => hang(),
        Ok("error") => {
            api.call("POST", "init/error", &json!({"errorType": "Init", "errorMessage": "no luck"}).to_string(), "")?;
            hang()
        }
        _ => {}
    }
    loop {
        let (id, event) = api.call("GET", "invocation/next", "", "")?;
        let event: Value = serde_json::from_str(&event)?;
        let command = match event["headers"]["x-do"].as_str() {
            Some(text) => serde_json::from_str(text)?,
            None if event["requestContext"].is_null() => event.clone(),
            None => Value::Null,
        };
        obey(&mut api, &id, &event, &command)?;
    }
}

fn obey(api: &mut RuntimeApi, id: &str, event: &Value, command: &Value) -> io::Result<()> {
    let response = format!("invocation/{id}/response");
    if let Some(text) = command["print"].as_str() {
        println!("{text}");
        eprintln!("{text} to stderr");
    }
    if let Some(address) = command["hold"].as_str() {
        hold(address)?;
    }
    if let Some(address) = command["await"].as_str() {
        TcpStream::connect(address)?.read_exact(&mut [0])?;
    }
    if let Some(code) = command["exit"].as_i64() {
        process::exit(i32::try_from(code).unwrap_or(1));
    }
    if let Some(text) = command["error"].as_str() {
        let error = json!({"errorType": "Refused", "errorMessage": text}).to_string();
        api.call("POST", &format!("invocation/{id}/error"), &error, "")?;
        return Ok(());
    }
    let reply = match command["do"].as_str() {
        Some("hang") => hang(),
        Some("environment") => json!(env::vars().collect::<BTreeMap<_, _>>()),
        Some("context") => json!(api.headers),
        Some("stream") => {
            api.call("POST", &response, "{}", "Lambda-Runtime-Function-Response-Mode: streaming\r\n")?;
            return Ok(());
        }
        Some("answer-another") => {
            let (_, refusal) = api.call("POST", "invocation/another/response", "{}", "")?;
            json!(refusal)
        }
        _ => match (command.get("reply"), command["size"].as_u64()) {
            (Some(reply), _) => reply.clone(),
            (None, Some(size)) => json!("x".repeat(usize::try_from(size).unwrap_or_default())),
            (None, None) => event.clone(),
        },
    };
    api.call("POST", &response, &reply.to_string(), "").map(drop)
}

/// Opens a connection that stays until the process ends, which the other side sees.
fn hold(address: &str) -> io::Result<()> {
    mem::forget(TcpStream::connect(address)?);
    Ok(())
}

fn hang() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// The Runtime API over one connection.
struct RuntimeApi {
    connection: BufReader<TcpStream>,
    path: String,
    headers: BTreeMap<String, String>,
}

impl RuntimeApi {
    fn connect() -> io::Result<Self> {
        let url = env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
        let (address, path) = url.trim_start_matches("http://").split_once('/').ok_or(io::ErrorKind::InvalidInput)?;
        let connection = BufReader::new(TcpStream::connect(address)?);
        Ok(Self { connection, path: path.to_owned(), headers: BTreeMap::new() })
    }

    /// Calls an operation; the result is the request id in the answer, if there is one, and its body.
    fn call(&mut self, method: &str, operation: &str, body: &str, headers: &str) -> io::Result<(String, String)> {
        let head = format!(
            "{method} /{}/2018-06-01/runtime/{operation} HTTP/1.1\r\nHost: runtime\r\n{headers}Content-Length: {}\r\n\r\n",
            self.path,
            body.len()
        );
        self.connection.get_mut().write_all((head + body).as_bytes())?;
        self.headers.clear();
        loop {
            let mut line = String::new();
            if self.connection.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) => drop(self.headers.insert(name.to_owned(), value.to_owned())),
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let length = self.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body)?;
        let id = self.headers.get("lambda-runtime-aws-request-id").cloned().unwrap_or_default();
        Ok((id, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Plays a local cloud that runs one function, which hangs and holds a connection to the address: the test kills it.
#[tokio::main(flavor = "current_thread")]
async fn host(address: &str) -> io::Result<()> {
    let function = Function {
        logical_id: "Echo".to_owned(),
        name: "quire-Echo".to_owned(),
        binary: "echo".to_owned(),
        timeout: Duration::from_secs(900),
        memory: 128,
        reserved_concurrency: None,
        environment: BTreeMap::new(),
        statements: Vec::new(),
        routes: Vec::new(),
        triggers: Vec::new(),
    };
    let stack = Stack {
        name: "quire".to_owned(),
        region: "eu-west-1".to_owned(),
        functions: BTreeMap::from([("Echo".to_owned(), function)]),
        tables: BTreeMap::new(),
        queues: Vec::new(),
        keys: BTreeMap::new(),
        buckets: BTreeMap::new(),
        cors: None,
    };
    let binaries = BTreeMap::from([("echo".to_owned(), env::current_exe()?)]);
    let functions = Functions::start(Arc::new(stack), Options::new(binaries, "http://127.0.0.1:1", Arc::new(|_| ()))).await?;
    functions.invoke("Echo", Bytes::from(json!({"hold": address, "do": "hang"}).to_string()), None).await;
    future::pending().await
}

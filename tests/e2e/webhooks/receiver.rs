//! A receiver of webhooks: Node.js with the published library of Standard Webhooks, behind a certificate of an authority of its own.

use std::process::Stdio;

use base64::{Engine, prelude::BASE64_STANDARD};
use quire_tests::root;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};

/// A receiver in a process that ends with this value.
pub(super) struct Receiver {
    port: u64,
    /// The certificate of its authority, PEM.
    pub(super) authority: String,
    input: Mutex<ChildStdin>,
    output: Mutex<Lines<BufReader<ChildStdout>>>,
    _process: Child,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let folder = root().join("tests/webhooks");
        assert!(
            folder.join("node_modules/standardwebhooks").is_dir(),
            "install the receiver first: npm ci --prefix tests/webhooks (Node.js 20 or newer)"
        );
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
        let mut command = Command::new("node");
        command.arg("receiver.js").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().expect("Node.js runs the receiver");
        let input = Mutex::new(process.stdin.take().expect("its input"));
        let output = Mutex::new(BufReader::new(process.stdout.take().expect("its output")).lines());
        let mut receiver = Self { port: 0, authority: pem("CERTIFICATE", authority.der()), input, output, _process: process };
        receiver.tell(&json!({"key": pem("PRIVATE KEY", key.serialized_der()), "certificate": pem("CERTIFICATE", certificate.der())})).await;
        receiver.port = receiver.next().await["port"].as_u64().expect("a port");
        receiver
    }

    /// An address of its own.
    pub(super) fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// Has it verify what comes to `/verified` with a secret.
    pub(super) async fn expects(&self, secret: &Value) {
        self.tell(&json!({"secret": secret})).await;
        assert_eq!(self.next().await, json!({"ready": true}));
    }

    /// The next request that it got.
    pub(super) async fn next(&self) -> Value {
        let line = tokio::time::timeout(quire_tests::DEADLINE, async { self.output.lock().await.next_line().await }).await;
        serde_json::from_str(&line.expect("in time").expect("a line").expect("it runs")).expect("JSON")
    }

    async fn tell(&self, line: &Value) {
        self.input.lock().await.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }
}

/// RFC 7468, with one line.
fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

//! Providers on loopback: a certified one, and one that lies.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use quire_tests::{Quire, root};
use reqwest::{
    Url,
    header::{COOKIE, LOCATION, SET_COOKIE},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};

use super::{Begun, CLIENT, SECRET, browser, claims, header, redirect};
use crate::forge::{Forge, KID};

/// `oidc-provider`, which is certified by the OpenID Foundation, in a process that ends with this value.
pub(super) struct Certified {
    pub(super) issuer: String,
    _process: Child,
    /// Open, because it must not fail to print.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Certified {
    pub(super) async fn start() -> Self {
        let folder = root().join("tests/oidc");
        assert!(folder.join("node_modules/oidc-provider").is_dir(), "install the provider first: npm ci --prefix tests/oidc (Node.js 20 or newer)");
        let mut command = Command::new("node");
        command.arg("provider.js").args([CLIENT, SECRET, &redirect("certified")]).current_dir(folder);
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn();
        let mut process = process.expect("Node.js runs the provider");
        let mut output = BufReader::new(process.stdout.take().expect("its output")).lines();
        let issuer = output.next_line().await.expect("a line").expect("the provider starts");
        Self { issuer, _process: process, _output: output }
    }

    /// What a browser does that is sent there and signs in as `account`, or as nobody: where it is sent back to.
    pub(super) async fn visit(&self, url: Url, account: Option<&str>) -> Url {
        let (mut url, mut cookies) = (url, HashMap::new());
        for _ in 0..6 {
            if url.path().starts_with("/interaction/")
                && let Some(account) = account
            {
                url.query_pairs_mut().append_pair("account", account);
            }
            let jar: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let reply = browser().get(url.clone()).header(COOKIE, jar.join("; ")).send().await.expect("a reply");
            for cookie in reply.headers().get_all(SET_COOKIE) {
                let (name, value) = cookie.to_str().expect("text").split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
                cookies.insert(name.to_owned(), value.to_owned());
            }
            let location = reply.headers().get(LOCATION).map(|location| location.to_str().expect("text").to_owned());
            let Some(location) = location else { panic!("{}: {}", reply.status(), reply.text().await.unwrap_or_default()) };
            url = url.join(&location).expect("an address");
            if url.as_str().starts_with(&redirect("certified")) {
                return url;
            }
        }
        panic!("the provider sends the browser around: {url}");
    }
}

/// A provider that says what a test makes it say. It ends with this value.
pub(crate) struct Impostor {
    pub(super) issuer: String,
    /// Signs its tokens.
    pub(super) key: Forge,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    token: String,
    is_down: bool,
    asked: Vec<String>,
}

impl Impostor {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let (state, key) = (Arc::<Mutex<State>>::default(), Forge::unknown());
        let (x, y) = key.coordinates();
        let metadata = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KID, "x": x, "y": y}]});
        let shared = state.clone();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let path = String::from_utf8_lossy(&request[..length]).split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, body) = {
                    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    state.asked.push(path.clone());
                    match path.as_str() {
                        _ if state.is_down => (500, json!({})),
                        "/token" => (200, json!({"access_token": "a", "token_type": "Bearer", "id_token": state.token})),
                        "/keys" => (200, keys.clone()),
                        _ => (200, metadata.clone()),
                    }
                };
                let body = body.to_string();
                let head =
                    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Self { issuer, key, state, server }
    }

    /// A Quire over the data of this one that knows it as `impostor`.
    pub(crate) async fn known_to(&self, quire: Quire) -> Quire {
        let of = |value: &str| format!("impostor={value}");
        let (issuers, clients, secrets) = (of(&self.issuer), of(CLIENT), of(SECRET));
        let parameters = [("IdentityProviders", issuers.as_str()), ("IdentityClients", &clients), ("IdentityClientSecrets", &secrets)];
        Quire::over(quire.stop().await, &parameters).await
    }

    /// Answers the next code with the proof of an account.
    pub(crate) fn proves(&self, begun: &Begun, subject: &str) {
        let mut claims = claims(&self.issuer, begun);
        claims["sub"] = json!(subject);
        self.gives(self.key.sign(&header(), &claims));
    }

    /// What it answers to the next code.
    pub(super) fn gives(&self, token: String) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).token = token;
    }

    /// Whether it answers at all.
    pub(super) fn is_down(&self, is_down: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_down = is_down;
    }

    /// The paths that it was asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

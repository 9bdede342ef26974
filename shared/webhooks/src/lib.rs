//! Requests to webhooks, whose addresses somebody has typed in. A name is resolved once, every address that it has must be of the public
//! internet, and the connection goes to one of those: no second look-up can lead elsewhere. TLS by rustls on ring with Mozilla's
//! authorities; no redirects, no compression, no proxy, little of the reply, and ten seconds for all of it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use quire_app::ports::{WebhookReply, WebhookRequest, WebhookSender};
use quire_domain::{
    limits,
    network::{self, Network},
    webhook::Failure,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Most bytes of a reply's head.
const HEAD_BYTES: usize = 16 * 1024;

/// Sends requests to webhooks.
pub struct Sender {
    tls: TlsConnector,
    allowed: Vec<Network>,
}

impl Sender {
    /// A sender that asks addresses in `allowed` too, networks separated by commas, and trusts the certificates in `authorities`, PEM,
    /// besides Mozilla's. Both are empty for webhooks on the public internet.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn new(allowed: &str, authorities: &str) -> Result<Self, String> {
        let networks = allowed.split(',').map(str::trim).filter(|text| !text.is_empty());
        let allowed = networks.map(|text| Network::parse(text).map_err(|error| format!("{text:?} {error}"))).collect::<Result<_, _>>()?;
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            let certificate = certificate.map_err(|error| format!("the certificates of webhooks cannot be read: {error}"))?;
            roots.add(certificate).map_err(|error| format!("a certificate of webhooks is none of an authority: {error}"))?;
        }
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into()).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), allowed })
    }

    async fn request(&self, request: &WebhookRequest) -> Result<(u16, String), Failure> {
        let url = Url::parse(request.url.as_str()).map_err(|_| Failure::Unresolved)?;
        let host = url.host().ok_or(Failure::Unresolved)?;
        let name = match &host {
            Host::Domain(name) => ServerName::try_from((*name).to_owned()).map_err(|_| Failure::Unresolved)?,
            Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        };
        let stream = connect(&self.addresses(&host, url.port().unwrap_or(443)).await?).await?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| {
            tracing::info!(%error, "A webhook speaks no TLS that proves it");
            Failure::TlsFailed
        })?;
        let no_reply = |_| Failure::NoReply;
        let (mut sender, connection) = http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await.map_err(no_reply)?;
        let _running = Running(tokio::spawn(async move { drop(connection.await) }));
        let reply = sender.send_request(compose(&url, request).map_err(|_| Failure::NoReply)?).await.map_err(no_reply)?;
        Ok((reply.status().as_u16(), beginning(reply.into_body()).await))
    }

    /// The addresses of a host, if every one of them may be asked.
    async fn addresses(&self, host: &Host<&str>, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let addresses: Vec<_> = match host {
            Host::Domain(name) => lookup_host((*name, port)).await.map_err(|_| Failure::Unresolved)?.collect(),
            Host::Ipv4(address) => vec![(*address, port).into()],
            Host::Ipv6(address) => vec![(*address, port).into()],
        };
        if addresses.is_empty() {
            return Err(Failure::Unresolved);
        }
        let may_be_asked = |address: IpAddr| network::is_public(address) || self.allowed.iter().any(|network| network.contains(address));
        if addresses.iter().all(|address| may_be_asked(address.ip())) { Ok(addresses) } else { Err(Failure::AddressRefused) }
    }
}

impl WebhookSender for Sender {
    fn send<'a>(&'a self, request: &'a WebhookRequest) -> BoxFuture<'a, WebhookReply> {
        Box::pin(async move {
            let started = Instant::now();
            let outcome = timeout(Duration::from_secs(limits::WEBHOOK_REQUEST_SECONDS), self.request(request)).await;
            let duration_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
            WebhookReply { duration_ms, outcome: outcome.unwrap_or(Err(Failure::TimedOut)) }
        })
    }
}

/// A connection, which ends with this value.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    for address in addresses {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(Failure::Unreachable)
}

fn compose(url: &Url, request: &WebhookRequest) -> hyper::http::Result<Request<Full<Bytes>>> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(header::HOST, &url[url::Position::BeforeHost..url::Position::AfterPort])
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "Quire-Webhooks/1")
        .header(header::CONNECTION, "close")
        .header("webhook-id", request.id.to_string())
        .header("webhook-timestamp", request.timestamp)
        .header("webhook-signature", &request.signature)
        .body(Full::new(Bytes::from(request.body.clone())))
}

/// The beginning of a body, as text that every format can show. The rest is not read.
async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < limits::WEBHOOK_REPLY_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
    }
    bytes.truncate(limits::WEBHOOK_REPLY_BYTES);
    printable(&String::from_utf8_lossy(&bytes))
}

fn printable(text: &str) -> String {
    let is_bad = |character: char| (character.is_control() && character != '\n' && character != '\t') || matches!(character, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|character| if is_bad(character) { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use quire_domain::{Timestamp, id::DeliveryId, webhook::EndpointUrl};

    use super::*;

    async fn outcome(sender: &Sender, url: &str) -> Result<(u16, String), Failure> {
        let url = EndpointUrl::parse(url).unwrap();
        let id = DeliveryId::generate(Timestamp::from_millis(0));
        sender.send(&WebhookRequest { url, id, timestamp: 0, signature: "v1,x".into(), body: "{}".into() }).await.outcome
    }

    #[tokio::test]
    async fn private_and_metadata_addresses_are_refused_however_they_are_written() {
        let sender = Sender::new("", "").unwrap();
        for url in [
            "https://127.0.0.1/",
            "https://localhost/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://[fd00:ec2::254]/",
            "https://10.0.0.1:8443/",
            "https://100.64.0.1/",
        ] {
            assert_eq!(outcome(&sender, url).await, Err(Failure::AddressRefused), "{url}");
        }
    }

    #[tokio::test]
    async fn an_allowed_network_is_asked_and_no_other() {
        let sender = Sender::new("127.0.0.0/8", "").unwrap();
        // Nobody listens on a port that was given back.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(outcome(&sender, &format!("https://127.0.0.1:{port}/")).await, Err(Failure::Unreachable));
        assert_eq!(outcome(&sender, "https://10.0.0.1/").await, Err(Failure::AddressRefused));
        assert!(Sender::new("10.0.0.0", "").is_err() && Sender::new("", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n").is_err());
    }

    #[test]
    fn a_reply_is_kept_as_text_that_every_format_can_show() {
        assert_eq!(printable("a\u{0}b\r\nc\td\u{ffff}"), "a\u{fffd}b\u{fffd}\nc\td\u{fffd}");
    }
}

//! HTTPS in front of the emulated services, with certificates that are really verified: a root of our own beside those that functions trust.

use std::{net::Ipv4Addr, path::Path, process::Command, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::Result;

/// What functions trust.
const AMAZON_ROOTS: &str = include_str!("../../shared/aws/src/amazon-roots.pem");

/// A running proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    /// `https://localhost:…`.
    pub(crate) url: String,
    /// Certificates in [`Proxy::start`]'s bundle.
    pub(crate) roots: usize,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Passes on to `upstream` (`127.0.0.1:…`) what comes in over TLS. Writes to `bundle` what clients are to trust
    /// (`AWS_CA_BUNDLE`): the roots that functions trust and the one that signed for the proxy, so that loading them costs what it costs.
    pub(crate) async fn start(upstream: String, bundle: &Path) -> Result<Self> {
        let (root, chain, key) = certificates()?;
        let trusted = format!("{AMAZON_ROOTS}{}", pem(&root));
        std::fs::write(bundle, &trusted)?;

        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, acceptor, upstream));
        Ok(Self { url, roots: trusted.matches("BEGIN CERTIFICATE").count(), _tasks: tasks })
    }
}

/// A root, and a chain of two certificates under it for `localhost` with its key; all RSA of 2,048 bits, as the chains of AWS's endpoints under
/// Amazon Root CA 1 are, because what a client spends on a handshake is mostly the verification of these signatures.
fn certificates() -> Result<(CertificateDer<'static>, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let authority = |name: &str| -> Result<CertificateParams> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(params)
    };
    let root = CertifiedIssuer::self_signed(authority("Bench root")?, rsa()?)?;
    let intermediate = CertifiedIssuer::signed_by(authority("Bench intermediate")?, rsa()?, &root)?;
    let key = rsa()?;
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &intermediate)?;
    let chain = vec![leaf.der().clone(), intermediate.der().clone()];
    Ok((root.der().clone(), chain, PrivateKeyDer::Pkcs8(key.serialize_der().into())))
}

/// A new key. The libraries at hand sign with RSA keys and cannot make them; OpenSSL can, and writes PKCS #8 as PEM only.
fn rsa() -> Result<KeyPair> {
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]).output()?;
    if !made.status.success() {
        return Err(format!("openssl made no key: {}", String::from_utf8_lossy(&made.stderr)).into());
    }
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from_pem_slice(&made.stdout)?, &PKCS_RSA_SHA256)?)
}

/// RFC 7468, section 5.1.
fn pem(certificate: &CertificateDer) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, upstream: String) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
        connections.spawn(async move {
            // A broken connection is the client's failure, which the measurement reports.
            _ = client.set_nodelay(true);
            let (Ok(mut client), Ok(mut server)) = tokio::join!(acceptor.accept(client), TcpStream::connect(upstream)) else { return };
            _ = server.set_nodelay(true);
            _ = copy_bidirectional(&mut client, &mut server).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

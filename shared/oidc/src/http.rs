//! The HTTP client that reaches providers: TLS by rustls on ring with Mozilla's authorities, no redirects, small replies, and a new
//! connection each time, because a function sleeps between requests and its connections die meanwhile.

use std::{error::Error as StdError, time::Duration};

use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, url::Url};
use quire_domain::limits;

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a provider gave no reply that means anything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The address is not one that may be asked.
    #[error("the address is neither https nor, as the issuer's is, on this machine")]
    Address,
    /// There was no reply, or not all of it.
    #[error("there was no reply")]
    Io(#[source] Box<dyn StdError + Send + Sync>),
    /// It says that it has no time.
    #[error("the status was {0}")]
    Status(StatusCode),
}

/// A client for one provider.
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    is_local: bool,
}

impl Http {
    /// A client for what this issuer names. Plain HTTP is for one on this machine only.
    pub(crate) fn for_issuer(issuer: &Url) -> Result<Self, HttpError> {
        let is_local = issuer.scheme() == "http";
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = config.map_err(|error| HttpError::Io(error.into()))?.with_root_certificates(roots).with_no_client_auth();
        let https = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(connector);
        let http = Self { client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https), is_local };
        http.allows(issuer.as_str())?;
        Ok(http)
    }

    /// Whether an address may be asked, or given to a browser.
    pub(crate) fn allows(&self, address: &str) -> Result<(), HttpError> {
        let url = Url::parse(address).map_err(|_| HttpError::Address)?;
        // Of http and https, the parser knows the forms of an IP address.
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.is_local && is_here => Ok(()),
            _ => Err(HttpError::Address),
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.allows(&request.uri().to_string())?;
        let request: Request<Full<Bytes>> = request.map(|body| Full::new(body.into()));
        let reply: Response<Incoming> = self.client.request(request).await.map_err(|error| HttpError::Io(error.into()))?;
        let (parts, body) = reply.into_parts();
        if parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpError::Status(parts.status));
        }
        let body = Limited::new(body, limits::PROVIDER_REPLY_BYTES).collect().await.map_err(HttpError::Io)?;
        Ok(Response::from_parts(parts, body.to_bytes().into()))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

//! What Lambda and the template put into the environment, read once at cold start.

use std::{env, error::Error, fs, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn},
};
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};

/// A variable that should be in the environment is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct MissingVariable(pub String);

/// The configuration of this process cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// What Lambda or the template should have set is not there.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// A variable that should be a number is none.
    #[error("the environment variable {0} is not a number")]
    Number(String),
    /// A variable that should be true or false is neither.
    #[error("the environment variable {0} is neither true nor false")]
    Flag(String),
    /// A variable that should be an id, or empty, is neither.
    #[error("the environment variable {0} is not an id")]
    Id(String),
    /// The file that `AWS_CA_BUNDLE` names cannot be used.
    #[error("AWS_CA_BUNDLE cannot be used")]
    CaBundle(#[source] Box<dyn Error + Send + Sync>),
}

/// The certificate authorities of AWS itself (Amazon Trust Services): all that a function talks to. The system's store has thirty
/// times as many, and reading it would be most of a cold start.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Longest time to open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

impl Environment {
    /// A variable of the template.
    ///
    /// # Errors
    /// [`MissingVariable`], with its name.
    pub fn get(self, name: &str) -> Result<String, MissingVariable> {
        env::var(name).map_err(|_| MissingVariable(name.to_owned()))
    }

    /// A variable of the template that is a number.
    ///
    /// # Errors
    /// [`ConfigError`], with its name.
    pub fn number(self, name: &str) -> Result<u32, ConfigError> {
        self.get(name)?.parse().map_err(|_| ConfigError::Number(name.to_owned()))
    }

    /// A variable of the template that is `true` or `false`.
    ///
    /// # Errors
    /// [`ConfigError`], with its name.
    pub fn flag(self, name: &str) -> Result<bool, ConfigError> {
        self.get(name)?.parse().map_err(|_| ConfigError::Flag(name.to_owned()))
    }

    /// Configuration for every AWS client of this process: region, credentials and endpoint from the environment and from nowhere
    /// else, TLS by rustls on ring (the default provider, aws-lc-rs, spends 40 ms of CPU on entropy at its first use), three
    /// attempts that begin 25 ms apart (the default of one second is longer than most requests may take). Servers must be certified
    /// by Amazon, or by an authority in the PEM file that `AWS_CA_BUNDLE` names, as for AWS's other tools.
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn aws(self) -> Result<SdkConfig, ConfigError> {
        let (connector, sleep) = (self.connector()?, sleep());
        let retries =
            RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(25)).with_max_backoff(Duration::from_millis(500));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(Duration::from_secs(2))
            .operation_timeout(Duration::from_secs(6))
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.get("AWS_REGION")?))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials()?))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(sleep)
            .retry_config(retries)
            .timeout_config(timeouts);
        if let Some(endpoint) = self.endpoint() {
            config = config.endpoint_url(endpoint);
        }
        Ok(config.build())
    }

    /// Where all services of AWS are, if they are at one address.
    pub(crate) fn endpoint(self) -> Option<String> {
        self.get("AWS_ENDPOINT_URL").ok()
    }

    /// What this process proves itself with.
    pub(crate) fn credentials(self) -> Result<Credentials, MissingVariable> {
        let token = self.get("AWS_SESSION_TOKEN").ok();
        Ok(Credentials::new(self.get("AWS_ACCESS_KEY_ID")?, self.get("AWS_SECRET_ACCESS_KEY")?, token, None, "environment"))
    }

    /// What opens connections to AWS and keeps them.
    pub(crate) fn connector(self) -> Result<SharedHttpConnector, ConfigError> {
        let roots = match self.get("AWS_CA_BUNDLE") {
            Ok(path) => fs::read(path).map_err(|error| ConfigError::CaBundle(error.into()))?,
            Err(_) => AMAZON_ROOTS.to_vec(),
        };
        let trusted = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(roots)).build();
        let tls = trusted.map_err(|error| ConfigError::CaBundle(error.into()))?;
        // The SDK's own HTTP client makes a connector for each client to see that it can, drops it, and makes another for the first
        // call: the roots are read every time. This is one, for all clients.
        let connector = Connector::builder()
            .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .sleep_impl(sleep())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls)
            .build();
        Ok(SharedHttpConnector::new(connector))
    }
}

fn sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(TokioSleep::new())
}

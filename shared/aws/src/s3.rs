//! Files: S3, by the three requests that are made of it, signed with Signature Version 4.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, SharedHttpConnector},
        orchestrator::HttpRequest,
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use futures::future::BoxFuture;
use quire_app::ports::{Files, PortError};
use quire_domain::Timestamp;
use secrecy::SecretString;

use crate::{Environment, config::ConfigError};

/// Attempts at a request.
const ATTEMPTS: u32 = 3;
/// Time that one may take: files have up to a hundred megabytes.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// Time before the second attempt; each further one waits twice as long.
const BACKOFF: Duration = Duration::from_millis(50);
/// Bytes of an error of S3 that are kept.
const ERROR_BYTES: usize = 1_000;

/// The files of one bucket.
#[derive(Debug, Clone)]
pub struct S3 {
    connector: SharedHttpConnector,
    credentials: Credentials,
    region: String,
    /// Of the bucket, without a slash at its end.
    base: String,
}

impl S3 {
    /// The files of `bucket`.
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn new(environment: Environment, bucket: &str) -> Result<Self, ConfigError> {
        let region = environment.get("AWS_REGION")?;
        let base = match environment.endpoint() {
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        };
        Ok(Self { connector: environment.connector()?, credentials: environment.credentials()?, region, base })
    }

    /// Makes a request until it succeeds or there is no sense in another.
    async fn send(&self, method: &str, name: &str, content: Vec<u8>) -> Result<(), PortError> {
        let content = SdkBody::from(content);
        let mut wait = BACKOFF;
        for attempt in 1.. {
            let request = self.request(method, name, content.try_clone().ok_or("the content is not in memory")?)?;
            let error: PortError = match tokio::time::timeout(ATTEMPT_TIMEOUT, self.connector.call(request)).await {
                Ok(Ok(response)) if response.status().is_success() => return Ok(()),
                Ok(Ok(response)) => {
                    let status = response.status();
                    let error = told(response.into_body(), status).await;
                    if status.is_client_error() {
                        return Err(error.into());
                    }
                    error.into()
                }
                Ok(Err(error)) => error.into(),
                Err(elapsed) => elapsed.into(),
            };
            if attempt == ATTEMPTS {
                return Err(error);
            }
            tracing::warn!(attempt, error = quire_telemetry::chain(&*error), "S3 did not do what it was asked for");
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        Ok(())
    }

    fn request(&self, method: &str, name: &str, content: SdkBody) -> Result<HttpRequest, PortError> {
        let uri = format!("{}/{name}", self.base);
        let mut request = HttpRequest::new(content);
        request.set_method(method)?;
        request.set_uri(uri.as_str())?;
        let mut headers = Vec::new();
        if method == "PUT" {
            headers.push(("content-type", "application/gzip"));
        }
        let body = SignableBody::Bytes(request.body().bytes().ok_or("the content is not in memory")?);
        let mut settings = settings();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let signed = self.sign(SignableRequest::new(method, uri.as_str(), headers.iter().copied(), body)?, settings, SystemTime::now())?;
        let (signatures, _) = signed.into_parts();
        for (name, value) in headers {
            request.headers_mut().insert(name, value);
        }
        for header in signatures {
            request.headers_mut().insert(header.name(), header.value().to_owned());
        }
        Ok(request)
    }

    fn sign(&self, request: SignableRequest<'_>, settings: SigningSettings, time: SystemTime) -> Result<SigningInstructions, PortError> {
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder().identity(&identity).region(&self.region).name("s3").time(time).settings(settings).build()?;
        Ok(sign(request, &params.into())?.into_parts().0)
    }
}

/// As S3 has it, and no other service: paths are taken as they are.
fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings
}

/// What S3 says is wrong.
async fn told(body: SdkBody, status: StatusCode) -> String {
    let text = ByteStream::new(body).collect().await.map(|bytes| bytes.into_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[..text.len().min(ERROR_BYTES)]).into_owned();
    format!("S3 answered {}: {text}", status.as_u16())
}

impl Files for S3 {
    fn put<'a>(&'a self, name: &'a str, content: Vec<u8>) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(self.send("PUT", name, content))
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), PortError>> {
        Box::pin(self.send("DELETE", name, Vec::new()))
    }

    fn link(&self, name: &str, seconds: i64, now: Timestamp) -> Result<SecretString, PortError> {
        let mut settings = settings();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(seconds.try_into()?));
        let uri = format!("{}/{name}", self.base);
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(now.millis().try_into()?);
        let request = SignableRequest::new("GET", uri.as_str(), std::iter::empty(), SignableBody::UnsignedPayload)?;
        let (_, params) = self.sign(request, settings, time)?.into_parts();
        let mut address = url::Url::parse(&uri)?;
        address.query_pairs_mut().extend_pairs(params);
        Ok(String::from(address).into())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// The example of the documentation of S3, "Authenticating Requests: Using Query Parameters".
    #[test]
    fn a_link_has_the_signature_of_the_documentation() {
        let connector = Environment.connector().unwrap();
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, None, "test");
        let base = "https://examplebucket.s3.amazonaws.com".to_owned();
        let s3 = S3 { connector, credentials, region: "us-east-1".into(), base };
        let link = s3.link("test.txt", 86_400, "2013-05-24T00:00:00Z".parse().unwrap()).unwrap();
        let expected = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
            &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
            &X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert_eq!(link.expose_secret(), expected);
    }
}

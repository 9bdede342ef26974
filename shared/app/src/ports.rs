//! What use cases need of the outside besides the table.

use std::error::Error as StdError;

use futures::future::BoxFuture;
use quire_domain::{
    Timestamp,
    event::{Consumer, Event},
    id::{DeliveryId, EventId, UserId, WebhookId},
    identity::ProviderName,
    text::Email,
    webhook::{EndpointUrl, Failure},
};
use secrecy::{SecretSlice, SecretString};

/// Why a port failed.
pub type PortError = Box<dyn StdError + Send + Sync>;

/// A P-256 key pair whose private half left the vault only encrypted.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// SubjectPublicKeyInfo, DER.
    pub public: Vec<u8>,
    /// Ciphertext of the PKCS #8 document.
    pub private: Vec<u8>,
}

/// What a ciphertext is for: the vault opens it for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The private half of a key that signs access tokens.
    Signing,
    /// The secret of this account's second factor.
    SecondFactor(UserId),
    /// A secret that requests to this webhook are signed with.
    Webhook(WebhookId),
}

/// Makes key pairs, and encrypts and opens secrets: KMS.
pub trait KeyVault: Send + Sync {
    /// A new pair, for signing.
    fn generate(&self) -> BoxFuture<'_, Result<KeyPair, PortError>>;

    /// The ciphertext of a secret of up to 4 KB.
    fn encrypt<'a>(&'a self, purpose: Purpose, secret: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, PortError>>;

    /// The secret behind a ciphertext; of a key pair, the PKCS #8 document.
    fn decrypt<'a>(&'a self, purpose: Purpose, ciphertext: &'a [u8]) -> BoxFuture<'a, Result<SecretSlice<u8>, PortError>>;
}

/// Publishes events to queues: SQS.
pub trait Publisher: Send + Sync {
    /// Sends events to the queue of `consumer` and returns the ids of those that it accepted; why others were not is logged.
    fn publish<'a>(&'a self, consumer: Consumer, events: &'a [&'a Event]) -> BoxFuture<'a, Vec<EventId>>;
}

/// A request to a webhook (Standard Webhooks 1.0).
#[derive(Debug, Clone)]
pub struct WebhookRequest {
    /// Where it goes.
    pub url: EndpointUrl,
    /// The same for each attempt.
    pub id: DeliveryId,
    /// Seconds since the epoch.
    pub timestamp: i64,
    /// One for each good secret, separated by spaces.
    pub signature: String,
    /// JSON.
    pub body: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookReply {
    /// How long it took.
    pub duration_ms: u32,
    /// Status and the beginning of the body.
    pub outcome: Result<(u16, String), Failure>,
}

/// Sends requests to webhooks.
pub trait WebhookSender: Send + Sync {
    /// Sends one request, once.
    fn send<'a>(&'a self, request: &'a WebhookRequest) -> BoxFuture<'a, WebhookReply>;
}

/// The secrets of one sign-in at a provider, each 43 characters of base64url.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Comes back with the browser.
    pub state: SecretString,
    /// Comes back in the ID token.
    pub nonce: SecretString,
    /// Proves that who spends the code is who asked for it (RFC 7636).
    pub verifier: SecretString,
}

/// What a browser brings back from a provider.
#[derive(Debug, Clone)]
pub struct Answer {
    /// To be spent for an ID token, once.
    pub code: SecretString,
    /// Who gave it, if it says so (RFC 9207).
    pub issuer: Option<String>,
}

/// Whom a provider has proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The provider, as it calls itself.
    pub issuer: String,
    /// Names the account there, for ever.
    pub subject: String,
    /// Its e-mail address, if it shows one.
    pub email: Option<String>,
    /// Whether the provider says that the address is theirs.
    pub email_verified: bool,
    /// What it is called there.
    pub username: Option<String>,
}

/// Why a provider proved nobody.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// There is no such provider.
    #[error("there is no such provider")]
    Unknown,
    /// It does not answer, or not as it should.
    #[error("the provider is unavailable")]
    Unavailable {
        /// Seconds after which it can be tried again.
        retry_after: u32,
        /// Why.
        #[source]
        source: PortError,
    },
    /// What it or the browser said proves nobody.
    #[error("the provider proved nobody")]
    Refused(#[source] PortError),
}

/// Other providers that sign people in: OpenID Connect.
pub trait IdentityProviders: Send + Sync {
    /// Where a browser goes to sign in.
    fn authorization<'a>(
        &'a self,
        provider: &'a ProviderName,
        handshake: &'a Handshake,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<String, ProviderError>>;

    /// Whether the provider can be asked.
    fn ready<'a>(&'a self, provider: &'a ProviderName, now: Timestamp) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// Whom the provider has proved to the browser that brings this.
    fn identify<'a>(
        &'a self,
        provider: &'a ProviderName,
        answer: &'a Answer,
        handshake: &'a Handshake,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Proved, ProviderError>>;
}

/// A mail to one person, in two forms that say the same.
#[derive(Debug)]
pub struct Mail {
    /// Where it goes.
    pub to: Email,
    /// What it is about, without a secret.
    pub subject: &'static str,
    /// As plain text.
    pub text: SecretString,
    /// As HTML.
    pub html: SecretString,
    /// Where its reader ends mail of this kind with one `POST` (RFC 8058), if it is of such a kind.
    pub unsubscribe: Option<SecretString>,
}

/// Keeps files for some days: S3.
pub trait Files: Send + Sync {
    /// Stores a file of gzip, in the place of one of the same name.
    fn put<'a>(&'a self, name: &'a str, content: Vec<u8>) -> BoxFuture<'a, Result<(), PortError>>;

    /// Removes a file, if there is one.
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), PortError>>;

    /// An address that gives a file to whoever has it, for so many seconds from `now` on.
    ///
    /// # Errors
    /// [`PortError`], if it cannot be signed.
    fn link(&self, name: &str, seconds: i64, now: Timestamp) -> Result<SecretString, PortError>;
}

/// Sends mail: SES.
pub trait Mailer: Send + Sync {
    /// Hands a mail over for delivery.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), PortError>>;
}

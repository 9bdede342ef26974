//! What use cases need of the outside besides the table.

use std::error::Error as StdError;

use futures::future::BoxFuture;
use quire_domain::{
    event::{Consumer, Event},
    id::EventId,
    text::Email,
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

/// Makes and opens key pairs: KMS.
pub trait KeyVault: Send + Sync {
    /// A new pair.
    fn generate(&self) -> BoxFuture<'_, Result<KeyPair, PortError>>;

    /// The PKCS #8 document behind a ciphertext.
    fn decrypt<'a>(&'a self, ciphertext: &'a [u8]) -> BoxFuture<'a, Result<SecretSlice<u8>, PortError>>;
}

/// Publishes events to queues: SQS.
pub trait Publisher: Send + Sync {
    /// Sends events to the queue of `consumer` and returns the ids of those that it accepted; why others were not is logged.
    fn publish<'a>(&'a self, consumer: Consumer, events: &'a [&'a Event]) -> BoxFuture<'a, Vec<EventId>>;
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
}

/// Sends mail: SES.
pub trait Mailer: Send + Sync {
    /// Hands a mail over for delivery.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), PortError>>;
}

//! What use cases need of the outside besides the table.

use std::error::Error as StdError;

use futures::future::BoxFuture;
use quire_domain::{
    event::{Consumer, Event},
    id::{EventId, UserId},
};
use secrecy::SecretSlice;

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

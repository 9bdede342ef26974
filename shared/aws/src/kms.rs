//! The key vault: KMS.

use std::collections::HashMap;

use aws_sdk_kms::{Client, primitives::Blob, types::DataKeyPairSpec};
use aws_types::SdkConfig;
use futures::future::BoxFuture;
use quire_app::ports::{KeyPair, KeyVault, PortError, Purpose};
use secrecy::SecretSlice;

/// Key pairs and secrets by KMS, encrypted under one symmetric key.
#[derive(Debug, Clone)]
pub struct Kms {
    client: Client,
    key_id: String,
}

impl Kms {
    /// All encrypted under the key `key_id`.
    pub fn new(config: &SdkConfig, key_id: String) -> Self {
        Self { client: Client::new(config), key_id }
    }
}

impl KeyVault for Kms {
    fn generate(&self) -> BoxFuture<'_, Result<KeyPair, PortError>> {
        Box::pin(async move {
            let request = self
                .client
                .generate_data_key_pair_without_plaintext()
                .key_id(&self.key_id)
                .key_pair_spec(DataKeyPairSpec::EccNistP256)
                .set_encryption_context(context(Purpose::Signing));
            let output = request.send().await?;
            let bytes = |blob: Option<Blob>| blob.map(Blob::into_inner).ok_or("KMS gave no key");
            Ok(KeyPair { public: bytes(output.public_key)?, private: bytes(output.private_key_ciphertext_blob)? })
        })
    }

    fn encrypt<'a>(&'a self, purpose: Purpose, secret: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, PortError>> {
        Box::pin(async move {
            let request = self.client.encrypt().key_id(&self.key_id).plaintext(Blob::new(secret)).set_encryption_context(context(purpose));
            Ok(request.send().await?.ciphertext_blob.ok_or("KMS gave no ciphertext")?.into_inner())
        })
    }

    fn decrypt<'a>(&'a self, purpose: Purpose, ciphertext: &'a [u8]) -> BoxFuture<'a, Result<SecretSlice<u8>, PortError>> {
        Box::pin(async move {
            let request = self.client.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(ciphertext)).set_encryption_context(context(purpose));
            let plaintext = request.send().await?.plaintext.ok_or("KMS gave no plaintext")?;
            Ok(plaintext.into_inner().into())
        })
    }
}

/// The encryption context: KMS opens a ciphertext only with the one that it was made with.
fn context(purpose: Purpose) -> Option<HashMap<String, String>> {
    let pairs = match purpose {
        Purpose::Signing => vec![("quire:purpose", "access-token-signing".to_owned())],
        Purpose::SecondFactor(user) => vec![("quire:purpose", "second-factor".to_owned()), ("quire:user", user.to_string())],
        Purpose::Webhook(webhook) => vec![("quire:purpose", "webhook".to_owned()), ("quire:webhook", webhook.to_string())],
    };
    Some(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

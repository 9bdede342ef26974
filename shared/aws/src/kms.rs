//! The key vault: KMS.

use aws_sdk_kms::{Client, primitives::Blob, types::DataKeyPairSpec};
use aws_types::SdkConfig;
use futures::future::BoxFuture;
use quire_app::ports::{KeyPair, KeyVault, PortError};
use secrecy::SecretSlice;

/// What the ciphertexts are for: KMS opens them for nothing else (its encryption context).
const PURPOSE: (&str, &str) = ("quire:purpose", "access-token-signing");

/// Key pairs by KMS, encrypted under one symmetric key.
#[derive(Debug, Clone)]
pub struct Kms {
    client: Client,
    key_id: String,
}

impl Kms {
    /// Pairs encrypted under the key `key_id`.
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
                .encryption_context(PURPOSE.0, PURPOSE.1);
            let output = request.send().await?;
            let bytes = |blob: Option<Blob>| blob.map(Blob::into_inner).ok_or("KMS gave no key");
            Ok(KeyPair { public: bytes(output.public_key)?, private: bytes(output.private_key_ciphertext_blob)? })
        })
    }

    fn decrypt<'a>(&'a self, ciphertext: &'a [u8]) -> BoxFuture<'a, Result<SecretSlice<u8>, PortError>> {
        Box::pin(async move {
            let request = self.client.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(ciphertext)).encryption_context(PURPOSE.0, PURPOSE.1);
            let plaintext = request.send().await?.plaintext.ok_or("KMS gave no plaintext")?;
            Ok(plaintext.into_inner().into())
        })
    }
}

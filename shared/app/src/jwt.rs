//! ES256 and nothing else, for the `jsonwebtoken` crate: an algorithm that is not linked cannot be confused with the one that is.

use std::sync::Once;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind, Result},
};
use p256::{
    ecdsa::{Signature, SigningKey, VerifyingKey},
    pkcs8::DecodePrivateKey,
};
use signature::{Signer, Verifier};

/// Makes the provider the one of this process.
pub(crate) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };
    static ONCE: Once = Once::new();
    // Only another provider could stand in the way, and no other is linked.
    ONCE.call_once(|| _ = PROVIDER.install_default());
}

struct Es256Signer(SigningKey);
struct Es256Verifier(VerifyingKey);

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    expect_es256(*algorithm, key.family())?;
    let key = SigningKey::from_pkcs8_der(key.as_bytes()).map_err(|_| Error::from(ErrorKind::InvalidEcdsaKey))?;
    Ok(Box::new(Es256Signer(key)))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    expect_es256(*algorithm, key.family())?;
    let key = VerifyingKey::from_sec1_bytes(key.try_get_as_bytes()?).map_err(|_| Error::from(ErrorKind::InvalidEcdsaKey))?;
    Ok(Box::new(Es256Verifier(key)))
}

fn expect_es256(algorithm: Algorithm, family: AlgorithmFamily) -> Result<()> {
    match (algorithm, family) {
        (Algorithm::ES256, AlgorithmFamily::Ec) => Ok(()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

impl Signer<Vec<u8>> for Es256Signer {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        let signature: Signature = p256::ecdsa::signature::Signer::try_sign(&self.0, message).map_err(signature::Error::from_source)?;
        Ok(signature.to_vec())
    }
}

impl JwtSigner for Es256Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

impl Verifier<Vec<u8>> for Es256Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let signature = Signature::from_slice(signature).map_err(signature::Error::from_source)?;
        p256::ecdsa::signature::Verifier::verify(&self.0, message, &signature).map_err(signature::Error::from_source)
    }
}

impl JwtVerifier for Es256Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

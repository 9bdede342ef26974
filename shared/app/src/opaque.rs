//! Opaque tokens: whose they are, which they are, and random bytes of which only a hash is stored.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use quire_domain::{Error, Result, id::UserId};
use secrecy::{SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Bytes of an id.
const ID: usize = 16;

/// A token with `N` random bytes. Its text is a prefix, which tells people and secret scanners what they have found, and base64url of the
/// account's id, the token's id and the random bytes.
pub(crate) struct Opaque<const N: usize> {
    /// The account it belongs to.
    pub(crate) user_id: UserId,
    /// Names it among those of the account.
    pub(crate) id: Uuid,
    secret: Zeroizing<[u8; N]>,
}

impl<const N: usize> Opaque<N> {
    /// A token with these secret bytes.
    pub(crate) fn new(user_id: UserId, id: Uuid, secret: [u8; N]) -> Self {
        Self { user_id, id, secret: Zeroizing::new(secret) }
    }

    /// A token with new random bytes.
    ///
    /// # Errors
    /// [`Error::Internal`] where the operating system has none.
    pub(crate) fn generate(user_id: UserId, id: Uuid) -> Result<Self> {
        let mut secret = [0; N];
        getrandom::fill(&mut secret).map_err(|error| Error::internal("making a token", error))?;
        Ok(Self::new(user_id, id, secret))
    }

    /// The token of a text, or nothing: there is one text for a token.
    pub(crate) fn parse(prefix: &str, text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(prefix).filter(|encoded| encoded.len() == ((2 * ID + N) * 8).div_ceil(6))?;
        let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (user_id, rest) = bytes.split_first_chunk::<ID>()?;
        let (id, secret) = rest.split_first_chunk::<ID>()?;
        Some(Self::new(UserId::from_uuid(Uuid::from_bytes(*user_id)), Uuid::from_bytes(*id), secret.try_into().ok()?))
    }

    /// The text that its owner gets, once.
    pub(crate) fn text(&self, prefix: &str) -> SecretString {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * ID + N));
        bytes.extend_from_slice(self.user_id.uuid().as_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(self.secret());
        format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice())).into()
    }

    /// The random bytes.
    pub(crate) fn secret(&self) -> &[u8; N] {
        &self.secret
    }
}

/// What is stored of a secret: SHA-256 in hexadecimal. The secret is random and long, so that no slower hash is needed.
pub(crate) fn hash(secret: &[u8]) -> String {
    hex::encode(Sha256::digest(secret))
}

/// Whether a secret has a stored hash. Takes the same time for every secret.
pub(crate) fn matches(secret: &[u8], stored: &str) -> bool {
    hash(secret).as_bytes().ct_eq(stored.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use quire_domain::Timestamp;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_has_one_text() {
        let user_id = UserId::generate(Timestamp::from_millis(1));
        let token = Opaque::<32>::generate(user_id, Uuid::new_v4()).unwrap();
        let text = token.text("qat_");
        let text = text.expose_secret();
        assert_eq!(text.len(), 4 + 86);
        let parsed = Opaque::<32>::parse("qat_", text).unwrap();
        assert_eq!((parsed.user_id, parsed.id, parsed.secret()), (user_id, token.id, token.secret()));
        assert!(matches(parsed.secret(), &hash(token.secret())));
        assert!(!matches(&[0; 32], &hash(token.secret())));
        let other_last_character = format!("{}{}", &text[..text.len() - 1], if text.ends_with('A') { 'B' } else { 'A' });
        let wrong = [
            String::new(),
            "qat_".to_owned(),
            text.replacen("qat_", "qrt_", 1),
            text.to_uppercase(),
            text[..text.len() - 1].to_owned(),
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
            text.replacen("qat_", "", 1),
            "qat_".repeat(30),
        ];
        for wrong in wrong {
            assert!(Opaque::<32>::parse("qat_", &wrong).is_none(), "{wrong}");
        }
        // The last character carries two unused bits: they must be zero.
        if let Some(other) = Opaque::<32>::parse("qat_", &other_last_character) {
            assert_ne!(other.secret(), token.secret());
        }
        assert!(Opaque::<64>::parse("qat_", text).is_none());
    }
}

//! A signing key whose private half the tests have: tokens that are wrong in one thing only, and accounts with any role.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use quire_tests::{Person, Quire};
use serde_json::{Value, json};

/// Names the key.
pub(crate) const KID: &str = "of-the-tests";

/// The key.
pub(crate) struct Forge(SigningKey);

impl Forge {
    /// A key that Quire does not know.
    pub(crate) fn unknown() -> Self {
        Self(SigningKey::from_slice(&[7; 32]).expect("a key"))
    }

    /// A key that stands in the table as one that signs in future. Functions keep the keys, and without another key nobody can sign
    /// in, so this comes after the first sign-in and before the first request with a token.
    pub(crate) async fn known(quire: &Quire) -> Self {
        let forge = Self::unknown();
        let (x, y) = forge.coordinates();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = quire.dynamodb().put_item().table_name(quire.table()).item("pk", text("SIGNING-KEYS")).item("sk", text("0000000002"));
        let put = put.item("generation", AttributeValue::N("2".into())).item("kid", text(KID)).item("x", text(&x)).item("y", text(&y));
        put.item("usableFrom", text("2099-01-01T00:00:00.000Z")).send().await.expect("the key is stored");
        forge
    }

    /// The public half, base64url.
    pub(crate) fn coordinates(&self) -> (String, String) {
        let point = self.public();
        (BASE64_URL_SAFE_NO_PAD.encode(&point[1..33]), BASE64_URL_SAFE_NO_PAD.encode(&point[33..]))
    }

    /// The public half as an uncompressed point (SEC 1, section 2.3.3).
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }

    /// A token.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature: Signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// Somebody with these roles.
    pub(crate) fn person(&self, id: &str, roles: &[&str]) -> Person {
        let mut claims = claims(id);
        claims["roles"] = json!(roles);
        Person { id: id.to_owned(), token: self.sign(&header(), &claims) }
    }
}

/// The header of a right token.
pub(crate) fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "ES256", "kid": KID})
}

/// The claims of a right token for `user`.
pub(crate) fn claims(user: &str) -> Value {
    let now = now();
    json!({
        "iss": "https://quire.localhost",
        "aud": "quire-api",
        "sub": user,
        "client_id": "quire",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "jti": "0190a5a5-0000-4000-8000-000000000001",
        "sid": "0190a5a5-0000-7000-8000-000000000001",
        "roles": ["reader"],
    })
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs()
}

/// JSON as a part of a token.
pub(crate) fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A part of a token as JSON.
pub(crate) fn decode(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

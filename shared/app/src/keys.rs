//! The keys that sign access tokens.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::{PublicKey as P256PublicKey, elliptic_curve::sec1::ToSec1Point, pkcs8::DecodePublicKey};
use quire_domain::{
    Error, Result, Timestamp,
    event::Trace,
    signing::{KeySet, NextKey, PrivateKey, PublicKey},
};
use quire_store::{Commit, CommitError, Key, Order, Pages, Store};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    jwt,
    ports::{KeyPair, KeyVault, Purpose},
    tokens::{Claims, TOKEN_TYPE},
};

/// Most keys that are read; a new one is made once a month.
const KEYS: usize = 1000;

/// The public keys for everybody (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwksView {
    /// The keys.
    pub keys: Vec<JwkView>,
}

/// A public key on P-256 (RFC 7518, section 6.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkView {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// `ES256`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Names the key.
    pub kid: String,
    /// Coordinate, base64url.
    pub x: String,
    /// Coordinate, base64url.
    pub y: String,
}

/// Publishes the public halves.
#[derive(Debug, Clone)]
pub struct Keys {
    store: Store,
}

impl Keys {
    /// The keys in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The keys that may have signed a valid token or will sign soon.
    ///
    /// # Errors
    /// The table's.
    pub fn jwks(&self, now: Timestamp) -> BoxFuture<'_, Result<JwksView>> {
        Box::pin(async move { Ok(JwksView { keys: load(&self.store).await?.published(now).map(jwk).collect() }) })
    }
}

fn jwk(key: &PublicKey) -> JwkView {
    let PublicKey { generation: _, kid, x, y, usable_from: _ } = key.clone();
    JwkView { kty: "EC".into(), crv: "P-256".into(), alg: "ES256".into(), usage: "sig".into(), kid, x, y }
}

/// Signs tokens with the active key, and makes the next key when it is due.
#[derive(Clone)]
pub(crate) struct Signer {
    store: Store,
    vault: Arc<dyn KeyVault>,
    opened: Arc<Mutex<Option<Opened>>>,
}

/// A private key that this process has decrypted.
#[derive(Clone)]
struct Opened {
    generation: u32,
    key: EncodingKey,
}

impl Signer {
    pub(crate) fn new(store: Store, vault: Arc<dyn KeyVault>) -> Self {
        jwt::install();
        Self { store, vault, opened: Arc::default() }
    }

    /// A token with these claims.
    pub(crate) async fn sign(&self, claims: &Claims, trace: &Trace, now: Timestamp) -> Result<String> {
        let mut keys = load(&self.store).await?;
        if let Some(next) = keys.due(now) {
            self.make(next, trace, now).await?;
            keys = load(&self.store).await?;
        }
        let active = keys.active(now).ok_or_else(|| Error::internal("signing a token", "no key is active"))?;
        let header = Header { typ: Some(TOKEN_TYPE.into()), kid: Some(active.kid.clone()), ..Header::new(Algorithm::ES256) };
        let key = self.open(active.generation).await?;
        jsonwebtoken::encode(&header, claims, &key).map_err(|error| Error::internal("signing a token", error))
    }

    /// Makes a key, unless another signer has made the same one first.
    async fn make(&self, next: NextKey, trace: &Trace, now: Timestamp) -> Result<()> {
        let KeyPair { public, private } = self.vault.generate().await.map_err(Error::Unavailable)?;
        let public = public_key(next, &public)?;
        let private = PrivateKey { generation: next.generation, ciphertext: BASE64_STANDARD.encode(private) };
        match self.store.commit(Commit::new(None, trace.clone(), now).create(&public).create(&private)).await {
            Ok(()) => tracing::info!(generation = next.generation, kid = public.kid, "A signing key was made"),
            Err(CommitError::Stale) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn open(&self, generation: u32) -> Result<EncodingKey> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(opened) = opened.filter(|opened| opened.generation == generation) {
            return Ok(opened.key);
        }
        let broken = |source: &'static str| Error::internal("opening a signing key", source);
        let private: PrivateKey = self.store.get(Key::private_key(generation)).await?.ok_or_else(|| broken("it has no private half"))?;
        let ciphertext = BASE64_STANDARD.decode(&private.ciphertext).map_err(|_| broken("it is not base64"))?;
        let document = self.vault.decrypt(Purpose::Signing, &ciphertext).await.map_err(Error::Unavailable)?;
        let key = EncodingKey::from_ec_der(document.expose_secret());
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Opened { generation, key: key.clone() });
        Ok(key)
    }
}

/// Every public key.
pub(crate) async fn load(store: &Store) -> Result<KeySet> {
    let pages = Pages { partition: Key::PUBLIC_KEYS.to_owned(), prefix: "", after: None, order: Order::Ascending, limit: KEYS };
    Ok(KeySet::new(store.page(pages).await?.items))
}

/// The public half with its name: the thumbprint of RFC 7638.
fn public_key(next: NextKey, spki: &[u8]) -> Result<PublicKey> {
    let key = P256PublicKey::from_public_key_der(spki).map_err(|error| Error::internal("reading a new public key", error))?;
    let point = key.to_sec1_point(false);
    let coordinate = |bytes: Option<&[u8]>| BASE64_URL_SAFE_NO_PAD.encode(bytes.unwrap_or_default());
    let (x, y) = (coordinate(point.x().map(|x| x.as_slice())), coordinate(point.y().map(|y| y.as_slice())));
    let thumbprint = Sha256::digest(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
    let kid = BASE64_URL_SAFE_NO_PAD.encode(thumbprint);
    Ok(PublicKey { generation: next.generation, kid, x, y, usable_from: next.usable_from })
}

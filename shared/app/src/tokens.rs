//! Access tokens: ES256 JWTs of type `at+jwt` (RFC 9068), checked as RFC 8725 asks.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use quire_domain::{
    Error, Result, Timestamp,
    error::Credentials,
    id::UserId,
    limits,
    policy::{Principal, Role},
    signing::{CACHE_SECONDS, KeySet, SKEW_SECONDS},
};
use quire_store::Store;
use serde::{Deserialize, Serialize};

use crate::{jwt, keys};

/// Media type of an access token in its header (RFC 9068, section 2.1).
pub(crate) const TOKEN_TYPE: &str = "at+jwt";
/// Seconds between two looks for a key that is not known.
const REFETCH_SECONDS: i64 = 60;

/// What makes a token ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// The claims of an access token (RFC 9068, section 2.2).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) client_id: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    pub(crate) sid: String,
    pub(crate) roles: Vec<String>,
}

/// Tells who a bearer token belongs to, with public keys from the table that are kept for five minutes.
#[derive(Clone)]
pub struct Tokens {
    store: Store,
    issuer: Arc<Issuer>,
    cache: Arc<Mutex<Cache>>,
}

#[derive(Default)]
struct Cache {
    keys: KeySet,
    fetched: Option<Timestamp>,
}

impl Tokens {
    /// Verifies tokens of `issuer`.
    pub fn new(store: Store, issuer: Issuer) -> Self {
        jwt::install();
        Self { store, issuer: Arc::new(issuer), cache: Arc::default() }
    }

    /// Fetches the keys, so that the first request finds them and an open connection.
    pub fn warm(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Err(error) = self.fetch(Timestamp::now()).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "The signing keys could not be fetched ahead");
            }
        })
    }

    /// The account behind a token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for every token that is not wholly right; the table's.
    pub fn verify<'a>(&'a self, token: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Principal>> {
        Box::pin(async move {
            let invalid = || Error::Unauthenticated(Credentials::InvalidToken);
            if token.len() > limits::TOKEN_BYTES {
                return Err(invalid());
            }
            let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
            let is_ours = header.alg == Algorithm::ES256 && header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TOKEN_TYPE));
            let Some(kid) = header.kid.filter(|_| is_ours) else { return Err(invalid()) };
            let key = self.key(&kid, now).await?.ok_or_else(invalid)?;
            let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.validation()).map_err(|_| invalid())?.claims;
            principal(&claims).ok_or_else(invalid)
        })
    }

    fn validation(&self) -> Validation {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.leeway = SKEW_SECONDS.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer.issuer]);
        validation.set_audience(&[&self.issuer.audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation
    }

    /// The key with this `kid`. One that is not known is looked for at most once a minute.
    async fn key(&self, kid: &str, now: Timestamp) -> Result<Option<DecodingKey>> {
        let (known, age) = {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            let age = cache.fetched.map_or(i64::MAX, |fetched| now.seconds() - fetched.seconds());
            (decoding_key(&cache.keys, kid, now)?, if cache.keys.is_empty() { i64::MAX } else { age })
        };
        if known.is_some() && age < CACHE_SECONDS || known.is_none() && age < REFETCH_SECONDS {
            return Ok(known);
        }
        decoding_key(&self.fetch(now).await?, kid, now)
    }

    async fn fetch(&self, now: Timestamp) -> Result<KeySet> {
        let keys = keys::load(&self.store).await?;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        *cache = Cache { keys: keys.clone(), fetched: Some(now) };
        Ok(keys)
    }
}

fn decoding_key(keys: &KeySet, kid: &str, now: Timestamp) -> Result<Option<DecodingKey>> {
    let key = keys.find(kid, now).map(|key| DecodingKey::from_ec_components(&key.x, &key.y));
    key.transpose().map_err(|error| Error::internal("reading a public key", error))
}

fn principal(claims: &Claims) -> Option<Principal> {
    let id: UserId = claims.sub.parse().ok()?;
    let roles = claims.roles.iter().map(|role| role.parse::<Role>()).collect::<Result<_, _>>().ok()?;
    Some(Principal::User { id, roles })
}

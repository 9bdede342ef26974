//! Access tokens: ES256 JWTs of type `at+jwt` (RFC 9068), checked as RFC 8725 asks.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use quire_domain::{
    Error, Result, Timestamp,
    error::Credentials,
    event::Trace,
    id::{SessionId, UserId},
    limits,
    policy::{Access, Principal, Roles},
    signing::{CACHE_SECONDS, KeySet, SKEW_SECONDS, TOKEN_SECONDS},
};
use quire_store::Store;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    jwt,
    keys::{self, Signer},
    ports::KeyVault,
};

/// Media type of an access token in its header (RFC 9068, section 2.1).
pub(crate) const TOKEN_TYPE: &str = "at+jwt";
/// Who the tokens are for: clients of this API's own sign-in (RFC 9068 wants a client).
const CLIENT_ID: &str = "quire";
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
    pub(crate) sub: UserId,
    pub(crate) client_id: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) sid: Option<SessionId>,
    pub(crate) roles: Roles,
    /// Stands there if it is false (OpenID Connect Core 1.0, section 5.1).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) email_verified: Option<bool>,
    /// Stands there if the token was made of an API token (RFC 9068, section 2.2.3).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) scope: Option<String>,
}

/// Makes access tokens.
#[derive(Clone)]
pub(crate) struct TokenIssuer {
    signer: Signer,
    issuer: Arc<Issuer>,
}

impl TokenIssuer {
    pub(crate) fn new(store: Store, vault: Arc<dyn KeyVault>, issuer: Issuer) -> Self {
        Self { signer: Signer::new(store, vault), issuer: Arc::new(issuer) }
    }

    /// A token for what `principal` may do, in a session if there is one.
    pub(crate) async fn issue(
        &self,
        (id, roles, access): (UserId, Roles, Access),
        session: Option<SessionId>,
        trace: &Trace,
        now: Timestamp,
    ) -> Result<SecretString> {
        let claims = Claims {
            iss: self.issuer.issuer.clone(),
            aud: self.issuer.audience.clone(),
            sub: id,
            client_id: CLIENT_ID.into(),
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: now.seconds() + TOKEN_SECONDS,
            jti: Uuid::new_v4().to_string(),
            sid: session,
            roles,
            email_verified: (access == Access::Unverified).then_some(false),
            scope: match access {
                Access::Full | Access::Unverified => None,
                Access::Scoped(scopes) => Some(scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")),
            },
        };
        Ok(self.signer.sign(&claims, trace, now).await?.into())
    }
}

/// What a bearer token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Whose it is, and what it allows.
    pub principal: Principal,
    /// The session that it was given in.
    pub session: Option<SessionId>,
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
    pub fn verify<'a>(&'a self, token: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Bearer>> {
        Box::pin(async move {
            let invalid = || Error::Unauthenticated(Credentials::InvalidToken);
            if token.len() > limits::TOKEN_BYTES {
                return Err(invalid());
            }
            let kid = kid(token).ok_or_else(invalid)?;
            let key = self.key(&kid, now).await?.ok_or_else(invalid)?;
            bearer(token, &key, &self.issuer).ok_or_else(invalid)
        })
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

/// The key that a token names, if its header is one of ours.
pub(crate) fn kid(token: &str) -> Option<String> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let is_ours = header.alg == Algorithm::ES256 && header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TOKEN_TYPE));
    // What must be understood is not (RFC 7515, section 4.1.11).
    header.kid.filter(|_| is_ours && header.crit.is_none())
}

/// What a token says, if it is wholly right.
pub(crate) fn bearer(token: &str, key: &DecodingKey, issuer: &Issuer) -> Option<Bearer> {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.leeway = SKEW_SECONDS.unsigned_abs();
    validation.validate_nbf = true;
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_audience(&[&issuer.audience]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    let Claims { sub: id, sid, roles, email_verified, scope, .. } = jsonwebtoken::decode(token, key, &validation).ok()?.claims;
    let access = match (email_verified, scope) {
        (None | Some(true), None) => Access::Full,
        (Some(false), None) => Access::Unverified,
        (None | Some(true), Some(scope)) => Access::Scoped(scope.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?),
        (Some(false), Some(_)) => return None,
    };
    Some(Bearer { principal: Principal::User { id, roles, access }, session: sid })
}

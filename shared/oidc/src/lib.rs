//! Other providers that sign people in, by OpenID Connect: with `quire-webhooks` the only crates that talk to servers which are not AWS's.
//!
//! What a provider publishes of itself is kept in the process for an hour. A provider that does not answer is left alone for a while.

mod breaker;
mod http;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::Breaker;
use futures::future::BoxFuture;
use http::Http;
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    TokenResponse, UserInfoError,
    core::{
        CoreClient, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreProviderMetadata,
        CoreResponseType, CoreUserInfoClaims,
    },
};
use quire_app::ports::{Answer, Handshake, IdentityProviders, PortError, Proved, ProviderError};
use quire_domain::{Timestamp, identity::ProviderName};
use secrecy::{ExposeSecret, SecretString};

/// Seconds that what a provider publishes is kept.
const KEPT_SECONDS: i64 = 60 * 60;
/// Seconds between two looks for a key that is not known.
const REFETCH_SECONDS: i64 = 60;
/// Time that a provider has for all that one step needs of it.
const DEADLINE: Duration = Duration::from_secs(5);
/// Seconds after which a provider that has just failed can be tried again.
const RETRY_SECONDS: u32 = 5;

/// A client for what a provider has published.
type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The providers of one deployment.
pub struct Providers(BTreeMap<ProviderName, Provider>);

struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: ClientSecret,
    redirect: RedirectUrl,
    http: Http,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    breaker: Breaker,
    published: Option<Published>,
}

#[derive(Clone)]
struct Published {
    metadata: CoreProviderMetadata,
    fetched: Timestamp,
    keys_fetched: Timestamp,
}

impl Providers {
    /// The providers of three lists of `name=value`, separated by commas: their issuers, our ids as their client, and our secrets. They send
    /// browsers back to `base`, our own address.
    ///
    /// # Errors
    /// A sentence about what is wrong. It holds no secret.
    pub fn new(issuers: &str, clients: &str, secrets: &SecretString, base: &str) -> Result<Self, String> {
        let (issuers, clients, mut secrets) = (list(issuers)?, list(clients)?, list(secrets.expose_secret())?);
        if let Some(name) = clients.keys().chain(secrets.keys()).find(|name| !issuers.contains_key(*name)) {
            return Err(format!("the provider {name} has no issuer"));
        }
        let mut providers = BTreeMap::new();
        for (name, issuer) in issuers {
            let client_id = clients.get(&name).ok_or_else(|| format!("the provider {name} has no client id"))?;
            let secret = secrets.remove(&name).ok_or_else(|| format!("the provider {name} has no client secret"))?;
            let issuer = IssuerUrl::new(issuer).map_err(|_| format!("the issuer of {name} is no URL"))?;
            let http = Http::for_issuer(issuer.url()).map_err(|error| format!("the issuer of {name}: {error}"))?;
            let redirect = format!("{}/api/v1/identity/{name}/callback", base.trim_end_matches('/'));
            let provider = Provider {
                issuer,
                client_id: ClientId::new(client_id.clone()),
                client_secret: ClientSecret::new(secret),
                redirect: RedirectUrl::new(redirect).map_err(|_| "our own address is no URL")?,
                http,
                state: Mutex::default(),
            };
            providers.insert(name, provider);
        }
        Ok(Self(providers))
    }

    /// The providers that the template names (`IDENTITY_PROVIDERS`, `IDENTITY_CLIENTS`, `IDENTITY_CLIENT_SECRETS`, `ISSUER`).
    ///
    /// # Errors
    /// A sentence about what is wrong or missing.
    pub fn from_env<E: std::fmt::Display>(get: impl Fn(&str) -> Result<String, E>) -> Result<Self, String> {
        let get = |name| get(name).map_err(|error| error.to_string());
        let secrets = get("IDENTITY_CLIENT_SECRETS")?.into();
        Self::new(&get("IDENTITY_PROVIDERS")?, &get("IDENTITY_CLIENTS")?, &secrets, &get("ISSUER")?)
    }

    fn find(&self, name: &ProviderName) -> Result<&Provider, ProviderError> {
        self.0.get(name).ok_or(ProviderError::Unknown)
    }
}

/// `name=value,name=value`; the empty text has none.
fn list(text: &str) -> Result<BTreeMap<ProviderName, String>, String> {
    let mut list = BTreeMap::new();
    for (index, pair) in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).enumerate() {
        // The pair itself may be a secret.
        let wrong = || format!("entry {} of a list of providers is not name=value, or names one twice", index + 1);
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        let name = ProviderName::parse(name.trim()).map_err(|_| wrong())?;
        if value.trim().is_empty() || list.insert(name, value.trim().to_owned()).is_some() {
            return Err(wrong());
        }
    }
    Ok(list)
}

impl IdentityProviders for Providers {
    fn authorization<'a>(
        &'a self,
        provider: &'a ProviderName,
        handshake: &'a Handshake,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<String, ProviderError>> {
        Box::pin(async move {
            let provider = self.find(provider)?;
            let published = provider.guarded(now, provider.published(now)).await?;
            let verifier = PkceCodeVerifier::new(handshake.verifier.expose_secret().to_owned());
            let (state, nonce) = (handshake.state.expose_secret().to_owned(), handshake.nonce.expose_secret().to_owned());
            let client = provider.client(&published.metadata);
            let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
            let request = client.authorize_url(flow, || CsrfToken::new(state), || Nonce::new(nonce));
            let request = request.add_scope(Scope::new("email".into())).add_scope(Scope::new("profile".into()));
            let (url, ..) = request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier)).url();
            provider.http.allows(url.as_str()).map_err(|error| unavailable(error.into()))?;
            Ok(url.into())
        })
    }

    fn ready<'a>(&'a self, provider: &'a ProviderName, now: Timestamp) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let provider = self.find(provider)?;
            provider.guarded(now, provider.published(now)).await.map(drop)
        })
    }

    fn identify<'a>(
        &'a self,
        provider: &'a ProviderName,
        answer: &'a Answer,
        handshake: &'a Handshake,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Proved, ProviderError>> {
        Box::pin(async move {
            let provider = self.find(provider)?;
            // RFC 9207, section 2.4: before the code goes anywhere.
            if answer.issuer.as_ref().is_some_and(|issuer| issuer != provider.issuer.as_str()) {
                return Err(ProviderError::Refused("the code is from another issuer".into()));
            }
            provider.guarded(now, provider.identify(answer, handshake, now)).await
        })
    }
}

impl Provider {
    /// Does `work` unless the provider has failed too often, within the deadline, and remembers how it went.
    async fn guarded<T>(&self, now: Timestamp, work: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
        self.state()
            .breaker
            .admit(now)
            .map_err(|retry_after| ProviderError::Unavailable { retry_after, source: "it has failed several times in a row".into() })?;
        let outcome = tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|error| Err(unavailable(error.into())));
        let mut state = self.state();
        match &outcome {
            Err(ProviderError::Unavailable { .. }) => state.breaker.failed(now),
            // Whatever it said, it answered.
            Ok(_) | Err(ProviderError::Unknown | ProviderError::Refused(_)) => state.breaker.succeeded(),
        }
        outcome
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the provider publishes: its addresses and its keys.
    async fn published(&self, now: Timestamp) -> Result<Published, ProviderError> {
        let kept = self.state().published.clone();
        if let Some(published) = kept.filter(|published| now.seconds() - published.fetched.seconds() < KEPT_SECONDS) {
            return Ok(published);
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await.map_err(|error| unavailable(error.into()))?;
        let published = Published { metadata, fetched: now, keys_fetched: now };
        self.state().published = Some(published.clone());
        Ok(published)
    }

    /// The keys once more, if they have not been fetched within a minute.
    async fn newer_keys(&self, published: &Published, now: Timestamp) -> Result<Option<CoreJsonWebKeySet>, ProviderError> {
        if now.seconds() - published.keys_fetched.seconds() < REFETCH_SECONDS {
            return Ok(None);
        }
        let keys = CoreJsonWebKeySet::fetch_async(published.metadata.jwks_uri(), &self.http).await.map_err(|error| unavailable(error.into()))?;
        let metadata = published.metadata.clone().set_jwks(keys.clone());
        self.state().published = Some(Published { metadata, fetched: published.fetched, keys_fetched: now });
        Ok(Some(keys))
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Client {
        let secret = Some(self.client_secret.clone());
        CoreClient::from_provider_metadata(metadata.clone(), self.client_id.clone(), secret).set_redirect_uri(self.redirect.clone())
    }

    async fn identify(&self, answer: &Answer, handshake: &Handshake, now: Timestamp) -> Result<Proved, ProviderError> {
        let published = self.published(now).await?;
        let client = self.client(&published.metadata);
        let request = client.exchange_code(AuthorizationCode::new(answer.code.expose_secret().to_owned()));
        let request = request.map_err(|error| unavailable(error.into()))?;
        let verifier = PkceCodeVerifier::new(handshake.verifier.expose_secret().to_owned());
        let tokens = request.set_pkce_verifier(verifier).request_async(&self.http).await.map_err(|error| match error {
            error @ RequestTokenError::Request(_) => unavailable(error.into()),
            // What it was parsed from may hold tokens.
            RequestTokenError::Parse(error, _) => refused(error),
            RequestTokenError::ServerResponse(response) => refused(response.error().to_string()),
            error @ RequestTokenError::Other(_) => refused(error),
        })?;
        let id_token = tokens.id_token().ok_or_else(|| refused("there is no ID token"))?;
        let nonce = Nonce::new(handshake.nonce.expose_secret().to_owned());
        let claims = match self.verified(id_token, published.metadata.jwks(), &nonce) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                let keys = self.newer_keys(&published, now).await?;
                self.verified(id_token, keys.as_ref().unwrap_or(published.metadata.jwks()), &nonce).map_err(refused)?
            }
            claims => claims.map_err(refused)?,
        };
        let mut proved = Proved {
            issuer: self.issuer.to_string(),
            subject: claims.subject().to_string(),
            email: claims.email().map(|email| email.to_string()),
            email_verified: claims.email_verified().unwrap_or(false),
            username: claims.preferred_username().map(|name| name.to_string()),
        };
        // Many providers leave what the scopes ask for to this endpoint (OpenID Connect Core 1.0, section 5.4).
        if proved.email.is_none()
            && let Ok(request) = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        {
            let info: CoreUserInfoClaims = request.request_async(&self.http).await.map_err(|error| match error {
                error @ UserInfoError::Request(_) => unavailable(error.into()),
                // Its body may hold anything.
                UserInfoError::Response(status, ..) => refused(format!("user info with status {status}")),
                error => refused(error),
            })?;
            proved.email = info.email().map(|email| email.to_string());
            proved.email_verified = info.email_verified().unwrap_or(false);
            proved.username = proved.username.or(info.preferred_username().map(|name| name.to_string()));
        }
        Ok(proved)
    }

    /// The claims of an ID token that is right in all: algorithm, signature, issuer, audience, times and nonce.
    fn verified<'a>(
        &self,
        token: &'a CoreIdToken,
        keys: &CoreJsonWebKeySet,
        nonce: &Nonce,
    ) -> Result<&'a CoreIdTokenClaims, ClaimsVerificationError> {
        // As a public client's, which has no secret that a token could be signed with.
        let verifier = CoreIdTokenVerifier::new_public_client(self.client_id.clone(), self.issuer.clone(), keys.clone());
        let algorithms = [CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, CoreJwsSigningAlgorithm::EcdsaP256Sha256];
        token.claims(&verifier.set_allowed_algs(algorithms), nonce)
    }
}

fn unavailable(source: PortError) -> ProviderError {
    ProviderError::Unavailable { retry_after: RETRY_SECONDS, source }
}

fn refused(source: impl Into<PortError>) -> ProviderError {
    ProviderError::Refused(source.into())
}

#[cfg(test)]
mod tests;

//! Access tokens for machines, in exchange for API tokens.
//!
//! A machine sends its API token here and the access token everywhere else. So no other function reads API tokens, no request costs a read
//! more for them, and a token that is revoked ends within the ten minutes that its last access token has left.

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use quire_domain::{Error, Result, api_token::ApiToken, error::Credentials, id::ApiTokenId, policy::Access, signing::TOKEN_SECONDS, user::User};
use quire_store::{Commit, Key, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{
    Call,
    api_tokens::{PREFIX, Token},
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    opaque,
    ports::KeyVault,
    sessions::expose,
    tokens::{Issuer, TokenIssuer},
};

/// Exchanges API tokens.
#[derive(Clone)]
pub struct AccessTokens {
    store: Store,
    tokens: TokenIssuer,
    wants_verified_email: bool,
    wants_admin_second_factor: bool,
}

/// What a machine sends.
#[derive(Debug, Clone)]
pub struct NewAccessToken {
    /// The text of an API token.
    pub api_token: SecretString,
}

impl Input for NewAccessToken {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { api_token: fields.required("apiToken", |text| Ok::<_, Infallible>(text.into()))? })
    }
}

/// An access token as its machine sees it, once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessTokenView {
    /// A bearer token (RFC 6750).
    #[serde(serialize_with = "expose")]
    pub access_token: SecretString,
    /// `Bearer`.
    pub token_type: &'static str,
    /// Seconds that the token is valid.
    pub expires_in: i64,
    /// The scopes of the API token, separated by spaces (RFC 6749, section 3.3).
    pub scope: String,
}

impl AccessTokens {
    /// Tokens signed by keys of `vault`. Where a verified e-mail address is wanted, machines of accounts without one get none; where admins
    /// need a second factor, those of an admin without one act without that role.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>, issuer: Issuer, wants_verified_email: bool, wants_admin_second_factor: bool) -> Self {
        Self { tokens: TokenIssuer::new(store.clone(), vault, issuer), store, wants_verified_email, wants_admin_second_factor }
    }

    /// An access token for what the API token is for, with the roles that its account has now. Nothing is recorded for a repeated request:
    /// the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for a token that is malformed, unknown, revoked or expired and for one of an account that is
    /// not active; [`Error::EmailUnverified`], [`Error::Contended`].
    pub fn exchange<'a>(&'a self, call: &'a Call, input: NewAccessToken) -> BoxFuture<'a, Result<AccessTokenView>> {
        Box::pin(async move {
            let shown = Token::parse(PREFIX, input.api_token.expose_secret()).ok_or_else(invalid)?;
            let (user_key, token_key) = (Key::user(shown.user_id), Key::api_token(shown.user_id, ApiTokenId::from_uuid(shown.id)));
            for _ in 0..ATTEMPTS {
                let (user, token) = self.store.get_both::<User, ApiToken>(user_key.clone(), token_key.clone()).await?;
                let is_right = |token: &ApiToken| opaque::matches(shown.secret(), &token.secret_hash) && !token.has_expired(call.now);
                let token = token.filter(is_right).ok_or_else(invalid)?;
                let user = user.filter(|user| user.is_active).ok_or_else(invalid)?;
                if user.access(self.wants_verified_email) == Access::Unverified {
                    return Err(Error::EmailUnverified);
                }
                if let Some(used) = token.used(call.now) {
                    let commit = Commit::new(Some(user.id), call.trace.clone(), call.now).update(&token, &used);
                    // Another exchange has noted its use, or it was revoked at this moment.
                    if !made(self.store.commit(commit).await)? {
                        continue;
                    }
                }
                let scope = token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ");
                let roles = user.granted_roles(self.wants_admin_second_factor);
                let access_token = self.tokens.issue((user.id, roles, Access::Scoped(token.scopes)), None, &call.trace, call.now).await?;
                return Ok(AccessTokenView { access_token, token_type: "Bearer", expires_in: TOKEN_SECONDS, scope });
            }
            Err(Error::Contended)
        })
    }
}

fn invalid() -> Error {
    Error::Unauthenticated(Credentials::InvalidApiToken)
}

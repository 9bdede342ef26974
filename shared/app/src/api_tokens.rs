//! API tokens: what an account gives to machines.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    api_token::ApiToken,
    audit::AuditData,
    error::Credentials,
    event::EventData,
    id::{ApiTokenId, UserId},
    policy::{self, Access, Action, Scope, Scopes},
    text::TokenName,
    user::User,
};
use quire_store::{Commit, Key, Order, Pages, Store};
use secrecy::SecretString;
use serde::Serialize;

use crate::{
    Call,
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    opaque::{self, Opaque},
    page::{PageRequest, PageView, walk},
    sessions::expose,
};

/// What the text of an API token begins with.
pub(crate) const PREFIX: &str = "qat_";

/// An API token, with 256 random bits.
pub(crate) type Token = Opaque<32>;

/// Lists API tokens and revokes them.
#[derive(Debug, Clone)]
pub struct ApiTokens {
    store: Store,
}

/// Makes API tokens.
#[derive(Debug, Clone)]
pub struct ApiTokenCreation {
    store: Store,
    wants_verified_email: bool,
}

/// What a person sends to make one.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// What its owner calls it.
    pub name: TokenName,
    /// What it is for; one or more.
    pub scopes: Scopes,
    /// When it ends, if it does by itself.
    pub expires_at: Option<Timestamp>,
}

impl Input for NewApiToken {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.required("name", TokenName::parse);
        let scopes = scopes(fields);
        let time = |text: &str| text.parse::<Timestamp>().map_err(|_| "must be a time such as 2026-12-24T18:00:00Z");
        let expires_at = fields.optional("expiresAt", time);
        Some(Self { name: name?, scopes: scopes?, expires_at: expires_at? })
    }
}

fn scopes(fields: &mut Fields) -> Option<Scopes> {
    let list = fields.list("scopes", str::parse::<Scope>)?;
    let scopes: Scopes = list.iter().copied().collect();
    match scopes.len() {
        0 => fields.refuse("scopes", "must have 1 scope or more"),
        distinct if distinct < list.len() => fields.refuse("scopes", "must name each scope once"),
        _ => Some(scopes),
    }
}

/// An API token as its owner and admins see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiTokenView {
    /// Names the token.
    pub token_id: ApiTokenId,
    /// What its owner calls it.
    pub name: TokenName,
    /// What it may do of all that the account may.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last exchanged, to the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it ends by itself, or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A new API token as its owner sees it, once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedApiTokenView {
    /// What everybody sees later who may see it.
    #[serde(flatten)]
    pub shown: ApiTokenView,
    /// The token itself.
    #[serde(serialize_with = "expose")]
    pub token: SecretString,
}

impl From<ApiToken> for ApiTokenView {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, user_id: _, name, scopes, secret_hash: _, created_at, last_used_at, expires, version: _ } = token;
        Self { token_id: id, name, scopes, created_at, last_used_at, expires_at: expires }
    }
}

impl ApiTokenCreation {
    /// API tokens in `store`. Where a verified e-mail address is wanted, accounts without one make none.
    pub fn new(store: Store, wants_verified_email: bool) -> Self {
        Self { store, wants_verified_email }
    }

    /// Makes a token of the account that asks. Nothing is recorded for a repeated request: the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an end that has passed, [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`],
    /// [`Error::InsufficientScope`], [`Error::TooManyApiTokens`].
    pub fn create<'a>(&'a self, call: &'a Call, user_id: UserId, input: NewApiToken) -> BoxFuture<'a, Result<IssuedApiTokenView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageTokens, Some(user_id))?;
            let NewApiToken { name, scopes, expires_at } = input;
            if expires_at.is_some_and(|expires| expires <= call.now) {
                return Err(Error::field("/expiresAt", "must be in the future"));
            }
            let user: Option<User> = self.store.get(Key::user(user_id)).await?;
            let user = user.ok_or(Error::Unauthenticated(Credentials::InvalidToken))?;
            user.principal()?;
            if user.access(self.wants_verified_email) == Access::Unverified {
                return Err(Error::EmailUnverified);
            }
            let id = ApiTokenId::generate(call.now);
            let secret = Token::generate(user_id, id.uuid())?;
            let token = ApiToken {
                id,
                user_id,
                name,
                scopes: scopes.clone(),
                secret_hash: opaque::hash(secret.secret()),
                created_at: call.now,
                last_used_at: None,
                expires: expires_at,
                version: 1,
            };
            let commit = Commit::new(Some(user_id), call.trace.clone(), call.now)
                .create(&token)
                .audit(Some(user_id), AuditData::ApiTokenCreated { token_id: id, scopes })
                .emit([EventData::ApiTokenCreated { user_id, token_id: id }]);
            self.store.commit(commit).await?;
            Ok(IssuedApiTokenView { shown: token.into(), token: secret.text(PREFIX) })
        })
    }
}

impl ApiTokens {
    /// The API tokens in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The tokens of an account, newest first, for itself and admins.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::InsufficientScope`].
    pub fn list<'a>(&'a self, call: &'a Call, user_id: UserId, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<ApiTokenView>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::RevokeTokens, Some(user_id))?;
            let pages = Pages { prefix: "TOKEN#", ..page.pages::<ApiTokenId>(Key::api_tokens(user_id), Order::Descending)? };
            let (tokens, next) = walk(&self.store, pages, |token: &ApiToken| token.id, |_| true).await?;
            Ok(PageView::new(tokens, |token| token.id, next))
        })
    }

    /// Revokes a token, by its account or an admin. One that is not there is revoked already.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::InsufficientScope`], [`Error::Contended`].
    pub fn revoke<'a>(&'a self, call: &'a Call, user_id: UserId, id: ApiTokenId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let by = policy::require(&call.principal, Action::RevokeTokens, Some(user_id))?;
            for _ in 0..ATTEMPTS {
                let Some(token) = self.store.get::<ApiToken>(Key::api_token(user_id, id)).await? else { return Ok(()) };
                let commit = Commit::new(Some(by), call.trace.clone(), call.now)
                    .remove(&token)
                    .audit(Some(user_id), AuditData::ApiTokenRevoked { token_id: id });
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }
}

//! What can go wrong, in the domain's own words; HTTP statuses and client texts are decided at the edge.

use std::error::Error as StdError;

use crate::{
    policy::{Action, Scope},
    post::Status,
};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One wrong field of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the input, such as `/title`.
    pub pointer: String,
    /// What is wrong, for a person, without the value.
    pub message: String,
}

impl FieldError {
    /// An error at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A user.
    User,
    /// A post.
    Post,
    /// A version of a post.
    Revision,
    /// A comment.
    Comment,
    /// A way to react.
    Reaction,
    /// A mailed token that verifies an e-mail address.
    EmailVerification,
    /// A mailed token that sets another password.
    PasswordReset,
    /// A way out of notifications.
    Unsubscription,
    /// A session.
    Session,
    /// An API token.
    ApiToken,
    /// A second factor.
    SecondFactor,
    /// A provider that signs people in.
    Provider,
    /// A webhook.
    Webhook,
    /// A delivery to a webhook.
    Delivery,
    /// An export of what an account owns.
    Export,
}

/// Every failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks rules; every broken rule is listed.
    #[error("the input has {} invalid field(s)", .0.len())]
    Invalid(Vec<FieldError>),
    /// No valid credentials came with the request.
    #[error("the caller is not signed in: {0}")]
    Unauthenticated(Credentials),
    /// There were too many failures to sign in; the next try may be made in so many seconds.
    #[error("there were too many failures to sign in")]
    TooManyAttempts(i64),
    /// The principal may not do this.
    #[error("the principal may not {0:?}")]
    Forbidden(Action),
    /// The principal may do this once it has shown that its e-mail address is its own.
    #[error("the e-mail address is not verified")]
    EmailUnverified,
    /// The principal may do this, but not with this API token; with one that has the scope, if there is one.
    #[error("the token has not the scope for this")]
    InsufficientScope(Option<Scope>),
    /// The thing does not exist, or the principal may not know that it does.
    #[error("no such {0:?}")]
    NotFound(Kind),
    /// Somebody else has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// An account with this e-mail address exists.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// There would be no admin left.
    #[error("the last admin must stay one")]
    LastAdmin,
    /// The account is to be erased and changes no more.
    #[error("the account is to be erased")]
    BeingErased,
    /// The sign-in at a provider is unknown, over, used, or was begun by another browser.
    #[error("there is no such sign-in")]
    SignInInvalid,
    /// The provider did not prove who somebody is.
    #[error("the provider proved nobody")]
    SignInRefused(#[source] Box<dyn StdError + Send + Sync>),
    /// The provider does not vouch for the e-mail address.
    #[error("the provider has not verified the e-mail address")]
    ProviderEmailUnverified,
    /// There is an account with the e-mail address; only its owner can link the identity to it.
    #[error("an account has the e-mail address of the identity")]
    AccountExists,
    /// The identity is linked to another account, or the account to another identity of the provider.
    #[error("the identity or its place is taken")]
    IdentityTaken,
    /// The account could not sign in any more.
    #[error("the last way to sign in must stay")]
    LastSignInMethod,
    /// The provider did not answer; it can be tried again later.
    #[error("the provider is unavailable")]
    ProviderUnavailable {
        /// Seconds after which it can be tried again.
        retry_after: u32,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Another post has this slug.
    #[error("the slug is taken")]
    SlugTaken,
    /// A post cannot go from the one status to the other.
    #[error("a post cannot go from {from:?} to {to:?}")]
    IllegalMove {
        /// Status that the post has.
        from: Status,
        /// Status that was asked for.
        to: Status,
    },
    /// The time in which a comment's author may change it is over.
    #[error("the comment can no longer be changed")]
    EditWindowClosed,
    /// Nothing is decided of a comment that is deleted.
    #[error("a deleted comment stays deleted")]
    CommentDeleted,
    /// The entity has changed since the version that the caller named.
    #[error("the version is not the current one")]
    VersionMismatch,
    /// The idempotency key was used before for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The account has as many API tokens as it may.
    #[error("the account has as many API tokens as it may")]
    TooManyApiTokens,
    /// There are as many webhooks as there may be.
    #[error("there are as many webhooks as there may be")]
    TooManyWebhooks,
    /// The account has exported what it owns a short time ago.
    #[error("too many exports; the next one in {seconds} s")]
    TooManyExports {
        /// Seconds until the next one, at least 1.
        seconds: i64,
    },
    /// The second factor is on already.
    #[error("the second factor is on")]
    SecondFactorEnabled,
    /// There were too many tries of codes.
    #[error("too many tries; the next one in {seconds} s")]
    TooManyTries {
        /// Seconds until the next one, at least 1.
        seconds: i64,
    },
    /// Too many writes to the same items at once; the same request can be sent again.
    #[error("too many concurrent writes to the same items")]
    Contended,
    /// A service that this one stands on did not answer; the same request can be sent again.
    #[error("a dependency is unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// A defect of this program or its data.
    #[error("internal error: {context}")]
    Internal {
        /// What was being done.
        context: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// What is wrong with the credentials of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Credentials {
    /// There are none.
    #[error("no credentials")]
    Missing,
    /// They are malformed, forged, expired or for somewhere else.
    #[error("invalid token")]
    InvalidToken,
    /// The name and the password do not belong to an active account.
    #[error("wrong name or password")]
    WrongPassword,
    /// The refresh token is malformed, forged, used before, or of a session that is over.
    #[error("invalid refresh token")]
    InvalidRefreshToken,
    /// The password is right, and the account wants a code besides.
    #[error("a code of the second factor is missing")]
    SecondFactorRequired,
    /// The code is not one of the second factor, or was used before.
    #[error("wrong code")]
    WrongCode,
    /// The API token is malformed, unknown, revoked or expired, or its account is not active.
    #[error("invalid API token")]
    InvalidApiToken,
}

impl Error {
    /// An input with one wrong field.
    pub fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, message)])
    }

    /// A defect, met while doing `context`.
    pub fn internal(context: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal { context, source: source.into() }
    }
}

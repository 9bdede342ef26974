//! Path and query parameters.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use quire_app::{
    Error,
    input::{self, Input},
    notifications::UnsubscribeToken,
    one_time::{ResetToken, VerificationToken},
};
use quire_domain::{
    error::Kind,
    id::{ApiTokenId, CommentId, DeliveryId, ExportId, InvalidId, PostId, SessionId, UserId, WebhookId},
    identity::ProviderName,
    post::PostName,
    reaction,
    revision::RevisionNumber,
};

use crate::problem::Problem;

/// What names a thing in a path, as `{userId}`, `{postId}`, ….
pub trait PathId: FromStr {
    /// Name of the parameter.
    const NAME: &'static str;
    /// What is missing when the text is no id.
    const KIND: Kind;
}

impl PathId for UserId {
    const NAME: &'static str = "userId";
    const KIND: Kind = Kind::User;
}

impl PathId for PostId {
    const NAME: &'static str = "postId";
    const KIND: Kind = Kind::Post;
}

/// The id of a post or one of its slugs.
impl PathId for PostName {
    const NAME: &'static str = "postId";
    const KIND: Kind = Kind::Post;
}

impl PathId for RevisionNumber {
    const NAME: &'static str = "version";
    const KIND: Kind = Kind::Revision;
}

impl PathId for CommentId {
    const NAME: &'static str = "commentId";
    const KIND: Kind = Kind::Comment;
}

impl PathId for SessionId {
    const NAME: &'static str = "sessionId";
    const KIND: Kind = Kind::Session;
}

impl PathId for ApiTokenId {
    const NAME: &'static str = "tokenId";
    const KIND: Kind = Kind::ApiToken;
}

impl PathId for WebhookId {
    const NAME: &'static str = "webhookId";
    const KIND: Kind = Kind::Webhook;
}

impl PathId for DeliveryId {
    const NAME: &'static str = "deliveryId";
    const KIND: Kind = Kind::Delivery;
}

impl PathId for ExportId {
    const NAME: &'static str = "exportId";
    const KIND: Kind = Kind::Export;
}

impl PathId for ProviderName {
    const NAME: &'static str = "provider";
    const KIND: Kind = Kind::Provider;
}

impl PathId for VerificationToken {
    const NAME: &'static str = "token";
    const KIND: Kind = Kind::EmailVerification;
}

impl PathId for UnsubscribeToken {
    const NAME: &'static str = "token";
    const KIND: Kind = Kind::Unsubscription;
}

impl PathId for ResetToken {
    const NAME: &'static str = "token";
    const KIND: Kind = Kind::PasswordReset;
}

/// The account that follows, as `{followerId}`.
#[derive(Debug, Clone, Copy)]
pub struct FollowerId(pub UserId);

impl FromStr for FollowerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

impl PathId for FollowerId {
    const NAME: &'static str = "followerId";
    const KIND: Kind = Kind::User;
}

impl PathId for reaction::Kind {
    const NAME: &'static str = "kind";
    const KIND: Kind = Kind::Reaction;
}

/// The id of type `T` in the path. A text that is no id names nothing: 404.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: PathId> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::malformed("The path is not UTF-8"))?;
        let text = params.iter().find(|(name, _)| *name == T::NAME).map(|(_, text)| text);
        text.and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| Error::NotFound(T::KIND).into())
    }
}

/// The query of a request, read into `T`. Parameters that `T` does not know are left alone.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: Input> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let parameters = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let axum::extract::Query(parameters) = parameters.map_err(|_| Problem::malformed("The query cannot be read"))?;
        Ok(Self(input::read_query(parameters)?))
    }
}

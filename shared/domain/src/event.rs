//! Events: what has happened, and who is told.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    id::{ApiTokenId, CommentId, DeliveryId, EventId, PostId, SessionId, UserId, WebhookId},
    moderation::Reason,
    text::Email,
    webhook::PauseReason,
};

/// What happened. The serialised form is `{"type": "comment.created", "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum EventData {
    /// An account was opened.
    #[serde(rename = "user.registered")]
    UserRegistered {
        /// The account.
        user_id: UserId,
    },
    /// An account is to be erased; it is inactive already.
    #[serde(rename = "user.erasure-requested")]
    UserErasureRequested {
        /// The account.
        user_id: UserId,
    },
    /// Somebody asked to show that an e-mail address is theirs. There may be no such account.
    #[serde(rename = "user.email-verification-requested")]
    EmailVerificationRequested {
        /// The address.
        email: Email,
    },
    /// Somebody asked for another password. There may be no such account.
    #[serde(rename = "user.password-reset-requested")]
    PasswordResetRequested {
        /// The address.
        email: Email,
    },
    /// An account has another password.
    #[serde(rename = "user.password-changed")]
    PasswordChanged {
        /// The account.
        user_id: UserId,
    },
    /// An account has another e-mail address.
    #[serde(rename = "user.email-changed")]
    EmailChanged {
        /// The account.
        user_id: UserId,
        /// The address that it had, which is told.
        former: Email,
    },
    /// A refresh token came again after its successor was in use: somebody else may have it. The session was ended.
    #[serde(rename = "session.reused")]
    SessionReused {
        /// The account.
        user_id: UserId,
        /// The session.
        session_id: SessionId,
    },
    /// An account turned its second factor on or off.
    #[serde(rename = "user.second-factor-changed")]
    SecondFactorChanged {
        /// The account.
        user_id: UserId,
        /// Whether it is on from now on.
        is_enabled: bool,
    },
    /// An account made an API token.
    #[serde(rename = "api-token.created")]
    ApiTokenCreated {
        /// The account.
        user_id: UserId,
        /// The token.
        token_id: ApiTokenId,
    },
    /// An account at another provider signs in to this one from now on.
    #[serde(rename = "identity.linked")]
    IdentityLinked {
        /// The account.
        user_id: UserId,
        /// Name of the provider.
        provider: String,
    },
    /// A post was drafted, or is a draft again.
    #[serde(rename = "post.drafted")]
    PostDrafted {
        /// The post.
        post_id: PostId,
    },
    /// A post was scheduled, or for another time.
    #[serde(rename = "post.scheduled")]
    PostScheduled {
        /// The post.
        post_id: PostId,
        /// When it is to be published.
        publish_at: Timestamp,
    },
    /// A post was published.
    #[serde(rename = "post.published")]
    PostPublished {
        /// The post.
        post_id: PostId,
    },
    /// A post changed, and not its status.
    #[serde(rename = "post.updated")]
    PostUpdated {
        /// The post.
        post_id: PostId,
    },
    /// A post was archived.
    #[serde(rename = "post.archived")]
    PostArchived {
        /// The post.
        post_id: PostId,
    },
    /// A post was deleted.
    #[serde(rename = "post.deleted")]
    PostDeleted {
        /// The post.
        post_id: PostId,
    },
    /// A comment was written.
    #[serde(rename = "comment.created")]
    CommentCreated {
        /// The post it is on.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
    },
    /// A comment was approved.
    #[serde(rename = "comment.approved")]
    CommentApproved {
        /// The post it is on.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
    },
    /// A comment was held for a moderator.
    #[serde(rename = "comment.held")]
    CommentHeld {
        /// The post it is on.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
        /// Why; empty if a person did it.
        reasons: Vec<Reason>,
    },
    /// The words of a comment were changed by its author.
    #[serde(rename = "comment.updated")]
    CommentUpdated {
        /// The post it is on.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
    },
    /// A comment was refused by a moderator.
    #[serde(rename = "comment.rejected")]
    CommentRejected {
        /// The post it is on.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
    },
    /// A comment was deleted.
    #[serde(rename = "comment.deleted")]
    CommentDeleted {
        /// The post it is on.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
    },
    /// A delivery to a webhook is to be tried.
    #[serde(rename = "webhook.delivery-due")]
    WebhookDeliveryDue {
        /// The webhook.
        webhook_id: WebhookId,
        /// The delivery.
        delivery_id: DeliveryId,
        /// When, and not before.
        due: Timestamp,
    },
    /// A webhook was paused, and not by a person.
    #[serde(rename = "webhook.paused")]
    WebhookPaused {
        /// The webhook.
        webhook_id: WebhookId,
        /// Who made it.
        user_id: UserId,
        /// Why.
        reason: PauseReason,
    },
}

/// A queue's consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consumer {
    /// Approves new comments or holds them.
    ModerateComment,
    /// Puts a published post into the feeds of its author's followers.
    FanOutPost,
    /// Mails people tokens that they asked for, and what was done to their accounts.
    SendEmail,
    /// Tells webhooks of events.
    DeliverWebhook,
}

impl Consumer {
    /// Every consumer.
    pub const ALL: [Self; 4] = [Self::ModerateComment, Self::FanOutPost, Self::SendEmail, Self::DeliverWebhook];

    /// Name of the function that consumes; its queue's URL is in the environment variable `MODERATE_COMMENT_QUEUE_URL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModerateComment => "moderate-comment",
            Self::FanOutPost => "fan-out-post",
            Self::SendEmail => "send-email",
            Self::DeliverWebhook => "deliver-webhook",
        }
    }
}

impl EventData {
    /// Who is told: the one table of subscriptions. An event that nobody subscribes to is not stored.
    pub fn consumers(&self) -> &'static [Consumer] {
        match self {
            Self::CommentCreated { .. } => &[Consumer::ModerateComment, Consumer::DeliverWebhook],
            Self::CommentUpdated { .. } => &[Consumer::ModerateComment],
            Self::PostPublished { .. } => &[Consumer::FanOutPost, Consumer::DeliverWebhook],
            Self::UserRegistered { .. } => &[Consumer::SendEmail, Consumer::DeliverWebhook],
            Self::EmailVerificationRequested { .. }
            | Self::PasswordResetRequested { .. }
            | Self::PasswordChanged { .. }
            | Self::EmailChanged { .. }
            | Self::SessionReused { .. }
            | Self::SecondFactorChanged { .. }
            | Self::ApiTokenCreated { .. }
            | Self::IdentityLinked { .. }
            | Self::WebhookPaused { .. } => &[Consumer::SendEmail],
            Self::UserErasureRequested { .. } | Self::PostDrafted { .. } | Self::PostScheduled { .. } => &[],
            Self::PostUpdated { .. }
            | Self::PostArchived { .. }
            | Self::PostDeleted { .. }
            | Self::CommentApproved { .. }
            | Self::CommentHeld { .. }
            | Self::CommentRejected { .. }
            | Self::CommentDeleted { .. }
            | Self::WebhookDeliveryDue { .. } => &[Consumer::DeliverWebhook],
        }
    }

    /// When consumers are to be told, if not at once. A queue holds a message back for a quarter of an hour at most, so a consumer that is
    /// told too early emits the event again.
    pub fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::WebhookDeliveryDue { due, .. } => Some(*due),
            _ => None,
        }
    }
}

/// Ties together all that one request set in motion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// Given by the client or made at the edge.
    pub correlation_id: String,
    /// W3C Trace Context, version 00.
    pub traceparent: String,
}

/// An event as queues carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Names the event; consumers know by it what they have done.
    pub id: EventId,
    /// Version of the form of `data`.
    pub version: u32,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who did it, if an account did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserId>,
    /// The request that it came from.
    #[serde(flatten)]
    pub trace: Trace,
    /// What happened.
    #[serde(flatten)]
    pub data: EventData,
}

impl Event {
    /// An event of now.
    pub fn new(data: EventData, actor: Option<UserId>, trace: Trace, now: Timestamp) -> Self {
        Self { id: EventId::generate(now), version: 1, occurred_at: now, actor, trace, data }
    }
}

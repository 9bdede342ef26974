//! Events: what has happened, and who is told.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    counts::Counter,
    cursor::Followed,
    id::{ApiTokenId, CommentId, DeliveryId, EventId, ExportId, PostId, SessionId, UserId, WebhookId},
    moderation::Reason,
    text::EmailHash,
    webhook::PauseReason,
};

#[cfg(test)]
mod document;

/// What happened. The serialised form is `{"type": "comment.created", "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// There is more to erase of an account than one run of the worker does.
    #[serde(rename = "user.erasure-continued")]
    UserErasureContinued {
        /// The account.
        user_id: UserId,
        /// When to go on, if not at once.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        not_before: Option<Timestamp>,
    },
    /// An account asked for a copy of all that it owns.
    #[serde(rename = "user.export-requested")]
    UserExportRequested {
        /// The account.
        user_id: UserId,
        /// The copy.
        export_id: ExportId,
    },
    /// A copy of all that an account owns is there.
    #[serde(rename = "user.export-ready")]
    UserExportReady {
        /// The account.
        user_id: UserId,
        /// The copy.
        export_id: ExportId,
    },
    /// Somebody asked to show that an e-mail address is theirs. There may be no such account.
    #[serde(rename = "user.email-verification-requested")]
    EmailVerificationRequested {
        /// Finds the account that has the address, and does not tell the address.
        email_hash: EmailHash,
    },
    /// Somebody asked for another password. There may be no such account.
    #[serde(rename = "user.password-reset-requested")]
    PasswordResetRequested {
        /// Finds the account that has the address, and does not tell the address.
        email_hash: EmailHash,
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
        /// The version of the account with the new address; the one that it had, which is told, is kept beside the account.
        version: u64,
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
    /// An account follows another from now on.
    #[serde(rename = "user.followed")]
    UserFollowed {
        /// Who is followed.
        user_id: UserId,
        /// Who follows.
        follower_id: UserId,
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
    /// A published post is in the feeds of some followers, and the others are to follow.
    #[serde(rename = "post.fan-out-continued")]
    PostFanOutContinued {
        /// The post.
        post_id: PostId,
        /// The last follower whose feed has it.
        after: Followed,
        /// How many followers there are up to that one.
        followers: u64,
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
    /// What readers did with a post is another number than before.
    #[serde(rename = "post.engagement-changed")]
    PostEngagementChanged {
        /// The post.
        post_id: PostId,
        /// What is counted.
        counter: Counter,
        /// By how much it changed.
        delta: i64,
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
    /// Mails people tokens that they asked for, what was done to their accounts, and what they want to be told.
    SendEmail,
    /// Counts what readers did with posts.
    TallyEngagement,
    /// Erases accounts.
    EraseUser,
    /// Tells webhooks of events.
    DeliverWebhook,
    /// Makes copies of all that accounts own.
    ExportUser,
}

impl Consumer {
    /// Every consumer.
    pub const ALL: [Self; 7] =
        [Self::ModerateComment, Self::FanOutPost, Self::SendEmail, Self::TallyEngagement, Self::EraseUser, Self::DeliverWebhook, Self::ExportUser];

    /// Name of the function that consumes; its queue's URL is in the environment variable `MODERATE_COMMENT_QUEUE_URL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModerateComment => "moderate-comment",
            Self::FanOutPost => "fan-out-post",
            Self::SendEmail => "send-email",
            Self::TallyEngagement => "tally-engagement",
            Self::EraseUser => "erase-user",
            Self::DeliverWebhook => "deliver-webhook",
            Self::ExportUser => "export-user",
        }
    }
}

impl EventData {
    /// The event of a counter of a post that changed by `delta`; none for 0.
    pub fn counted(post_id: PostId, counter: Counter, delta: i64) -> Option<Self> {
        (delta != 0).then_some(Self::PostEngagementChanged { post_id, counter, delta })
    }

    /// Who is told: the one table of subscriptions. An event that nobody subscribes to is not stored.
    pub fn consumers(&self) -> &'static [Consumer] {
        match self {
            Self::CommentCreated { .. } => &[Consumer::ModerateComment, Consumer::DeliverWebhook],
            Self::CommentUpdated { .. } => &[Consumer::ModerateComment],
            Self::PostPublished { .. } => &[Consumer::FanOutPost, Consumer::DeliverWebhook],
            Self::PostFanOutContinued { .. } => &[Consumer::FanOutPost],
            Self::UserRegistered { .. } | Self::CommentApproved { .. } => &[Consumer::SendEmail, Consumer::DeliverWebhook],
            Self::EmailVerificationRequested { .. }
            | Self::PasswordResetRequested { .. }
            | Self::PasswordChanged { .. }
            | Self::EmailChanged { .. }
            | Self::SessionReused { .. }
            | Self::SecondFactorChanged { .. }
            | Self::ApiTokenCreated { .. }
            | Self::IdentityLinked { .. }
            | Self::UserFollowed { .. }
            | Self::UserExportReady { .. }
            | Self::WebhookPaused { .. } => &[Consumer::SendEmail],
            Self::PostEngagementChanged { .. } => &[Consumer::TallyEngagement],
            Self::UserErasureRequested { .. } | Self::UserErasureContinued { .. } => &[Consumer::EraseUser],
            Self::UserExportRequested { .. } => &[Consumer::ExportUser],
            Self::PostDrafted { .. } | Self::PostScheduled { .. } => &[],
            Self::PostUpdated { .. }
            | Self::PostArchived { .. }
            | Self::PostDeleted { .. }
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
            Self::UserErasureContinued { not_before, .. } => *not_before,
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

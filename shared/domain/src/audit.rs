//! The audit trail: who did what to whom, for those who must answer for it. It names accounts by their ids, and holds no secret, no
//! address and no content.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    comment::Status,
    id::{ApiTokenId, AuditId, CommentId, ExportId, PostId, SessionId, UserId, WebhookId},
    policy::{Roles, Scope},
};

/// What was done. The serialised form is `{"type": "session.created", "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum AuditData {
    /// Somebody signed in.
    #[serde(rename = "session.created")]
    SessionCreated {
        /// The session.
        session_id: SessionId,
        /// How the account was proved.
        method: SignInMethod,
    },
    /// Somebody failed to sign in. There may be no such account.
    #[serde(rename = "session.refused")]
    SessionRefused {
        /// Why.
        reason: Refusal,
    },
    /// Sessions were ended by their owner, by a new password or by an admin.
    #[serde(rename = "session.revoked")]
    SessionRevoked {
        /// The session; all of the account's if none is named.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        session_id: Option<SessionId>,
    },
    /// A refresh token came again after its successor was in use; the session was ended.
    #[serde(rename = "session.reused")]
    SessionReused {
        /// The session.
        session_id: SessionId,
    },
    /// An account has other roles.
    #[serde(rename = "user.roles-changed")]
    RolesChanged {
        /// The roles from now on.
        roles: Roles,
    },
    /// An account was switched on or off.
    #[serde(rename = "user.status-changed")]
    StatusChanged {
        /// Whether it is active from now on.
        is_active: bool,
    },
    /// An account has another e-mail address.
    #[serde(rename = "user.email-changed")]
    EmailChanged {},
    /// An account has shown that its e-mail address is its own.
    #[serde(rename = "user.email-verified")]
    EmailVerified {},
    /// An account has another password.
    #[serde(rename = "user.password-changed")]
    PasswordChanged {},
    /// An account is to be erased.
    #[serde(rename = "user.erasure-requested")]
    ErasureRequested {},
    /// An account asked for a copy of all that it owns.
    #[serde(rename = "user.export-requested")]
    ExportRequested {
        /// The copy.
        export_id: ExportId,
    },
    /// A copy of all that an account owns was made, and the account can fetch it.
    #[serde(rename = "user.exported")]
    Exported {
        /// The copy.
        export_id: ExportId,
    },
    /// An account at another provider signs in to this one from now on.
    #[serde(rename = "identity.linked")]
    IdentityLinked {
        /// Name of the provider.
        provider: String,
    },
    /// An account at another provider signs in to this one no more.
    #[serde(rename = "identity.unlinked")]
    IdentityUnlinked {
        /// Name of the provider.
        provider: String,
    },
    /// An API token was made.
    #[serde(rename = "api-token.created")]
    ApiTokenCreated {
        /// The token.
        token_id: ApiTokenId,
        /// What it is for.
        scopes: BTreeSet<Scope>,
    },
    /// An API token was revoked.
    #[serde(rename = "api-token.revoked")]
    ApiTokenRevoked {
        /// The token.
        token_id: ApiTokenId,
    },
    /// The second factor was turned on.
    #[serde(rename = "second-factor.enabled")]
    SecondFactorEnabled {},
    /// The second factor was turned off.
    #[serde(rename = "second-factor.disabled")]
    SecondFactorDisabled {},
    /// A recovery code was used instead of the second factor.
    #[serde(rename = "second-factor.recovered")]
    SecondFactorRecovered {},
    /// A webhook was made.
    #[serde(rename = "webhook.created")]
    WebhookCreated {
        /// The webhook.
        webhook_id: WebhookId,
    },
    /// A webhook was changed.
    #[serde(rename = "webhook.changed")]
    WebhookChanged {
        /// The webhook.
        webhook_id: WebhookId,
    },
    /// A webhook was removed.
    #[serde(rename = "webhook.removed")]
    WebhookRemoved {
        /// The webhook.
        webhook_id: WebhookId,
    },
    /// Requests to a webhook are signed with another secret from now on.
    #[serde(rename = "webhook.secret-rotated")]
    WebhookSecretRotated {
        /// The webhook.
        webhook_id: WebhookId,
    },
    /// A moderator decided who sees a comment.
    #[serde(rename = "comment.moderated")]
    CommentModerated {
        /// The post it is on.
        post_id: PostId,
        /// The comment.
        comment_id: CommentId,
        /// What became of it.
        status: Status,
    },
}

/// How an account was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInMethod {
    /// With its password.
    Password,
    /// With its password and the second factor.
    SecondFactor,
    /// At another provider.
    Provider,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The name and the password do not belong to an active account.
    WrongPassword,
    /// The second factor was wrong.
    WrongCode,
    /// There were too many failures before.
    Throttled,
}

impl AuditData {
    /// Every name.
    pub const NAMES: [&'static str; 24] = [
        "session.created",
        "session.refused",
        "session.revoked",
        "session.reused",
        "user.roles-changed",
        "user.status-changed",
        "user.email-changed",
        "user.email-verified",
        "user.password-changed",
        "user.erasure-requested",
        "user.export-requested",
        "user.exported",
        "identity.linked",
        "identity.unlinked",
        "api-token.created",
        "api-token.revoked",
        "second-factor.enabled",
        "second-factor.disabled",
        "second-factor.recovered",
        "webhook.created",
        "webhook.changed",
        "webhook.removed",
        "webhook.secret-rotated",
        "comment.moderated",
    ];

    /// The name of what was done, as `type` says it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SessionCreated { .. } => "session.created",
            Self::SessionRefused { .. } => "session.refused",
            Self::SessionRevoked { .. } => "session.revoked",
            Self::SessionReused { .. } => "session.reused",
            Self::RolesChanged { .. } => "user.roles-changed",
            Self::StatusChanged { .. } => "user.status-changed",
            Self::EmailChanged {} => "user.email-changed",
            Self::EmailVerified {} => "user.email-verified",
            Self::PasswordChanged {} => "user.password-changed",
            Self::ErasureRequested {} => "user.erasure-requested",
            Self::ExportRequested { .. } => "user.export-requested",
            Self::Exported { .. } => "user.exported",
            Self::IdentityLinked { .. } => "identity.linked",
            Self::IdentityUnlinked { .. } => "identity.unlinked",
            Self::ApiTokenCreated { .. } => "api-token.created",
            Self::ApiTokenRevoked { .. } => "api-token.revoked",
            Self::SecondFactorEnabled {} => "second-factor.enabled",
            Self::SecondFactorDisabled {} => "second-factor.disabled",
            Self::SecondFactorRecovered {} => "second-factor.recovered",
            Self::WebhookCreated { .. } => "webhook.created",
            Self::WebhookChanged { .. } => "webhook.changed",
            Self::WebhookRemoved { .. } => "webhook.removed",
            Self::WebhookSecretRotated { .. } => "webhook.secret-rotated",
            Self::CommentModerated { .. } => "comment.moderated",
        }
    }
}

/// One entry of the trail. It is written in the transaction of what it tells of, and never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Names the entry; later ones sort later.
    pub id: AuditId,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// Who did it, if an account did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<UserId>,
    /// The account that it was done to, if it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<UserId>,
    /// The request that it came from.
    pub correlation_id: String,
    /// What was done.
    #[serde(flatten)]
    pub data: AuditData,
    /// Epoch seconds after which the entry is no longer kept; the table's attribute for time to live.
    pub expires_at: i64,
}

impl AuditEvent {
    /// Whether the entry is still kept. The table deletes late.
    pub fn is_kept(&self, now: Timestamp) -> bool {
        self.expires_at > now.seconds()
    }
}

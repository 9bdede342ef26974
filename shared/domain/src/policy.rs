//! Who may do what. Reading published posts and approved comments is open to everybody; all else is decided here.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Credentials, Error, Result},
    id::UserId,
};

/// What an account may do; roles add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads, reacts and follows.
    Reader,
    /// Comments.
    Commenter,
    /// Writes posts.
    Author,
    /// Edits everybody's posts and moderates.
    Editor,
    /// Manages users, roles and webhooks.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Reader, Self::Commenter, Self::Author, Self::Editor, Self::Admin];

    /// The role's name in the API and in tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Commenter => "commenter",
            Self::Author => "author",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a role")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(InvalidRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The roles of one account.
pub type Roles = BTreeSet<Role>;

/// A part of what an account may do, that it lets a machine do with an API token. No scope reaches accounts, sessions, tokens and factors:
/// whoever finds a token cannot make more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// See posts that are not published.
    #[serde(rename = "posts:read")]
    PostsRead,
    /// Write posts.
    #[serde(rename = "posts:write")]
    PostsWrite,
    /// See comments that are not approved.
    #[serde(rename = "comments:read")]
    CommentsRead,
    /// Write comments.
    #[serde(rename = "comments:write")]
    CommentsWrite,
    /// Decide who sees comments.
    #[serde(rename = "comments:moderate")]
    CommentsModerate,
    /// Read the feed.
    #[serde(rename = "engagement:read")]
    EngagementRead,
    /// React and follow.
    #[serde(rename = "engagement:write")]
    EngagementWrite,
    /// List accounts and see e-mail addresses.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Read the audit trail.
    #[serde(rename = "audit:read")]
    AuditRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 9] = [
        Self::PostsRead,
        Self::PostsWrite,
        Self::CommentsRead,
        Self::CommentsWrite,
        Self::CommentsModerate,
        Self::EngagementRead,
        Self::EngagementWrite,
        Self::UsersRead,
        Self::AuditRead,
    ];

    /// The scope's name in the API and in tokens (RFC 6749, section 3.3).
    pub fn name(self) -> &'static str {
        match self {
            Self::PostsRead => "posts:read",
            Self::PostsWrite => "posts:write",
            Self::CommentsRead => "comments:read",
            Self::CommentsWrite => "comments:write",
            Self::CommentsModerate => "comments:moderate",
            Self::EngagementRead => "engagement:read",
            Self::EngagementWrite => "engagement:write",
            Self::UsersRead => "users:read",
            Self::AuditRead => "audit:read",
        }
    }
}

/// The text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a scope")]
pub struct InvalidScope;

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or(InvalidScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The scopes of one API token.
pub type Scopes = BTreeSet<Scope>;

/// How much of what its roles allow an account may do with the token that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// All of it.
    Full,
    /// Reading, and what concerns the account itself: nobody has shown yet that the e-mail address is theirs.
    Unverified,
    /// What these scopes name, and whatever everybody may.
    Scoped(Scopes),
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular.
    Anonymous,
    /// A signed-in account.
    User {
        /// The account.
        id: UserId,
        /// Its roles when its token was made.
        roles: Roles,
        /// How much of what they allow the token allows.
        access: Access,
    },
    /// One of Quire's own workers.
    System,
}

impl Principal {
    /// An account that may do all that its roles allow.
    pub fn user(id: UserId, roles: Roles) -> Self {
        Self::User { id, roles, access: Access::Full }
    }

    /// The account, if there is one.
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Anonymous | Self::System => None,
        }
    }
}

/// What a principal can ask to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See an account's e-mail address.
    SeeEmail,
    /// List all accounts.
    ListUsers,
    /// Change what an account says of itself, or have it erased.
    EditUser,
    /// Switch an account on or off.
    SwitchUser,
    /// Give roles to an account and take them.
    AssignRoles,
    /// Draft a post.
    DraftPost,
    /// See a post that is not published.
    SeeUnpublishedPost,
    /// Change a post.
    EditPost,
    /// Comment on a post.
    Comment,
    /// See a comment that is not approved.
    SeeUnapprovedComment,
    /// Change the words of a comment.
    EditComment,
    /// Delete a comment.
    DeleteComment,
    /// Decide who sees a comment.
    ModerateComment,
    /// React to a post.
    React,
    /// Follow an account.
    Follow,
    /// Read the posts of those whom one follows.
    ReadFeed,
    /// List the sessions of an account and end them.
    ManageSessions,
    /// Make API tokens.
    ManageTokens,
    /// List API tokens and revoke them.
    RevokeTokens,
    /// Turn the second factor on and off.
    ManageSecondFactor,
    /// Link identities at other providers, list them and unlink them.
    ManageIdentities,
    /// Say what one wants to be mailed about.
    ManageNotifications,
    /// Get a copy of all that an account owns.
    ExportUser,
    /// Read who did what.
    ReadAudit,
    /// Make webhooks, change them and see what they were told.
    ManageWebhooks,
}

impl Action {
    /// The scope that lets a machine do this, if any does.
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::SeeEmail | Self::ListUsers => Some(Scope::UsersRead),
            Self::DraftPost | Self::EditPost => Some(Scope::PostsWrite),
            Self::SeeUnpublishedPost => Some(Scope::PostsRead),
            Self::Comment | Self::EditComment | Self::DeleteComment => Some(Scope::CommentsWrite),
            Self::SeeUnapprovedComment => Some(Scope::CommentsRead),
            Self::ModerateComment => Some(Scope::CommentsModerate),
            Self::React | Self::Follow => Some(Scope::EngagementWrite),
            Self::ReadFeed => Some(Scope::EngagementRead),
            Self::ReadAudit => Some(Scope::AuditRead),
            Self::EditUser
            | Self::SwitchUser
            | Self::AssignRoles
            | Self::ManageSessions
            | Self::ManageTokens
            | Self::RevokeTokens
            | Self::ManageSecondFactor
            | Self::ManageIdentities
            | Self::ManageNotifications
            | Self::ExportUser
            | Self::ManageWebhooks => None,
        }
    }

    /// Whether an account may do this whose e-mail address is not verified.
    fn is_open_to_unverified(self) -> bool {
        match self {
            Self::SeeEmail
            | Self::EditUser
            | Self::SeeUnpublishedPost
            | Self::SeeUnapprovedComment
            | Self::ReadFeed
            | Self::ManageSessions
            | Self::RevokeTokens
            | Self::ManageSecondFactor
            | Self::ManageIdentities
            | Self::ManageNotifications
            | Self::ExportUser => true,
            Self::ListUsers
            | Self::SwitchUser
            | Self::AssignRoles
            | Self::DraftPost
            | Self::EditPost
            | Self::Comment
            | Self::EditComment
            | Self::DeleteComment
            | Self::ModerateComment
            | Self::React
            | Self::Follow
            | Self::ManageTokens
            | Self::ReadAudit
            | Self::ManageWebhooks => false,
        }
    }
}

/// Whether `principal` may do `action` to something of `owner`'s.
pub fn allows(principal: &Principal, action: Action, owner: Option<UserId>) -> bool {
    match principal {
        Principal::Anonymous => false,
        Principal::System => true,
        Principal::User { id, roles, access } => has_access(access, action).is_ok() && has_role(*id, roles, action, owner),
    }
}

/// Whether the principal's token reaches as far as `action`, whatever its roles; its account.
///
/// # Errors
/// [`Error::Unauthenticated`], [`Error::EmailUnverified`], [`Error::InsufficientScope`].
pub fn reaches(principal: &Principal, action: Action) -> Result<UserId> {
    match principal {
        Principal::User { id, access, .. } => has_access(access, action).map(|()| *id),
        Principal::Anonymous | Principal::System => Err(Error::Unauthenticated(Credentials::Missing)),
    }
}

fn has_access(access: &Access, action: Action) -> Result<()> {
    match access {
        Access::Full => Ok(()),
        Access::Unverified if action.is_open_to_unverified() => Ok(()),
        Access::Unverified => Err(Error::EmailUnverified),
        Access::Scoped(scopes) => match action.scope() {
            Some(scope) if scopes.contains(&scope) => Ok(()),
            scope => Err(Error::InsufficientScope(scope)),
        },
    }
}

fn has_role(id: UserId, roles: &Roles, action: Action, owner: Option<UserId>) -> bool {
    let own = owner == Some(id);
    let has = |role: Role| roles.contains(&role);
    match action {
        Action::SeeEmail | Action::EditUser | Action::RevokeTokens => own || has(Role::Admin),
        Action::ListUsers | Action::SwitchUser | Action::AssignRoles => has(Role::Admin),
        Action::DraftPost => has(Role::Author),
        Action::SeeUnpublishedPost => own || has(Role::Editor),
        Action::EditPost => (own && has(Role::Author)) || has(Role::Editor),
        Action::Comment => has(Role::Commenter),
        Action::SeeUnapprovedComment => own || has(Role::Editor),
        Action::EditComment => own && has(Role::Commenter),
        Action::DeleteComment => own || has(Role::Editor),
        Action::ModerateComment => has(Role::Editor),
        Action::React => has(Role::Reader),
        Action::Follow | Action::ReadFeed => own && has(Role::Reader),
        Action::ManageSessions | Action::ManageTokens | Action::ManageSecondFactor | Action::ManageIdentities | Action::ManageNotifications => own,
        // Not for admins: they have no business in drafts and sessions of others.
        Action::ExportUser => own,
        Action::ReadAudit | Action::ManageWebhooks => has(Role::Admin),
    }
}

/// The account that does `action`.
///
/// # Errors
/// [`Error::Unauthenticated`] for nobody in particular, [`Error::Forbidden`] for somebody who may not, [`Error::EmailUnverified`] or
/// [`Error::InsufficientScope`] for somebody who may, but not with this token.
pub fn require(principal: &Principal, action: Action, owner: Option<UserId>) -> Result<UserId> {
    match principal {
        Principal::User { id, roles, .. } if !has_role(*id, roles, action, owner) => Err(Error::Forbidden(action)),
        Principal::User { .. } | Principal::Anonymous | Principal::System => reaches(principal, action),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn admins_revoke_the_tokens_of_others_and_make_none_for_them() {
        let (me, other) = (UserId::generate(Timestamp::from_millis(0)), UserId::generate(Timestamp::from_millis(1)));
        for role in Role::ALL {
            let principal = Principal::user(me, [role].into());
            let may = |action| [me, other].map(|owner| allows(&principal, action, Some(owner)));
            assert_eq!(may(Action::RevokeTokens), [true, role == Role::Admin], "{role}");
            assert_eq!((may(Action::ManageTokens), may(Action::ManageSecondFactor)), ([true, false], [true, false]), "{role}");
            assert_eq!(allows(&principal, Action::ReadAudit, None), role == Role::Admin, "{role}");
        }
    }

    #[test]
    fn talking_moderating_and_following_belong_to_their_roles() {
        use Action::{DeleteComment, EditComment, Follow, ModerateComment, React};
        let (me, other) = (UserId::generate(Timestamp::from_millis(0)), UserId::generate(Timestamp::from_millis(1)));
        let actions = [EditComment, DeleteComment, ModerateComment, React, Follow];
        for role in Role::ALL {
            let principal = Principal::user(me, [role].into());
            let (reader, commenter, editor) = (role == Role::Reader, role == Role::Commenter, role == Role::Editor);
            let own = [commenter, true, editor, reader, reader];
            let others = [false, editor, editor, reader, false];
            assert_eq!(actions.map(|action| allows(&principal, action, Some(me))), own, "{role}");
            assert_eq!(actions.map(|action| allows(&principal, action, Some(other))), others, "{role}");
        }
        assert!(actions.iter().all(|action| !allows(&Principal::Anonymous, *action, Some(me))));
    }

    /// Every action: what a token that is not a whole one can do with all roles at most.
    #[test]
    fn tokens_narrow_roles_and_never_widen_them() {
        use Action::{
            AssignRoles, Comment, DeleteComment, DraftPost, EditComment, EditPost, EditUser, Follow, ListUsers, ManageIdentities, ManageSecondFactor,
            ManageSessions, ManageTokens, ManageWebhooks, ModerateComment, React, ReadAudit, ReadFeed, RevokeTokens, SeeEmail, SeeUnapprovedComment,
            SeeUnpublishedPost, SwitchUser,
        };
        let me = UserId::generate(Timestamp::from_millis(0));
        let with = |roles: &[Role], access| Principal::User { id: me, roles: roles.iter().copied().collect(), access };
        let personal = [EditUser, ManageSessions, ManageSecondFactor, RevokeTokens, ManageIdentities];
        let reading = [SeeEmail, SeeUnpublishedPost, SeeUnapprovedComment, ReadFeed];
        let other = [
            ListUsers,
            SwitchUser,
            AssignRoles,
            DraftPost,
            EditPost,
            Comment,
            EditComment,
            DeleteComment,
            ModerateComment,
            React,
            Follow,
            ManageTokens,
            ReadAudit,
            ManageWebhooks,
        ];
        for action in personal.into_iter().chain(reading).chain(other) {
            assert!(require(&with(&Role::ALL, Access::Full), action, Some(me)).is_ok(), "{action:?}");
            let unverified = require(&with(&Role::ALL, Access::Unverified), action, Some(me));
            assert_eq!(unverified.is_ok(), personal.contains(&action) || reading.contains(&action), "{action:?}");
            assert!(matches!(unverified, Ok(_) | Err(Error::EmailUnverified)), "{action:?}");
            let every = Access::Scoped(Scope::ALL.into());
            assert_eq!(require(&with(&Role::ALL, every.clone()), action, Some(me)).is_ok(), action.scope().is_some(), "{action:?}");
            let none = require(&with(&Role::ALL, Access::Scoped(Scopes::new())), action, Some(me));
            assert!(matches!(none, Err(Error::InsufficientScope(scope)) if scope == action.scope()), "{action:?}");
            for role in Role::ALL {
                let (whole, scoped) = (with(&[role], Access::Full), with(&[role], every.clone()));
                assert!(allows(&whole, action, Some(me)) || !allows(&scoped, action, Some(me)), "{role} {action:?}");
            }
        }
    }

    /// role × action × (own, other's): which of the two each single role allows.
    #[test]
    fn each_role_allows_what_the_table_says() {
        use Action::{
            AssignRoles, Comment, DraftPost, EditPost, EditUser, ListUsers, SeeEmail, SeeUnapprovedComment, SeeUnpublishedPost, SwitchUser,
        };
        use Role::{Admin, Author, Commenter, Editor, Reader};
        let (me, other) = (UserId::generate(Timestamp::from_millis(0)), UserId::generate(Timestamp::from_millis(1)));
        let always_own = [SeeEmail, EditUser, SeeUnpublishedPost, SeeUnapprovedComment].map(|action| (action, (true, false)));
        let for_admins = [ListUsers, SwitchUser, AssignRoles].map(|action| (action, (false, false)));
        let table = [
            (Reader, [(DraftPost, (false, false)), (EditPost, (false, false)), (Comment, (false, false))]),
            (Commenter, [(DraftPost, (false, false)), (EditPost, (false, false)), (Comment, (true, true))]),
            (Author, [(DraftPost, (true, true)), (EditPost, (true, false)), (Comment, (false, false))]),
            (Editor, [(DraftPost, (false, false)), (EditPost, (true, true)), (Comment, (false, false))]),
            (Admin, [(DraftPost, (false, false)), (EditPost, (false, false)), (Comment, (false, false))]),
        ];
        for (role, cases) in table {
            let principal = Principal::user(me, [role].into());
            for (action, expected) in cases.into_iter().chain(always_own).chain(for_admins) {
                let expected = match (role, action) {
                    (Admin, SeeEmail | EditUser | ListUsers | SwitchUser | AssignRoles) | (Editor, SeeUnpublishedPost | SeeUnapprovedComment) => {
                        (true, true)
                    }
                    _ => expected,
                };
                let actual = (allows(&principal, action, Some(me)), allows(&principal, action, Some(other)));
                assert_eq!(actual, expected, "{role} {action:?}");
                assert!(!allows(&Principal::Anonymous, action, Some(me)), "anonymous {action:?}");
            }
        }
    }
}

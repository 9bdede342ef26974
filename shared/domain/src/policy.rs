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
    },
    /// One of Quire's own workers.
    System,
}

impl Principal {
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
    /// Follow an account, and read the feed of those that one follows.
    Follow,
}

/// Whether `principal` may do `action` to something of `owner`'s.
pub fn allows(principal: &Principal, action: Action, owner: Option<UserId>) -> bool {
    let (id, roles) = match principal {
        Principal::Anonymous => return false,
        Principal::System => return true,
        Principal::User { id, roles } => (*id, roles),
    };
    let own = owner == Some(id);
    let has = |role: Role| roles.contains(&role);
    match action {
        Action::SeeEmail | Action::EditUser => own || has(Role::Admin),
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
        Action::Follow => own && has(Role::Reader),
    }
}

/// The account that does `action`.
///
/// # Errors
/// [`Error::Unauthenticated`] for nobody in particular, [`Error::Forbidden`] for somebody who may not.
pub fn require(principal: &Principal, action: Action, owner: Option<UserId>) -> Result<UserId> {
    match principal.user_id() {
        None => Err(Error::Unauthenticated(Credentials::Missing)),
        Some(_) if !allows(principal, action, owner) => Err(Error::Forbidden(action)),
        Some(id) => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn talking_moderating_and_following_belong_to_their_roles() {
        use Action::{DeleteComment, EditComment, Follow, ModerateComment, React};
        let (me, other) = (UserId::generate(Timestamp::from_millis(0)), UserId::generate(Timestamp::from_millis(1)));
        let actions = [EditComment, DeleteComment, ModerateComment, React, Follow];
        for role in Role::ALL {
            let principal = Principal::User { id: me, roles: [role].into() };
            let (reader, commenter, editor) = (role == Role::Reader, role == Role::Commenter, role == Role::Editor);
            let own = [commenter, true, editor, reader, reader];
            let others = [false, editor, editor, reader, false];
            assert_eq!(actions.map(|action| allows(&principal, action, Some(me))), own, "{role}");
            assert_eq!(actions.map(|action| allows(&principal, action, Some(other))), others, "{role}");
        }
        assert!(actions.iter().all(|action| !allows(&Principal::Anonymous, *action, Some(me))));
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
            let principal = Principal::User { id: me, roles: [role].into() };
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

//! Accounts.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Credentials, Error, Result},
    event::EventData,
    id::{SessionId, UserId},
    policy::Roles,
    text::{Email, Username},
};

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Names the account.
    pub id: UserId,
    /// Unique among all accounts.
    pub username: Username,
    /// Unique among all accounts; shown to the account itself and to admins only.
    pub email: Email,
    /// What it may do.
    pub roles: Roles,
    /// Whether it may sign in.
    pub is_active: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

/// What a person gives to register, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// The name to sign in with.
    pub username: Username,
    /// The address to write to.
    pub email: Email,
}

/// How an account proves itself; kept apart from the account so that reading a profile never reads a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// The account.
    pub user_id: UserId,
    /// Argon2id hash in PHC string format.
    pub password_hash: String,
    /// Counts changes, from 1.
    pub version: u64,
}

/// A sign-in that lasts until it expires or is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Names the session; the `sid` of its access tokens.
    pub id: SessionId,
    /// The account that signed in.
    pub user_id: UserId,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When the session ends. Compared, not left to the table's time to live.
    pub expires: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

impl User {
    /// Opens an account with the roles that new accounts have.
    pub fn register(registration: Registration, roles: Roles, id: UserId, now: Timestamp) -> (Self, EventData) {
        let Registration { username, email } = registration;
        let user = Self { id, username, email, roles, is_active: true, created_at: now, version: 1 };
        (user, EventData::UserRegistered { user_id: id })
    }

    /// Starts a session of `lifetime` seconds for somebody who has given the right password.
    ///
    /// # Errors
    /// The same error as for a wrong password if the account is not active.
    pub fn sign_in(&self, id: SessionId, lifetime: i64, now: Timestamp) -> Result<Session> {
        if !self.is_active {
            return Err(Error::Unauthenticated(Credentials::WrongPassword));
        }
        Ok(Session { id, user_id: self.id, created_at: now, expires: now.plus_seconds(lifetime), version: 1 })
    }
}

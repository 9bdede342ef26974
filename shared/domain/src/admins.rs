//! Who the admins are, so that there is always one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    id::UserId,
    user::User,
};

/// The active accounts with the role admin. Every change of who they are goes through the version of this one thing, so that two
/// admins cannot leave at the same moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admins {
    /// The accounts; never none.
    pub ids: BTreeSet<UserId>,
    /// Counts changes, from 1.
    pub version: u64,
}

impl Admins {
    /// The admins once `user` is as it is here.
    ///
    /// # Errors
    /// [`Error::LastAdmin`].
    pub fn after(before: Option<&Self>, user: &User) -> Result<Self> {
        let mut ids = before.map(|admins| admins.ids.clone()).unwrap_or_default();
        if user.is_admin() {
            ids.insert(user.id);
        } else {
            ids.remove(&user.id);
        }
        if ids.is_empty() {
            return Err(Error::LastAdmin);
        }
        Ok(Self { ids, version: before.map_or(1, |admins| admins.version + 1) })
    }
}

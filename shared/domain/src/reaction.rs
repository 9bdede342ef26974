//! Reactions: each account reacts to a published post in each way once, or not.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Kind as Missing, Result},
    id::{PostId, UserId},
    policy::{self, Action, Principal},
    post::{Post, Status},
};

/// A way to react.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is good.
    Like,
    /// It is very good.
    Love,
    /// It is funny.
    Laugh,
    /// It teaches something.
    Insightful,
    /// It is sad.
    Sad,
}

/// The text names no way to react.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"like\", \"love\", \"laugh\", \"insightful\" or \"sad\"")]
pub struct InvalidKind;

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Like, Self::Love, Self::Laugh, Self::Insightful, Self::Sad];

    /// The kind's name in the API, in keys and in counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Like => "like",
            Self::Love => "love",
            Self::Laugh => "laugh",
            Self::Insightful => "insightful",
            Self::Sad => "sad",
        }
    }
}

impl FromStr for Kind {
    type Err = InvalidKind;

    fn from_str(text: &str) -> Result<Self, InvalidKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(InvalidKind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// That an account reacted to a post in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// The post.
    pub post_id: PostId,
    /// Who reacted.
    pub user_id: UserId,
    /// How.
    pub kind: Kind,
    /// When.
    pub created_at: Timestamp,
}

impl Reaction {
    /// The reaction of `principal` to a post, to be there or not to be there.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::NotFound`] for a post that is not published.
    pub fn to(principal: &Principal, post: &Post, kind: Kind, now: Timestamp) -> Result<Self> {
        let user_id = policy::require(principal, Action::React, None)?;
        if post.status != Status::Published {
            return Err(Error::NotFound(Missing::Post));
        }
        Ok(Self { post_id: post.id, user_id, kind, created_at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_by_their_names_only() {
        assert!(Kind::ALL.into_iter().all(|kind| kind.to_string().parse() == Ok(kind)));
        assert!(["", "Like", "hate", "commentCount"].iter().all(|text| text.parse::<Kind>() == Err(InvalidKind)));
    }
}

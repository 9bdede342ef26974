//! Cursors: opaque texts that hold a position inside the list that the request already names, and nothing else.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    details::Tag,
    id::{ApiTokenId, AuditId, CommentId, DeliveryId, PostId, SessionId, UserId, WebhookId},
    limits,
    reaction::Kind,
    revision::RevisionNumber,
};

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list")]
pub struct InvalidCursor;

/// A position in a list.
pub trait Position: Sized {
    /// The position as the table sorts it.
    fn sort_key(&self) -> String;

    /// A position from a sort key; whatever else a forged cursor holds is refused.
    fn from_sort_key(key: &str) -> Option<Self>;

    /// The opaque text for clients.
    fn cursor(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.sort_key())
    }

    /// Reads what [`Position::cursor`] wrote.
    ///
    /// # Errors
    /// [`InvalidCursor`] for everything else.
    fn parse(cursor: &str) -> Result<Self, InvalidCursor> {
        if cursor.len() > limits::CURSOR_CHARS {
            return Err(InvalidCursor);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
        let key = String::from_utf8(bytes).map_err(|_| InvalidCursor)?;
        Self::from_sort_key(&key).filter(|position| position.sort_key() == key).ok_or(InvalidCursor)
    }
}

/// A position among published posts, newest first, or among scheduled ones by the time that they are scheduled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// When the post was published, or is to be.
    pub at: Timestamp,
    /// The post; decides among posts of one millisecond.
    pub id: PostId,
}

impl Position for Published {
    fn sort_key(&self) -> String {
        format!("{}#{}", self.at, self.id)
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        let (at, id) = key.split_once('#')?;
        Some(Self { at: at.parse().ok()?, id: id.parse().ok()? })
    }
}

/// A position among one author's posts, or those of one status, newest first.
impl Position for PostId {
    fn sort_key(&self) -> String {
        format!("POST#{self}")
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.strip_prefix("POST#")?.parse().ok()
    }
}

/// A position among one account's sessions, newest first.
impl Position for SessionId {
    fn sort_key(&self) -> String {
        format!("SESSION#{self}")
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.strip_prefix("SESSION#")?.parse().ok()
    }
}

/// A position among the comments of one post, oldest first.
impl Position for CommentId {
    fn sort_key(&self) -> String {
        self.to_string()
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.parse().ok()
    }
}

/// A position among accounts, newest first.
impl Position for UserId {
    fn sort_key(&self) -> String {
        self.to_string()
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.parse().ok()
    }
}

/// A position among the API tokens of one account, newest first.
impl Position for ApiTokenId {
    fn sort_key(&self) -> String {
        format!("TOKEN#{self}")
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.strip_prefix("TOKEN#")?.parse().ok()
    }
}

/// A position among the webhooks, newest first.
impl Position for WebhookId {
    fn sort_key(&self) -> String {
        format!("WEBHOOK#{self}")
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.strip_prefix("WEBHOOK#")?.parse().ok()
    }
}

/// A position among the deliveries to one webhook, newest first.
impl Position for DeliveryId {
    fn sort_key(&self) -> String {
        self.to_string()
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.parse().ok()
    }
}

/// A position in the audit trail, newest first.
impl Position for AuditId {
    fn sort_key(&self) -> String {
        self.to_string()
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.parse().ok()
    }
}

/// A position among the versions of one post, newest first.
impl Position for RevisionNumber {
    fn sort_key(&self) -> String {
        format!("REVISION#{:010}", self.0)
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.strip_prefix("REVISION#")?.parse().ok().map(Self)
    }
}

/// A position among tags, in the order of the alphabet.
impl Position for Tag {
    fn sort_key(&self) -> String {
        self.to_string()
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        key.parse().ok()
    }
}

/// A position among the reactions to one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reacted {
    /// Who reacted.
    pub by: UserId,
    /// How.
    pub kind: Kind,
}

impl Position for Reacted {
    fn sort_key(&self) -> String {
        format!("{}#{}", self.by, self.kind)
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        let (by, kind) = key.split_once('#')?;
        Some(Self { by: by.parse().ok()?, kind: kind.parse().ok()? })
    }
}

/// A position among the followers of an account or those whom it follows, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Followed {
    /// Since when.
    pub since: Timestamp,
    /// The other account.
    pub id: UserId,
}

impl Position for Followed {
    fn sort_key(&self) -> String {
        format!("{}#{}", self.since, self.id)
    }

    fn from_sort_key(key: &str) -> Option<Self> {
        let (since, id) = key.split_once('#')?;
        Some(Self { since: since.parse().ok()?, id: id.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cursors_round_trip(millis in 0i64..4_000_000_000_000) {
            let at = Timestamp::from_millis(millis);
            let position = Published { at, id: PostId::generate(at) };
            prop_assert_eq!(Published::parse(&position.cursor()), Ok(position));
        }

        #[test]
        fn forged_cursors_are_refused_and_never_panic(text in "\\PC{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(Published::parse(&text), Err(InvalidCursor));
            prop_assert_eq!(CommentId::parse(&BASE64_URL_SAFE_NO_PAD.encode(bytes)), Err(InvalidCursor));
        }
    }
}

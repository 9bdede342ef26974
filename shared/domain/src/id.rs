//! Typed ids: UUIDv7 inside, opaque strings in the API.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an id")]
pub struct InvalidId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; ids made later sort later, to the millisecond.
            pub fn generate(now: Timestamp) -> Self {
                Self(new_v7(now))
            }

            /// The id with this raw value.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The first id of a time: all that were made before sort before it, and all made since sort after it.
            pub fn first_of(time: Timestamp) -> Self {
                let millis = u64::try_from(time.millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
            }

            /// When it was made, to the millisecond.
            pub fn made_at(self) -> Timestamp {
                let (high, low, _, _) = self.0.as_fields();
                Timestamp::from_millis((i64::from(high) << 16) | i64::from(low))
            }

            /// The raw value.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Takes the one canonical form only, so that two texts never name one thing.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
                if uuid.hyphenated().to_string() == text { Ok(Self(uuid)) } else { Err(InvalidId) }
            }
        }
    )*};
}

ids! {
    /// Names a user.
    UserId,
    /// Names a session of a user.
    SessionId,
    /// Names a post.
    PostId,
    /// Names a comment; the ids of one post's comments sort by time.
    CommentId,
    /// Names an event.
    EventId,
    /// Names an API token of a user.
    ApiTokenId,
    /// Names an entry of the audit trail; later ones sort later.
    AuditId,
    /// Names a webhook.
    WebhookId,
    /// Names a delivery to a webhook; those of later events sort later.
    DeliveryId,
    /// Names an export of what an account owns.
    ExportId,
}

impl UserId {
    /// Nobody: stands in the place of an account that was erased. It has the form of an id, and is older than any.
    pub const ERASED: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000));
}

fn new_v7(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let mut random = [0; 10];
    // The operating system's generator fails only where nothing else would work either.
    getrandom::fill(&mut random).expect("the operating system has random bytes");
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_later_sort_later() {
        let first = PostId::generate(Timestamp::from_millis(1_000));
        let second = PostId::generate(Timestamp::from_millis(1_001));
        assert!(first < second && first.to_string() < second.to_string());
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let now = Timestamp::from_millis(1_795_356_000_123);
        let (id, first) = (AuditId::generate(now), AuditId::first_of(now));
        assert_eq!((id.made_at(), first.made_at()), (now, now));
        assert!(first <= id && AuditId::generate(Timestamp::from_millis(1_795_356_000_122)) < first);
    }

    #[test]
    fn nobody_has_an_id_that_looks_like_one() {
        assert_eq!(UserId::ERASED.to_string(), "00000000-0000-7000-8000-000000000000");
        assert_eq!(UserId::ERASED, UserId::first_of(Timestamp::from_millis(0)));
    }

    #[test]
    fn only_the_canonical_text_is_an_id() {
        let id = PostId::generate(Timestamp::from_millis(1_000));
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "x", &id.to_string().to_uppercase(), &format!("{{{id}}}"), &id.to_string().replace('-', "")] {
            assert_eq!(text.parse::<PostId>(), Err(InvalidId), "{text}");
        }
    }
}

//! API tokens: what an account gives to a machine, which exchanges it for access tokens.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    id::{ApiTokenId, UserId},
    limits,
    policy::Scopes,
    text::TokenName,
};

/// An API token as it is stored: without what would let anybody use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiToken {
    /// Names the token.
    pub id: ApiTokenId,
    /// The account that it acts for.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: TokenName,
    /// What it may do of all that the account may.
    pub scopes: Scopes,
    /// Hash of its random bytes.
    pub secret_hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last exchanged, to the hour.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_used_at: Option<Timestamp>,
    /// When it ends by itself. Compared; the table keeps it, so that its owner sees what has ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Timestamp>,
    /// Counts changes, from 1.
    pub version: u64,
}

impl ApiToken {
    /// Whether it has ended by itself.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// The token after a use, where that is worth a write: not if it was used within the hour.
    pub fn used(&self, now: Timestamp) -> Option<Self> {
        let is_noted = self.last_used_at.is_some_and(|last| now < last.plus_seconds(limits::API_TOKEN_USE_SECONDS));
        (!is_noted).then(|| Self { last_used_at: Some(now), version: self.version + 1, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Scope;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn token(expires: Option<Timestamp>) -> ApiToken {
        ApiToken {
            id: ApiTokenId::generate(at(0)),
            user_id: UserId::generate(at(0)),
            name: TokenName::parse("Nightly build").unwrap(),
            scopes: [Scope::PostsWrite].into(),
            secret_hash: String::new(),
            created_at: at(0),
            last_used_at: None,
            expires,
            version: 1,
        }
    }

    #[test]
    fn a_token_ends_at_its_time_or_never() {
        let token_until_60 = token(Some(at(60)));
        assert_eq!([at(59), at(60), at(61)].map(|now| token_until_60.has_expired(now)), [false, true, true]);
        assert!(!token(None).has_expired(at(i64::from(u32::MAX))));
    }

    #[test]
    fn a_use_is_noted_once_an_hour() {
        let used = token(None).used(at(100)).unwrap();
        assert_eq!((used.last_used_at, used.version), (Some(at(100)), 2));
        assert_eq!(used.used(at(100 + 3599)), None);
        assert_eq!(used.used(at(100 + 3600)).unwrap().last_used_at, Some(at(100 + 3600)));
    }
}

//! When the keys that sign access tokens are made, published, used and retired. No cron job: whoever signs next applies these rules.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Seconds that an access token is valid.
pub const TOKEN_SECONDS: i64 = 10 * 60;
/// Seconds by which two clocks may differ.
pub const SKEW_SECONDS: i64 = 60;
/// Seconds that a key signs before the next one takes over.
pub const ROTATION_SECONDS: i64 = 30 * 24 * 60 * 60;
/// Seconds that a key is published before it signs: longer than anybody may cache the key set.
pub const LEAD_SECONDS: i64 = 60 * 60;
/// Seconds that the key set may be cached.
pub const CACHE_SECONDS: i64 = 5 * 60;

/// The public half of a signing key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    /// Counts keys, from 1; the next key has the next number, whoever makes it.
    pub generation: u32,
    /// `kid` of the tokens it signs.
    pub kid: String,
    /// Affine x coordinate on P-256, base64url.
    pub x: String,
    /// Affine y coordinate on P-256, base64url.
    pub y: String,
    /// When it begins to sign.
    pub usable_from: Timestamp,
}

/// The private half, encrypted by KMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrivateKey {
    /// Number of the key.
    pub generation: u32,
    /// KMS ciphertext of the PKCS #8 document, base64.
    pub ciphertext: String,
}

/// A key that should be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextKey {
    /// Its number.
    pub generation: u32,
    /// When it begins to sign.
    pub usable_from: Timestamp,
}

/// All public keys, in order of generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// From keys in any order.
    pub fn new(mut keys: Vec<PublicKey>) -> Self {
        keys.sort_by_key(|key| key.generation);
        Self(keys)
    }

    /// The key that signs now. The very first signs also for a request that began a moment before another one made it.
    pub fn active(&self, now: Timestamp) -> Option<&PublicKey> {
        let first = self.0.first().filter(|key| key.generation == 1);
        self.0.iter().rev().find(|key| key.usable_from <= now).or(first)
    }

    /// The keys that may have signed a token that is still valid, and those that will sign soon: what the JWKS shows.
    pub fn published(&self, now: Timestamp) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().enumerate().filter_map(move |(index, key)| {
            let retires = self.0.get(index + 1).map(|next| next.usable_from.plus_seconds(TOKEN_SECONDS + SKEW_SECONDS));
            retires.is_none_or(|retires| now < retires).then_some(key)
        })
    }

    /// The published key with this `kid`.
    pub fn find(&self, kid: &str, now: Timestamp) -> Option<&PublicKey> {
        self.published(now).find(|key| key.kid == kid)
    }

    /// The key to make now: the very first, at once usable, or the successor of one that has signed for long enough.
    pub fn due(&self, now: Timestamp) -> Option<NextKey> {
        match self.0.last() {
            None => Some(NextKey { generation: 1, usable_from: now }),
            Some(newest) if newest.usable_from.plus_seconds(ROTATION_SECONDS - LEAD_SECONDS) <= now => {
                Some(NextKey { generation: newest.generation + 1, usable_from: now.plus_seconds(LEAD_SECONDS) })
            }
            Some(_) => None,
        }
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(next: NextKey) -> PublicKey {
        let kid = next.generation.to_string();
        PublicKey { generation: next.generation, kid, x: String::new(), y: String::new(), usable_from: next.usable_from }
    }

    fn kids(keys: &KeySet, now: Timestamp) -> Vec<&str> {
        keys.published(now).map(|key| key.kid.as_str()).collect()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_its_last_token_has_expired() {
        let start = Timestamp::from_millis(0);
        let first = key(KeySet::default().due(start).unwrap());
        let keys = KeySet::new(vec![first.clone()]);
        assert_eq!(keys.active(start), Some(&first));
        assert_eq!(keys.active(start.plus_seconds(-1)), Some(&first));
        assert_eq!(keys.due(start.plus_seconds(ROTATION_SECONDS - LEAD_SECONDS - 1)), None);

        let rotation = start.plus_seconds(ROTATION_SECONDS - LEAD_SECONDS);
        let second = key(keys.due(rotation).unwrap());
        let keys = KeySet::new(vec![second.clone(), first.clone()]);
        assert_eq!(keys.due(rotation), None);
        assert_eq!((keys.active(rotation), kids(&keys, rotation)), (Some(&first), vec!["1", "2"]));

        let takeover = second.usable_from;
        assert_eq!((keys.active(takeover), kids(&keys, takeover)), (Some(&second), vec!["1", "2"]));
        let retired = takeover.plus_seconds(TOKEN_SECONDS + SKEW_SECONDS);
        assert_eq!((keys.find("1", retired), kids(&keys, retired)), (None, vec!["2"]));
    }
}

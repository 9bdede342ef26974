//! The second factor of an account: codes by time (TOTP, RFC 6238), and codes that recover it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Kind, Result},
    id::UserId,
    limits,
};

/// The second factor of an account, which waits for a first code or is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactor {
    /// The account.
    pub user_id: UserId,
    /// KMS ciphertext of the secret that the codes are made of, base64.
    pub ciphertext: String,
    /// When the secret was made.
    pub created_at: Timestamp,
    /// Since when signing in takes a code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enabled_at: Option<Timestamp>,
    /// The time step of the newest code that was used (RFC 6238, section 4.2): no code of it or of an earlier one counts again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_step: Option<u64>,
    /// Hashes of the recovery codes that are left.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub recovery_hashes: BTreeSet<String>,
    /// Counts changes, from 1.
    pub version: u64,
}

impl SecondFactor {
    /// A secret that waits for its first code, in the place of one that waited before.
    ///
    /// # Errors
    /// [`Error::SecondFactorEnabled`].
    pub fn start(before: Option<&Self>, user_id: UserId, ciphertext: String, now: Timestamp) -> Result<Self> {
        if before.is_some_and(|before| before.enabled_at.is_some()) {
            return Err(Error::SecondFactorEnabled);
        }
        let version = before.map_or(1, |before| before.version + 1);
        Ok(Self { user_id, ciphertext, created_at: now, enabled_at: None, last_step: None, recovery_hashes: BTreeSet::new(), version })
    }

    /// Until when the first code must come.
    pub fn confirm_until(&self) -> Timestamp {
        self.created_at.plus_seconds(limits::SECOND_FACTOR_SECONDS)
    }

    /// The factor, if it waits for its first code.
    ///
    /// # Errors
    /// [`Error::SecondFactorEnabled`]; [`Error::NotFound`] if it has waited too long.
    pub fn pending(self, now: Timestamp) -> Result<Self> {
        match self.enabled_at {
            Some(_) => Err(Error::SecondFactorEnabled),
            None if self.confirm_until() <= now => Err(Error::NotFound(Kind::SecondFactor)),
            None => Ok(self),
        }
    }

    /// The factor, if it is on.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn enabled(self) -> Result<Self> {
        if self.enabled_at.is_some() { Ok(self) } else { Err(Error::NotFound(Kind::SecondFactor)) }
    }

    /// The factor once it is on, by the code of a time step.
    #[must_use]
    pub fn enable(&self, step: u64, recovery_hashes: BTreeSet<String>, now: Timestamp) -> Self {
        Self { enabled_at: Some(now), last_step: Some(step), recovery_hashes, version: self.version + 1, ..self.clone() }
    }

    /// The factor after the code of a time step; nothing if a code of that step or of a later one was used before.
    pub fn use_step(&self, step: u64) -> Option<Self> {
        let is_new = self.last_step.is_none_or(|last| step > last);
        is_new.then(|| Self { last_step: Some(step), version: self.version + 1, ..self.clone() })
    }

    /// The factor after a recovery code; nothing if that is none of those that are left.
    pub fn use_recovery(&self, hash: &str) -> Option<Self> {
        let mut after = self.clone();
        after.version += 1;
        after.recovery_hashes.remove(hash).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn pending() -> SecondFactor {
        SecondFactor::start(None, UserId::generate(at(0)), "c".into(), at(0)).unwrap()
    }

    #[test]
    fn a_new_secret_takes_the_place_of_one_that_waits_and_not_of_one_that_is_on() {
        let first = pending();
        let second = SecondFactor::start(Some(&first), first.user_id, "d".into(), at(5)).unwrap();
        assert_eq!((second.ciphertext.as_str(), second.created_at, second.version), ("d", at(5), 2));
        let on = second.enable(7, BTreeSet::new(), at(6));
        assert!(matches!(SecondFactor::start(Some(&on), on.user_id, "e".into(), at(7)), Err(Error::SecondFactorEnabled)));
        assert!(matches!(on.pending(at(7)), Err(Error::SecondFactorEnabled)));
    }

    #[test]
    fn the_first_code_must_come_in_time() {
        assert!(pending().pending(at(599)).is_ok());
        assert!(matches!(pending().pending(at(600)), Err(Error::NotFound(Kind::SecondFactor))));
        assert!(matches!(pending().enabled(), Err(Error::NotFound(Kind::SecondFactor))));
    }

    #[test]
    fn the_code_of_a_step_counts_once_and_those_before_it_no_more() {
        let on = pending().enable(7, BTreeSet::new(), at(6));
        assert_eq!(on.use_step(7), None, "the code that turned it on was a use");
        let used = on.use_step(9).unwrap();
        assert_eq!((used.last_step, used.version), (Some(9), 3));
        assert_eq!([8, 9].map(|step| used.use_step(step)), [None, None]);
        assert!(used.use_step(10).is_some());
    }

    #[test]
    fn a_recovery_code_counts_once() {
        let on = pending().enable(7, ["a".to_owned(), "b".to_owned()].into(), at(6));
        let used = on.use_recovery("a").unwrap();
        assert_eq!((used.recovery_hashes.len(), used.version), (1, 3));
        assert_eq!((used.use_recovery("a"), used.use_recovery("c")), (None, None));
    }
}

//! Exports: a copy of all that an account owns, made when the account asks and kept for some days.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Result},
    event::EventData,
    id::{ExportId, UserId},
    limits,
};

/// The newest export of an account. There is one of each account: another takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// Names it.
    pub id: ExportId,
    /// The account.
    pub user_id: UserId,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// What has come of it, once anything has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// Counts changes, and goes on from the export before.
    pub version: u64,
}

/// What has come of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// Bytes of the document, compressed; none if it would have been larger than documents may be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was asked for.
    Requested,
    /// It can be fetched.
    Ready,
    /// It became too large.
    Failed,
}

impl Export {
    /// A new export, in the place of the one `before`.
    ///
    /// # Errors
    /// [`Error::TooManyExports`] where the one before is from a short time ago.
    pub fn request(user_id: UserId, before: Option<&Self>, now: Timestamp) -> Result<(Self, EventData)> {
        if let Some(again) = before.map(|before| before.requested_at.plus_seconds(limits::EXPORT_INTERVAL_SECONDS)).filter(|again| now < *again) {
            return Err(Error::TooManyExports { seconds: (again.seconds() - now.seconds()).max(1) });
        }
        let id = ExportId::generate(now);
        let version = before.map_or(1, |before| before.version + 1);
        Ok((Self { id, user_id, requested_at: now, outcome: None, version }, EventData::UserExportRequested { user_id, export_id: id }))
    }

    /// The export once its document of `size` bytes is there, or, without a size, once it became too large.
    #[must_use]
    pub fn done(&self, size: Option<u64>, now: Timestamp) -> Self {
        Self { outcome: Some(Outcome { at: now, size }), version: self.version + 1, ..self.clone() }
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        match self.outcome {
            None => Status::Requested,
            Some(Outcome { size: Some(_), .. }) => Status::Ready,
            Some(Outcome { size: None, .. }) => Status::Failed,
        }
    }

    /// When it is over. Its document is removed later than that.
    pub fn expires(&self) -> Timestamp {
        self.requested_at.plus_seconds(limits::EXPORT_SECONDS)
    }

    /// Whether it is over.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires() <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_exports_once_a_day() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let user = UserId::generate(at(0));
        let (first, event) = Export::request(user, None, at(0)).unwrap();
        assert_eq!((first.status(), event), (Status::Requested, EventData::UserExportRequested { user_id: user, export_id: first.id }));
        let ready = first.done(Some(7), at(60));
        assert_eq!((ready.status(), first.done(None, at(60)).status()), (Status::Ready, Status::Failed));
        let day = limits::EXPORT_INTERVAL_SECONDS;
        for before in [&first, &ready] {
            assert!(matches!(Export::request(user, Some(before), at(day - 5)), Err(Error::TooManyExports { seconds: 5 })));
        }
        let (second, _) = Export::request(user, Some(&ready), at(day)).unwrap();
        assert_eq!((second.version, second.status(), second.id == first.id), (3, Status::Requested, false));
    }

    #[test]
    fn an_export_is_over_some_days_after_it_was_asked_for() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let (export, _) = Export::request(UserId::generate(at(0)), None, at(0)).unwrap();
        let end = limits::EXPORT_SECONDS;
        assert_eq!([at(end - 1), at(end)].map(|now| export.done(Some(1), at(1)).has_expired(now)), [false, true]);
    }
}

//! Webhooks: who is told of events over HTTP, each delivery with its attempts, and how well an endpoint answers.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    change::Change,
    details::WebAddress,
    event::EventData,
    id::{DeliveryId, UserId, WebhookId},
    limits,
    text::{InvalidText, line, texts},
};

/// Seconds until the second attempt; each time three times as many.
const FIRST_RETRY_SECONDS: i64 = 10;
/// Most seconds between two attempts.
const RETRY_SECONDS: i64 = 6 * 60 * 60;
/// Seconds that a breaker is open at first; each time twice as many.
const OPEN_SECONDS: i64 = 60;
/// Most seconds that it is open.
const OPEN_SECONDS_MOST: i64 = 15 * 60;
/// Seconds that the others wait for the one that tries a half-open breaker: longer than an attempt can take.
const TRIAL_SECONDS: i64 = 60;
/// Attempts of a delivery that are kept, the newest.
const KEPT_ATTEMPTS: usize = 20;

/// What a receiver is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// A post was published.
    #[serde(rename = "post.published")]
    PostPublished,
    /// A post changed, and not its status.
    #[serde(rename = "post.updated")]
    PostUpdated,
    /// A post was archived.
    #[serde(rename = "post.archived")]
    PostArchived,
    /// A post was deleted.
    #[serde(rename = "post.deleted")]
    PostDeleted,
    /// A comment was written.
    #[serde(rename = "comment.created")]
    CommentCreated,
    /// A comment was approved.
    #[serde(rename = "comment.approved")]
    CommentApproved,
    /// A comment was held for a moderator.
    #[serde(rename = "comment.held")]
    CommentHeld,
    /// A comment was refused by a moderator.
    #[serde(rename = "comment.rejected")]
    CommentRejected,
    /// A comment was deleted.
    #[serde(rename = "comment.deleted")]
    CommentDeleted,
    /// An account was opened.
    #[serde(rename = "user.registered")]
    UserRegistered,
    /// A test by an admin; nobody subscribes to it.
    #[serde(rename = "webhook.ping")]
    Ping,
}

/// The text names no event that can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an event type")]
pub struct InvalidEventType;

impl EventType {
    /// Every type that can be subscribed to.
    pub const ALL: [Self; 10] = [
        Self::PostPublished,
        Self::PostUpdated,
        Self::PostArchived,
        Self::PostDeleted,
        Self::CommentCreated,
        Self::CommentApproved,
        Self::CommentHeld,
        Self::CommentRejected,
        Self::CommentDeleted,
        Self::UserRegistered,
    ];

    /// The name, as receivers see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostPublished => "post.published",
            Self::PostUpdated => "post.updated",
            Self::PostArchived => "post.archived",
            Self::PostDeleted => "post.deleted",
            Self::CommentCreated => "comment.created",
            Self::CommentApproved => "comment.approved",
            Self::CommentHeld => "comment.held",
            Self::CommentRejected => "comment.rejected",
            Self::CommentDeleted => "comment.deleted",
            Self::UserRegistered => "user.registered",
            Self::Ping => "webhook.ping",
        }
    }

    /// What receivers are told of an event, if they are.
    pub fn of(event: &EventData) -> Option<Self> {
        match event {
            EventData::PostPublished { .. } => Some(Self::PostPublished),
            EventData::PostUpdated { .. } => Some(Self::PostUpdated),
            EventData::PostArchived { .. } => Some(Self::PostArchived),
            EventData::PostDeleted { .. } => Some(Self::PostDeleted),
            EventData::CommentCreated { .. } => Some(Self::CommentCreated),
            EventData::CommentApproved { .. } => Some(Self::CommentApproved),
            EventData::CommentHeld { .. } => Some(Self::CommentHeld),
            EventData::CommentRejected { .. } => Some(Self::CommentRejected),
            EventData::CommentDeleted { .. } => Some(Self::CommentDeleted),
            EventData::UserRegistered { .. } => Some(Self::UserRegistered),
            EventData::UserErasureRequested { .. }
            | EventData::UserErasureContinued { .. }
            | EventData::UserExportRequested { .. }
            | EventData::UserExportReady { .. }
            | EventData::EmailVerificationRequested { .. }
            | EventData::PasswordResetRequested { .. }
            | EventData::PasswordChanged { .. }
            | EventData::EmailChanged { .. }
            | EventData::SessionReused { .. }
            | EventData::SecondFactorChanged { .. }
            | EventData::ApiTokenCreated { .. }
            | EventData::IdentityLinked { .. }
            | EventData::UserFollowed { .. }
            | EventData::PostFanOutContinued { .. }
            | EventData::PostEngagementChanged { .. }
            | EventData::PostDrafted { .. }
            | EventData::PostScheduled { .. }
            | EventData::CommentUpdated { .. }
            | EventData::WebhookDeliveryDue { .. }
            | EventData::WebhookPaused { .. } => None,
        }
    }
}

impl FromStr for EventType {
    type Err = InvalidEventType;

    fn from_str(text: &str) -> Result<Self, InvalidEventType> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(InvalidEventType)
    }
}

texts! {
    /// Where an endpoint is: https, without a user, a password or a fragment.
    EndpointUrl,
    /// What an endpoint is for: one line.
    WebhookDescription,
}

impl EndpointUrl {
    /// Parses an address. Where it leads is looked at each time that it is asked.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let address = WebAddress::parse(text).map_err(|error| if text.starts_with("http") { error } else { not_https() })?;
        if !address.as_str().starts_with("https://") || address.as_str().contains('#') {
            return Err(not_https());
        }
        Ok(Self(text.to_owned()))
    }
}

fn not_https() -> InvalidText {
    InvalidText::new("must be an https address without a fragment")
}

impl WebhookDescription {
    /// Parses a description: trimmed, not empty, one line.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        line(text, limits::WEBHOOK_DESCRIPTION_CHARS).map(Self)
    }
}

/// Why an endpoint was paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PauseReason {
    /// It said that it is gone (410).
    Gone,
    /// It did not answer well for long.
    Failing,
}

/// An endpoint that is told of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Names the webhook.
    pub id: WebhookId,
    /// Who made it, and is told when it is paused.
    pub created_by: UserId,
    /// Where it is.
    pub url: EndpointUrl,
    /// What it is told of.
    pub event_types: BTreeSet<EventType>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<WebhookDescription>,
    /// Whether it is told anything.
    pub is_active: bool,
    /// Why it is not, if nobody switched it off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pause_reason: Option<PauseReason>,
    /// When it was made or last switched on.
    pub activated_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

/// A change of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookPatch {
    /// Where it is.
    pub url: Option<EndpointUrl>,
    /// What it is told of.
    pub event_types: Option<BTreeSet<EventType>>,
    /// What it is for.
    pub description: Change<WebhookDescription>,
    /// Whether it is told anything.
    pub is_active: Option<bool>,
}

impl Webhook {
    /// The webhook after a change.
    #[must_use]
    pub fn edit(&self, patch: WebhookPatch, now: Timestamp) -> Self {
        let WebhookPatch { url, event_types, description, is_active } = patch;
        let is_active = is_active.unwrap_or(self.is_active);
        let mut after = Self {
            url: url.unwrap_or_else(|| self.url.clone()),
            event_types: event_types.unwrap_or_else(|| self.event_types.clone()),
            description: description.apply(self.description.clone()),
            is_active,
            pause_reason: self.pause_reason.filter(|_| !is_active),
            activated_at: if is_active && !self.is_active { now } else { self.activated_at },
            ..self.clone()
        };
        if after != *self {
            after.updated_at = now;
            after.version += 1;
        }
        after
    }

    /// The webhook, told nothing from now on.
    #[must_use]
    pub fn paused(&self, reason: PauseReason, now: Timestamp) -> Self {
        Self { is_active: false, pause_reason: Some(reason), updated_at: now, version: self.version + 1, ..self.clone() }
    }

    /// Whether it is told of an event.
    pub fn wants(&self, kind: EventType) -> bool {
        self.is_active && self.event_types.contains(&kind)
    }
}

/// What the requests to an endpoint are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSecrets {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// KMS ciphertext of the newest secret, base64.
    pub ciphertext: String,
    /// The one before, while both are good.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub former: Option<FormerSecret>,
    /// Counts changes, from 1.
    pub version: u64,
}

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerSecret {
    /// KMS ciphertext, base64.
    pub ciphertext: String,
    /// Until when requests are signed with it too.
    pub until: Timestamp,
}

impl WebhookSecrets {
    /// With another secret; the one until now stays good for a day beside it.
    #[must_use]
    pub fn rotated(&self, ciphertext: String, now: Timestamp) -> Self {
        let until = now.plus_seconds(limits::WEBHOOK_SECRET_OVERLAP_SECONDS);
        let former = Some(FormerSecret { ciphertext: self.ciphertext.clone(), until });
        Self { ciphertext, former, version: self.version + 1, ..self.clone() }
    }

    /// The ciphertexts of all that are good, the newest first.
    pub fn good(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let former = self.former.iter().filter(move |former| now < former.until).map(|former| former.ciphertext.as_str());
        [self.ciphertext.as_str()].into_iter().chain(former)
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryStatus {
    /// It is tried, or tried again.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// It was tried for the last time.
    Failed,
    /// Its endpoint was switched off before.
    Cancelled,
}

/// Why there was no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The name leads nowhere.
    Unresolved,
    /// The name leads to an address that is not asked.
    AddressRefused,
    /// Nobody takes connections there.
    Unreachable,
    /// Its certificate proves nothing, or it speaks no TLS.
    TlsFailed,
    /// It took too long.
    TimedOut,
    /// It ended the connection, or what it said is no HTTP.
    NoReply,
}

/// What came of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it was made.
    pub attempted_at: Timestamp,
    /// Milliseconds that it took.
    pub duration_ms: u32,
    /// Status of the reply, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status_code: Option<u16>,
    /// Beginning of the reply's body.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response_body: Option<String>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Failure>,
}

impl Attempt {
    /// Whether the endpoint took what it was sent. A redirect is not followed, and is a failure.
    pub fn succeeded(&self) -> bool {
        self.status_code.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the endpoint wants nothing any more.
    pub fn is_gone(&self) -> bool {
        self.status_code == Some(410)
    }
}

/// What one endpoint is told of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Names the delivery: `webhook-id` of all its requests.
    pub id: DeliveryId,
    /// The endpoint.
    pub webhook_id: WebhookId,
    /// What it is told of.
    pub event_type: EventType,
    /// The body of all its requests, byte for byte.
    pub payload: String,
    /// What became of it.
    pub status: DeliveryStatus,
    /// Whether an admin asked for it: it is tried once and at once, whatever else is known of the endpoint.
    pub is_by_hand: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_attempt_at: Option<Timestamp>,
    /// Attempts since it was made or asked for again.
    pub tries: u32,
    /// The newest attempts, oldest first.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// Counts changes, from 1.
    pub version: u64,
}

impl Delivery {
    /// A delivery that is due.
    pub fn new(id: DeliveryId, webhook_id: WebhookId, event_type: EventType, payload: String, now: Timestamp) -> Self {
        Self {
            id,
            webhook_id,
            event_type,
            payload,
            status: DeliveryStatus::Pending,
            is_by_hand: event_type == EventType::Ping,
            created_at: now,
            next_attempt_at: Some(now),
            tries: 0,
            attempts: Vec::new(),
            version: 1,
        }
    }

    /// The message that asks for its next attempt, if there is to be one.
    pub fn due(&self) -> Option<EventData> {
        self.next_attempt_at.map(|due| EventData::WebhookDeliveryDue { webhook_id: self.webhook_id, delivery_id: self.id, due })
    }

    /// Whether a message asks for the attempt that is due: of all others the work is done.
    pub fn is_due(&self, due: Timestamp) -> bool {
        self.status == DeliveryStatus::Pending && self.next_attempt_at == Some(due)
    }

    /// After an attempt: done, given up, or to be tried again.
    #[must_use]
    pub fn attempted(&self, attempt: Attempt) -> Self {
        let (tries, at) = (self.tries + 1, attempt.attempted_at);
        let is_last = self.is_by_hand || attempt.is_gone() || tries >= limits::WEBHOOK_ATTEMPTS;
        let (status, next_attempt_at) = match attempt.succeeded() {
            true => (DeliveryStatus::Delivered, None),
            false if is_last => (DeliveryStatus::Failed, None),
            false => (DeliveryStatus::Pending, Some(at.plus_seconds(self.retry_seconds(tries)))),
        };
        let mut attempts = self.attempts.clone();
        attempts.push(attempt);
        attempts.drain(..attempts.len().saturating_sub(KEPT_ATTEMPTS));
        Self { status, next_attempt_at, tries, attempts, version: self.version + 1, ..self.clone() }
    }

    /// To be tried later, without an attempt. Waiting deliveries do not all come at once.
    #[must_use]
    pub fn waiting(&self, until: Timestamp) -> Self {
        let at = until.plus_seconds(1 + self.jitter(self.tries, OPEN_SECONDS / 2));
        Self { next_attempt_at: Some(at), version: self.version + 1, ..self.clone() }
    }

    /// Not to be tried, because its endpoint is switched off.
    #[must_use]
    pub fn cancelled(&self) -> Self {
        Self { status: DeliveryStatus::Cancelled, next_attempt_at: None, version: self.version + 1, ..self.clone() }
    }

    /// To be tried once more, now, because an admin asks for it.
    #[must_use]
    pub fn repeated(&self, now: Timestamp) -> Self {
        Self { status: DeliveryStatus::Pending, is_by_hand: true, next_attempt_at: Some(now), tries: 0, version: self.version + 1, ..self.clone() }
    }

    /// Seconds after the attempt of this number, from 1: exponential, with up to a quarter more. In all about a day.
    fn retry_seconds(&self, tries: u32) -> i64 {
        let factor = 3_i64.saturating_pow(tries.saturating_sub(1));
        let seconds = FIRST_RETRY_SECONDS.saturating_mul(factor).min(RETRY_SECONDS);
        seconds + self.jitter(tries, seconds / 4)
    }

    /// 0 to `most`, the same each time for the same delivery, so that a repeated decision is the same decision.
    fn jitter(&self, salt: u32, most: i64) -> i64 {
        let (_, low) = self.id.uuid().as_u64_pair();
        let mixed = (low ^ u64::from(salt)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        i64::try_from(mixed).unwrap_or(0) % (most + 1)
    }
}

/// A circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Breaker {
    /// Deliveries go out.
    Closed,
    /// Deliveries wait.
    Open {
        /// Until one may try.
        until: Timestamp,
    },
    /// One delivery tries, the others wait.
    HalfOpen {
        /// Until another may try, if that one never tells.
        until: Timestamp,
    },
}

/// How well an endpoint answers. An endpoint of which nothing is stored answers well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointHealth {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Whether deliveries go out.
    #[serde(flatten)]
    pub breaker: Breaker,
    /// Failures in a row.
    pub failures: u32,
    /// Since when it fails.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failing_since: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

/// What a breaker says to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It goes out.
    Pass,
    /// It goes out if it is the one that tries: if this can be written first.
    Try(EndpointHealth),
    /// It waits until then.
    Wait(Timestamp),
}

impl EndpointHealth {
    /// That of an endpoint of which nothing is known.
    pub fn good(webhook_id: WebhookId, now: Timestamp) -> Self {
        Self { webhook_id, breaker: Breaker::Closed, failures: 0, failing_since: None, updated_at: now, version: 0 }
    }

    /// Whether a delivery goes out.
    pub fn admit(&self, now: Timestamp) -> Admission {
        match self.breaker {
            Breaker::Closed => Admission::Pass,
            Breaker::Open { until } | Breaker::HalfOpen { until } if now < until => Admission::Wait(until),
            Breaker::Open { .. } | Breaker::HalfOpen { .. } => {
                let breaker = Breaker::HalfOpen { until: now.plus_seconds(TRIAL_SECONDS) };
                Admission::Try(Self { breaker, updated_at: now, version: self.version + 1, ..self.clone() })
            }
        }
    }

    /// After an attempt; nothing if it changes nothing.
    pub fn after(&self, succeeded: bool, now: Timestamp) -> Option<Self> {
        if succeeded {
            let is_good = self.failures == 0 && self.breaker == Breaker::Closed;
            return (!is_good).then(|| Self { version: self.version + 1, ..Self::good(self.webhook_id, now) });
        }
        let failures = self.failures.saturating_add(1);
        let opened = failures.checked_sub(limits::WEBHOOK_FAILURES);
        let breaker = opened.map_or(Breaker::Closed, |times| {
            let seconds = OPEN_SECONDS.saturating_mul(2_i64.saturating_pow(times)).min(OPEN_SECONDS_MOST);
            Breaker::Open { until: now.plus_seconds(seconds) }
        });
        let failing_since = self.failing_since.or(Some(now));
        Some(Self { webhook_id: self.webhook_id, breaker, failures, failing_since, updated_at: now, version: self.version + 1 })
    }

    /// Whether the endpoint has failed for so long that it is paused. Switching it on gives it all the time again.
    pub fn is_hopeless(&self, webhook: &Webhook, now: Timestamp) -> bool {
        let since = self.failing_since.map(|since| since.max(webhook.activated_at).plus_seconds(limits::WEBHOOK_PAUSE_SECONDS));
        self.failures >= limits::WEBHOOK_FAILURES && since.is_some_and(|pause| pause <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn attempt(status: u16, seconds: i64) -> Attempt {
        Attempt { attempted_at: at(seconds), duration_ms: 5, status_code: Some(status), response_body: None, failure: None }
    }

    fn webhook() -> Webhook {
        Webhook {
            id: WebhookId::generate(at(0)),
            created_by: UserId::generate(at(0)),
            url: EndpointUrl::parse("https://example.com/hooks").unwrap(),
            event_types: [EventType::PostPublished].into(),
            description: None,
            is_active: true,
            pause_reason: None,
            activated_at: at(0),
            created_at: at(0),
            updated_at: at(0),
            version: 1,
        }
    }

    fn delivery() -> Delivery {
        Delivery::new(DeliveryId::generate(at(0)), WebhookId::generate(at(0)), EventType::PostPublished, "{}".into(), at(0))
    }

    #[test]
    fn an_endpoint_is_https_and_names_nobody() {
        for text in ["https://example.com", "https://example.com:8443/a?b=c", "https://[2606:4700::1111]/"] {
            assert_eq!(EndpointUrl::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "http://example.com/",
            "https://user:pass@example.com/",
            "https://user@example.com/",
            "https://example.com/#a",
            "ftp://a/",
            "a",
            "https://\u{de}\u{a2}",
        ] {
            assert!(EndpointUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_delivery_is_tried_again_for_about_a_day_at_times_that_are_the_same_each_time() {
        let mut delivery = delivery();
        let mut gaps = Vec::new();
        while let Some(due) = delivery.next_attempt_at {
            let after = delivery.attempted(Attempt { attempted_at: due, ..attempt(500, 0) });
            assert_eq!(after, delivery.attempted(Attempt { attempted_at: due, ..attempt(500, 0) }));
            gaps.extend(after.next_attempt_at.map(|next| next.seconds() - due.seconds()));
            delivery = after;
        }
        assert_eq!((delivery.status, delivery.attempts.len()), (DeliveryStatus::Failed, limits::WEBHOOK_ATTEMPTS as usize));
        assert!(gaps.windows(2).take(7).all(|pair| pair[0] < pair[1]), "{gaps:?}");
        assert!((10..=12).contains(&gaps[0]) && gaps.iter().all(|gap| *gap <= RETRY_SECONDS * 5 / 4), "{gaps:?}");
        let hours = gaps.iter().sum::<i64>() / 3600;
        assert!((20..=27).contains(&hours), "{hours}");
    }

    #[test]
    fn what_is_sent_by_hand_is_tried_once_and_what_is_gone_no_more() {
        assert_eq!(delivery().attempted(attempt(200, 0)).status, DeliveryStatus::Delivered);
        assert_eq!(delivery().attempted(attempt(302, 0)).status, DeliveryStatus::Pending);
        assert_eq!(delivery().attempted(attempt(410, 0)).status, DeliveryStatus::Failed);
        let repeated = delivery().attempted(attempt(410, 0)).repeated(at(9));
        assert!(repeated.is_due(at(9)) && !repeated.is_due(at(8)));
        let failed = repeated.attempted(attempt(500, 9));
        assert_eq!((failed.status, failed.due(), failed.attempts.len()), (DeliveryStatus::Failed, None, 2));
    }

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_for_longer_each_time_and_one_success_closes_it() {
        let mut health = EndpointHealth::good(WebhookId::generate(at(0)), at(0));
        assert_eq!(health.after(true, at(0)), None, "nothing to write");
        for failure in 1..limits::WEBHOOK_FAILURES {
            health = health.after(false, at(failure.into())).unwrap();
            assert_eq!(health.admit(at(10)), Admission::Pass);
        }
        health = health.after(false, at(10)).unwrap();
        assert_eq!(health.admit(at(69)), Admission::Wait(at(70)));
        let Admission::Try(trial) = health.admit(at(70)) else { panic!("one tries") };
        assert_eq!(trial.admit(at(71)), Admission::Wait(at(130)), "the others wait");
        let open = trial.after(false, at(80)).unwrap();
        assert_eq!(open.admit(at(81)), Admission::Wait(at(80 + 120)));
        let closed = trial.after(true, at(80)).unwrap();
        assert_eq!((closed.breaker, closed.failures, closed.failing_since), (Breaker::Closed, 0, None));
    }

    #[test]
    fn an_endpoint_that_fails_for_long_is_hopeless_until_it_is_switched_on() {
        let day = limits::WEBHOOK_PAUSE_SECONDS;
        let (mut webhook, mut health) = (webhook(), EndpointHealth::good(WebhookId::generate(at(0)), at(0)));
        for _ in 0..limits::WEBHOOK_FAILURES {
            health = health.after(false, at(100)).unwrap();
        }
        assert_eq!([99, 100].map(|second| health.is_hopeless(&webhook, at(second + day))), [false, true]);
        webhook = webhook.paused(PauseReason::Failing, at(100 + day));
        let patch = WebhookPatch { is_active: Some(true), ..WebhookPatch::default() };
        let again = webhook.edit(patch, at(500 + day));
        assert_eq!((again.pause_reason, again.activated_at, again.version), (None, at(500 + day), 3));
        assert!(!health.is_hopeless(&again, at(600 + day)));
        assert_eq!(again.edit(WebhookPatch::default(), at(700 + day)), again, "no change, no version");
    }

    #[test]
    fn two_secrets_are_good_for_a_day() {
        let secrets = WebhookSecrets { webhook_id: WebhookId::generate(at(0)), ciphertext: "old".into(), former: None, version: 1 };
        let rotated = secrets.rotated("new".into(), at(0));
        let day = limits::WEBHOOK_SECRET_OVERLAP_SECONDS;
        assert_eq!(rotated.good(at(day - 1)).collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!(rotated.good(at(day)).collect::<Vec<_>>(), ["new"]);
    }
}

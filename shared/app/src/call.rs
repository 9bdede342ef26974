//! What every use case is told of the request behind it.

use std::net::IpAddr;

use quire_domain::{
    Timestamp,
    event::{Event, Trace},
    id::SessionId,
    limits,
    policy::Principal,
};

/// Who asks, when, and as a part of what.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asks.
    pub principal: Principal,
    /// The session that the principal's token was given in.
    pub session: Option<SessionId>,
    /// The time of the request, for every decision in it.
    pub now: Timestamp,
    /// Ties the request to what it sets in motion.
    pub trace: Trace,
    /// The client's key, if the request may be repeated.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl Call {
    /// A worker's call for an event: the same trace, by the system itself.
    pub fn for_event(event: &Event, now: Timestamp) -> Self {
        Self { principal: Principal::System, session: None, now, trace: event.trace.clone(), idempotency_key: None }
    }
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its address, by the gateway's word.
    pub address: IpAddr,
    /// What it says it is, coarsely, such as `Firefox on Linux`.
    pub device: Option<String>,
}

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

/// The text is not an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} visible ASCII characters", limits::IDEMPOTENCY_KEY_CHARS)]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Parses a key.
    ///
    /// # Errors
    /// [`InvalidIdempotencyKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let valid = (1..=limits::IDEMPOTENCY_KEY_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidIdempotencyKey) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

//! Telling webhooks of events (Standard Webhooks 1.0).
//!
//! An event becomes a delivery for each endpoint that wants it, and each delivery a message of its own, so that no endpoint waits for
//! another. What an attempt gave, and the message that asks for the next one, are written together. A crash after a request and before that
//! sends the request again, with the same `webhook-id`: receivers tell by it what they have seen.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use quire_domain::{
    Error, Result, Timestamp,
    event::{Consumer, Event, EventData},
    id::{DeliveryId, EventId, WebhookId},
    limits,
    webhook::{Admission, Attempt, Delivery, EndpointHealth, EventType, PauseReason, Webhook, WebhookSecrets},
};
use quire_store::{Commit, CommitError, Key, Order, Pages, Store};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    change::{ATTEMPTS, made},
    delay,
    ports::{KeyVault, Purpose, WebhookReply, WebhookRequest, WebhookSender},
};

/// Tells webhooks.
#[derive(Clone)]
pub struct Deliveries {
    store: Store,
    vault: Arc<dyn KeyVault>,
    sender: Arc<dyn WebhookSender>,
}

/// What an attempt needs to know.
struct Known {
    delivery: Delivery,
    webhook: Webhook,
    secrets: WebhookSecrets,
    health: Option<EndpointHealth>,
}

impl Deliveries {
    /// Tells the webhooks in `store`, with signatures by secrets that `vault` opens.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>, sender: Arc<dyn WebhookSender>) -> Self {
        Self { store, vault, sender }
    }

    /// Makes the deliveries of an event, or tries the one that an event asks for.
    ///
    /// # Errors
    /// [`Error::Internal`] for an event that no webhook is told of; whatever the table or the vault give, so that the event is delivered
    /// again.
    pub fn handle<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if let EventData::WebhookDeliveryDue { webhook_id, delivery_id, due } = event.data {
                if delay::postponed(&self.store, Consumer::DeliverWebhook, event, now).await? {
                    return Ok(());
                }
                return self.attempt(event, webhook_id, delivery_id, due, now).await;
            }
            let kind = EventType::of(&event.data).ok_or_else(|| Error::internal("telling webhooks", "no webhook is told of such an event"))?;
            self.spread(event, kind, now).await
        })
    }

    /// One delivery for each endpoint that wants the event.
    async fn spread(&self, event: &Event, kind: EventType, now: Timestamp) -> Result<()> {
        let limit = usize::try_from(limits::WEBHOOKS).unwrap_or(usize::MAX);
        let pages = Pages { partition: Key::WEBHOOKS.to_owned(), prefix: "WEBHOOK#", after: None, order: Order::Ascending, limit };
        let webhooks = self.store.page::<Webhook>(pages).await?.items;
        let mut commit = Commit::new(event.actor, event.trace.clone(), now).effect(Consumer::DeliverWebhook, event.id);
        let mut count = 0;
        for webhook in webhooks.iter().filter(|webhook| webhook.wants(kind)) {
            let delivery = Delivery::new(delivery_id(webhook.id, event.id), webhook.id, kind, payload(kind, event)?, now);
            commit = commit.create(&delivery).emit(delivery.due());
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        match self.store.commit(commit).await {
            Ok(()) => tracing::info!(count, kind = kind.name(), "Deliveries to webhooks were made"),
            Err(CommitError::AlreadyDone) => tracing::info!("The deliveries to webhooks were made before"),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Tries a delivery, if this is the message that asks for its next attempt and its endpoint may be asked now.
    async fn attempt(&self, event: &Event, webhook: WebhookId, id: DeliveryId, due: Timestamp, now: Timestamp) -> Result<()> {
        let Some(known) = self.admitted(event, webhook, id, due, now).await? else { return Ok(()) };
        let Known { delivery, webhook, secrets, .. } = known;
        let request = WebhookRequest {
            url: webhook.url.clone(),
            id,
            timestamp: now.seconds(),
            signature: self.signature(&secrets, &delivery, now).await?,
            body: delivery.payload.clone(),
        };
        let WebhookReply { duration_ms, outcome } = self.sender.send(&request).await;
        let (status_code, response_body, failure) = match outcome {
            Ok((status, body)) => (Some(status), (!body.is_empty()).then_some(body), None),
            Err(failure) => (None, None, Some(failure)),
        };
        let attempt = Attempt { attempted_at: now, duration_ms, status_code, response_body, failure };
        tracing::info!(webhookId = %webhook.id, deliveryId = %id, status = status_code, ?failure, duration_ms, "A webhook was told");
        self.record(event, webhook.id, id, due, &attempt, now).await
    }

    /// What an attempt needs, if there is to be one; else notes why there is none.
    async fn admitted(&self, event: &Event, webhook: WebhookId, id: DeliveryId, due: Timestamp, now: Timestamp) -> Result<Option<Known>> {
        for _ in 0..ATTEMPTS {
            let Some(known) = self.known(webhook, id, due).await? else {
                tracing::info!(webhookId = %webhook, deliveryId = %id, "There is nothing to tell the webhook, or not any more");
                return Ok(None);
            };
            let Known { delivery, webhook, health, .. } = &known;
            let commit = Commit::new(None, event.trace.clone(), now);
            let (commit, goes) = if delivery.is_by_hand {
                return Ok(Some(known));
            } else if !webhook.is_active {
                (commit.update(delivery, &delivery.cancelled()), false)
            } else {
                let admission = health.as_ref().map_or(Admission::Pass, |health| health.admit(now));
                match (admission, health) {
                    (Admission::Pass, _) | (Admission::Try(_), None) => return Ok(Some(known)),
                    (Admission::Try(trial), Some(health)) => (commit.update(health, &trial), true),
                    (Admission::Wait(until), _) => {
                        let waiting = delivery.waiting(until);
                        (commit.update(delivery, &waiting).emit(waiting.due()), false)
                    }
                }
            };
            if made(self.store.commit(commit).await)? {
                return Ok(goes.then_some(known));
            }
        }
        Err(Error::Contended)
    }

    /// Writes what an attempt gave, what it says of the endpoint, and what follows. If another message has tried the same attempt
    /// meanwhile, there is nothing to write.
    async fn record(&self, event: &Event, webhook: WebhookId, id: DeliveryId, due: Timestamp, attempt: &Attempt, now: Timestamp) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(Known { delivery, webhook, health, .. }) = self.known(webhook, id, due).await? else { return Ok(()) };
            let after = delivery.attempted(attempt.clone());
            let mut commit = Commit::new(None, event.trace.clone(), now).update(&delivery, &after).emit(after.due());
            let before = health.clone().unwrap_or_else(|| EndpointHealth::good(webhook.id, now));
            let changed = before.after(attempt.succeeded(), now);
            let reason = match &changed {
                _ if !webhook.is_active => None,
                _ if attempt.is_gone() => Some(PauseReason::Gone),
                Some(health) if health.is_hopeless(&webhook, now) => Some(PauseReason::Failing),
                _ => None,
            };
            commit = match (&health, &changed) {
                (Some(before), Some(changed)) => commit.update(before, changed),
                (None, Some(changed)) => commit.create(changed),
                (_, None) => commit,
            };
            if let Some(reason) = reason {
                let paused = EventData::WebhookPaused { webhook_id: webhook.id, user_id: webhook.created_by, reason };
                commit = commit.update(&webhook, &webhook.paused(reason, now)).emit([paused]);
            }
            if made(self.store.commit(commit).await)? {
                if let Some(reason) = reason {
                    tracing::warn!(webhookId = %webhook.id, ?reason, "A webhook was paused");
                }
                return Ok(());
            }
        }
        Err(Error::Contended)
    }

    /// The delivery and its endpoint, if this attempt is due and the endpoint is still there.
    async fn known(&self, webhook: WebhookId, id: DeliveryId, due: Timestamp) -> Result<Option<Known>> {
        let keys = [Key::delivery(webhook, id), Key::webhook(webhook), Key::webhook_secrets(webhook), Key::endpoint_health(webhook)];
        let mut found = self.store.find(keys.to_vec()).await?;
        let [delivery, webhook, secrets, health] = &keys;
        let (delivery, webhook, secrets) = (found.take::<Delivery>(delivery)?, found.take(webhook)?, found.take(secrets)?);
        let health = found.take(health)?;
        let (Some(delivery), Some(webhook), Some(secrets)) = (delivery, webhook, secrets) else { return Ok(None) };
        Ok(delivery.is_due(due).then_some(Known { delivery, webhook, secrets, health }))
    }

    /// The signatures by all good secrets, the newest first.
    async fn signature(&self, secrets: &WebhookSecrets, delivery: &Delivery, now: Timestamp) -> Result<String> {
        let content = format!("{}.{}.{}", delivery.id, now.seconds(), delivery.payload);
        let mut signatures = Vec::new();
        for ciphertext in secrets.good(now) {
            let ciphertext = BASE64_STANDARD.decode(ciphertext).map_err(|error| Error::internal("opening a webhook's secret", error))?;
            let secret = self.vault.decrypt(Purpose::Webhook(delivery.webhook_id), &ciphertext).await.map_err(Error::Unavailable)?;
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret()).map_err(|error| Error::internal("signing a delivery", error))?;
            mac.update(content.as_bytes());
            signatures.push(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())));
        }
        Ok(signatures.join(" "))
    }
}

/// The same id each time for one event and one webhook; of a later event a later one.
pub(crate) fn delivery_id(webhook: WebhookId, event: EventId) -> DeliveryId {
    let hash = Sha256::new().chain_update(webhook.uuid()).chain_update(event.uuid()).finalize();
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    let millis = u64::try_from(event.made_at().millis()).unwrap_or(0);
    DeliveryId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

/// What receivers read.
fn payload(kind: EventType, event: &Event) -> Result<String> {
    let data = serde_json::to_value(&event.data).map_err(|error| Error::internal("writing a delivery", error))?;
    Ok(body(kind, event.occurred_at, &data["data"]))
}

/// The document of Standard Webhooks.
pub(crate) fn body(kind: EventType, at: Timestamp, data: &Value) -> String {
    json!({"type": kind.name(), "timestamp": at, "data": data}).to_string()
}

/// A ping's delivery, with an id of its own.
pub(crate) fn ping(webhook: WebhookId, now: Timestamp) -> Delivery {
    let payload = body(EventType::Ping, now, &json!({"webhookId": webhook}));
    Delivery::new(DeliveryId::generate(now), webhook, EventType::Ping, payload, now)
}

#[cfg(test)]
mod tests {
    use quire_domain::{
        event::Trace,
        id::{CommentId, PostId},
    };

    use super::*;

    #[test]
    fn the_delivery_of_an_event_has_one_id_whoever_makes_it() {
        let now = Timestamp::from_millis(1_795_356_000_123);
        let (webhook, event) = (WebhookId::generate(now), EventId::generate(now));
        let id = delivery_id(webhook, event);
        assert_eq!(id, delivery_id(webhook, event));
        assert_eq!(id.made_at(), now);
        assert_ne!(id, delivery_id(WebhookId::generate(now), event));
        assert_ne!(id, delivery_id(webhook, EventId::generate(now)));
    }

    #[test]
    fn receivers_read_type_time_and_data() {
        let now = Timestamp::from_millis(1_795_356_000_123);
        let (post_id, comment_id) = (PostId::generate(now), CommentId::generate(now));
        let trace = Trace { correlation_id: "c".into(), traceparent: "t".into() };
        let event = Event::new(EventData::CommentHeld { post_id, comment_id, reasons: Vec::new() }, None, trace, now);
        let payload: Value = serde_json::from_str(&payload(EventType::CommentHeld, &event).unwrap()).unwrap();
        let data = json!({"postId": post_id, "commentId": comment_id, "reasons": []});
        assert_eq!(payload, json!({"type": "comment.held", "timestamp": "2026-11-22T14:00:00.123Z", "data": data}));
    }

    #[test]
    fn every_event_type_has_one_name() {
        for kind in EventType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.name()));
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("webhook.ping".parse::<EventType>().is_err());
    }
}

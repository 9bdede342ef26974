//! Webhooks, for admins: who is told of events, and what became of it.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    audit::AuditData,
    error::Kind,
    id::{DeliveryId, UserId, WebhookId},
    limits,
    policy::{self, Action},
    webhook::{
        Attempt, Delivery, DeliveryStatus, EndpointUrl, EventType, Failure, FormerSecret, PauseReason, Webhook, WebhookDescription, WebhookPatch,
        WebhookSecrets,
    },
};
use quire_store::{Commit, CommitError, Key, Order, Pages, Store};
use secrecy::{SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    change::{ATTEMPTS, Precondition, made},
    deliveries,
    idempotency::commit_once,
    input::{Fields, Input},
    page::{PageRequest, PageView, walk},
    ports::{KeyVault, Purpose},
    sessions::expose,
};

/// Random bytes of a secret (Standard Webhooks: 24 to 64).
const SECRET_BYTES: usize = 32;
/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Reads and changes webhooks.
#[derive(Debug, Clone)]
pub struct Webhooks {
    store: Store,
}

/// Makes webhooks and their secrets.
#[derive(Clone)]
pub struct WebhookSecretChanges {
    store: Store,
    vault: Arc<dyn KeyVault>,
}

/// What an admin sends to make one.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Where it is.
    pub url: EndpointUrl,
    /// What it is told of; one or more.
    pub event_types: BTreeSet<EventType>,
    /// What it is for.
    pub description: Option<WebhookDescription>,
    /// Whether it is told at once; it is if nothing is said.
    pub is_active: bool,
}

impl Input for NewWebhook {
    fn read(fields: &mut Fields) -> Option<Self> {
        let url = fields.required("url", EndpointUrl::parse);
        let event_types = fields.list("eventTypes", str::parse::<EventType>).and_then(|list| event_types(fields, &list));
        let description = fields.optional("description", WebhookDescription::parse);
        let is_active = fields.flag("isActive");
        Some(Self { url: url?, event_types: event_types?, description: description?, is_active: is_active?.unwrap_or(true) })
    }
}

/// A JSON Merge Patch (RFC 7396).
impl Input for WebhookPatch {
    fn read(fields: &mut Fields) -> Option<Self> {
        let url = fields.replaced("url", EndpointUrl::parse);
        let list = fields.replaced_list("eventTypes", str::parse::<EventType>);
        let event_types = list.and_then(|list| match list {
            Some(list) => event_types(fields, &list).map(Some),
            None => Some(None),
        });
        let description = fields.change("description", WebhookDescription::parse);
        let is_active = fields.flag("isActive");
        Some(Self { url: url?, event_types: event_types?, description: description?, is_active: is_active? })
    }
}

fn event_types(fields: &mut Fields, list: &[EventType]) -> Option<BTreeSet<EventType>> {
    let kinds: BTreeSet<_> = list.iter().copied().collect();
    match kinds.len() {
        0 => fields.refuse("eventTypes", "must have 1 event type or more"),
        distinct if distinct < list.len() => fields.refuse("eventTypes", "must name each event type once"),
        _ => Some(kinds),
    }
}

/// A webhook as admins see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookView {
    /// Names the webhook.
    pub webhook_id: WebhookId,
    /// Where it is.
    pub url: EndpointUrl,
    /// What it is told of.
    pub event_types: BTreeSet<EventType>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<WebhookDescription>,
    /// Whether it is told anything.
    pub is_active: bool,
    /// Why it is not, if nobody switched it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_reason: Option<PauseReason>,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

/// A new webhook, shown once with its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedWebhookView {
    /// What admins see later.
    #[serde(flatten)]
    pub shown: WebhookView,
    /// What its requests are signed with.
    #[serde(serialize_with = "expose")]
    pub secret: SecretString,
}

/// Another secret of a webhook, shown once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookSecretView {
    /// What its requests are signed with from now on.
    #[serde(serialize_with = "expose")]
    pub secret: SecretString,
    /// Until when they are signed with the one before, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former_until: Option<Timestamp>,
}

/// What came of one request to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
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

/// A delivery as admins see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Names the delivery: `webhook-id` of its requests.
    pub delivery_id: DeliveryId,
    /// What the webhook is told of.
    pub event_type: EventType,
    /// What became of it.
    pub status: DeliveryStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_attempt_at: Option<Timestamp>,
    /// The newest attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let Webhook { id, created_by, url, event_types, description, is_active, pause_reason, activated_at: _, created_at, updated_at, version } =
            webhook;
        Self { webhook_id: id, url, event_types, description, is_active, pause_reason, created_by, created_at, updated_at, version }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let Attempt { attempted_at, duration_ms, status_code, response_body, failure } = attempt;
        Self { attempted_at, duration_ms, status_code, response_body, failure }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let Delivery {
            id,
            webhook_id: _,
            event_type,
            payload: _,
            status,
            is_by_hand: _,
            created_at,
            next_attempt_at,
            tries: _,
            attempts,
            version: _,
        } = delivery;
        Self { delivery_id: id, event_type, status, created_at, next_attempt_at, attempts: attempts.into_iter().map(Into::into).collect() }
    }
}

impl WebhookSecretChanges {
    /// Webhooks in `store`, whose secrets `vault` encrypts.
    pub fn new(store: Store, vault: Arc<dyn KeyVault>) -> Self {
        Self { store, vault }
    }

    /// Makes a webhook. Nothing is recorded for a repeated request: the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`], [`Error::InsufficientScope`],
    /// [`Error::TooManyWebhooks`].
    pub fn create<'a>(&'a self, call: &'a Call, input: NewWebhook) -> BoxFuture<'a, Result<IssuedWebhookView>> {
        Box::pin(async move {
            let by = policy::require(&call.principal, Action::ManageWebhooks, None)?;
            let NewWebhook { url, event_types, description, is_active } = input;
            let webhook = Webhook {
                id: WebhookId::generate(call.now),
                created_by: by,
                url,
                event_types,
                description,
                is_active,
                pause_reason: None,
                activated_at: call.now,
                created_at: call.now,
                updated_at: call.now,
                version: 1,
            };
            let (secret, ciphertext) = self.secret(webhook.id).await?;
            let secrets = WebhookSecrets { webhook_id: webhook.id, ciphertext, former: None, version: 1 };
            let commit = Commit::new(Some(by), call.trace.clone(), call.now).create(&webhook).create(&secrets);
            let commit = commit.audit(None, AuditData::WebhookCreated { webhook_id: webhook.id });
            match self.store.commit(commit).await {
                Ok(()) => Ok(IssuedWebhookView { shown: webhook.into(), secret }),
                Err(CommitError::Full) => Err(Error::TooManyWebhooks),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Makes another secret. Requests are signed with both for a day. Nothing is recorded for a repeated request: the reply holds a secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`], [`Error::InsufficientScope`], [`Error::NotFound`],
    /// [`Error::Contended`].
    pub fn rotate<'a>(&'a self, call: &'a Call, id: WebhookId) -> BoxFuture<'a, Result<WebhookSecretView>> {
        Box::pin(async move {
            let by = policy::require(&call.principal, Action::ManageWebhooks, None)?;
            let (secret, ciphertext) = self.secret(id).await?;
            for _ in 0..ATTEMPTS {
                let before: Option<WebhookSecrets> = self.store.get(Key::webhook_secrets(id)).await?;
                let before = before.ok_or(Error::NotFound(Kind::Webhook))?;
                let after = before.rotated(ciphertext.clone(), call.now);
                let former_until = after.former.as_ref().map(|FormerSecret { until, .. }| *until);
                let commit = Commit::new(Some(by), call.trace.clone(), call.now)
                    .update(&before, &after)
                    .audit(None, AuditData::WebhookSecretRotated { webhook_id: id });
                if made(self.store.commit(commit).await)? {
                    return Ok(WebhookSecretView { secret, former_until });
                }
            }
            Err(Error::Contended)
        })
    }

    /// A new secret and its ciphertext.
    async fn secret(&self, id: WebhookId) -> Result<(SecretString, String)> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| Error::internal("making a webhook's secret", error))?;
        let ciphertext = self.vault.encrypt(Purpose::Webhook(id), bytes.as_slice()).await.map_err(Error::Unavailable)?;
        let text = Zeroizing::new(BASE64_STANDARD.encode(bytes.as_slice()));
        Ok((format!("{SECRET_PREFIX}{}", text.as_str()).into(), BASE64_STANDARD.encode(ciphertext)))
    }
}

impl Webhooks {
    /// The webhooks in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// A webhook.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`], [`Error::InsufficientScope`], [`Error::NotFound`].
    pub fn get<'a>(&'a self, call: &'a Call, id: WebhookId) -> BoxFuture<'a, Result<WebhookView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageWebhooks, None)?;
            Ok(self.find(id).await?.into())
        })
    }

    /// All webhooks, newest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`],
    /// [`Error::InsufficientScope`].
    pub fn list<'a>(&'a self, call: &'a Call, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<WebhookView>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageWebhooks, None)?;
            let pages = Pages { prefix: "WEBHOOK#", ..page.pages::<WebhookId>(Key::WEBHOOKS.to_owned(), Order::Descending)? };
            let (webhooks, next) = walk(&self.store, pages, |webhook: &Webhook| webhook.id, |_| true).await?;
            Ok(PageView::new(webhooks, |webhook| webhook.id, next))
        })
    }

    /// Changes a webhook. To switch on one that was paused gives it all the time to answer well again.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`], [`Error::InsufficientScope`], [`Error::NotFound`],
    /// [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn update<'a>(&'a self, call: &'a Call, id: WebhookId, patch: WebhookPatch, condition: Precondition) -> BoxFuture<'a, Result<WebhookView>> {
        Box::pin(async move {
            let by = policy::require(&call.principal, Action::ManageWebhooks, None)?;
            for _ in 0..ATTEMPTS {
                let before = self.find(id).await?;
                condition.check(before.version)?;
                let after = before.edit(patch.clone(), call.now);
                let commit = Commit::new(Some(by), call.trace.clone(), call.now)
                    .update(&before, &after)
                    .audit(None, AuditData::WebhookChanged { webhook_id: id });
                if after == before || made(self.store.commit(commit).await)? {
                    return Ok(after.into());
                }
            }
            Err(Error::Contended)
        })
    }

    /// Removes a webhook and its secrets: it is told nothing more. One that is not there is removed already.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`], [`Error::InsufficientScope`],
    /// [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn delete<'a>(&'a self, call: &'a Call, id: WebhookId, condition: Precondition) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let by = policy::require(&call.principal, Action::ManageWebhooks, None)?;
            for _ in 0..ATTEMPTS {
                let (webhook, secrets) = self.store.get_both::<Webhook, WebhookSecrets>(Key::webhook(id), Key::webhook_secrets(id)).await?;
                let Some(webhook) = webhook else { return Ok(()) };
                condition.check(webhook.version)?;
                let mut commit =
                    Commit::new(Some(by), call.trace.clone(), call.now).remove(&webhook).audit(None, AuditData::WebhookRemoved { webhook_id: id });
                if let Some(secrets) = &secrets {
                    commit = commit.remove(secrets);
                }
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    /// What a webhook was told, newest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`],
    /// [`Error::InsufficientScope`], [`Error::NotFound`].
    pub fn deliveries<'a>(&'a self, call: &'a Call, id: WebhookId, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<DeliveryView>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ManageWebhooks, None)?;
            let pages = page.pages::<DeliveryId>(Key::deliveries(id), Order::Descending)?;
            self.find(id).await?;
            let kept = |delivery: &Delivery| call.now < delivery.created_at.plus_seconds(limits::WEBHOOK_DELIVERY_SECONDS);
            let (deliveries, next) = walk(&self.store, pages, |delivery: &Delivery| delivery.id, kept).await?;
            Ok(PageView::new(deliveries, |delivery| delivery.id, next))
        })
    }

    /// Has a delivery tried once more, at once, also one that its endpoint took and one whose endpoint is switched off.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`], [`Error::InsufficientScope`], [`Error::NotFound`],
    /// [`Error::IdempotencyKeyReused`], [`Error::Contended`].
    pub fn repeat<'a>(&'a self, call: &'a Call, id: WebhookId, delivery: DeliveryId) -> BoxFuture<'a, Result<DeliveryView>> {
        Box::pin(async move {
            let by = policy::require(&call.principal, Action::ManageWebhooks, None)?;
            for _ in 0..ATTEMPTS {
                let decide = async {
                    let (webhook, before) = self.store.get_both::<Webhook, Delivery>(Key::webhook(id), Key::delivery(id, delivery)).await?;
                    webhook.ok_or(Error::NotFound(Kind::Webhook))?;
                    let before = before.ok_or(Error::NotFound(Kind::Delivery))?;
                    let after = before.repeated(call.now);
                    let commit = Commit::new(Some(by), call.trace.clone(), call.now).update(&before, &after).emit(after.due());
                    Ok((DeliveryView::from(after), commit))
                };
                match commit_once(&self.store, call, "create-webhook-redelivery", &(id, delivery), decide).await {
                    Err(Error::VersionMismatch) => {}
                    outcome => return outcome,
                }
            }
            Err(Error::Contended)
        })
    }

    /// Has a test sent to a webhook, once and at once, whether or not it is switched on.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EmailUnverified`], [`Error::InsufficientScope`], [`Error::NotFound`],
    /// [`Error::IdempotencyKeyReused`].
    pub fn ping<'a>(&'a self, call: &'a Call, id: WebhookId) -> BoxFuture<'a, Result<DeliveryView>> {
        Box::pin(async move {
            let by = policy::require(&call.principal, Action::ManageWebhooks, None)?;
            let decide = async {
                self.find(id).await?;
                let delivery = deliveries::ping(id, call.now);
                let commit = Commit::new(Some(by), call.trace.clone(), call.now).create(&delivery).emit(delivery.due());
                Ok((DeliveryView::from(delivery), commit))
            };
            commit_once(&self.store, call, "create-webhook-ping", &id, decide).await
        })
    }

    async fn find(&self, id: WebhookId) -> Result<Webhook> {
        self.store.get(Key::webhook(id)).await?.ok_or(Error::NotFound(Kind::Webhook))
    }
}

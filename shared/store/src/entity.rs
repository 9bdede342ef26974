//! How entities become items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use quire_domain::{
    Timestamp,
    admins::Admins,
    api_token::ApiToken,
    audit::{AuditData, AuditEvent},
    comment::Comment,
    cursor::{Followed, Published},
    export::Export,
    follow::{self, FeedEntry, Follow, Pulled},
    id::{CommentId, PostId, UserId},
    identity::{Identities, SignIn},
    limits,
    notification::{NotificationPreferences, Notified},
    one_time::OneTimeToken,
    persisted::PersistedDocument,
    post::{FormerSlug, Post, Status, Tombstone},
    reaction::Reaction,
    revision::Revision,
    second_factor::SecondFactor,
    session::Session,
    signing::{PrivateKey, PublicKey},
    user::{Credential, Erasure, FormerEmail, User},
    webhook::{Delivery, EndpointHealth, Webhook, WebhookSecrets},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::key::Key;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// What the table holds under a key of its own.
pub trait Entity: Serialize + DeserializeOwned {
    /// Where it lives.
    fn key(&self) -> Key;

    /// Its version, from 1; a thing that never changes stays at 1.
    fn version(&self) -> u64 {
        1
    }

    /// When the table may delete it. Readers compare times themselves: deletion can be days late.
    fn expires(&self) -> Option<Timestamp> {
        None
    }

    /// Its copies in lists, written in the same transaction, so that a list is never behind what it lists.
    fn listings(&self) -> Vec<Listing> {
        Vec::new()
    }

    /// The counters that it stands for one in, kept in the same transaction, so that they equal a recount at any time.
    fn counted_in(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// A number in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    pub(crate) key: Key,
    pub(crate) attribute: &'static str,
    /// What it may not exceed.
    pub(crate) most: Option<u64>,
}

/// A copy of an entity in a list.
#[derive(Debug, Clone)]
pub struct Listing {
    pub(crate) key: Key,
    pub(crate) item: Result<Item, serde_dynamo::Error>,
}

impl Listing {
    /// A copy at `key`.
    pub fn new<T: Serialize>(key: Key, content: T) -> Self {
        Self { key, item: serde_dynamo::to_item(content) }
    }
}

/// Where a comment is, as the list of its author's comments says it. It never changes, so a change of the comment does not write it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnComment {
    /// The post it is on.
    pub post_id: PostId,
    /// The comment.
    pub id: CommentId,
}

impl Entity for User {
    fn key(&self) -> Key {
        Key::user(self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn listings(&self) -> Vec<Listing> {
        let inactive = (!self.is_active).then(|| Key::INACTIVE_USERS.to_owned());
        let roles = self.roles.iter().map(|role| Key::users_with(*role));
        let partitions = [Key::USERS.to_owned()].into_iter().chain(inactive).chain(roles);
        partitions.map(|partition| Listing::new(Key::listed_user(partition, self.id), self)).collect()
    }
}

impl Entity for Admins {
    fn key(&self) -> Key {
        Key::admins()
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for Credential {
    fn key(&self) -> Key {
        Key::credential(self.user_id)
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for OneTimeToken {
    fn key(&self) -> Key {
        Key::one_time_token(self.user_id, self.purpose)
    }

    fn version(&self) -> u64 {
        self.version
    }

    /// It says that its event is done, as the marker of an effect does.
    fn expires(&self) -> Option<Timestamp> {
        Some(self.created_at.plus_seconds(limits::EFFECT_SECONDS))
    }
}

impl Entity for NotificationPreferences {
    fn key(&self) -> Key {
        Key::notification_preferences(self.user_id)
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for Notified {
    fn key(&self) -> Key {
        Key::notified(self.user_id, &self.about)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.at.plus_seconds(limits::EFFECT_SECONDS))
    }
}

impl Entity for FormerEmail {
    fn key(&self) -> Key {
        Key::former_email(self.user_id, self.version)
    }

    /// Its event cannot come later.
    fn expires(&self) -> Option<Timestamp> {
        Some(self.changed_at.plus_seconds(limits::EFFECT_SECONDS))
    }
}

impl Entity for Erasure {
    fn key(&self) -> Key {
        Key::erasure(self.user_id)
    }

    fn listings(&self) -> Vec<Listing> {
        vec![Listing::new(Key::listed_erasure(self.erased_at, self.user_id), self)]
    }
}

impl Entity for Session {
    fn key(&self) -> Key {
        Key::session(self.user_id, self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

impl Entity for Export {
    fn key(&self) -> Key {
        Key::export(self.user_id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(Export::expires(self))
    }
}

impl Entity for Identities {
    fn key(&self) -> Key {
        Key::identities(self.user_id)
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for SignIn {
    fn key(&self) -> Key {
        Key::sign_in(&self.state)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

impl Entity for PersistedDocument {
    fn key(&self) -> Key {
        Key::persisted_document(&self.hash)
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(Self::expires(self))
    }
}

impl Entity for Post {
    fn key(&self) -> Key {
        Key::post(self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn listings(&self) -> Vec<Listing> {
        let id = self.id;
        let mut keys = vec![Key::owned_post(self.author_id, id)];
        match (self.status, self.published_at, self.publish_at) {
            (Status::Published, Some(at), _) => {
                let position = Published { at, id };
                keys.extend([Key::published_post(position), Key::authored_post(self.author_id, position)]);
                keys.extend(self.public_tags().map(|tag| Key::tagged_post(tag, position)));
                keys.extend(self.details.language.iter().map(|language| Key::post_in_language(language, position)));
            }
            (Status::Published, None, _) => {}
            (status @ (Status::Draft | Status::Scheduled | Status::Archived), _, publish_at) => {
                keys.push(Key::post_with_status(status, id));
                keys.extend(publish_at.map(|at| Key::scheduled_post(Published { at, id })));
            }
        }
        let summary = self.summary();
        keys.into_iter().map(|key| Listing::new(key, &summary)).collect()
    }

    fn counted_in(&self) -> Vec<Counter> {
        self.public_tags().map(|tag| Counter { key: Key::tag(tag), attribute: "postCount", most: None }).collect()
    }
}

impl Entity for Tombstone {
    fn key(&self) -> Key {
        Key::tombstone(self.id)
    }

    fn listings(&self) -> Vec<Listing> {
        if self.author_id == UserId::ERASED { Vec::new() } else { vec![Listing::new(Key::deleted_post(self.author_id, self.id), self)] }
    }
}

impl Entity for FormerSlug {
    fn key(&self) -> Key {
        Key::former_slug(self.post_id, &self.slug)
    }
}

impl Entity for Revision {
    fn key(&self) -> Key {
        Key::revision(self.summary.post_id, self.summary.number())
    }

    fn listings(&self) -> Vec<Listing> {
        vec![Listing::new(Key::listed_revision(self.summary.post_id, self.summary.number()), &self.summary)]
    }
}

impl Entity for Comment {
    fn key(&self) -> Key {
        Key::comment(self.post_id, self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn listings(&self) -> Vec<Listing> {
        let moderated = self.status.is_moderated_by_people().then(|| Listing::new(Key::moderated_comment(self.status, self.id), self));
        let own = || Listing::new(Key::own_comment(self.author_id, self.id), OwnComment { post_id: self.post_id, id: self.id });
        moderated.into_iter().chain((self.author_id != UserId::ERASED).then(own)).collect()
    }
}

impl Entity for Reaction {
    fn key(&self) -> Key {
        Key::reaction(self.post_id, self.user_id, self.kind)
    }

    fn listings(&self) -> Vec<Listing> {
        vec![Listing::new(Key::own_reaction(self.user_id, self.post_id, self.kind), self)]
    }
}

impl Entity for Follow {
    fn key(&self) -> Key {
        Key::follow(self.follower_id, self.user_id)
    }

    fn listings(&self) -> Vec<Listing> {
        let position = |id| Followed { since: self.created_at, id };
        vec![
            Listing::new(Key::follower(self.user_id, position(self.follower_id)), self),
            Listing::new(Key::followed(self.follower_id, position(self.user_id)), self),
        ]
    }
}

impl Entity for FeedEntry {
    fn key(&self) -> Key {
        Key::feed_entry(self.user_id, Published { at: self.published_at, id: self.post_id })
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(follow::leaves_feeds(self.published_at))
    }
}

impl Entity for Pulled {
    fn key(&self) -> Key {
        Key::pulled(self.author_id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires(&self) -> Option<Timestamp> {
        Pulled::expires(self)
    }
}

impl Entity for AuditEvent {
    fn key(&self) -> Key {
        Key::audit(self.occurred_at, self.id)
    }

    fn listings(&self) -> Vec<Listing> {
        let key = match (self.subject, &self.data) {
            (Some(subject), _) => Some(Key::audit_of(subject, self.id)),
            // To fail to sign in as nobody costs the same writes as to fail to sign in as somebody.
            (None, AuditData::SessionRefused { .. }) => Some(Key::audit_of_nobody(self.id)),
            (None, _) => None,
        };
        key.map(|key| Listing::new(key, self)).into_iter().collect()
    }
}

impl Entity for ApiToken {
    fn key(&self) -> Key {
        Key::api_token(self.user_id, self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn counted_in(&self) -> Vec<Counter> {
        vec![Counter { key: Key::api_token_count(self.user_id), attribute: "tokens", most: Some(limits::API_TOKENS) }]
    }
}

impl Entity for Webhook {
    fn key(&self) -> Key {
        Key::webhook(self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn counted_in(&self) -> Vec<Counter> {
        vec![Counter { key: Key::webhook_count(), attribute: "webhooks", most: Some(limits::WEBHOOKS) }]
    }
}

impl Entity for WebhookSecrets {
    fn key(&self) -> Key {
        Key::webhook_secrets(self.webhook_id)
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for EndpointHealth {
    fn key(&self) -> Key {
        Key::endpoint_health(self.webhook_id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    /// Failures are over a day apart at most where anything is sent.
    fn expires(&self) -> Option<Timestamp> {
        Some(self.updated_at.plus_seconds(limits::WEBHOOK_DELIVERY_SECONDS))
    }
}

impl Entity for Delivery {
    fn key(&self) -> Key {
        Key::delivery(self.webhook_id, self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires(&self) -> Option<Timestamp> {
        Some(self.created_at.plus_seconds(limits::WEBHOOK_DELIVERY_SECONDS))
    }
}

impl Entity for SecondFactor {
    fn key(&self) -> Key {
        Key::second_factor(self.user_id)
    }

    fn version(&self) -> u64 {
        self.version
    }
}

impl Entity for PublicKey {
    fn key(&self) -> Key {
        Key::public_key(self.generation)
    }
}

impl Entity for PrivateKey {
    fn key(&self) -> Key {
        Key::private_key(self.generation)
    }
}

/// The attributes of an entity and of its key.
pub(crate) fn item<T: Entity>(entity: &T) -> Result<Item, serde_dynamo::Error> {
    let mut item: Item = serde_dynamo::to_item(entity)?;
    if let Some(expires) = entity.expires() {
        item.insert("expiresAt".into(), AttributeValue::N(expires.seconds().to_string()));
    }
    Ok(place(entity.key(), item))
}

/// Puts an item under a key.
pub(crate) fn place(key: Key, mut item: Item) -> Item {
    item.extend(attributes(key));
    item
}

/// The key as attributes.
pub(crate) fn attributes(key: Key) -> Item {
    HashMap::from([("pk".into(), AttributeValue::S(key.pk)), ("sk".into(), AttributeValue::S(key.sk))])
}

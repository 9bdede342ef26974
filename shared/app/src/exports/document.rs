//! The document of an export: one JSON document, compressed while it is written, so that memory holds one page and what is compressed.
//!
//! `docs/export.md` describes it. It shows what the API shows, and holds no secret: no hash, no key and no token.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use quire_domain::{
    Error, Result, Timestamp,
    api_token::ApiToken,
    audit::AuditEvent,
    comment::Comment,
    cursor::{Followed, Position},
    export::Export,
    follow::Follow,
    id::{ExportId, PostId, UserId},
    identity::Identities,
    limits,
    notification::NotificationPreferences,
    policy::Principal,
    post::{Post, PostSummary, Tombstone},
    reaction::Reaction,
    revision::Revision,
    session::Session,
    slug::Slug,
    text::Content,
    user::User,
    webhook::Webhook,
};
use quire_store::{Key, Order, OwnComment, Pages, ReadError, Store};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api_tokens::ApiTokenView,
    audit::AuditEventView,
    comments::CommentView,
    follows::FollowView,
    identities::IdentityView,
    notifications::NotificationPreferencesView,
    posts::{PostListItem, RevisionView},
    reactions::ReactionView,
    sessions::SessionSummaryView,
    users::UserView,
    webhooks::WebhookView,
};

/// Version of the form of the document.
const VERSION: u32 = 1;
/// Items of a page.
const TOGETHER: usize = 100;
/// Posts and versions of posts that are read together: each can have hundreds of kilobytes, and a batch has 16 MB at most.
const POSTS_TOGETHER: usize = 25;

/// The account.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    #[serde(flatten)]
    shown: UserView,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified_at: Option<Timestamp>,
    has_password: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    second_factor_since: Option<Timestamp>,
}

/// An account at another provider.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkedAccount {
    #[serde(flatten)]
    shown: IdentityView,
    issuer: String,
    subject: String,
}

/// A post.
#[derive(Serialize)]
struct WrittenPost {
    #[serde(flatten)]
    listed: PostListItem,
    content: Content,
}

/// What stays of a post that was deleted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletedPost {
    post_id: PostId,
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<Slug>,
    deleted_at: Timestamp,
}

/// Why a document is not written to its end.
enum Stop {
    TooLarge,
    Failed(Error),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(Error::internal("writing an export", error))
    }
}

/// The compressed document of all that an account owns; none if it is larger than it may be.
pub(super) async fn write(store: &Store, user: User, export: &Export, now: Timestamp) -> Result<Option<Vec<u8>>> {
    let writer = Writer { gzip: GzEncoder::new(Vec::new(), Compression::default()), most: limits::EXPORT_BYTES, members: 0, items: 0 };
    let until = export.requested_at;
    match (Composer { store, user: user.id, until, now, writer }).everything(user, export.id).await {
        Ok(document) => Ok(Some(document)),
        Err(Stop::TooLarge) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Writes an object of values and lists.
struct Writer {
    gzip: GzEncoder<Vec<u8>>,
    /// Bytes that there may be, compressed.
    most: usize,
    members: usize,
    items: usize,
}

impl Writer {
    fn name(&mut self, name: &str) -> Result<(), Stop> {
        let before = if self.members == 0 { '{' } else { ',' };
        self.members += 1;
        Ok(write!(self.gzip, "{before}\n\"{name}\": ")?)
    }

    fn value(&mut self, value: &impl Serialize) -> Result<(), Stop> {
        serde_json::to_writer(&mut self.gzip, value).map_err(io::Error::from)?;
        if self.gzip.get_ref().len() > self.most { Err(Stop::TooLarge) } else { Ok(()) }
    }

    fn member(&mut self, name: &str, value: &impl Serialize) -> Result<(), Stop> {
        self.name(name)?;
        self.value(value)
    }

    fn begin(&mut self, list: &str) -> Result<(), Stop> {
        self.name(list)?;
        self.items = 0;
        Ok(self.gzip.write_all(b"[")?)
    }

    fn item(&mut self, item: &impl Serialize) -> Result<(), Stop> {
        let before: &[u8] = if self.items == 0 { b"\n" } else { b",\n" };
        self.items += 1;
        self.gzip.write_all(before)?;
        self.value(item)
    }

    fn end(&mut self) -> Result<(), Stop> {
        Ok(self.gzip.write_all(b"]")?)
    }

    fn finish(mut self) -> Result<Vec<u8>, Stop> {
        self.gzip.write_all(b"\n}\n")?;
        let document = self.gzip.finish()?;
        if document.len() > self.most { Err(Stop::TooLarge) } else { Ok(document) }
    }
}

/// Reads an account and writes it down.
struct Composer<'a> {
    store: &'a Store,
    user: UserId,
    /// When the export was asked for.
    until: Timestamp,
    now: Timestamp,
    writer: Writer,
}

impl Composer<'_> {
    async fn everything(mut self, user: User, export: ExportId) -> Result<Vec<u8>, Stop> {
        self.writer.member("format", &"quire-export")?;
        self.writer.member("version", &VERSION)?;
        self.writer.member("exportId", &export)?;
        self.writer.member("exportedAt", &self.now)?;
        self.account(user).await?;
        self.sign_ins().await?;
        self.posts().await?;
        self.comments().await?;
        self.engagement().await?;
        self.rest().await?;
        self.writer.finish()
    }

    async fn account(&mut self, user: User) -> Result<(), Stop> {
        let id = user.id;
        let [credential, preferences, identities] = [Key::credential(id), Key::notification_preferences(id), Key::identities(id)];
        let mut found = self.store.find(vec![credential.clone(), preferences.clone(), identities.clone()]).await?;
        let preferences: Option<NotificationPreferences> = found.take(&preferences)?;
        let identities: Option<Identities> = found.take(&identities)?;
        let (email_verified_at, second_factor_since) = (user.email_verified_at, user.second_factor_at);
        let shown = UserView::of(user, &Principal::System);
        self.writer.member("account", &Account { shown, email_verified_at, has_password: found.has(&credential), second_factor_since })?;
        let preferences: NotificationPreferencesView = preferences.unwrap_or_else(|| NotificationPreferences::new(id)).into();
        self.writer.member("notificationPreferences", &preferences)?;
        self.writer.begin("identities")?;
        for identity in identities.map(|identities| identities.identities).unwrap_or_default() {
            let (issuer, subject) = (identity.issuer.clone(), identity.subject.clone());
            self.writer.item(&LinkedAccount { shown: identity.into(), issuer, subject })?;
        }
        self.writer.end()
    }

    async fn sign_ins(&mut self) -> Result<(), Stop> {
        let (user, now) = (self.user, self.now);
        let session = |session: Session| (!session.has_expired(now)).then(|| SessionSummaryView::of(session, None));
        self.list("sessions", Key::user(user).pk, "SESSION#", |session: &Session| session.id.sort_key(), session).await?;
        self.list("apiTokens", Key::api_tokens(user), "TOKEN#", |token: &ApiToken| token.id.sort_key(), |token| Some(ApiTokenView::from(token))).await
    }

    async fn posts(&mut self) -> Result<(), Stop> {
        let user = self.user;
        self.writer.begin("posts")?;
        let mut after = None;
        loop {
            let page = self.store.page::<PostSummary>(pages(Key::owner(user), "POST#", after, POSTS_TOGETHER)).await?;
            let keys: Vec<_> = page.items.iter().map(|post| Key::post(post.id)).collect();
            let mut found = self.store.find(keys.clone()).await?;
            for key in keys {
                let Some(post) = found.take::<Post>(&key)? else { continue };
                self.writer.item(&WrittenPost { listed: post.summary().into(), content: post.content })?;
            }
            after = page.items.last().map(|post| post.id.sort_key());
            if !page.more {
                break;
            }
        }
        self.writer.end()?;
        let deleted = |Tombstone { id, slug, deleted_at, .. }: Tombstone| Some(DeletedPost { post_id: id, slug, deleted_at });
        self.list("deletedPosts", Key::deleted(user), "", |post: &Tombstone| post.id.sort_key(), deleted).await?;
        self.writer.begin("revisions")?;
        self.revisions(Key::owner(user), "POST#", |post: &PostSummary| post.id).await?;
        // What a post said before stays when it is deleted.
        self.revisions(Key::deleted(user), "", |post: &Tombstone| post.id).await?;
        self.writer.end()
    }

    /// The earlier versions of the posts in a list.
    async fn revisions<T: DeserializeOwned>(&mut self, posts: String, prefix: &'static str, id: impl Fn(&T) -> PostId) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let page = self.store.page::<T>(pages(posts.clone(), prefix, after, TOGETHER)).await?;
            for post in page.items.iter().map(&id) {
                let position = |revision: &Revision| revision.summary.number().sort_key();
                self.items(Key::post(post).pk, "REVISION#", POSTS_TOGETHER, position, |revision| Some(RevisionView::from(revision))).await?;
            }
            after = page.items.last().map(|post| id(post).sort_key());
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn comments(&mut self) -> Result<(), Stop> {
        self.writer.begin("comments")?;
        let mut after = None;
        loop {
            let page = self.store.page::<OwnComment>(pages(Key::commented(self.user), "", after, TOGETHER)).await?;
            let keys: Vec<_> = page.items.iter().map(|own| Key::comment(own.post_id, own.id)).collect();
            let mut found = self.store.find(keys.clone()).await?;
            for key in keys {
                if let Some(comment) = found.take::<Comment>(&key)? {
                    self.writer.item(&CommentView::from(comment))?;
                }
            }
            after = page.items.last().map(|own| own.id.sort_key());
            if !page.more {
                return self.writer.end();
            }
        }
    }

    async fn engagement(&mut self) -> Result<(), Stop> {
        let user = self.user;
        let position = |reaction: &Reaction| Key::own_reaction(user, reaction.post_id, reaction.kind).sk;
        self.list("reactions", Key::reacted(user), "", position, |reaction| Some(ReactionView::from(reaction))).await?;
        let position = |follow: &Follow, id: UserId| Followed { since: follow.created_at, id }.sort_key();
        self.list("following", Key::following(user), "", |follow| position(follow, follow.user_id), |follow| Some(FollowView::from(follow))).await?;
        self.list("followers", Key::followers(user), "", |follow| position(follow, follow.follower_id), |follow| Some(FollowView::from(follow))).await
    }

    async fn rest(&mut self) -> Result<(), Stop> {
        let (user, until, now) = (self.user, self.until, self.now);
        let webhook = |webhook: Webhook| (webhook.created_by == user).then(|| WebhookView::from(webhook));
        self.list("webhooks", Key::WEBHOOKS.to_owned(), "WEBHOOK#", |webhook: &Webhook| webhook.id.sort_key(), webhook).await?;
        let entry = |entry: AuditEvent| {
            // A worker that does it again leaves what the first one has done out, too.
            let is_due = entry.occurred_at <= until && entry.is_kept(now);
            let entry = is_due.then(|| AuditEventView::from(entry))?;
            // Who else had to do with the account is not its own.
            Some(AuditEventView { actor_id: entry.actor_id.filter(|actor| *actor == user), ..entry })
        };
        self.list("auditEvents", Key::audited(user), "", |entry: &AuditEvent| entry.id.sort_key(), entry).await
    }

    /// Writes what is in a partition as a list.
    async fn list<T: DeserializeOwned, V: Serialize>(
        &mut self,
        name: &str,
        partition: String,
        prefix: &'static str,
        position: impl Fn(&T) -> String,
        view: impl Fn(T) -> Option<V>,
    ) -> Result<(), Stop> {
        self.writer.begin(name)?;
        self.items(partition, prefix, TOGETHER, position, view).await?;
        self.writer.end()
    }

    async fn items<T: DeserializeOwned, V: Serialize>(
        &mut self,
        partition: String,
        prefix: &'static str,
        together: usize,
        position: impl Fn(&T) -> String,
        view: impl Fn(T) -> Option<V>,
    ) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let page = self.store.page::<T>(pages(partition.clone(), prefix, after, together)).await?;
            after = page.items.last().map(&position);
            for shown in page.items.into_iter().filter_map(&view) {
                self.writer.item(&shown)?;
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

fn pages(partition: String, prefix: &'static str, after: Option<String>, limit: usize) -> Pages {
    Pages { partition, prefix, after, order: Order::Ascending, limit }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn writer(most: usize) -> Writer {
        Writer { gzip: GzEncoder::new(Vec::new(), Compression::default()), most, members: 0, items: 0 }
    }

    #[test]
    fn values_and_lists_become_one_compressed_document() {
        let write = || {
            let mut writer = writer(1000);
            writer.member("one", &1)?;
            for (list, items) in [("none", 0), ("some", 3)] {
                writer.begin(list)?;
                (0..items).try_for_each(|item| writer.item(&item))?;
                writer.end()?;
            }
            writer.finish()
        };
        let Ok(document) = write() else { panic!("a document") };
        let mut text = String::new();
        GzDecoder::new(document.as_slice()).read_to_string(&mut text).unwrap();
        let expected = serde_json::json!({"one": 1, "none": [], "some": [0, 1, 2]});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
    }

    #[test]
    fn a_document_that_is_too_large_is_given_up() {
        let mut writer = writer(10);
        assert!(writer.member("one", &1).is_ok());
        assert!(matches!(writer.finish(), Err(Stop::TooLarge)));
    }
}

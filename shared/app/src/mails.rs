//! What people are mailed: tokens that they asked for, what was done to their accounts, and, if they like, comments and followers.
//!
//! No secret stands in an event or in a queue. The worker makes each token itself, stores its hash, sends it, and notes that it is sent; what
//! comes again after that sends nothing. A crash between sending and noting sends a second mail, whose token takes the place of the first.
//! An account is told once of a comment or a follower, however often it is approved or follows.

mod letter;

use std::sync::Arc;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    comment::Comment,
    event::{Consumer, Event, EventData},
    follow::Follow,
    id::{CommentId, PostId, UserId},
    notification::{NotificationPreferences, Notified, Topic, told_of_comment},
    one_time::{OneTimeToken, Purpose},
    post::Post,
    text::{Email, EmailHash},
    user::{FormerEmail, User},
};
use quire_store::{Claim, Commit, CommitError, Key, Store, email_hash};

use crate::{
    change::{ATTEMPTS, made},
    notifications::{self, Notifications},
    one_time,
    ports::{Mail, Mailer},
};

pub use letter::Links;
use letter::{News, Notice};

/// Mails people.
#[derive(Clone)]
pub struct Mails {
    store: Store,
    notifications: Notifications,
    mailer: Arc<dyn Mailer>,
    links: Links,
}

impl Mails {
    /// Mail to the accounts in `store`, with links to a front end if there is one.
    pub fn new(store: Store, mailer: Arc<dyn Mailer>, links: Links) -> Self {
        Self { notifications: Notifications::new(store.clone()), store, mailer, links }
    }

    /// Sends the mail that an event asks for, if it asks for one.
    ///
    /// # Errors
    /// [`Error::Internal`] for an event that nobody is mailed about; whatever the table or the mailer give, so that the event is delivered
    /// again.
    pub fn send<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match &event.data {
                EventData::UserRegistered { user_id } => {
                    let user = self.store.get(Key::user(*user_id)).await?;
                    self.send_token(event, user, Purpose::EmailVerification, now).await
                }
                EventData::EmailVerificationRequested { email_hash } => {
                    self.send_token(event, self.find(email_hash).await?, Purpose::EmailVerification, now).await
                }
                EventData::PasswordResetRequested { email_hash } => {
                    self.send_token(event, self.find(email_hash).await?, Purpose::PasswordReset, now).await
                }
                EventData::PasswordChanged { user_id } => self.tell(event, *user_id, None, Notice::PasswordChanged, now).await,
                EventData::EmailChanged { user_id, version } => {
                    let former: Option<FormerEmail> = self.store.get(Key::former_email(*user_id, *version)).await?;
                    let Some(former) = former else { return Ok(()) };
                    self.tell(event, *user_id, Some(&former.email), Notice::EmailChanged, now).await
                }
                EventData::SessionReused { user_id, session_id: _ } => self.tell(event, *user_id, None, Notice::SessionReused, now).await,
                EventData::SecondFactorChanged { user_id, is_enabled } => {
                    self.tell(event, *user_id, None, Notice::SecondFactorChanged { is_enabled: *is_enabled }, now).await
                }
                EventData::ApiTokenCreated { user_id, token_id: _ } => self.tell(event, *user_id, None, Notice::ApiTokenCreated, now).await,
                EventData::IdentityLinked { user_id, provider } => {
                    self.tell(event, *user_id, None, Notice::IdentityLinked { provider: provider.clone() }, now).await
                }
                EventData::CommentApproved { post_id, comment_id } => self.tell_of_comment(event, *post_id, *comment_id, now).await,
                EventData::UserFollowed { user_id, follower_id } => self.tell_of_follower(event, *user_id, *follower_id, now).await,
                EventData::WebhookPaused { webhook_id, user_id, reason } => {
                    self.tell(event, *user_id, None, Notice::WebhookPaused { id: *webhook_id, reason: *reason }, now).await
                }
                EventData::UserExportReady { user_id, export_id: _ } => self.tell(event, *user_id, None, Notice::ExportReady, now).await,
                EventData::UserErasureRequested { .. }
                | EventData::UserExportRequested { .. }
                | EventData::UserErasureContinued { .. }
                | EventData::WebhookDeliveryDue { .. }
                | EventData::PostDrafted { .. }
                | EventData::PostScheduled { .. }
                | EventData::PostPublished { .. }
                | EventData::PostFanOutContinued { .. }
                | EventData::PostUpdated { .. }
                | EventData::PostArchived { .. }
                | EventData::PostDeleted { .. }
                | EventData::CommentCreated { .. }
                | EventData::CommentHeld { .. }
                | EventData::CommentUpdated { .. }
                | EventData::CommentRejected { .. }
                | EventData::CommentDeleted { .. }
                | EventData::PostEngagementChanged { .. } => Err(Error::internal("sending a mail", "nobody is mailed about such an event")),
            }
        })
    }

    /// Mails a token to the account, if there is one that this concerns and the event is not answered yet.
    async fn send_token(&self, event: &Event, user: Option<User>, purpose: Purpose, now: Timestamp) -> Result<()> {
        let Some(user) = user.filter(|user| purpose.concerns(user)) else { return Ok(()) };
        for _ in 0..ATTEMPTS {
            let before: Option<OneTimeToken> = self.store.get(Key::one_time_token(user.id, purpose)).await?;
            if !OneTimeToken::is_due(before.as_ref(), &user.email, event) {
                tracing::info!(userId = %user.id, ?purpose, "A token was mailed before");
                return Ok(());
            }
            let (hash, text) = one_time::generate(user.id, purpose, event.id)?;
            let token = OneTimeToken::issue(before.as_ref(), &user, purpose, event.id, hash, now);
            let commit = Commit::new(None, event.trace.clone(), now);
            let commit = match &before {
                Some(before) => commit.update(before, &token),
                None => commit.create(&token),
            };
            if !made(self.store.commit(commit).await)? {
                continue;
            }
            self.mail(&self.links.token(&user, purpose, &text)).await?;
            // If another event has replaced the token meanwhile, or it is used, there is nothing to note.
            made(self.store.commit(Commit::new(None, event.trace.clone(), now).update(&token, &token.sent())).await)?;
            tracing::info!(userId = %user.id, ?purpose, "A token was mailed");
            return Ok(());
        }
        Err(Error::Contended)
    }

    /// Tells the account what was done to it, at its address or at the one that it had.
    async fn tell(&self, event: &Event, user_id: UserId, to: Option<&Email>, notice: Notice, now: Timestamp) -> Result<()> {
        let Some(user) = self.store.get::<User>(Key::user(user_id)).await? else { return Ok(()) };
        if self.store.is_done(Consumer::SendEmail, event.id).await? {
            return Ok(());
        }
        self.mail(&notice.mail(to.unwrap_or(&user.email), &user.username)).await?;
        match self.store.commit(Commit::new(None, event.trace.clone(), now).effect(Consumer::SendEmail, event.id)).await {
            Ok(()) | Err(CommitError::AlreadyDone) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells who wrote the post, and the comment that is answered, of a comment that others see.
    async fn tell_of_comment(&self, event: &Event, post_id: PostId, id: CommentId, now: Timestamp) -> Result<()> {
        let (post, comment) = self.store.get_both::<Post, Comment>(Key::post(post_id), Key::comment(post_id, id)).await?;
        let Some((post, comment)) = post.zip(comment) else { return Ok(()) };
        let (writer, parent) = (Key::user(comment.author_id), comment.parent_id.map(|parent| Key::comment(post_id, parent)));
        let mut found = self.store.find([writer.clone()].into_iter().chain(parent.clone()).collect()).await?;
        let Some(User { username: by, .. }) = found.take(&writer)? else { return Ok(()) };
        let parent: Option<Comment> = parent.map(|parent| found.take(&parent)).transpose()?.flatten();
        for (user, relation) in told_of_comment(&post, &comment, parent.as_ref(), event.actor) {
            let news = News::Comment { relation, post: &post, comment: &comment, by: &by };
            self.tell_news(event, user, Topic::Comments, id.to_string(), &news, now).await?;
        }
        Ok(())
    }

    /// Tells an account of somebody who follows it still.
    async fn tell_of_follower(&self, event: &Event, user_id: UserId, id: UserId, now: Timestamp) -> Result<()> {
        let (follow, follower) = self.store.get_both::<Follow, User>(Key::follow(id, user_id), Key::user(id)).await?;
        let Some((_, follower)) = follow.zip(follower.filter(|follower| follower.is_active)) else { return Ok(()) };
        self.tell_news(event, user_id, Topic::Followers, id.to_string(), &News::Follower { id, name: &follower.username }, now).await
    }

    /// Tells an account news that it wants and has not been told.
    async fn tell_news(&self, event: &Event, id: UserId, topic: Topic, about: String, news: &News<'_>, now: Timestamp) -> Result<()> {
        let (user, preferences, notified) = (Key::user(id), Key::notification_preferences(id), Key::notified(id, &about));
        let mut found = self.store.find(vec![user.clone(), preferences.clone(), notified.clone()]).await?;
        let preferences = found.take(&preferences)?.unwrap_or_else(|| NotificationPreferences::new(id));
        let Some(user) = found.take(&user)?.filter(|user| preferences.reach(user, topic)) else { return Ok(()) };
        if found.has(&notified) {
            return Ok(());
        }
        let preferences = self.notifications.with_key(preferences, &event.trace, now).await?;
        let Some(key) = preferences.unsubscribe_key.as_ref().filter(|_| preferences.wants(topic)) else { return Ok(()) };
        self.mail(&self.links.news(&user, news, &notifications::token(id, key, topic)?)).await?;
        // If another delivery was as fast, both have sent it.
        made(self.store.commit(Commit::new(None, event.trace.clone(), now).create(&Notified { user_id: id, about, at: now })).await)?;
        tracing::info!(userId = %id, topic = topic.name(), "News was mailed");
        Ok(())
    }

    async fn mail(&self, mail: &Mail) -> Result<()> {
        self.mailer.send(mail).await.map_err(Error::Unavailable)
    }

    /// The account that has an address with this hash.
    async fn find(&self, hash: &EmailHash) -> Result<Option<User>> {
        let owner = self.store.owner_of(&Claim::EmailHash(hash.clone())).await?;
        let Some(id) = owner.and_then(|owner| owner.parse().ok()) else { return Ok(None) };
        Ok(self.store.get::<User>(Key::user(id)).await?.filter(|user| email_hash(&user.email) == *hash))
    }
}

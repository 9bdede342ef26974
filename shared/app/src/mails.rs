//! What people are mailed: tokens that they asked for, and what was done to their accounts.
//!
//! No secret stands in an event or in a queue. The worker makes each token itself, stores its hash, sends it, and notes that it is sent; what
//! comes again after that sends nothing. A crash between sending and noting sends a second mail, whose token takes the place of the first.

mod letter;

use std::sync::Arc;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    event::{Consumer, Event, EventData},
    id::UserId,
    one_time::{OneTimeToken, Purpose},
    text::Email,
    user::User,
};
use quire_store::{Claim, Commit, CommitError, Key, Store};

use crate::{
    change::{ATTEMPTS, made},
    one_time,
    ports::{Mail, Mailer},
};

pub use letter::Links;
use letter::Notice;

/// Mails people.
#[derive(Clone)]
pub struct Mails {
    store: Store,
    mailer: Arc<dyn Mailer>,
    links: Links,
}

impl Mails {
    /// Mail to the accounts in `store`, with links to a front end if there is one.
    pub fn new(store: Store, mailer: Arc<dyn Mailer>, links: Links) -> Self {
        Self { store, mailer, links }
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
                EventData::EmailVerificationRequested { email } => {
                    self.send_token(event, self.find(email).await?, Purpose::EmailVerification, now).await
                }
                EventData::PasswordResetRequested { email } => self.send_token(event, self.find(email).await?, Purpose::PasswordReset, now).await,
                EventData::PasswordChanged { user_id } => self.tell(event, *user_id, None, Notice::PasswordChanged, now).await,
                EventData::EmailChanged { user_id, former } => self.tell(event, *user_id, Some(former), Notice::EmailChanged, now).await,
                EventData::SessionReused { user_id, session_id: _ } => self.tell(event, *user_id, None, Notice::SessionReused, now).await,
                EventData::SecondFactorChanged { user_id, is_enabled } => {
                    self.tell(event, *user_id, None, Notice::SecondFactorChanged { is_enabled: *is_enabled }, now).await
                }
                EventData::ApiTokenCreated { user_id, token_id: _ } => self.tell(event, *user_id, None, Notice::ApiTokenCreated, now).await,
                EventData::IdentityLinked { user_id, provider } => {
                    self.tell(event, *user_id, None, Notice::IdentityLinked { provider: provider.clone() }, now).await
                }
                EventData::WebhookPaused { webhook_id, user_id, reason } => {
                    self.tell(event, *user_id, None, Notice::WebhookPaused { id: *webhook_id, reason: *reason }, now).await
                }
                EventData::UserErasureRequested { .. }
                | EventData::WebhookDeliveryDue { .. }
                | EventData::PostDrafted { .. }
                | EventData::PostScheduled { .. }
                | EventData::PostPublished { .. }
                | EventData::PostUpdated { .. }
                | EventData::PostArchived { .. }
                | EventData::PostDeleted { .. }
                | EventData::CommentCreated { .. }
                | EventData::CommentApproved { .. }
                | EventData::CommentHeld { .. }
                | EventData::CommentUpdated { .. }
                | EventData::CommentRejected { .. }
                | EventData::CommentDeleted { .. } => Err(Error::internal("sending a mail", "nobody is mailed about such an event")),
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

    async fn mail(&self, mail: &Mail) -> Result<()> {
        self.mailer.send(mail).await.map_err(Error::Unavailable)
    }

    /// The account that has an address.
    async fn find(&self, email: &Email) -> Result<Option<User>> {
        let owner = self.store.owner_of(&Claim::Email(email.clone())).await?;
        let Some(id) = owner.and_then(|owner| owner.parse().ok()) else { return Ok(None) };
        Ok(self.store.get::<User>(Key::user(id)).await?.filter(|user| user.email == *email))
    }
}

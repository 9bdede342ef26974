//! The sessions that an account has, and signing out.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    audit::AuditData,
    id::{SessionId, UserId},
    policy::{self, Action},
    session::Session,
};
use quire_store::{Commit, Key, Order, Pages, Store};
use serde::Serialize;

use crate::{
    Call,
    change::{ATTEMPTS, made},
    page::{self, PageRequest, PageView},
};

/// What sort keys of sessions begin with.
const PREFIX: &str = "SESSION#";
/// Sessions that end in one transaction.
const TOGETHER: usize = 50;

/// Lists sessions and ends them.
#[derive(Debug, Clone)]
pub struct OwnSessions {
    store: Store,
}

/// A session in the list of its owner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummaryView {
    /// Names the session.
    pub session_id: SessionId,
    /// What the client said it was, coarsely, such as `Firefox on Linux`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whether the request came in it.
    pub is_current: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last given tokens.
    pub last_used_at: Timestamp,
    /// When it ends unless it is used before.
    pub refresh_expires_at: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

impl SessionSummaryView {
    pub(crate) fn of(session: Session, current: Option<SessionId>) -> Self {
        let Session { id, user_id: _, created_at, last_used_at, ends, expires, device, refresh: _, version: _ } = session;
        let is_current = current == Some(id);
        Self { session_id: id, device, is_current, created_at, last_used_at, refresh_expires_at: expires, expires_at: ends }
    }
}

impl OwnSessions {
    /// The sessions in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The caller's sessions, newest first, without those that are over. One query a page; more where many are over.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::InsufficientScope`].
    pub fn list<'a>(&'a self, call: &'a Call, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<SessionSummaryView>>> {
        Box::pin(async move {
            let me = own(call)?;
            let pages = Pages { prefix: PREFIX, ..page.pages::<SessionId>(Key::user(me).pk, Order::Descending)? };
            let (sessions, next) = page::walk(&self.store, pages, |session: &Session| session.id, |session| !session.has_expired(call.now)).await?;
            Ok(PageView::new(sessions.into_iter().map(|session| SessionSummaryView::of(session, call.session)), |session| session.session_id, next))
        })
    }

    /// Ends one session of the caller's. One that is over, never was, or is somebody else's is ended already.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::InsufficientScope`], [`Error::Contended`].
    pub fn delete<'a>(&'a self, call: &'a Call, id: SessionId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let me = own(call)?;
            for _ in 0..ATTEMPTS {
                let Some(session) = self.store.get::<Session>(Key::session(me, id)).await? else { return Ok(()) };
                let revoked = AuditData::SessionRevoked { session_id: Some(id) };
                let commit = Commit::new(Some(me), call.trace.clone(), call.now).end(&session).audit(Some(me), revoked);
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    /// Ends all sessions of the caller's, also the one that asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::InsufficientScope`], [`Error::Contended`]; then some are ended.
    pub fn delete_all<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let me = own(call)?;
            end_all(&self.store, call, me, None).await
        })
    }
}

fn own(call: &Call) -> Result<UserId> {
    policy::require(&call.principal, Action::ManageSessions, call.principal.user_id())
}

/// Ends every session of an account, by itself, but the one that is `kept`. Whatever a refresh does meanwhile, it is without effect: what ends is the session and not
/// a version of it, and what a refresh changes must still be there.
pub(crate) async fn end_all(store: &Store, call: &Call, account: UserId, kept: Option<SessionId>) -> Result<()> {
    let mut revoked = Some(AuditData::SessionRevoked { session_id: None });
    let mut attempts = 0;
    loop {
        let pages = Pages { partition: Key::user(account).pk, prefix: PREFIX, after: None, order: Order::Ascending, limit: TOGETHER };
        let page = store.page::<Session>(pages).await?;
        let ended: Vec<_> = page.items.iter().filter(|session| Some(session.id) != kept).collect();
        if ended.is_empty() {
            return Ok(());
        }
        // Whoever has a mailed token acts for the account.
        let actor = call.principal.user_id().unwrap_or(account);
        let commit = Commit::new(Some(actor), call.trace.clone(), call.now);
        let commit = ended.into_iter().fold(commit, Commit::end);
        let commit = revoked.iter().fold(commit, |commit, revoked| commit.audit(Some(account), revoked.clone()));
        if made(store.commit(commit).await)? {
            revoked = None;
            if !page.more {
                return Ok(());
            }
        } else {
            // Another request has ended some of them.
            attempts += 1;
            if attempts == ATTEMPTS {
                return Err(Error::Contended);
            }
        }
    }
}

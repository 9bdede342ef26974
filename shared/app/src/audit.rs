//! The audit trail, for admins.

use futures::future::BoxFuture;
use quire_domain::{
    Result, Timestamp,
    audit::{AuditData, AuditEvent},
    cursor::Position,
    id::{AuditId, UserId},
    policy::{self, Action},
};
use quire_store::{Key, Order, Page, Pages, Store};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Call,
    input::{Fields, Input},
    page::{PageRequest, PageView, QUERIES, walk},
};

/// The month before which nothing was entered: where the trail ends at the latest.
const FIRST_MONTH: (i16, i8) = (2026, 10);

/// Reads the audit trail.
#[derive(Debug, Clone)]
pub struct AuditTrail {
    store: Store,
}

/// Which entries a list holds: those to which all apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// About this account.
    pub subject: Option<UserId>,
    /// By this account.
    pub actor: Option<UserId>,
    /// With this name.
    pub kind: Option<&'static str>,
    /// Which page of them.
    pub page: PageRequest,
}

impl Input for AuditQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let subject = fields.optional("subject", str::parse);
        let actor = fields.optional("actor", str::parse);
        let name = |text: &str| AuditData::NAMES.into_iter().find(|name| *name == text).ok_or("is not a type of entry");
        let kind = fields.optional("type", name);
        let page = PageRequest::read(fields);
        Some(Self { subject: subject?, actor: actor?, kind: kind?, page: page? })
    }
}

impl AuditQuery {
    fn keeps(&self, entry: &AuditEvent, now: Timestamp) -> bool {
        entry.is_kept(now)
            && self.subject.is_none_or(|subject| entry.subject == Some(subject))
            && self.actor.is_none_or(|actor| entry.actor == Some(actor))
            && self.kind.is_none_or(|kind| entry.data.name() == kind)
    }
}

/// An entry of the audit trail as admins see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEventView {
    /// Names the entry.
    pub audit_event_id: AuditId,
    /// What was done.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// Who did it, if an account did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<UserId>,
    /// The account that it was done to, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<UserId>,
    /// The request that it came from.
    pub correlation_id: String,
    /// What else there is to say, as members of its own for each type.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

impl From<AuditEvent> for AuditEventView {
    fn from(entry: AuditEvent) -> Self {
        let AuditEvent { id, occurred_at, actor, subject, correlation_id, data, expires_at: _ } = entry;
        // Names, ids and flags always serialise.
        let details = match serde_json::to_value(&data).ok().and_then(|mut value| value.get_mut("data").map(Value::take)) {
            Some(Value::Object(details)) => details,
            _ => Map::new(),
        };
        Self { audit_event_id: id, kind: data.name(), occurred_at, actor_id: actor, subject_id: subject, correlation_id, details }
    }
}

impl AuditTrail {
    /// The audit trail in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Entries, newest first, for admins. One query a page; a few more where the filter keeps little or a page crosses the turn of a month.
    ///
    /// # Errors
    /// `Invalid` for a wrong cursor, `Unauthenticated`, `Forbidden`, `EmailUnverified`, `InsufficientScope`.
    pub fn list<'a>(&'a self, call: &'a Call, query: &'a AuditQuery) -> BoxFuture<'a, Result<PageView<AuditEventView>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ReadAudit, None)?;
            let Some(subject) = query.subject else { return self.by_month(call, query).await };
            let pages = query.page.pages::<AuditId>(Key::audited(subject), Order::Descending)?;
            let (entries, next) = walk(&self.store, pages, |entry: &AuditEvent| entry.id, |entry| query.keeps(entry, call.now)).await?;
            Ok(PageView::new(entries, |entry| entry.id, next))
        })
    }

    /// Entries about all accounts, month by month. A page is short rather than slow where there are few.
    async fn by_month(&self, call: &Call, query: &AuditQuery) -> Result<PageView<AuditEventView>> {
        let limit = query.page.limit;
        let mut last: Option<AuditId> = query.page.position()?;
        let days = i64::from(self.store.audit_days());
        let oldest = call.now.plus_seconds(-days * 24 * 60 * 60).month().max(FIRST_MONTH);
        let mut month = last.map_or(call.now, |last| last.made_at().min(call.now)).month();
        let mut entries: Vec<AuditEvent> = Vec::new();
        for _ in 0..QUERIES {
            let after = last.filter(|last| last.made_at().month() == month).map(|last| last.sort_key());
            let pages = Pages { partition: Key::audited_in(month), prefix: "", after, order: Order::Descending, limit: limit - entries.len() };
            let Page { items, more } = self.store.page::<AuditEvent>(pages).await?;
            last = items.last().map(|entry| entry.id).or(last);
            entries.extend(items.into_iter().filter(|entry| query.keeps(entry, call.now)));
            if !more {
                if month <= oldest {
                    return Ok(PageView::new(entries, |entry| entry.id, None));
                }
                last = Some(AuditId::first_of(Timestamp::of_month(month)));
                month = before(month);
            }
            if entries.len() == limit {
                break;
            }
        }
        Ok(PageView::new(entries, |entry| entry.id, last))
    }
}

/// The month before.
fn before((year, month): (i16, i8)) -> (i16, i8) {
    if month > 1 { (year, month - 1) } else { (year - 1, 12) }
}

#[cfg(test)]
mod tests {
    use quire_domain::{
        audit::{Refusal, SignInMethod},
        comment::Status,
        id::{ApiTokenId, CommentId, ExportId, PostId, SessionId, WebhookId},
        policy::{Role, Scope},
    };

    use super::*;

    #[test]
    fn every_entry_has_the_name_that_it_is_asked_for_by() {
        let now = Timestamp::from_millis(0);
        let (session_id, token_id) = (SessionId::generate(now), ApiTokenId::generate(now));
        let (export_id, webhook_id) = (ExportId::generate(now), WebhookId::generate(now));
        let entries = [
            AuditData::SessionCreated { session_id, method: SignInMethod::SecondFactor },
            AuditData::SessionRefused { reason: Refusal::WrongCode },
            AuditData::SessionRevoked { session_id: None },
            AuditData::SessionReused { session_id },
            AuditData::RolesChanged { roles: [Role::Reader].into() },
            AuditData::StatusChanged { is_active: false },
            AuditData::EmailChanged {},
            AuditData::EmailVerified {},
            AuditData::PasswordChanged {},
            AuditData::ErasureRequested {},
            AuditData::ExportRequested { export_id },
            AuditData::Exported { export_id },
            AuditData::IdentityLinked { provider: "google".into() },
            AuditData::IdentityUnlinked { provider: "google".into() },
            AuditData::ApiTokenCreated { token_id, scopes: [Scope::PostsWrite].into() },
            AuditData::ApiTokenRevoked { token_id },
            AuditData::SecondFactorEnabled {},
            AuditData::SecondFactorDisabled {},
            AuditData::SecondFactorRecovered {},
            AuditData::WebhookCreated { webhook_id },
            AuditData::WebhookChanged { webhook_id },
            AuditData::WebhookRemoved { webhook_id },
            AuditData::WebhookSecretRotated { webhook_id },
            AuditData::CommentModerated { post_id: PostId::generate(now), comment_id: CommentId::generate(now), status: Status::Held },
        ];
        assert_eq!(entries.each_ref().map(AuditData::name), AuditData::NAMES);
        for entry in entries {
            assert_eq!(serde_json::to_value(&entry).unwrap()["type"], entry.name());
        }
    }

    #[test]
    fn january_follows_december() {
        assert_eq!([(2027, 1), (2027, 2)].map(before), [(2026, 12), (2027, 1)]);
    }
}

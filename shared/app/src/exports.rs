//! Copies of all that an account owns, for the account itself: asked for, made by a worker, and fetched by a link that is good for minutes.

mod document;

use std::sync::Arc;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    audit::AuditData,
    error::{Credentials, Kind},
    event::{Event, EventData},
    export::{Export, Outcome, Status},
    id::{ExportId, UserId},
    limits,
    policy::{self, Action},
    user::User,
};
use quire_store::{Commit, Key, Store};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Call,
    change::{ATTEMPTS, made},
    idempotency::commit_once,
    ports::Files,
};

/// The file with the export of an account. Another export takes its place, so that one name leads to all that there is to erase.
pub(crate) fn file(user: UserId) -> String {
    format!("exports/{user}.json.gz")
}

/// Asks for exports.
#[derive(Debug, Clone)]
pub struct ExportRequests {
    store: Store,
}

/// Hands exports out.
#[derive(Clone)]
pub struct Exports {
    store: Store,
    files: Arc<dyn Files>,
}

/// Makes exports.
#[derive(Clone)]
pub struct Exporter {
    store: Store,
    files: Arc<dyn Files>,
}

/// An export as its account sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportView {
    /// Names it.
    pub export_id: ExportId,
    /// `requested`, `ready` or `failed`.
    pub status: Status,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ready_at: Option<Timestamp>,
    /// When it is over.
    pub expires_at: Timestamp,
    /// Bytes of the document, compressed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
    /// Where it is; whoever has the address gets it.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose", skip_deserializing)]
    pub url: Option<SecretString>,
    /// Until when it is there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url_expires_at: Option<Timestamp>,
}

fn expose<S: Serializer>(url: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

impl From<&Export> for ExportView {
    fn from(export: &Export) -> Self {
        let Export { id, user_id: _, requested_at, outcome, version: _ } = export;
        let (ready_at, size) = match outcome {
            Some(Outcome { at, size: Some(size) }) => (Some(*at), Some(*size)),
            Some(Outcome { size: None, .. }) | None => (None, None),
        };
        let (status, expires_at) = (export.status(), export.expires());
        Self { export_id: *id, status, requested_at: *requested_at, ready_at, expires_at, size, url: None, url_expires_at: None }
    }
}

/// The account that asks for what it owns, which must be active, and its newest export.
async fn own(store: &Store, call: &Call, id: UserId) -> Result<Option<Export>> {
    policy::require(&call.principal, Action::ExportUser, Some(id))?;
    let (user, export) = store.get_both::<User, Export>(Key::user(id), Key::export(id)).await?;
    user.ok_or(Error::Unauthenticated(Credentials::InvalidToken))?.principal()?;
    Ok(export)
}

impl ExportRequests {
    /// Exports of the accounts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Asks for a copy of all that the account that asks owns.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::InsufficientScope`], [`Error::TooManyExports`],
    /// [`Error::IdempotencyKeyReused`], [`Error::Contended`].
    pub fn request<'a>(&'a self, call: &'a Call, id: UserId) -> BoxFuture<'a, Result<ExportView>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let decide = async {
                    let before = own(&self.store, call, id).await?;
                    let (export, requested) = Export::request(id, before.as_ref(), call.now)?;
                    let commit = Commit::new(Some(id), call.trace.clone(), call.now);
                    let commit = match &before {
                        Some(before) => commit.update(before, &export),
                        None => commit.create(&export),
                    };
                    let commit = commit.audit(Some(id), AuditData::ExportRequested { export_id: export.id }).emit([requested]);
                    Ok((ExportView::from(&export), commit))
                };
                match commit_once(&self.store, call, "create-export", &id, decide).await {
                    Err(Error::VersionMismatch) => {}
                    outcome => return outcome,
                }
            }
            Err(Error::Contended)
        })
    }
}

impl Exports {
    /// Exports of the accounts in `store`, whose documents are in `files`.
    pub fn new(store: Store, files: Arc<dyn Files>) -> Self {
        Self { store, files }
    }

    /// How far an export of the account that asks is; with a link to it, once it is ready.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::InsufficientScope`], [`Error::NotFound`].
    pub fn get<'a>(&'a self, call: &'a Call, user: UserId, id: ExportId) -> BoxFuture<'a, Result<ExportView>> {
        Box::pin(async move {
            let export = own(&self.store, call, user).await?.filter(|export| export.id == id && !export.has_expired(call.now));
            let export = export.ok_or(Error::NotFound(Kind::Export))?;
            let mut view = ExportView::from(&export);
            if view.status == Status::Ready {
                let link =
                    self.files.link(&file(user), limits::EXPORT_LINK_SECONDS, call.now).map_err(|error| Error::internal("signing a link", error))?;
                view.url = Some(link);
                view.url_expires_at = Some(call.now.plus_seconds(limits::EXPORT_LINK_SECONDS));
            }
            Ok(view)
        })
    }
}

impl Exporter {
    /// Exports of the accounts in `store`, whose documents go to `files`.
    pub fn new(store: Store, files: Arc<dyn Files>) -> Self {
        Self { store, files }
    }

    /// Makes the export that a `user.export-requested` event asks for. One that is made, or that another has taken the place of, is passed
    /// over.
    ///
    /// # Errors
    /// [`Error::Internal`] for an event of another type; whatever the table and the files give, so that the event is delivered again.
    pub fn export<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let EventData::UserExportRequested { user_id, export_id } = event.data else {
                return Err(Error::internal("exporting an account", "the event does not ask for it"));
            };
            let (user, export) = self.store.get_both::<User, Export>(Key::user(user_id), Key::export(user_id)).await?;
            let is_due = |export: &Export| export.id == export_id && export.status() == Status::Requested;
            let Some((user, export)) = user.filter(|user| user.erasure_requested_at.is_none()).zip(export.filter(is_due)) else {
                tracing::info!(exportId = %export_id, "There is nothing to export");
                return Ok(());
            };
            let document = document::write(&self.store, user, &export, now).await?;
            let size = document.as_ref().map(|document| document.len() as u64);
            let commit = Commit::new(None, event.trace.clone(), now).update(&export, &export.done(size, now));
            let commit = match document {
                Some(document) => {
                    self.files.put(&file(user_id), document).await.map_err(Error::Unavailable)?;
                    commit.audit(Some(user_id), AuditData::Exported { export_id }).emit([EventData::UserExportReady { user_id, export_id }])
                }
                None => {
                    tracing::error!(userId = %user_id, "An account owns more than an export may hold");
                    commit
                }
            };
            // If another delivery was as fast, or the account is gone, there is nothing to say.
            if made(self.store.commit(commit).await)? {
                tracing::info!(userId = %user_id, exportId = %export_id, size, "An account was exported");
            }
            Ok(())
        })
    }
}

//! Changes of accounts. Each reads the account that asks as it is now: one that was switched off a moment ago changes nothing more, and a
//! role counts only if both the table and the token have it. So one that was taken counts no more, and a token never does more than it was
//! made for.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result,
    admins::Admins,
    audit::AuditData,
    error::{Credentials, Kind},
    event::EventData,
    id::UserId,
    policy::{self, Action, Roles},
    text::Password,
    user::{Credential, FormerEmail, User},
};
use quire_store::{Claim, Commit, Key, Store, email_hash};

use crate::{
    Call,
    change::{ATTEMPTS, Precondition, made},
    password, rates,
    sessions::end_all,
    users::{UserEdit, UserView},
};

/// Changes accounts.
#[derive(Debug, Clone)]
pub struct UserChanges {
    store: Store,
}

impl UserChanges {
    /// The accounts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Changes what an account says of itself, or switches it on or off. A new name or address is claimed and the old one given up in
    /// the same transaction; an address changes only for somebody who gives their password. A change that names no version is made to the
    /// newest one. An account that is switched on again has no session of before.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::UsernameTaken`], [`Error::EmailTaken`],
    /// [`Error::LastAdmin`], [`Error::BeingErased`], [`Error::Invalid`] without the password, [`Error::Unauthenticated`] also for a wrong
    /// one, [`Error::TooManyTries`], [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn edit<'a>(&'a self, call: &'a Call, id: UserId, edit: UserEdit, precondition: Precondition) -> BoxFuture<'a, Result<UserView>> {
        Box::pin(async move {
            let UserEdit { patch, current_password } = edit;
            let is_proved = current_password.is_some();
            if let Some(typed) = current_password {
                self.prove(call, &typed).await?;
            }
            let decide = |by: &User, user: &User| Ok(Some((user.edit(by, patch.clone(), is_proved, call.now)?, None)));
            self.view_of_change(call, id, &precondition, &decide).await
        })
    }

    /// Gives an account exactly these roles.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::LastAdmin`], [`Error::BeingErased`],
    /// [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn assign_roles<'a>(&'a self, call: &'a Call, id: UserId, roles: Roles, precondition: Precondition) -> BoxFuture<'a, Result<UserView>> {
        Box::pin(async move {
            let decide = |by: &User, user: &User| Ok(Some((user.assign_roles(by, roles.clone(), call.now)?, None)));
            self.view_of_change(call, id, &precondition, &decide).await
        })
    }

    /// Switches an account off for good and asks to have it erased. Asking again does nothing, whatever version it names.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::LastAdmin`], [`Error::VersionMismatch`],
    /// [`Error::Contended`].
    pub fn request_erasure<'a>(&'a self, call: &'a Call, id: UserId, precondition: Precondition) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let decide = |by: &User, user: &User| Ok(user.request_erasure(by, call.now)?.map(|(after, requested)| (after, Some(requested))));
            self.change(call, id, &precondition, &decide).await.map(drop)
        })
    }

    /// What the account that asks sees after a change.
    async fn view_of_change(&self, call: &Call, id: UserId, precondition: &Precondition, decide: &Decision<'_>) -> Result<UserView> {
        let (by, after) = self.change(call, id, precondition, decide).await?;
        Ok(UserView::of(after, &by.principal()?))
    }

    /// Shows that whoever asks is the owner of the account that asks, and not of its token only.
    async fn prove(&self, call: &Call, typed: &Password) -> Result<()> {
        let caller = policy::reaches(&call.principal, Action::EditUser)?;
        rates::count_try(&self.store, caller, call.now).await?;
        let credential: Option<Credential> = self.store.get(Key::credential(caller)).await?;
        let matches = credential.is_some_and(|credential| password::matches(typed, &credential.password_hash));
        if matches { Ok(()) } else { Err(Error::Unauthenticated(Credentials::WrongPassword)) }
    }

    /// Commits what `decide` makes of the account that asks and of the account that it is about, and gives both.
    async fn change(&self, call: &Call, id: UserId, precondition: &Precondition, decide: &Decision<'_>) -> Result<(User, User)> {
        let caller = policy::reaches(&call.principal, Action::EditUser)?;
        for _ in 0..ATTEMPTS {
            let (by, before) = if caller == id {
                let user: Option<User> = self.store.get(Key::user(id)).await?;
                (user.clone(), user)
            } else {
                self.store.get_both(Key::user(caller), Key::user(id)).await?
            };
            let by = by.ok_or(Error::Unauthenticated(Credentials::InvalidToken))?.acting(&call.principal);
            let before = before.ok_or(Error::NotFound(Kind::User))?;
            let Some((after, event)) = decide(&by, &before)? else { return Ok((by, before)) };
            precondition.check(before.version)?;
            if after == before {
                return Ok((by, after));
            }
            let mut commit = Commit::new(Some(caller), call.trace.clone(), call.now).update(&before, &after).emit(event);
            for data in entries(&before, &after) {
                commit = commit.audit(Some(id), data);
            }
            commit = moved(commit, Claim::Username(before.username.clone()), Claim::Username(after.username.clone()), id);
            commit = moved(commit, Claim::Email(before.email.clone()), Claim::Email(after.email.clone()), id);
            if before.email != after.email {
                let events = [
                    EventData::EmailChanged { user_id: id, version: after.version },
                    EventData::EmailVerificationRequested { email_hash: email_hash(&after.email) },
                ];
                let former = FormerEmail { user_id: id, version: after.version, email: before.email.clone(), changed_at: call.now };
                commit = commit.emit(events).write(&former).audit(Some(id), AuditData::EmailChanged {});
            }
            // While it is off, no session begins.
            if after.is_active && !before.is_active {
                end_all(&self.store, call, id, None).await?;
            }
            if before.is_admin() != after.is_admin() {
                let admins: Option<Admins> = self.store.get(Key::admins()).await?;
                let changed = Admins::after(admins.as_ref(), &after)?;
                commit = match &admins {
                    Some(admins) => commit.update(admins, &changed),
                    None => commit.create(&changed),
                };
            }
            if made(self.store.commit(commit).await)? {
                return Ok((by, after));
            }
        }
        Err(Error::Contended)
    }
}

/// What the audit trail says of a change.
fn entries(before: &User, after: &User) -> Vec<AuditData> {
    let mut entries = Vec::new();
    if before.roles != after.roles {
        entries.push(AuditData::RolesChanged { roles: after.roles.clone() });
    }
    if before.erasure_requested_at != after.erasure_requested_at {
        // It switches the account off besides.
        entries.push(AuditData::ErasureRequested {});
    } else if before.is_active != after.is_active {
        entries.push(AuditData::StatusChanged { is_active: after.is_active });
    }
    entries
}

/// From the account that asks and the account before the change to the account after it, and what follows; nothing where it has been
/// done before.
type Decision<'a> = dyn Fn(&User, &User) -> Result<Option<(User, Option<EventData>)>> + Send + Sync + 'a;

/// Claims the new value and gives up the old one, unless they are one claim.
fn moved(commit: Commit, before: Claim, after: Claim, owner: UserId) -> Commit {
    if Key::claim(&before) == Key::claim(&after) { commit } else { commit.claim(after, &owner).release(&before, &owner) }
}

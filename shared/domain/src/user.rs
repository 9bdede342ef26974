//! Accounts.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    admins::Admins,
    change::Change,
    error::{Credentials, Error, Result},
    event::EventData,
    id::UserId,
    policy::{self, Access, Action, Principal, Role, Roles},
    text::{Bio, DisplayName, Email, Username},
};

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Names the account.
    pub id: UserId,
    /// Unique among all accounts, and like no other's.
    pub username: Username,
    /// Unique among all accounts; shown to the account itself and to admins only.
    pub email: Email,
    /// Since when it is known that the address is the account's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email_verified_at: Option<Timestamp>,
    /// Since when signing in takes a second factor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub second_factor_at: Option<Timestamp>,
    /// How it wants to be called.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub display_name: Option<DisplayName>,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bio: Option<Bio>,
    /// What it may do.
    pub roles: Roles,
    /// Whether it may sign in and change itself.
    pub is_active: bool,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When somebody asked to have it erased; from then on it is inactive and nothing changes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub erasure_requested_at: Option<Timestamp>,
    /// Counts changes, from 1.
    pub version: u64,
}

/// What a person gives to register, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// The name to sign in with.
    pub username: Username,
    /// The address to write to.
    pub email: Email,
    /// How the account wants to be called.
    pub display_name: Option<DisplayName>,
    /// What it says of itself.
    pub bio: Option<Bio>,
}

/// A change of an account, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// A new name.
    pub username: Option<Username>,
    /// A new address.
    pub email: Option<Email>,
    /// A new display name, or none.
    pub display_name: Change<DisplayName>,
    /// A new text, or none.
    pub bio: Change<Bio>,
    /// Whether the account may sign in; for admins.
    pub is_active: Option<bool>,
}

/// How an account proves itself; kept apart from the account so that reading a profile never reads a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// The account.
    pub user_id: UserId,
    /// Argon2id hash in PHC string format.
    pub password_hash: String,
    /// Counts changes, from 1.
    pub version: u64,
}

/// An address that an account had, until it is told of the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerEmail {
    /// The account.
    pub user_id: UserId,
    /// The version of the account that has another address.
    pub version: u64,
    /// The address.
    pub email: Email,
    /// When it changed.
    pub changed_at: Timestamp,
}

/// That an account was erased. It keeps the id from use, and is an entry of the ledger of erasures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// The account.
    pub user_id: UserId,
    /// When it was erased.
    pub erased_at: Timestamp,
}

impl User {
    /// Opens an account with the roles that new accounts have.
    pub fn register(registration: Registration, roles: Roles, id: UserId, now: Timestamp) -> (Self, EventData) {
        let Registration { username, email, display_name, bio } = registration;
        let user = Self {
            id,
            username,
            email,
            email_verified_at: None,
            second_factor_at: None,
            display_name,
            bio,
            roles,
            is_active: true,
            created_at: now,
            updated_at: now,
            erasure_requested_at: None,
            version: 1,
        };
        (user, EventData::UserRegistered { user_id: id })
    }

    /// The account as it acts now, whatever its token says of it.
    ///
    /// # Errors
    /// The same error as for a wrong token if the account is not active.
    pub fn principal(&self) -> Result<Principal> {
        if !self.is_active {
            return Err(Error::Unauthenticated(Credentials::InvalidToken));
        }
        Ok(Principal::user(self.id, self.roles.clone()))
    }

    /// How much a token of the account's own allows.
    pub fn access(&self, wants_verified_email: bool) -> Access {
        if wants_verified_email && self.email_verified_at.is_none() { Access::Unverified } else { Access::Full }
    }

    /// The roles that a token of the account's own carries: where admins need a second factor, one without it gets no token of an admin.
    pub fn granted_roles(&self, wants_admin_second_factor: bool) -> Roles {
        let mut roles = self.roles.clone();
        if wants_admin_second_factor && self.second_factor_at.is_none() {
            roles.remove(&Role::Admin);
        }
        roles
    }

    /// The account as it acts with the token of `principal`: with the roles that both have. A token never does more than it was made for,
    /// and a role that the account has lost counts no more.
    pub fn acting(&self, principal: &Principal) -> Self {
        let roles = match principal {
            Principal::User { roles, .. } => self.roles.intersection(roles).copied().collect(),
            Principal::Anonymous | Principal::System => Roles::new(),
        };
        Self { roles, ..self.clone() }
    }

    /// The account with its second factor on since then, or off.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] if it is not active.
    pub fn with_second_factor(&self, since: Option<Timestamp>, now: Timestamp) -> Result<Self> {
        self.principal()?;
        self.changed(Self { second_factor_at: since, ..self.clone() }, now)
    }

    /// The account once somebody has shown that its address is theirs; the same if that is known.
    ///
    /// # Errors
    /// [`Error::BeingErased`].
    pub fn verify_email(&self, now: Timestamp) -> Result<Self> {
        self.changed(Self { email_verified_at: self.email_verified_at.or(Some(now)), ..self.clone() }, now)
    }

    /// Whether this is one of the admins: an account that is switched off is none, whatever its roles.
    pub fn is_admin(&self) -> bool {
        self.is_active && self.roles.contains(&Role::Admin)
    }

    /// The account after a change `by` itself or an admin; the same if nothing changes. Whoever has its address gets its mail, and so can
    /// become its owner: the address changes only if `by` is proved, by more than a token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::Invalid`], [`Error::BeingErased`].
    pub fn edit(&self, by: &Self, patch: UserPatch, is_proved: bool, now: Timestamp) -> Result<Self> {
        let principal = by.principal()?;
        policy::require(&principal, Action::EditUser, Some(self.id))?;
        let UserPatch { username, email, display_name, bio, is_active } = patch;
        let is_active = is_active.unwrap_or(self.is_active);
        if is_active != self.is_active {
            policy::require(&principal, Action::SwitchUser, Some(self.id))?;
        }
        let before = self.clone();
        let email = email.unwrap_or(before.email);
        if email != self.email && !is_proved {
            return Err(Error::field("/currentPassword", "is required to change the address"));
        }
        let after = Self {
            username: username.unwrap_or(before.username),
            email_verified_at: before.email_verified_at.filter(|_| email == self.email),
            email,
            display_name: display_name.apply(before.display_name),
            bio: bio.apply(before.bio),
            is_active,
            ..before
        };
        self.changed(after, now)
    }

    /// The account with exactly these roles, given `by` an admin; the same if it has them.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`] also for somebody who would raise themselves, [`Error::BeingErased`].
    pub fn assign_roles(&self, by: &Self, roles: Roles, now: Timestamp) -> Result<Self> {
        policy::require(&by.principal()?, Action::AssignRoles, Some(self.id))?;
        if by.id == self.id && !roles.is_subset(&self.roles) {
            return Err(Error::Forbidden(Action::AssignRoles));
        }
        self.changed(Self { roles, ..self.clone() }, now)
    }

    /// The account from the moment that it or an admin asks to have it erased, and what follows from that; nothing if somebody has
    /// asked before.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn request_erasure(&self, by: &Self, now: Timestamp) -> Result<Option<(Self, EventData)>> {
        let is_requested = self.erasure_requested_at.is_some();
        // Its own first request switched it off, and may be repeated all the same.
        if !(is_requested && by.id == self.id) {
            policy::require(&by.principal()?, Action::EditUser, Some(self.id))?;
        }
        if is_requested {
            return Ok(None);
        }
        let after = Self { is_active: false, erasure_requested_at: Some(now), ..self.clone() };
        Ok(Some((self.changed(after, now)?, EventData::UserErasureRequested { user_id: self.id })))
    }

    /// The account from the moment that its erasure begins, whoever asked for it: one that comes back with a backup was asked for before.
    #[must_use]
    pub fn under_erasure(&self, now: Timestamp) -> Self {
        if self.erasure_requested_at.is_some() {
            return self.clone();
        }
        Self { is_active: false, erasure_requested_at: Some(now), updated_at: now, version: self.version + 1, ..self.clone() }
    }

    /// The account that the template names becomes the first admin if there has never been one.
    ///
    /// # Errors
    /// None that an active account could meet.
    pub fn first_admin(&self, named: Option<UserId>, admins: Option<&Admins>, now: Timestamp) -> Result<Option<(Self, Admins)>> {
        if named != Some(self.id) || admins.is_some() || !self.is_active {
            return Ok(None);
        }
        let mut roles = self.roles.clone();
        roles.insert(Role::Admin);
        let after = self.changed(Self { roles, ..self.clone() }, now)?;
        let admins = Admins::after(None, &after)?;
        Ok(Some((after, admins)))
    }

    fn changed(&self, after: Self, now: Timestamp) -> Result<Self> {
        if after == *self {
            return Ok(after);
        }
        if self.erasure_requested_at.is_some() {
            return Err(Error::BeingErased);
        }
        Ok(Self { updated_at: now, version: self.version + 1, ..after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: i64 = 5_000;

    fn user(millis: i64, roles: &[Role]) -> User {
        let now = Timestamp::from_millis(millis);
        let username = Username::parse(&format!("user-{millis}")).unwrap();
        let email = Email::parse(&format!("{username}@example.com")).unwrap();
        let registration = Registration { username, email, display_name: None, bio: None };
        User::register(registration, roles.iter().copied().collect(), UserId::generate(now), now).0
    }

    fn later() -> Timestamp {
        Timestamp::from_millis(LATER)
    }

    fn switched_off(user: &User) -> User {
        User { is_active: false, ..user.clone() }
    }

    #[test]
    fn a_change_counts_only_if_it_changes_something() {
        let ada = user(1, &[Role::Reader]);
        let bio = Some(Bio::parse("Writes").unwrap());
        let patch = UserPatch { bio: Change::from(bio.clone()), ..UserPatch::default() };
        let after = ada.edit(&ada, patch.clone(), false, later()).unwrap();
        assert_eq!(after, User { bio, updated_at: later(), version: 2, ..ada.clone() });
        assert_eq!(after.edit(&after, patch, false, Timestamp::from_millis(LATER + 1)).unwrap(), after);
        let removed = after.edit(&after, UserPatch { bio: Change::Remove, ..UserPatch::default() }, false, later()).unwrap();
        assert_eq!((removed.bio, removed.version), (None, 3));
    }

    #[test]
    fn others_change_an_account_only_as_admins_and_only_admins_switch_it() {
        let (ada, bob, root) = (user(1, &[Role::Editor]), user(2, &[Role::Editor]), user(3, &[Role::Admin]));
        let name = UserPatch { username: Some(Username::parse("other").unwrap()), ..UserPatch::default() };
        let off = UserPatch { is_active: Some(false), ..UserPatch::default() };
        let on = UserPatch { is_active: Some(true), ..UserPatch::default() };
        assert!(matches!(ada.edit(&bob, name.clone(), false, later()), Err(Error::Forbidden(Action::EditUser))));
        assert!(matches!(ada.edit(&ada, off.clone(), false, later()), Err(Error::Forbidden(Action::SwitchUser))));
        assert_eq!(ada.edit(&ada, on.clone(), false, later()).unwrap(), ada, "what stays as it is needs no admin");
        let inactive = ada.edit(&root, off, false, later()).unwrap();
        assert!(!inactive.is_active);
        for patch in [name, on.clone()] {
            assert!(matches!(inactive.edit(&inactive, patch, false, later()), Err(Error::Unauthenticated(Credentials::InvalidToken))));
        }
        assert!(inactive.edit(&root, on, false, later()).unwrap().is_active);
    }

    #[test]
    fn an_account_is_erased_once_and_changes_no_more() {
        let (ada, bob, root) = (user(1, &[Role::Reader]), user(2, &[Role::Reader]), user(3, &[Role::Admin]));
        assert!(matches!(ada.request_erasure(&bob, later()), Err(Error::Forbidden(Action::EditUser))));
        let (erased, event) = ada.request_erasure(&ada, later()).unwrap().unwrap();
        assert_eq!(erased, User { is_active: false, erasure_requested_at: Some(later()), updated_at: later(), version: 2, ..ada.clone() });
        assert_eq!(event, EventData::UserErasureRequested { user_id: ada.id });
        for by in [&erased, &root] {
            assert_eq!(erased.request_erasure(by, later()).unwrap(), None);
        }
        assert!(matches!(erased.request_erasure(&bob, later()), Err(Error::Forbidden(_))));
        let on = UserPatch { is_active: Some(true), ..UserPatch::default() };
        assert!(matches!(erased.edit(&root, on, false, later()), Err(Error::BeingErased)));
        assert!(matches!(erased.assign_roles(&root, [Role::Author].into(), later()), Err(Error::BeingErased)));

        let inactive = switched_off(&ada);
        assert!(matches!(inactive.request_erasure(&inactive, later()), Err(Error::Unauthenticated(_))), "this would be its first request");
        assert!(inactive.request_erasure(&root, later()).unwrap().is_some(), "what an admin has switched off is not erased yet");
    }

    #[test]
    fn admins_give_roles_and_nobody_raises_themselves() {
        let (ada, root) = (user(1, &[Role::Editor]), user(3, &[Role::Reader, Role::Admin]));
        assert_eq!(ada.assign_roles(&root, [Role::Admin].into(), later()).unwrap().roles, [Role::Admin].into());
        assert_eq!(ada.assign_roles(&root, [Role::Editor].into(), later()).unwrap(), ada);
        assert!(matches!(ada.assign_roles(&ada, [Role::Editor].into(), later()), Err(Error::Forbidden(Action::AssignRoles))));
        assert!(matches!(root.assign_roles(&root, [Role::Admin, Role::Editor].into(), later()), Err(Error::Forbidden(_))));
        assert_eq!(root.assign_roles(&root, [Role::Reader].into(), later()).unwrap().roles, [Role::Reader].into());
        assert!(matches!(ada.assign_roles(&switched_off(&root), Roles::new(), later()), Err(Error::Unauthenticated(_))));
    }

    #[test]
    fn an_account_acts_with_the_roles_that_it_and_its_token_have() {
        let ada = user(1, &[Role::Reader, Role::Admin]);
        let acting = |roles: &[Role]| ada.acting(&Principal::user(ada.id, roles.iter().copied().collect())).roles;
        assert_eq!(acting(&[Role::Reader, Role::Admin]), ada.roles);
        assert_eq!(acting(&[Role::Reader]), [Role::Reader].into());
        assert_eq!(acting(&[Role::Editor]), Roles::new());
        assert_eq!(ada.acting(&Principal::Anonymous).roles, Roles::new());
    }

    #[test]
    fn an_admin_without_a_second_factor_gets_no_token_of_an_admin_where_one_is_wanted() {
        let ada = user(1, &[Role::Reader, Role::Admin]);
        let with = ada.with_second_factor(Some(later()), later()).unwrap();
        assert_eq!((with.second_factor_at, with.version), (Some(later()), 2));
        assert_eq!((ada.granted_roles(false), with.granted_roles(true)), (ada.roles.clone(), ada.roles.clone()));
        assert_eq!(ada.granted_roles(true), [Role::Reader].into());
        assert_eq!(with.with_second_factor(None, later()).unwrap().granted_roles(true), [Role::Reader].into());
        assert!(matches!(switched_off(&ada).with_second_factor(None, later()), Err(Error::Unauthenticated(_))));
    }

    #[test]
    fn the_first_admin_is_the_named_account_once() {
        let (ada, bob) = (user(1, &[Role::Reader]), user(2, &[Role::Reader]));
        let (admin, admins) = ada.first_admin(Some(ada.id), None, later()).unwrap().unwrap();
        assert_eq!(admin, User { roles: [Role::Reader, Role::Admin].into(), updated_at: later(), version: 2, ..ada.clone() });
        assert_eq!(admins, Admins { ids: [ada.id].into(), version: 1 });
        assert_eq!(ada.first_admin(Some(ada.id), Some(&admins), later()).unwrap(), None, "there has been one");
        assert_eq!(ada.first_admin(Some(bob.id), None, later()).unwrap(), None);
        assert_eq!(ada.first_admin(None, None, later()).unwrap(), None);
        assert_eq!(switched_off(&ada).first_admin(Some(ada.id), None, later()).unwrap(), None);
    }

    #[test]
    fn an_address_is_verified_until_it_changes() {
        let ada = user(1, &[Role::Reader]);
        assert_eq!(ada.access(true), Access::Unverified);
        let verified = ada.verify_email(later()).unwrap();
        assert_eq!((verified.email_verified_at, verified.version, verified.access(true)), (Some(later()), 2, Access::Full));
        assert_eq!(verified.verify_email(Timestamp::from_millis(LATER + 1)).unwrap(), verified);
        let patch = |email: &str| UserPatch { email: Some(Email::parse(email).unwrap()), ..UserPatch::default() };
        assert_eq!(verified.edit(&verified, patch(ada.email.as_str()), false, later()).unwrap(), verified);
        let moved = |is_proved| verified.edit(&verified, patch("lovelace@example.com"), is_proved, later());
        assert_eq!(moved(true).unwrap().email_verified_at, None);
        assert!(matches!(moved(false), Err(Error::Invalid(fields)) if fields[0].pointer == "/currentPassword"), "a token alone is not enough");
    }

    #[test]
    fn there_is_always_an_admin() {
        let (ada, bob) = (user(1, &[Role::Admin]), user(2, &[Role::Admin]));
        let both = Admins::after(Some(&Admins::after(None, &ada).unwrap()), &bob).unwrap();
        assert_eq!(both, Admins { ids: [ada.id, bob.id].into(), version: 2 });
        let one = Admins::after(Some(&both), &switched_off(&ada)).unwrap();
        assert_eq!(one, Admins { ids: [bob.id].into(), version: 3 });
        assert!(matches!(Admins::after(Some(&one), &User { roles: Roles::new(), ..bob }), Err(Error::LastAdmin)));
    }
}

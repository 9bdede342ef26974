//! Accounts.

use std::collections::HashMap;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    change::Change,
    error::Kind,
    id::UserId,
    password_rules::{self, Known},
    policy::{self, Action, Principal, Role, Roles},
    text::{Bio, DisplayName, Email, Password, Username},
    user::{Credential, Registration, User, UserPatch},
};
use quire_store::{Claim, Commit, Key, Order, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    idempotency::commit_once,
    input::{Fields, Input},
    page::{self, PageRequest, PageView},
    password,
};

/// Reads accounts.
#[derive(Debug, Clone)]
pub struct Users {
    store: Store,
}

/// Opens accounts.
#[derive(Debug, Clone)]
pub struct Registrations {
    store: Store,
    pub(crate) roles: Roles,
}

/// What a person sends to register.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The account.
    pub registration: Registration,
    /// Not part of what makes two requests the same.
    pub password: Password,
}

impl Input for NewUser {
    fn read(fields: &mut Fields) -> Option<Self> {
        let username = fields.required("username", Username::parse);
        let email = fields.required("email", Email::parse);
        let password = fields.required("password", |text| Password::parse(&text.into()));
        let display_name = fields.optional("displayName", DisplayName::parse);
        let bio = fields.optional("bio", Bio::parse);
        let registration = Registration { username: username?, email: email?, display_name: display_name?, bio: bio? };
        let password = password?;
        let Registration { username, email, display_name, bio: _ } = &registration;
        if let Err(error) = password_rules::check(&password, Known { username, email, display_name: display_name.as_ref() }) {
            return fields.refuse("password", &error.to_string());
        }
        Some(Self { registration, password })
    }
}

/// A change of an account, and what shows that its owner, or an admin, makes it.
#[derive(Debug, Clone)]
pub struct UserEdit {
    /// What changes.
    pub patch: UserPatch,
    /// The password of the account that asks, without which no address changes.
    pub current_password: Option<Password>,
}

/// A JSON Merge Patch (RFC 7396).
impl Input for UserEdit {
    fn read(fields: &mut Fields) -> Option<Self> {
        let username = fields.replaced("username", Username::parse);
        let email = fields.replaced("email", Email::parse);
        let display_name = fields.change("displayName", DisplayName::parse);
        let bio = fields.change("bio", Bio::parse);
        let is_active = fields.flag("isActive");
        let current_password = fields.optional("currentPassword", password::typed);
        let patch = UserPatch { username: username?, email: email?, display_name: display_name?, bio: bio?, is_active: is_active? };
        Some(Self { patch, current_password: current_password? })
    }
}

/// What an account becomes: the change that makes it so from whatever it was.
#[derive(Debug, Clone)]
pub struct UserReplacement(pub UserEdit);

impl Input for UserReplacement {
    fn read(fields: &mut Fields) -> Option<Self> {
        let username = fields.required("username", Username::parse);
        let email = fields.required("email", Email::parse);
        let display_name = fields.optional("displayName", DisplayName::parse);
        let bio = fields.optional("bio", Bio::parse);
        let is_active = fields.flag("isActive");
        let current_password = fields.optional("currentPassword", password::typed);
        let patch = UserPatch {
            username: Some(username?),
            email: Some(email?),
            display_name: Change::from(display_name?),
            bio: Change::from(bio?),
            is_active: is_active?,
        };
        Some(Self(UserEdit { patch, current_password: current_password? }))
    }
}

/// All roles of an account.
#[derive(Debug, Clone)]
pub struct RoleReplacement(pub Roles);

impl Input for RoleReplacement {
    fn read(fields: &mut Fields) -> Option<Self> {
        let list = fields.list("roles", str::parse::<Role>)?;
        let roles: Roles = list.iter().copied().collect();
        match roles.len() {
            0 => fields.refuse("roles", "must have 1 role or more"),
            distinct if distinct < list.len() => fields.refuse("roles", "must name each role once"),
            _ => Some(Self(roles)),
        }
    }
}

/// Which accounts a list holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserQuery {
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only those that are active, or that are not.
    pub is_active: Option<bool>,
    /// Which page of them.
    pub page: PageRequest,
}

impl Input for UserQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let role = fields.optional("role", str::parse);
        let is_active = fields.flag("isActive");
        let page = PageRequest::read(fields);
        Some(Self { role: role?, is_active: is_active?, page: page? })
    }
}

impl UserQuery {
    /// The partition with the fewest accounts besides those that are asked for.
    fn partition(&self) -> String {
        match (self.role, self.is_active) {
            // There are fewer of these than accounts that are switched off.
            (Some(role @ (Role::Editor | Role::Admin)), _) => Key::users_with(role),
            (_, Some(false)) => Key::INACTIVE_USERS.to_owned(),
            (Some(role), _) => Key::users_with(role),
            (None, _) => Key::USERS.to_owned(),
        }
    }

    fn keeps(&self, user: &User) -> bool {
        self.role.is_none_or(|role| user.roles.contains(&role)) && self.is_active.is_none_or(|is_active| user.is_active == is_active)
    }
}

/// An account as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// Names the account.
    pub user_id: UserId,
    /// Unique among all accounts.
    pub username: Username,
    /// Only for the account itself and for admins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<Email>,
    /// Whether it has shown that the address is its own; stands beside the address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email_verified: Option<bool>,
    /// How it wants to be called.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub display_name: Option<DisplayName>,
    /// What it says of itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bio: Option<Bio>,
    /// Whether it may sign in.
    pub is_active: bool,
    /// What it may do.
    pub roles: Roles,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

impl UserView {
    pub(crate) fn of(user: User, principal: &Principal) -> Self {
        let User {
            id,
            username,
            email,
            email_verified_at,
            second_factor_at: _,
            display_name,
            bio,
            roles,
            is_active,
            created_at,
            updated_at,
            erasure_requested_at: _,
            version,
        } = user;
        let email = policy::allows(principal, Action::SeeEmail, Some(id)).then_some(email);
        let email_verified = email.as_ref().map(|_| email_verified_at.is_some());
        Self { user_id: id, username, email, email_verified, display_name, bio, is_active, roles, created_at, updated_at, version }
    }
}

impl Registrations {
    /// Registrations that give new accounts `roles`: some of reader, commenter and author, separated by commas.
    ///
    /// # Errors
    /// A sentence about a role that cannot be given to everybody.
    pub fn new(store: Store, roles: &str) -> Result<Self, String> {
        let role = |name: &str| match name.trim().parse() {
            Ok(role @ (Role::Reader | Role::Commenter | Role::Author)) => Ok(role),
            Ok(Role::Editor | Role::Admin) | Err(_) => Err(format!("new accounts cannot have the role \"{name}\"")),
        };
        Ok(Self { store, roles: roles.split(',').map(role).collect::<Result<_, _>>()? })
    }

    /// Opens an account. Its view is the account's own, with the address.
    ///
    /// # Errors
    /// [`Error::UsernameTaken`], [`Error::EmailTaken`].
    pub fn register<'a>(&'a self, call: &'a Call, input: NewUser) -> BoxFuture<'a, Result<UserView>> {
        Box::pin(async move {
            let decision = async {
                let NewUser { registration, password } = &input;
                let (user, registered) = User::register(registration.clone(), self.roles.clone(), UserId::generate(call.now), call.now);
                let credential = Credential { user_id: user.id, password_hash: password::hash(password)?, version: 1 };
                let commit = Commit::new(Some(user.id), call.trace.clone(), call.now)
                    .create(&user)
                    .create(&credential)
                    .claim(Claim::Username(user.username.clone()), &user.id)
                    .claim(Claim::Email(user.email.clone()), &user.id)
                    .emit([registered]);
                let own = Principal::user(user.id, user.roles.clone());
                Ok((UserView::of(user, &own), commit))
            };
            commit_once(&self.store, call, "register-user", &input.registration, decision).await
        })
    }
}

impl Users {
    /// The accounts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// An account; its address is shown to itself and to admins.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn get<'a>(&'a self, call: &'a Call, id: UserId) -> BoxFuture<'a, Result<UserView>> {
        Box::pin(async move {
            let user = self.store.get::<User>(Key::user(id)).await?.ok_or(Error::NotFound(Kind::User))?;
            Ok(UserView::of(user, &call.principal))
        })
    }

    /// Those of these accounts that there are, in one batch for 100 of them. Each id stands there once.
    ///
    /// # Errors
    /// The table's.
    pub fn many<'a>(&'a self, call: &'a Call, ids: Vec<UserId>) -> BoxFuture<'a, Result<HashMap<UserId, UserView>>> {
        Box::pin(async move {
            let mut found = self.store.find(ids.iter().copied().map(Key::user).collect()).await?;
            let mut views = HashMap::with_capacity(ids.len());
            for id in ids {
                if let Some(user) = found.take::<User>(&Key::user(id))? {
                    views.insert(id, UserView::of(user, &call.principal));
                }
            }
            Ok(views)
        })
    }

    /// Accounts, newest first, for admins. One query a page; more where few accounts of the partition are asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn list<'a>(&'a self, call: &'a Call, query: &'a UserQuery) -> BoxFuture<'a, Result<PageView<UserView>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ListUsers, None)?;
            let pages = query.page.pages::<UserId>(query.partition(), Order::Descending)?;
            let (users, next) = page::walk(&self.store, pages, |user: &User| user.id, |user| query.keeps(user)).await?;
            Ok(PageView::new(users.into_iter().map(|user| UserView::of(user, &call.principal)), |user| user.user_id, next))
        })
    }
}

//! Accounts.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    error::Kind,
    id::UserId,
    policy::{self, Action, Principal, Role, Roles},
    text::{Email, Password, Username},
    user::{Credential, Registration, User},
};
use quire_store::{Claim, Commit, Key, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    idempotency::commit_once,
    input::{Fields, Input},
    password,
};

/// The use cases of accounts.
#[derive(Debug, Clone)]
pub struct Users {
    store: Store,
}

/// Opens accounts.
#[derive(Debug, Clone)]
pub struct Registrations {
    store: Store,
    roles: Roles,
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
        Some(Self { registration: Registration { username: username?, email: email? }, password: password? })
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
    /// Whether it may sign in.
    pub is_active: bool,
    /// What it may do.
    pub roles: Roles,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

impl UserView {
    fn of(user: User, principal: &Principal) -> Self {
        let User { id, username, email, roles, is_active, created_at, version } = user;
        let email = policy::allows(principal, Action::SeeEmail, Some(id)).then_some(email);
        Self { user_id: id, username, email, is_active, roles, created_at, version }
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
                let own = Principal::User { id: user.id, roles: user.roles.clone() };
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
}

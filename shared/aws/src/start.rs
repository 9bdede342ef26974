//! How every function starts.

#[cfg(feature = "kms")]
use std::sync::Arc;
use std::{error::Error as StdError, process::ExitCode};

use aws_types::SdkConfig;
use quire_app::{
    rates::Rates,
    sessions::SessionRules,
    tokens::{Issuer, Tokens},
};
#[cfg(feature = "kms")]
use quire_app::{
    second_factor::SecondFactors,
    sessions::{Sessions, SignIn},
};
use quire_domain::{id::UserId, session::Lifetimes};
use quire_store::Store;

#[cfg(feature = "kms")]
use crate::kms::Kms;
use crate::{Environment, MissingVariable, config::ConfigError};

/// Any error, at the start of a function.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What a function builds its dependencies from, once, at cold start.
#[derive(Debug)]
pub struct Setup {
    /// Variables of the template.
    pub environment: Environment,
    /// For AWS clients.
    pub aws: SdkConfig,
}

impl Setup {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        let environment = Environment;
        Ok(Self { environment, aws: environment.aws()? })
    }

    /// The table (`TABLE_NAME`, `AUDIT_DAYS`).
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn store(&self) -> Result<Store, ConfigError> {
        Ok(Store::new(&self.aws, self.environment.get("TABLE_NAME")?, self.environment.number("AUDIT_DAYS")?))
    }

    /// Whose tokens are ours (`ISSUER`, `AUDIENCE`).
    ///
    /// # Errors
    /// [`MissingVariable`].
    pub fn issuer(&self) -> Result<Issuer, MissingVariable> {
        Ok(Issuer { issuer: self.environment.get("ISSUER")?, audience: self.environment.get("AUDIENCE")? })
    }

    /// What the deployment decides of sessions (`REQUIRE_VERIFIED_EMAIL`, `REQUIRE_ADMIN_SECOND_FACTOR`, `SESSION_DAYS`,
    /// `SESSION_IDLE_DAYS`).
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn session_rules(&self, first_admin: Option<UserId>) -> Result<SessionRules, ConfigError> {
        let seconds = |name| self.environment.number(name).map(|days| i64::from(days) * 24 * 60 * 60);
        Ok(SessionRules {
            first_admin,
            wants_verified_email: self.environment.flag("REQUIRE_VERIFIED_EMAIL")?,
            wants_admin_second_factor: self.environment.flag("REQUIRE_ADMIN_SECOND_FACTOR")?,
            lifetimes: Lifetimes { session: seconds("SESSION_DAYS")?, idle: seconds("SESSION_IDLE_DAYS")? },
        })
    }

    /// The account that becomes the first admin when it signs in (`FIRST_ADMIN`; empty for none).
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn first_admin(&self) -> Result<Option<UserId>, ConfigError> {
        match self.environment.get("FIRST_ADMIN")? {
            none if none.is_empty() => Ok(None),
            id => id.parse().map(Some).map_err(|_| ConfigError::Id("FIRST_ADMIN".to_owned())),
        }
    }

    /// Sessions by [`Setup::session_rules`], with tokens of [`Setup::issuer`] (`SIGNING_KEY_ID`).
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    #[cfg(feature = "kms")]
    pub fn sessions(&self, first_admin: Option<UserId>) -> Result<Sessions, ConfigError> {
        let vault = Kms::new(&self.aws, self.environment.get("SIGNING_KEY_ID")?);
        Ok(Sessions::new(self.store()?, Arc::new(vault), self.issuer()?, self.session_rules(first_admin)?))
    }

    /// Signs in with a password, and with a code where there is a second factor (`SECOND_FACTOR_KEY_ID`, and all of [`Setup::sessions`]).
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    #[cfg(feature = "kms")]
    pub fn sign_in(&self) -> Result<SignIn, ConfigError> {
        let secrets = Kms::new(&self.aws, self.environment.get("SECOND_FACTOR_KEY_ID")?);
        Ok(SignIn::new(self.sessions(self.first_admin()?)?, SecondFactors::new(self.store()?, Arc::new(secrets))))
    }

    /// Quotas of writes a minute (`WRITES_PER_MINUTE`, `ANONYMOUS_WRITES_PER_MINUTE`).
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn rates(&self) -> Result<Rates, ConfigError> {
        let quota = |name| self.environment.number(name);
        Ok(Rates::new(self.store()?, quota("WRITES_PER_MINUTE")?, quota("ANONYMOUS_WRITES_PER_MINUTE")?))
    }

    /// Verifies tokens of [`Setup::issuer`].
    ///
    /// # Errors
    /// [`ConfigError`], with the name of what is wrong.
    pub fn tokens(&self) -> Result<Tokens, ConfigError> {
        Ok(Tokens::new(self.store()?, self.issuer()?))
    }
}

/// Runs a function until Lambda ends it: logs first, on one thread, because Lambda gives a function one request at a time.
pub fn main(run: impl Future<Output = Result<(), BoxError>>) -> ExitCode {
    quire_telemetry::init();
    let outcome = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BoxError::from);
    match outcome.and_then(|runtime| runtime.block_on(run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = quire_telemetry::chain(&*error), "The function cannot start");
            ExitCode::FAILURE
        }
    }
}

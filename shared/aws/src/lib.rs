//! AWS as the functions reach it: configuration from the environment alone, the start of every function, and the adapters of the ports.

pub mod config;
#[cfg(feature = "kms")]
pub mod kms;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "ses")]
pub mod ses;
#[cfg(feature = "sqs")]
pub mod sqs;
pub mod start;

pub use config::{Environment, MissingVariable};
pub use start::{BoxError, Setup};

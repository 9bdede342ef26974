//! The use cases: one transport-free function for each thing that a user or a worker can do. Each loads what it needs, calls the
//! pure decision and commits. REST, GraphQL and RPC call the same ones.
//!
//! Public functions are boxed where SDK code stands behind them, so that it is compiled here and not again in every function.

pub mod access_tokens;
pub mod api_tokens;
pub mod audit;
pub mod call;
pub mod change;
pub mod comments;
mod delay;
pub mod deliveries;
pub mod erasure;
pub mod exports;
pub mod fan_out;
pub mod feeds;
pub mod follows;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod health;
mod idempotency;
pub mod identities;
pub mod input;
mod jwt;
pub mod keys;
pub mod mails;
pub mod moderation;
pub mod notifications;
pub mod one_time;
mod opaque;
pub mod outbox;
pub mod page;
mod password;
pub mod passwords;
pub mod persisted;
pub mod ports;
pub mod posts;
pub mod publishing;
pub mod rates;
pub mod reactions;
pub mod second_factor;
pub mod second_factor_changes;
pub mod selection;
pub mod sessions;
pub mod tags;
pub mod tallies;
pub mod tokens;
pub mod user_changes;
pub mod users;
pub mod verification;
pub mod webhooks;

pub use call::{Call, Client, IdempotencyKey};
pub use quire_domain::{Error, Result};

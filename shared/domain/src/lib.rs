//! The rules of Quire, without I/O, HTTP or AWS: each decision is a pure function of (state, principal, input, now)
//! that returns the changed entities and the events that follow from them.

pub mod admins;
pub mod api_token;
pub mod audit;
pub mod change;
pub mod comment;
pub mod counts;
pub mod cursor;
pub mod details;
pub mod device;
pub mod error;
pub mod event;
pub mod export;
pub mod follow;
pub mod id;
pub mod identity;
pub mod limits;
pub mod moderation;
pub mod network;
pub mod notification;
pub mod one_time;
pub mod password_rules;
pub mod persisted;
pub mod policy;
pub mod post;
pub mod rate;
pub mod reaction;
pub mod revision;
pub mod second_factor;
pub mod session;
pub mod signing;
pub mod slug;
pub mod text;
pub mod throttle;
pub mod time;
pub mod user;
pub mod webhook;

pub use error::{Error, FieldError, Result};
pub use time::Timestamp;

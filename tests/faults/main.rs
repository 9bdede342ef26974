//! What crashes, duplicates and restarts do: nothing is lost and nothing is done twice.

mod aws;
mod erasure;
mod events;
mod factors;
mod kills;
mod moderation;
mod outbox;
mod permissions;
mod posts;
mod process;
mod refusals;
mod story;
mod sweep;
mod watch;
mod webhooks;

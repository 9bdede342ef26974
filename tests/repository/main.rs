//! What the repository promises of itself: sets that must agree, rules of its structure, and events that run.

mod events;
mod sets;
mod structure;

//! What the repository promises of itself: sets that must agree, and rules of its structure.

//! End-to-end tests: the real function binaries through the local cloud.

mod story;

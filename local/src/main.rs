//! The command line of the local cloud: `cargo run` starts it, `cargo run -- invoke FUNCTION` runs one function once.

mod cli;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run().await
}

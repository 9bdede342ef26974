//! Commands and their options.

mod invoke;
mod log;
mod start;
mod watch;

use std::{
    collections::BTreeMap,
    env, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use quire_local::{
    cargo::{self, BuildError},
    cloud::StartError,
    stack::Stack,
    template::{self, Source, TemplateError},
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Runs Quire on this machine: the real functions, behind local stand-ins for the AWS services that they use.
#[derive(Parser)]
#[command(name = "quire", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: StartOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the whole system (the default).
    Start(StartOptions),
    /// Runs one function once, and prints its result, duration, memory and logs.
    Invoke(InvokeOptions),
}

#[derive(Args)]
struct StartOptions {
    /// Port of the HTTP API; the AWS services are at the next one.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u16).range(..=65534))]
    port: u16,
    /// Forgets all data of earlier runs first.
    #[arg(long)]
    fresh: bool,
    /// Rebuilds and replaces functions when a source file changes.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    common: CommonOptions,
}

#[derive(Args)]
struct InvokeOptions {
    /// The function: its binary (`register-user`) or its logical id (`RegisterUser`).
    function: String,
    /// File with the event, `-` for standard input. An empty object if absent.
    #[arg(long)]
    event: Option<PathBuf>,
    #[command(flatten)]
    common: CommonOptions,
}

#[derive(Args)]
struct CommonOptions {
    /// Folder for all data [default: .quire beside the template].
    #[arg(long)]
    data: Option<PathBuf>,
    /// A parameter of the template, as `Name=value`. May be repeated.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// The template [default: the nearest template.yaml in this folder or above].
    #[arg(long)]
    template: Option<PathBuf>,
}

/// Why a command failed: one line for a person.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("there is no template.yaml in this folder or above; name one with --template")]
    NoTemplate,
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("there is no function {0}; the template has {1}")]
    NoFunction(String, String),
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error("cannot watch the source files: {0}")]
    Watch(#[from] notify::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(crate) async fn run() -> ExitCode {
    let cli = Cli::parse();
    // The embedded DynamoDB warns of every request that it refuses; the caller learns of that anyway.
    let targets = Targets::new().with_default(LevelFilter::WARN).with_target("dynoxide", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    tracing_subscriber::registry().with(lines).with(targets).init();
    let outcome = match cli.command {
        Some(Command::Invoke(options)) => invoke::run(options).await,
        Some(Command::Start(options)) => start::run(options).await,
        None => start::run(cli.start).await,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

impl CommonOptions {
    fn template(&self) -> Result<PathBuf, CliError> {
        match &self.template {
            Some(template) => Ok(template.clone()),
            None => {
                env::current_dir()?.ancestors().map(|folder| folder.join("template.yaml")).find(|path| path.is_file()).ok_or(CliError::NoTemplate)
            }
        }
    }

    fn data(&self, template: &Path) -> PathBuf {
        self.data.clone().unwrap_or_else(|| workspace(template).join(".quire"))
    }

    fn parameters(&self) -> BTreeMap<String, String> {
        self.parameters.iter().cloned().collect()
    }

    /// The stack as the template declares it, before anything runs.
    fn stack(&self, template: &Path) -> Result<Stack, CliError> {
        let source = Source {
            stack_name: quire_local::cloud::STACK.into(),
            region: quire_local::cloud::REGION.into(),
            account: quire_local::service::ACCOUNT.into(),
            parameters: self.parameters(),
            endpoint_url: String::new(),
        };
        Ok(template::load(template, &source)?)
    }
}

/// The folder of the template, where Cargo's workspace is.
fn workspace(template: &Path) -> PathBuf {
    match template.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Builds functions, with Cargo's own progress on standard error.
async fn build(template: &Path, binaries: &[String]) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    cargo::build(&workspace(template), binaries, |line| eprintln!("{line}")).await
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be Name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

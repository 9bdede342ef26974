//! Measures the functions as they are deployed: cold starts against a bare hello world, then warm requests through the local cloud.

mod cold;
mod events;
mod pages;
mod process;
mod sign_in;
mod tls;
mod warm;

use std::{
    collections::BTreeMap,
    env,
    error::Error as StdError,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};

use clap::{Parser, Subcommand};
use quire_local::cloud::{Cloud, Options as CloudOptions};

/// Any error ends the run.
type BoxError = Box<dyn StdError + Send + Sync>;
type Result<T, E = BoxError> = std::result::Result<T, E>;

/// What every function is compared with.
const HELLO: &str = "hello";
/// Folder of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Measures cold starts and warm requests, and prints two Markdown tables.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Cold starts of each function; the tables show medians
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only these functions, by the name of their binary
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Longest time for each kind of warm request, in seconds; 0 for none
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Most warm requests of a kind
    #[arg(long, default_value_t = 20_000)]
    requests: usize,
    /// Warm requests at a time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compares what pages of short and of long lists of posts consume, with the functions of the tests
    Pages {
        /// Posts in the long lists
        #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(i64::from(pages::SHORT)..=2_000_000))]
        posts: u32,
    },
    /// Compares how long a sign-in takes for names that an account has and for others
    SignIn {
        /// Tries of each kind
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        tries: u32,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<()> {
    if let Some(Command::Pages { posts }) = options.command {
        return pages::run(posts).await;
    }
    let binaries = build(options).await?;
    let data = tempfile::tempdir()?;
    if let Some(Command::SignIn { tries }) = options.command {
        let cloud = start(&data.path().join("sign-in"), &binaries, false).await?;
        let measured = sign_in::run(&cloud, tries as usize).await;
        cloud.stop().await;
        println!("{}", measured?);
        return Ok(());
    }
    // The processes that are measured are ours: nothing else may invoke functions meanwhile.
    let cloud = start(&data.path().join("cold"), &binaries, false).await?;
    let measured = cold::run(&cloud, &binaries, options.runs as usize, &options.only).await;
    cloud.stop().await;
    println!("{}", measured?);
    if options.seconds > 0 {
        let cloud = start(&data.path().join("warm"), &binaries, true).await?;
        let limits =
            warm::Limits { time: Duration::from_secs(options.seconds), requests: options.requests, concurrency: options.concurrency as usize };
        let measured = warm::run(&cloud, limits).await;
        cloud.stop().await;
        println!("{}", measured?);
    }
    Ok(())
}

/// Builds the functions that are measured and hello world in the profile of this program, and tells where they are.
async fn build(options: &Options) -> Result<BTreeMap<String, PathBuf>> {
    if cfg!(debug_assertions) {
        eprintln!("warning: these are debug binaries; measure with `cargo run --release -p quire-bench`");
    }
    let template = quire_local::template::load(&Path::new(ROOT).join("template.yaml"), &source())?;
    let is_measured = |name: &String| events::MEASURED.contains(&name.as_str()) || options.only.contains(name);
    let mut names: Vec<_> = template.functions.into_values().map(|function| function.binary).filter(is_measured).collect();
    names.push(HELLO.to_owned());
    let mut command = quire_local::cargo::command();
    // The whole workspace decides the features of dependencies, as it does in `cargo run` and in the tests.
    command.args(["build", "--workspace"]).args(if cfg!(debug_assertions) { &[][..] } else { &["--release"] });
    command.args(names.iter().flat_map(|name| ["--bin", name])).current_dir(ROOT).stdin(Stdio::null());
    if !command.status().await?.success() {
        return Err("the functions do not build".into());
    }
    let own = env::current_exe()?;
    let folder = own.parent().ok_or("this program is in no folder")?;
    Ok(names.into_iter().map(|name| (name.clone(), folder.join(name))).collect())
}

fn source() -> quire_local::template::Source {
    quire_local::template::Source {
        stack_name: quire_local::cloud::STACK.into(),
        region: quire_local::cloud::REGION.into(),
        account: quire_local::service::ACCOUNT.into(),
        parameters: BTreeMap::new(),
        endpoint_url: "http://127.0.0.1:1".into(),
    }
}

async fn start(data: &Path, binaries: &BTreeMap<String, PathBuf>, sources: bool) -> Result<Cloud> {
    let options = CloudOptions {
        template: Path::new(ROOT).join("template.yaml"),
        // What is measured is how fast writes are and not how many are allowed.
        parameters: [("WritesPerMinute", "1000000000"), ("AnonymousWritesPerMinute", "1000000000"), ("RequireVerifiedEmail", "false")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        data: data.to_owned(),
        port: 0,
        sources,
        binaries: binaries.clone(),
        log: Arc::new(|_| ()),
    };
    Ok(Cloud::start(options).await?)
}

/// The middle value; of an even number, the lower of the two.
fn median<T: Copy + Ord>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

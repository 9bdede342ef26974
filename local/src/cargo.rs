//! Builds the functions with Cargo.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo could not be run.
    #[error("cannot run {cargo}")]
    Cargo {
        /// What was tried.
        cargo: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The workspace has no binary of these names.
    #[error("the workspace has no binary named {}", Names(.0))]
    Missing(Vec<String>),
    /// The build failed. Cargo's output has gone to `progress` line by line, and is here once more.
    #[error("cargo build failed:\n{0}")]
    Failed(String),
}

struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.join("`, `"))
    }
}

/// Builds binaries and tells where they are. `progress` gets each line that Cargo prints for people.
pub async fn build(workspace: &Path, binaries: &[String], progress: impl Fn(&str)) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    // The whole workspace decides the features of dependencies, so that they are compiled once, whichever binaries are asked for.
    let wanted = binaries.iter().flat_map(|name| ["--bin", name]);
    let args = ["build", "--workspace", "--message-format=json-render-diagnostics"].into_iter().chain(wanted);
    let (messages, errors, success) = run(workspace, args, &progress).await?;
    if !success {
        // A package that does not exist deserves a plainer word than Cargo's.
        let missing = missing(binaries, &targets(workspace).await?);
        return Err(if missing.is_empty() { BuildError::Failed(errors) } else { BuildError::Missing(missing) });
    }
    let mut built: BTreeMap<_, _> = messages.iter().filter_map(|message| artifact(message)).collect();
    built.retain(|name, _| binaries.contains(name));
    let missing = missing(binaries, &built.keys().cloned().collect());
    if missing.is_empty() { Ok(built) } else { Err(BuildError::Missing(missing)) }
}

fn missing(binaries: &[String], present: &BTreeSet<String>) -> Vec<String> {
    binaries.iter().filter(|name| !present.contains(*name)).cloned().collect()
}

/// The name and path of an executable, if a message is about one.
fn artifact(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact" || message["target"]["kind"] != Value::from(vec!["bin"]) {
        return None;
    }
    Some((message["target"]["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
}

/// The binaries that the workspace declares in packages of their name.
async fn targets(workspace: &Path) -> Result<BTreeSet<String>, BuildError> {
    let (lines, errors, success) = run(workspace, ["metadata", "--no-deps", "--format-version=1"], &|_: &str| ()).await?;
    if !success {
        return Err(BuildError::Failed(errors));
    }
    let metadata: Value = serde_json::from_str(&lines.concat()).unwrap_or_default();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let names = packages.filter_map(|package| {
        let name = package["name"].as_str()?;
        let declared = |target: &Value| target["name"] == name && target["kind"] == Value::from(vec!["bin"]);
        package["targets"].as_array()?.iter().any(declared).then(|| name.to_owned())
    });
    Ok(names.collect())
}

/// The Cargo that runs this program, or else that of the path, without what it has told this program of its package: a build script that
/// looks at such variables (that of `ring` does) would run again whenever they differ from those of the build before, and all that depends on it
/// would be built again.
pub fn command() -> Command {
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs Cargo to its end: the lines of its output, the text that it prints for people, and whether it succeeded.
async fn run<'a>(
    workspace: &Path,
    args: impl IntoIterator<Item = &'a str>,
    progress: &impl Fn(&str),
) -> Result<(Vec<String>, String, bool), BuildError> {
    let mut command = command();
    let cargo = command.as_std().get_program().to_string_lossy().into_owned();
    let failed = |source| BuildError::Cargo { cargo: cargo.clone(), source };
    command.args(args).current_dir(workspace).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().map_err(failed)?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let (lines, errors) = tokio::try_join!(lines(output, |_| ()), lines(errors, progress)).map_err(failed)?;
    let status = child.wait().await.map_err(failed)?;
    Ok((lines, errors.join("\n"), status.success()))
}

async fn lines(stream: Option<impl AsyncRead + Unpin>, each: impl Fn(&str)) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    if let Some(stream) = stream {
        let mut reader = BufReader::new(stream).lines();
        while let Some(line) = reader.next_line().await? {
            each(&line);
            lines.push(line);
        }
    }
    Ok(lines)
}

//! `--watch`: a changed source file rebuilds the functions and replaces those whose binary is another than before.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use quire_local::cloud::Cloud;
use tokio::sync::mpsc;

use super::{CliError, build, workspace};

/// Editors save in several steps; changes that follow each other this closely are one.
const SETTLE: Duration = Duration::from_millis(200);
/// Folders that functions are made from.
const SOURCES: [&str; 2] = ["functions", "shared"];

pub(super) struct Watch {
    changes: mpsc::Receiver<()>,
    built: BTreeMap<String, SystemTime>,
    /// Watches until it is dropped.
    _watcher: RecommendedWatcher,
}

impl Watch {
    pub(super) fn start(template: &Path, binaries: &BTreeMap<String, PathBuf>) -> Result<Self, CliError> {
        let (sender, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let changed = event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)));
            if changed {
                // A full channel holds the one message that is needed.
                _ = sender.try_send(());
            }
        })?;
        for folder in SOURCES {
            watcher.watch(&workspace(template).join(folder), RecursiveMode::Recursive)?;
        }
        Ok(Self { changes, built: times(binaries)?, _watcher: watcher })
    }

    /// Rebuilds after each change, for as long as the cloud runs. Returns only if watching fails.
    pub(super) async fn run(&mut self, template: &Path, cloud: &Cloud) -> CliError {
        loop {
            if self.changes.recv().await.is_none() {
                return CliError::Io(io::Error::other("watching has ended"));
            }
            while tokio::time::timeout(SETTLE, self.changes.recv()).await.is_ok_and(|change| change.is_some()) {}
            let binaries: Vec<_> = self.built.keys().cloned().collect();
            // A source file that does not compile leaves the old functions in place; Cargo has said why.
            let Ok(built) = build(template, &binaries).await else { continue };
            let times = match times(&built) {
                Ok(times) => times,
                Err(error) => return error,
            };
            for function in cloud.stack().functions.values() {
                if times.get(&function.binary) != self.built.get(&function.binary) {
                    eprintln!("Replacing {}", function.binary);
                    cloud.functions().replace(&function.logical_id);
                }
            }
            self.built = times;
        }
    }
}

fn times(binaries: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<String, SystemTime>, CliError> {
    let modified = |path: &PathBuf| path.metadata()?.modified();
    binaries.iter().map(|(name, path)| Ok((name.clone(), modified(path)?))).collect()
}

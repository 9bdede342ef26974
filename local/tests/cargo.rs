//! Building the functions of a small workspace.

use std::{cell::RefCell, fs, path::Path};

use quire_local::cargo::{BuildError, build};
use tempfile::TempDir;

fn workspace(packages: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let members: Vec<_> = packages.iter().map(|(name, _)| name).collect();
    write(&folder.path().join("Cargo.toml"), &format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n"));
    for (name, source) in packages {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
        write(&folder.path().join(name).join("Cargo.toml"), &manifest);
        write(&folder.path().join(name).join("src/main.rs"), source);
    }
    folder
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn the_binaries_asked_for_are_built_with_visible_progress() {
    let workspace = workspace(&[("quire-build-one", "fn main() {}"), ("quire-build-other", "broken")]);
    let seen = RefCell::new(Vec::new());
    let built = build(workspace.path(), &names(&["quire-build-one"]), |line| seen.borrow_mut().push(line.to_owned())).await.unwrap();
    assert_eq!(built.keys().collect::<Vec<_>>(), ["quire-build-one"]);
    assert!(built["quire-build-one"].is_file());
    assert!(seen.borrow().iter().any(|line| line.contains("Compiling quire-build-one")), "{seen:?}");
}

#[tokio::test]
async fn a_failed_build_says_what_the_compiler_said() {
    let workspace = workspace(&[("quire-build-broken", "fn main() { nonsense }")]);
    let error = build(workspace.path(), &names(&["quire-build-broken"]), |_| ()).await.unwrap_err();
    assert!(matches!(error, BuildError::Failed(_)));
    assert!(error.to_string().contains("cannot find value `nonsense`"), "{error}");
}

#[tokio::test]
async fn a_missing_binary_is_one_clear_line() {
    let workspace = workspace(&[("quire-build-present", "fn main() {}")]);
    let error = build(workspace.path(), &names(&["quire-build-present", "quire-absent"]), |_| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "the workspace has no binary named `quire-absent`");
}

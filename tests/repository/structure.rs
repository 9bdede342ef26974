//! Dependencies point one way: functions → edge, worker → app → store → domain. The local cloud knows none of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use quire_tests::root;
use serde_json::Value;

/// A shared crate → the crates of ours that it may depend on.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("quire-contract", &[]),
    ("quire-domain", &[]),
    ("quire-store", &["quire-domain"]),
    ("quire-app", &["quire-domain", "quire-store"]),
    ("quire-markdown", &[]),
    ("quire-oidc", &["quire-app", "quire-domain"]),
    ("quire-proto", &[]),
    ("quire-telemetry", &["quire-domain"]),
    ("quire-aws", &["quire-app", "quire-domain", "quire-store", "quire-telemetry"]),
    ("quire-edge", &["quire-app", "quire-aws", "quire-domain", "quire-proto", "quire-telemetry"]),
    ("quire-webhooks", &["quire-app", "quire-domain"]),
    ("quire-worker", &["quire-aws", "quire-domain", "quire-telemetry"]),
];

/// Packages of the workspace: name → (manifest, names of all its dependencies).
fn packages() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo).args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(root()).output();
    let metadata: Value = serde_json::from_slice(&output.expect("cargo metadata").stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    let dependencies = |package: &Value| {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        dependencies.iter().filter(|dependency| dependency["kind"].is_null()).map(|dependency| text(&dependency["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), (text(&package["manifest_path"]), dependencies(package)))).collect()
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let functions: BTreeSet<_> = packages.iter().filter(|(_, (path, _))| path.contains("/functions/")).map(|(name, _)| name.clone()).collect();
    let shared: BTreeSet<_> = packages.iter().filter(|(_, (path, _))| path.contains("/shared/")).map(|(name, _)| name.clone()).collect();
    assert_eq!(shared, ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect());
    assert!(functions.len() >= 14, "{functions:?}");
    let ours: BTreeSet<_> = packages.keys().cloned().collect();
    for (name, (_, dependencies)) in &packages {
        let of_ours: BTreeSet<_> = dependencies.intersection(&ours).cloned().collect();
        if functions.contains(name) {
            assert!(of_ours.is_subset(&shared), "{name} depends on {of_ours:?}");
            assert!(!of_ours.contains("quire-store"), "{name} reaches around the use cases");
        }
        if let Some((_, allowed)) = ALLOWED.iter().find(|(shared, _)| shared == name) {
            let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
            assert!(of_ours.is_subset(&allowed), "{name} depends on {of_ours:?}");
        }
        if name == "quire-local" {
            assert_eq!(of_ours, BTreeSet::new(), "the local cloud knows the template and AWS's interfaces only");
        }
    }
}

#[test]
fn the_domain_knows_no_transport_and_no_aws() {
    let packages = packages();
    let (_, dependencies) = &packages["quire-domain"];
    for forbidden in ["http", "axum", "lambda", "aws", "tokio", "serde_json", "reqwest"] {
        assert!(dependencies.iter().all(|name| !name.starts_with(forbidden)), "{forbidden} in {dependencies:?}");
    }
}

#[test]
fn every_version_stands_in_the_workspace() {
    for (name, (manifest, _)) in packages() {
        let text = std::fs::read_to_string(manifest).expect("a manifest");
        let own: Vec<_> = text.lines().filter(|line| line.contains(" = \"") && line.contains(|digit: char| digit.is_ascii_digit())).collect();
        assert!(own.iter().all(|line| line.starts_with("name") || line.starts_with("description") || line.starts_with("path")), "{name}: {own:?}");
        assert!(text.contains("[lints]\nworkspace = true"), "{name} has the lints of the workspace");
    }
}

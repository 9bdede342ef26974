//! Makes the JSON form, the page and the table of routes of `openapi.yaml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fs,
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use minijinja::{AutoEscape, Environment, context, value::Serde};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let (here, out) = (env::var("CARGO_MANIFEST_DIR")?, env::var("OUT_DIR")?);
    let (here, out) = (Path::new(&here), Path::new(&out));
    let source = here.join("../../openapi.yaml");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-changed=page.html.j2");
    println!("cargo::rerun-if-changed=page.css");

    let contract: Value = yaml_serde::from_str(&fs::read_to_string(source)?)?;
    let (template, style) = (fs::read_to_string(here.join("page.html.j2"))?, fs::read_to_string(here.join("page.css"))?);
    let hash = BASE64_STANDARD.encode(Sha256::digest(&style));
    let json = serde_json::to_string(&contract)?;
    let page = page(&contract, &template, &style)?;
    fs::write(out.join("json-tag.txt"), tag(&json))?;
    fs::write(out.join("page-tag.txt"), tag(&page))?;
    fs::write(out.join("openapi.json"), json)?;
    fs::write(out.join("page.html"), page)?;
    fs::write(
        out.join("policy.txt"),
        format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    )?;
    fs::write(out.join("routes.rs"), routes(&contract))?;
    Ok(())
}

/// A strong entity tag.
fn tag(text: &str) -> String {
    format!("\"{}\"", BASE64_STANDARD.encode(&Sha256::digest(text)[..12]))
}

/// Each path and its methods, as the text of a Rust slice.
fn routes(contract: &Value) -> String {
    let paths: BTreeMap<_, _> = contract["paths"].as_object().into_iter().flatten().collect();
    let entries: String =
        paths.into_iter().map(|(path, item)| format!("({path:?}, &{:?}), ", methods(item).into_iter().collect::<Vec<_>>())).collect();
    format!("&[{entries}]")
}

fn methods(item: &Value) -> BTreeSet<String> {
    let declared = ["get", "put", "post", "patch", "delete"].into_iter().filter(|method| item.get(method).is_some());
    let mut methods: BTreeSet<_> = declared.map(str::to_uppercase).collect();
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    methods.insert("OPTIONS".to_owned());
    methods
}

fn page(contract: &Value, template: &str, style: &str) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let root = contract.clone();
    // Follows `$ref`, so that the template sees the thing itself.
    environment.add_filter("resolved", move |value: minijinja::Value| {
        let value = serde_json::to_value(&value).unwrap_or_default();
        let target = value["$ref"].as_str().and_then(|reference| root.pointer(reference.trim_start_matches('#')));
        minijinja::Value::from(Serde(target.unwrap_or(&value)))
    });
    environment.add_template("page", template)?;
    environment.get_template("page")?.render(context! { contract => Serde(contract), style })
}

//! The examples of `docs/api.md`, run one after the other in one shell.

use std::{collections::BTreeSet, fs, process::Stdio};

use quire_tests::{Quire, root};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

/// An example, and what the guide says that it prints.
struct Example {
    script: String,
    printed: Option<Value>,
}

fn examples(guide: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut blocks = guide.split("\n```").peekable();
    while let Some(block) = blocks.next() {
        if let Some(script) = block.strip_prefix("sh\n") {
            examples.push(Example { script: script.to_owned(), printed: None });
            // What ends this block and begins the next one is the text between them.
            let follows = blocks.next_if(|text| text.is_empty()).and_then(|_| blocks.peek()?.strip_prefix("json\n"));
            if let (Some(json), Some(example)) = (follows, examples.last_mut()) {
                example.printed = Some(serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}")));
            }
        }
    }
    examples
}

/// The names of a document's members, and of those of the first item of a list.
fn members(value: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        names.insert(name.clone());
        names.extend(members(&value[0]).into_iter().map(|inner| format!("{name}/{inner}")));
    }
    names
}

#[tokio::test]
async fn the_examples_of_the_guide_do_what_it_says() {
    let quire = Quire::start_with(&[("RequireVerifiedEmail", "true")]).await;
    let examples = examples(&fs::read_to_string(root().join("docs/api.md")).expect("the guide"));
    assert!(examples.len() >= 10, "{} examples", examples.len());
    assert!(examples.iter().filter(|example| example.printed.is_some()).count() >= 6);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut script =
        "set -euo pipefail\ntrap 'cat \"$last\"' ERR\ncurl() { command curl --fail-with-body --silent --show-error \"$@\"; }\n".to_owned();
    for (number, example) in examples.iter().enumerate() {
        script += &format!("last=\"$OUT/{number}\"\n{{ {}\n}} > \"$last\"\n", example.script);
    }
    let mut shell = Command::new("bash")
        .env("API", format!("{}/api/v1", quire.cloud().url()))
        .env("MAIL", format!("{}/_quire/mail", quire.cloud().endpoint_url()))
        .env("OUT", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("bash");
    shell.stdin.take().expect("its input").write_all(script.as_bytes()).await.expect("the script");
    let output = shell.wait_with_output().await.expect("it ends");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for (number, example) in examples.iter().enumerate() {
        let Some(expected) = &example.printed else { continue };
        let printed = fs::read_to_string(folder.path().join(number.to_string())).expect("what it printed");
        let document: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {}: {printed}", example.script));
        assert_eq!(members(&document), members(expected), "{}", example.script);
    }
    quire.stop().await;
}

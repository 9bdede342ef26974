//! The examples of `README.md` and `docs/api.md`, run one after the other in one shell.

use std::{collections::BTreeSet, fs, process::Stdio};

use quire_tests::{Quire, eventually, root};
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

/// An example that goes wrong ends its script.
const STRICT: &str = "set -euo pipefail\ncurl() { command curl --fail-with-body --silent --show-error \"$@\"; }\n";

/// Runs a script to its end, which must be a good one; what it printed.
async fn run(mut shell: Command, script: &str) -> String {
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("bash");
    shell.stdin.take().expect("its input").write_all(script.as_bytes()).await.expect("the script");
    let output = shell.wait_with_output().await.expect("it ends");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[tokio::test]
async fn the_first_steps_can_be_pasted_whole() {
    let quire = Quire::start_with(&[("RequireVerifiedEmail", "true")]).await;
    let readme = fs::read_to_string(root().join("README.md")).expect("the first page");
    let (_, steps) = readme.split_once("```sh\nAPI=").expect("its first steps");
    let (steps, _) = steps.split_once("```").expect("an end of them");
    let script = format!("{STRICT}API={steps}")
        .replace("http://127.0.0.1:3000", &quire.cloud().url())
        .replace("http://127.0.0.1:3001", &quire.cloud().endpoint_url());
    let printed = run(Command::new("bash"), &script).await;
    let post = printed.split_once("\"postId\":\"").and_then(|(_, rest)| rest.split('"').next()).expect("a post");
    assert!(printed.contains(r#"{"data":{"posts":{"nodes":[{"title":"On notes","author":{"name":"ada"},"#), "{printed}");
    eventually(|| async {
        let comments = quire.get(&format!("/api/v1/posts/{post}/comments")).await.expect(200);
        (comments["items"][0]["content"] == "Well said").then_some(())
    })
    .await;
    quire.stop().await;
}

#[tokio::test]
async fn the_examples_of_the_guide_do_what_it_says() {
    let quire = Quire::start_with(&[("RequireVerifiedEmail", "true")]).await;
    let examples = examples(&fs::read_to_string(root().join("docs/api.md")).expect("the guide"));
    assert!(examples.len() >= 10, "{} examples", examples.len());
    assert!(examples.iter().filter(|example| example.printed.is_some()).count() >= 6);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut script = format!("trap 'cat \"$last\"' ERR\n{STRICT}");
    for (number, example) in examples.iter().enumerate() {
        script += &format!("last=\"$OUT/{number}\"\n{{ {}\n}} > \"$last\"\n", example.script);
    }
    let mut shell = Command::new("bash");
    shell
        .env("API", format!("{}/api/v1", quire.cloud().url()))
        .env("MAIL", format!("{}/_quire/mail", quire.cloud().endpoint_url()))
        .env("OUT", folder.path());
    run(shell, &script).await;
    for (number, example) in examples.iter().enumerate() {
        let Some(expected) = &example.printed else { continue };
        let printed = fs::read_to_string(folder.path().join(number.to_string())).expect("what it printed");
        let document: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {}: {printed}", example.script));
        assert_eq!(members(&document), members(expected), "{}", example.script);
    }
    quire.stop().await;
}

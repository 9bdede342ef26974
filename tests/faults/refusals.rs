//! What the command line says when it cannot start: one clear line, and exit code 1.

use std::{net::TcpListener, path::Path};

use quire_tests::{DEADLINE, root};

use crate::process::{LocalCloud, quire};

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let error = refusal(&root(), &["--port", &port, "--data", text(data.path())]).await;
    assert_eq!(error, format!("error: port {port} is in use; choose another with --port"));
}

#[tokio::test]
async fn a_data_folder_in_use_is_refused() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let first = LocalCloud::start(data.path()).await;
    let error = refusal(&root(), &["--port", "0", "--data", text(data.path())]).await;
    assert_eq!(error, format!("error: another local cloud uses {}; stop it, or choose another folder with --data", text(data.path())));
    first.kill().await;
}

#[tokio::test]
async fn a_data_folder_that_is_a_file_is_refused() {
    let data = tempfile::NamedTempFile::new().expect("a temporary file");
    let error = refusal(&root(), &["--port", "0", "--data", text(data.path())]).await;
    assert!(error.starts_with(&format!("error: the data folder {} cannot be used: ", text(data.path()))), "{error}");
}

#[tokio::test]
async fn a_template_that_is_missing_or_broken_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let template = folder.path().join("template.yaml");
    let arguments = ["--port", "0", "--data", text(folder.path())];
    let error = refusal(folder.path(), &arguments).await;
    assert_eq!(error, "error: there is no template.yaml in this folder or above; name one with --template");

    let named = [&arguments[..], &["--template", text(&template)]].concat();
    let error = refusal(&root(), &named).await;
    assert!(error.starts_with(&format!("error: {}", text(&template))) && error.contains("No such file"), "{error}");

    let good = std::fs::read_to_string(root().join("template.yaml")).expect("the template");
    let broken = [
        ("Resources: [", "template.yaml:2"),
        (&*good.replace("BatchSize: 10\n", "BatchSize: ten\n"), "BatchSize"),
        (&*good.replace("Resource: !GetAtt SigningKey.Arn", "Resource: !GetAtt Nothing.Arn"), "Nothing"),
        (&*good.replace("Type: AWS::KMS::Key", "Type: AWS::KMS::Lock"), "AWS::KMS::Lock"),
    ];
    for (broken, hint) in broken {
        std::fs::write(&template, broken).expect("a template");
        let error = refusal(&root(), &named).await;
        assert!(error.starts_with("error: ") && error.contains(text(&template)) && error.contains(hint), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_parameter_or_a_wrong_value_is_refused() {
    for (parameter, hint) in [("Nothing=1", "Nothing"), ("LogLevel=loud", "LogLevel")] {
        let data = tempfile::tempdir().expect("a temporary folder");
        let error = refusal(&root(), &["--port", "0", "--data", text(data.path()), "--parameter", parameter]).await;
        assert!(error.starts_with("error: ") && error.contains(hint), "{error}");
        assert_eq!(std::fs::read_dir(data.path()).expect("a folder").count(), 0, "nothing is left behind");
    }
}

/// The one error line of a `quire` that must fail.
async fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let cargo = tempfile::tempdir().expect("a temporary folder");
    let mut command = quire(cargo.path()).await;
    let output = tokio::time::timeout(DEADLINE, command.args(arguments).current_dir(folder).output()).await.expect("it ends").expect("it runs");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(1), true), "{stderr}");
    let lines: Vec<_> = stderr.lines().skip_while(|line| !line.starts_with("error")).collect();
    let [error] = lines[..] else { panic!("one line says what is wrong: {stderr}") };
    error.to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

//! `--watch`: what runs follows the source files.

use std::{fs, path::Path, process::Stdio};

use quire_tests::{eventually, quire_binary};
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::LocalCloud;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
  WatchedFunction:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties:
        Binary: watched-function
    Properties:
      Runtime: provided.al2023
      Architectures: [x86_64]
      Handler: bootstrap
      CodeUri: .
      Events:
        Get:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /
";

/// A function without dependencies, so that Cargo is quick: it replies with the word of the crate beside it.
const FUNCTION: &str = r#"
use std::{env, io::{BufRead, BufReader, Read, Write}, net::TcpStream};

fn main() {
    let api = env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    let (host, path) = api.trim_start_matches("http://").split_once('/').unwrap();
    let mut api = BufReader::new(TcpStream::connect(host).unwrap());
    let mut call = |method: &str, operation: &str, body: &str| {
        let head = format!("{method} /{path}/2018-06-01/runtime/invocation/{operation} HTTP/1.1\r\nhost: {host}\r\n");
        write!(api.get_mut(), "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if api.read_line(&mut line).unwrap() == 0 { std::process::exit(0) }
            let Some((name, value)) = line.trim().split_once(": ") else { if line == "\r\n" { break } else { continue } };
            match name.to_ascii_lowercase().as_str() {
                "lambda-runtime-aws-request-id" => id = value.to_owned(),
                "content-length" => length = value.parse().unwrap(),
                _ => {}
            }
        }
        api.read_exact(&mut vec![0; length]).unwrap();
        id
    };
    loop {
        let id = call("GET", "next", "");
        let reply = format!("{{\"statusCode\": 200, \"body\": \"{}\"}}", watched_word::WORD);
        call("POST", &format!("{id}/response"), &reply);
    }
}
"#;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("written");
}

fn manifest(name: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n")
}

#[tokio::test]
async fn a_changed_source_file_rebuilds_and_replaces_what_is_made_from_it() {
    let folder = TempDir::new().expect("a temporary folder");
    let word = folder.path().join("shared/word/src/lib.rs");
    let say = |text: &str| write(&word, &format!("pub const WORD: &str = {text};\n"));
    let function = format!("{}\n[dependencies]\nwatched-word = {{ path = \"../../shared/word\" }}\n", manifest("watched-function"));
    write(&folder.path().join("template.yaml"), TEMPLATE);
    write(&folder.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"functions/watched\", \"shared/word\"]\n");
    write(&folder.path().join("functions/watched/Cargo.toml"), &function);
    write(&folder.path().join("functions/watched/src/main.rs"), FUNCTION);
    write(&folder.path().join("shared/word/Cargo.toml"), &manifest("watched-word"));
    say("\"first\"");

    let mut command = Command::new(quire_binary().await);
    command.args(["--watch", "--port", "0"]).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    command.env("CARGO_TARGET_DIR", folder.path().join("target"));
    let cloud = LocalCloud::spawn(command, TempDir::new().expect("a temporary folder")).await;
    let said = async || reqwest::get(&cloud.url).await.expect("a reply").text().await.expect("text");
    let until = async |text: &str| eventually(|| async { (said().await == text).then_some(()) }).await;
    assert_eq!(said().await, "first");
    // A shared file that does not compile leaves what runs in place; the next change counts again.
    say("nonsense");
    assert_eq!(said().await, "first");
    say("\"second\"");
    until("second").await;
    // The function's own file.
    write(&folder.path().join("functions/watched/src/main.rs"), &FUNCTION.replace("watched_word::WORD", "\"third\""));
    until("third").await;
    assert_eq!(cloud.end("-TERM").await.code(), Some(0));
}

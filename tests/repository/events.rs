//! Each file in `events/` runs through `invoke`, on an empty table, with the result that is written here.

use std::process::Stdio;

use quire_tests::root;
use serde_json::{Value, json};
use tokio::process::Command;

/// Function → status of its reply, or the whole result of one that is no route.
const RESULTS: [(&str, Result<u64, &str>); 86] = [
    ("answer-graphql", Ok(200)),
    ("answer-rpc", Ok(404)),
    ("begin-sign-in", Ok(404)),
    ("check-health", Ok(204)),
    ("confirm-second-factor", Ok(401)),
    ("create-access-token", Ok(401)),
    ("create-api-token", Ok(401)),
    ("create-comment", Ok(401)),
    ("create-email-verification", Ok(202)),
    ("create-password-reset", Ok(202)),
    ("create-export", Ok(401)),
    ("create-post", Ok(401)),
    ("create-second-factor", Ok(401)),
    ("create-session", Ok(401)),
    ("delete-api-token", Ok(401)),
    ("delete-comment", Ok(401)),
    ("delete-follower", Ok(401)),
    ("delete-post", Ok(401)),
    ("delete-reaction", Ok(401)),
    ("delete-session", Ok(401)),
    ("delete-sessions", Ok(401)),
    ("delete-user", Ok(401)),
    ("end-notifications", Ok(404)),
    ("erase-user", Err(r#"{"batchItemFailures":[]}"#)),
    ("export-user", Err(r#"{"batchItemFailures":[]}"#)),
    ("fan-out-post", Err(r#"{"batchItemFailures":[]}"#)),
    ("finish-sign-in", Ok(400)),
    ("get-comment", Ok(404)),
    ("get-contract", Ok(200)),
    ("get-export", Ok(401)),
    ("get-feed", Ok(401)),
    ("get-jwks", Ok(200)),
    ("get-notification-preferences", Ok(401)),
    ("get-post", Ok(404)),
    ("get-revision", Ok(401)),
    ("get-second-factor", Ok(401)),
    ("get-user", Ok(404)),
    ("list-api-tokens", Ok(401)),
    ("list-audit-events", Ok(401)),
    ("link-identity", Ok(401)),
    ("list-comments", Ok(404)),
    ("list-followers", Ok(404)),
    ("list-following", Ok(404)),
    ("list-identities", Ok(401)),
    ("list-moderation", Ok(401)),
    ("list-posts", Ok(200)),
    ("list-reactions", Ok(404)),
    ("list-revisions", Ok(401)),
    ("list-sessions", Ok(401)),
    ("list-tags", Ok(200)),
    ("list-users", Ok(401)),
    ("moderate-comment", Err(r#"{"batchItemFailures":[]}"#)),
    ("publish-scheduled-posts", Err("null")),
    ("put-follower", Ok(401)),
    ("put-reaction", Ok(401)),
    ("refresh-session", Ok(401)),
    ("refuse-request", Ok(405)),
    ("register-user", Ok(201)),
    ("relay-outbox", Err(r#"{"batchItemFailures":[]}"#)),
    ("remove-second-factor", Ok(401)),
    ("replace-comment", Ok(401)),
    ("replace-comment-status", Ok(401)),
    ("replace-notification-preferences", Ok(401)),
    ("replace-password", Ok(401)),
    ("replace-post", Ok(401)),
    ("replace-user", Ok(401)),
    ("replace-user-roles", Ok(401)),
    ("reset-password", Ok(404)),
    ("send-email", Err(r#"{"batchItemFailures":[]}"#)),
    ("sweep-outbox", Err("null")),
    ("tally-engagement", Err(r#"{"batchItemFailures":[]}"#)),
    ("create-webhook", Ok(401)),
    ("list-webhooks", Ok(401)),
    ("get-webhook", Ok(401)),
    ("update-webhook", Ok(401)),
    ("delete-webhook", Ok(401)),
    ("rotate-webhook-secret", Ok(401)),
    ("ping-webhook", Ok(401)),
    ("list-webhook-deliveries", Ok(401)),
    ("repeat-webhook-delivery", Ok(401)),
    ("deliver-webhook", Err(r#"{"batchItemFailures":[]}"#)),
    ("unlink-identity", Ok(401)),
    ("update-comment", Ok(401)),
    ("update-post", Ok(401)),
    ("update-user", Ok(401)),
    ("verify-email", Ok(404)),
];

#[tokio::test]
async fn each_event_runs_through_invoke() {
    // Before the commands build for themselves, so that none waits for another.
    quire_tests::binaries().await;
    let quire = quire_tests::quire_binary().await;
    let mut names: Vec<_> = RESULTS.iter().map(|(function, _)| format!("{function}.json")).collect();
    names.sort();
    assert_eq!(names, quire_tests::files("events"));
    for (function, expected) in RESULTS {
        let data = tempfile::tempdir().expect("a temporary folder");
        let output = Command::new(&quire)
            .args(["invoke", function, "--event"])
            .arg(root().join(format!("events/{function}.json")))
            .arg("--data")
            .arg(data.path())
            .current_dir(root())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("the command runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{function}: {stdout}{stderr}");
        let result: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{function}: {error}: {stdout}{stderr}"));
        match expected {
            Ok(status) => assert_eq!(result["statusCode"], json!(status), "{function}: {result}"),
            Err(text) => assert_eq!(result.to_string(), text, "{function}"),
        }
        for part in ["RequestId: ", "Duration: ", "Init: ", "Max memory used: "] {
            assert!(stderr.contains(part), "{function} reports its {part}: {stderr}");
        }
    }
}

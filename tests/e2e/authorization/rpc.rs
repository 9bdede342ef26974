//! The same table by RPC: a row's operation as the method of its name, its path, query and body as a message.

use quire_tests::{Reply, send};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::world::{Member, World};

/// Operations with an RPC form: service, and the field of the body.
const METHODS: &[(&str, &[(&str, &str)])] = &[
    (
        "UserService",
        &[
            ("register-user", "user"),
            ("list-users", ""),
            ("get-user", ""),
            ("replace-user", "user"),
            ("update-user", "user"),
            ("delete-user", ""),
            ("replace-user-roles", "roles"),
        ],
    ),
    (
        "SessionService",
        &[("create-session", "session"), ("refresh-session", "session"), ("list-sessions", ""), ("delete-session", ""), ("delete-sessions", "")],
    ),
    (
        "PostService",
        &[
            ("create-post", "post"),
            ("list-posts", ""),
            ("get-post", ""),
            ("replace-post", "post"),
            ("update-post", "post"),
            ("delete-post", ""),
            ("list-revisions", ""),
            ("get-revision", ""),
        ],
    ),
    (
        "CommentService",
        &[
            ("create-comment", "comment"),
            ("list-comments", ""),
            ("get-comment", ""),
            ("replace-comment", "comment"),
            ("update-comment", "comment"),
            ("delete-comment", ""),
            ("replace-comment-status", "decision"),
            ("list-moderation", ""),
        ],
    ),
    (
        "EngagementService",
        &[
            ("list-reactions", ""),
            ("put-reaction", ""),
            ("delete-reaction", ""),
            ("list-followers", ""),
            ("list-following", ""),
            ("put-follower", ""),
            ("delete-follower", ""),
            ("get-feed", ""),
            ("list-tags", ""),
        ],
    ),
];

/// The service and the field of the body, if the operation has an RPC form.
fn method(operation: &str) -> Option<(&'static str, &'static str)> {
    METHODS.iter().find_map(|(service, methods)| Some((*service, methods.iter().find(|(name, _)| *name == operation)?.1)))
}

pub(super) fn has(operation: &str) -> bool {
    method(operation).is_some()
}

/// The services as `proto/` declares them.
#[test]
fn every_method_is_in_the_table() {
    let mut declared = Vec::new();
    for (service, methods) in METHODS {
        let name = service.strip_suffix("Service").expect("a service").to_lowercase();
        let source = std::fs::read_to_string(quire_tests::root().join(format!("proto/quire/v1/{name}_service.proto"))).expect("a source");
        declared.extend(source.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next()).map(str::to_owned));
        for (operation, _) in *methods {
            assert!(declared.contains(&pascal(operation)), "{service} has no {operation}");
        }
    }
    assert_eq!(declared.len(), METHODS.iter().map(|(_, methods)| methods.len()).sum::<usize>());
}

fn pascal(operation: &str) -> String {
    operation.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// What the operation at `path` (of the form `template`, with a query or without) is as a message, by one caller.
pub(super) async fn call(world: &World, operation: &str, (template, path): (&str, &str), body: Option<Value>, caller: Option<&Member>) -> Reply {
    let (service, field) = method(operation).expect("a method");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut message = Map::new();
    for (name, value) in template.split('/').zip(path.split('/')).filter(|(name, _)| name.starts_with('{')) {
        let value = if name == "{version}" { value.parse::<u32>().map_or(json!(0), Value::from) } else { json!(value) };
        message.insert(name.trim_matches(['{', '}']).to_owned(), value);
    }
    message.extend(query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), json!(value))));
    if let Some(body) = body {
        message.insert(field.to_owned(), body);
    }
    let path = format!("/rpc/quire.v1.{service}/{}", pascal(operation));
    let request = world.quire.request(Method::POST, &path).json(&message);
    send(if let Some(Member { person, .. }) = caller { request.bearer_auth(&person.token) } else { request }).await
}

/// The HTTP status of an outcome by Connect, for that by REST.
pub(super) fn status(rest: u16) -> u16 {
    match rest {
        200..=299 => 200,
        422 => 400,
        other => other,
    }
}

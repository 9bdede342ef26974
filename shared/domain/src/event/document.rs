//! `docs/events.md`, made of the types: `UPDATE_DOCS=1 cargo test -p quire-domain document` writes it anew.
//!
//! Schemas are derived in tests only, so that no function carries them.

use std::{borrow::Cow, collections::BTreeSet, env, fmt::Write, fs, path::Path};

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

use super::*;

macro_rules! texts {
    ($($type:ident => $format:literal;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format})
            }
        }
    )*};
}

impl JsonSchema for EmailHash {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EmailHash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "SHA-256 of an e-mail address, in hex.", "pattern": "^[0-9a-f]{64}$"})
    }
}

texts! {
    ApiTokenId => "uuid";
    CommentId => "uuid";
    PostId => "uuid";
    SessionId => "uuid";
    UserId => "uuid";
    WebhookId => "uuid";
    ExportId => "uuid";
    DeliveryId => "uuid";
    Timestamp => "date-time";
}

const BEGINNING: &str = r"# Events

What happens is told to workers as events, through the outbox (`docs/architecture.md`). This document is made of the types in
`shared/domain/src/event.rs`, and a test compares the two: `UPDATE_DOCS=1 cargo test -p quire-domain document` writes it anew.

An event that nobody subscribes to is not stored. Each is delivered at least once to each of its subscribers, in no order: a subscriber
knows by `id` what it has done.

## The envelope

A message's body is one JSON document:

| member | what |
|---|---|
| `id` | names the event, for ever; a UUID of version 7, so ids sort by time |
| `version` | of the form of `data` |
| `occurredAt` | when it happened: RFC 3339, UTC, milliseconds |
| `actor` | the account that did it; absent where nobody in particular or the system did |
| `correlationId` | ties together all that one request has set in motion |
| `traceparent` | W3C Trace Context, version 00 |
| `type` | what happened |
| `data` | more of it, by type |

`correlationId` and `traceparent` stand in the attributes of the message too. No event holds a secret, an address or a name.

```json
";

const POLICY: &str = r"
## Versions

The version of a type stays the same while consumers of the old form can read the new one, and the other way round, because both run at
once during a deployment, and because messages wait in queues for up to 14 days. Without a new version:

- a member may be added that may be absent, and consumers ignore members that they do not know;
- a type may be added, which its consumers know before anybody emits it: a consumer that does not know it leaves it to the dead-letter queue;
- a description may become clearer.

Whatever else changes the form or the meaning of `data` makes a new version: a member that is removed, renamed, required from now on, or of
another type or meaning. Then consumers are deployed first that read both versions, and the producer of the new one after them. The old one
is forgotten once no outbox, queue or dead-letter queue holds it. A type is never used again for something else.

## Types

";

/// One event of each type.
fn examples() -> Vec<EventData> {
    let id = |last: u8| format!("019e0000-0000-7000-8000-0000000000{last:02}");
    let user_id: UserId = id(1).parse().unwrap();
    let (post_id, comment_id): (PostId, CommentId) = (id(2).parse().unwrap(), id(3).parse().unwrap());
    let webhook_id: WebhookId = id(7).parse().unwrap();
    let email_hash = EmailHash::parse(&"5e".repeat(32)).unwrap();
    let at = Timestamp::from_millis(1_795_356_000_000);
    vec![
        EventData::UserRegistered { user_id },
        EventData::UserErasureRequested { user_id },
        EventData::UserErasureContinued { user_id, not_before: None },
        EventData::UserExportRequested { user_id, export_id: id(10).parse().unwrap() },
        EventData::UserExportReady { user_id, export_id: id(10).parse().unwrap() },
        EventData::EmailVerificationRequested { email_hash: email_hash.clone() },
        EventData::PasswordResetRequested { email_hash },
        EventData::PasswordChanged { user_id },
        EventData::EmailChanged { user_id, version: 2 },
        EventData::SessionReused { user_id, session_id: id(4).parse().unwrap() },
        EventData::SecondFactorChanged { user_id, is_enabled: true },
        EventData::ApiTokenCreated { user_id, token_id: id(5).parse().unwrap() },
        EventData::IdentityLinked { user_id, provider: "google".into() },
        EventData::UserFollowed { user_id, follower_id: id(6).parse().unwrap() },
        EventData::PostDrafted { post_id },
        EventData::PostScheduled { post_id, publish_at: at },
        EventData::PostPublished { post_id },
        EventData::PostFanOutContinued { post_id, after: Followed { since: at, id: id(6).parse().unwrap() }, followers: 1000 },
        EventData::PostUpdated { post_id },
        EventData::PostArchived { post_id },
        EventData::PostDeleted { post_id },
        EventData::CommentCreated { post_id, comment_id },
        EventData::CommentApproved { post_id, comment_id },
        EventData::CommentHeld { post_id, comment_id, reasons: vec![Reason::Links] },
        EventData::CommentUpdated { post_id, comment_id },
        EventData::CommentRejected { post_id, comment_id },
        EventData::CommentDeleted { post_id, comment_id },
        EventData::PostEngagementChanged { post_id, counter: Counter::CommentCount, delta: -1 },
        EventData::WebhookDeliveryDue { webhook_id, delivery_id: id(8).parse().unwrap(), due: at },
        EventData::WebhookPaused { webhook_id, user_id, reason: PauseReason::Gone },
    ]
}

/// The event as it stands in queues.
fn event(data: EventData) -> Event {
    let trace = Trace {
        correlation_id: "9f2c1b1e-6a7d-4a61-8f0c-0d5f3a1b2c3d".into(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
    };
    let id = "019e0000-0000-7000-8000-000000000009".parse().unwrap();
    let actor = "019e0000-0000-7000-8000-000000000001".parse().ok();
    Event { id, ..Event::new(data, actor, trace, Timestamp::from_millis(1_795_356_000_123)) }
}

/// Each type with its description and the schema of its data, in the order of the types.
fn types() -> Vec<(String, String, Value)> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings.into_generator().into_root_schema_for::<EventData>().to_value();
    let variants = schema["oneOf"].as_array().expect("a type is one of several");
    let variant = |variant: &Value| {
        let kind = variant["properties"]["type"]["const"].as_str().expect("a type").to_owned();
        let description = variant["description"].as_str().expect("a description").replace('\n', " ");
        (kind, description, variant["properties"]["data"].clone())
    };
    variants.iter().map(variant).collect()
}

fn document() -> String {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let examples = examples();
    let mut text = format!("{BEGINNING}{}\n```\n{POLICY}", pretty(&json!(event(examples[0].clone()))));
    text += "| type | version | subscribers |\n|---|---|---|\n";
    let mut details = String::new();
    for (kind, description, schema) in types() {
        let example = examples.iter().find(|data| json!(data)["type"] == kind.as_str()).unwrap_or_else(|| panic!("{kind} has no example"));
        let version = event(example.clone()).version;
        let subscribers: Vec<_> = example.consumers().iter().map(|consumer| format!("`{}`", consumer.name())).collect();
        let subscribers = if subscribers.is_empty() { "nobody".to_owned() } else { subscribers.join(", ") };
        let anchor = kind.replace('.', "");
        writeln!(text, "| [`{kind}`](#{anchor}) | {version} | {subscribers} |").unwrap();
        write!(details, "\n### `{kind}`\n\n{description} Version {version}, told to {subscribers}.\n\n").unwrap();
        write!(details, "```json\n{}\n```\n\nFor example:\n\n```json\n{}\n```\n", pretty(&schema), pretty(&json!(example)["data"])).unwrap();
    }
    text + &details
}

#[test]
fn the_document_of_events_is_what_the_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    let document = document();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &document).expect("the document can be written");
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == document, "docs/events.md is old: UPDATE_DOCS=1 cargo test -p quire-domain document");
}

#[test]
fn each_type_has_one_example_that_its_schema_allows_and_that_comes_back() {
    let (examples, types) = (examples(), types());
    let kinds: Vec<_> = examples.iter().map(|data| json!(data)["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, types.iter().map(|(kind, ..)| kind.clone()).collect::<Vec<_>>());
    assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len());
    for (data, (kind, _, schema)) in examples.into_iter().zip(types) {
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let value = json!(data)["data"].clone();
        assert!(validator.is_valid(&value), "{kind}: {:?}", validator.iter_errors(&value).map(|error| error.to_string()).collect::<Vec<_>>());
        for name in value.as_object().unwrap().keys() {
            let mut less = value.clone();
            less.as_object_mut().unwrap().remove(name);
            assert!(!validator.is_valid(&less), "{kind} without {name}");
        }
        let event = event(data);
        assert_eq!(serde_json::from_str::<Event>(&json!(event).to_string()).unwrap(), event, "{kind}");
    }
}

#[test]
fn the_envelope_is_documented_whole_and_ignores_what_it_does_not_know() {
    let mut event = json!(event(examples().remove(0)));
    let rows = BEGINNING.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.collect::<Vec<_>>(), event.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>());
    let before: Event = serde_json::from_value(event.clone()).unwrap();
    event["new"] = json!(1);
    event["data"]["new"] = json!({"also": "new"});
    assert_eq!(serde_json::from_value::<Event>(event).unwrap(), before);
}

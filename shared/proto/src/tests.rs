//! Every message, by an example of its document.

use std::{collections::BTreeSet, fs};

use buffa::{DecodeError, MessageName};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::v1::*;

type Encode = fn(Value) -> Result<Vec<u8>, Error>;
type Decode = fn(&[u8]) -> Result<Value, Error>;

/// A message and a document in which each of its fields has a value.
struct Case {
    name: &'static str,
    example: Value,
    encode: Encode,
    decode: Decode,
}

fn case<M: Message + MessageName + Serialize + DeserializeOwned>(example: Value) -> Case {
    Case { name: M::NAME, example, encode: encode::<M>, decode: decode::<M> }
}

fn page<M: Message + MessageName + Serialize + DeserializeOwned>(item: Value) -> Case {
    case::<M>(json!({"items": [item.clone(), item], "nextCursor": "AZqy"}))
}

fn cases() -> Vec<Case> {
    const TIME: &str = "2026-11-22T14:00:00.000Z";
    const LATER: &str = "2026-11-22T14:00:00.120Z";
    let user = json!({
        "userId": "u1", "username": "ada", "email": "ada@example.org", "emailVerified": true, "displayName": "Ada", "bio": "Writes ✍️", "isActive": true,
        "roles": ["reader", "author"], "createdAt": TIME, "updatedAt": LATER, "version": 3,
    });
    let summary = json!({
        "postId": "p1", "authorId": "u1", "title": "Hello", "slug": "hello", "status": "scheduled",
        "createdAt": TIME, "updatedAt": LATER, "version": 2, "publishedAt": TIME, "publishAt": LATER, "excerpt": "In short",
        "tags": ["rust", "aws"], "coverUrl": "https://example.org/a.png", "language": "en-GB", "canonicalUrl": "https://example.org/a",
    });
    let revision = json!({
        "postId": "p1", "authorId": "u1", "title": "Hello", "updatedAt": LATER, "version": 2, "excerpt": "In short",
        "tags": ["rust"], "language": "en",
    });
    let comment = json!({
        "commentId": "c1", "postId": "p1", "authorId": "u2", "parentId": "c0", "depth": 4, "content": "Well said", "status": "approved",
        "createdAt": TIME, "updatedAt": LATER, "version": 1,
    });
    let reaction = json!({"postId": "p1", "userId": "u2", "kind": "like", "createdAt": TIME});
    let follow = json!({"userId": "u1", "followerId": "u2", "createdAt": TIME});
    let session = json!({
        "sessionId": "s1", "device": "Firefox on Linux", "isCurrent": false, "createdAt": TIME, "lastUsedAt": LATER, "refreshExpiresAt": LATER,
        "expiresAt": LATER,
    });
    let tag = json!({"tag": "rust", "postCount": 12});
    let count = json!({"kind": "like", "count": 3});
    let webhook = json!({
        "webhookId": "w1", "url": "https://example.org/hooks", "eventTypes": ["post.published"], "description": "Site", "isActive": false,
        "pauseReason": "failing", "createdBy": "u1", "createdAt": TIME, "updatedAt": LATER, "version": 2,
    });
    let attempt = json!({"attemptedAt": TIME, "durationMs": 12, "statusCode": 500, "responseBody": "No", "failure": "timed-out"});
    let delivery = json!({
        "deliveryId": "d1", "eventType": "post.published", "status": "pending", "createdAt": TIME, "nextAttemptAt": LATER, "attempts": [attempt.clone()],
    });
    let api_token = json!({
        "tokenId": "t1", "name": "Build", "scopes": ["posts:read", "posts:write"], "createdAt": TIME, "lastUsedAt": TIME, "expiresAt": LATER,
    });
    let audit_event = json!({
        "auditEventId": "e1", "type": "session.created", "occurredAt": TIME, "actorId": "u1", "subjectId": "u2", "correlationId": "r1",
        "sessionId": "s1", "method": "password", "reason": "wrong-code", "roles": ["reader", "admin"], "isActive": false, "provider": "google",
        "tokenId": "t1", "scopes": ["posts:read"], "postId": "p1", "commentId": "c1", "status": "held", "exportId": "x1", "webhookId": "w1",
    });
    let wrong = json!({"pointer": "/title", "detail": "is required"});
    vec![
        case::<User>(user.clone()),
        page::<UserPage>(user),
        case::<NewUser>(json!({"username": "ada", "email": "ada@example.org", "password": "correct horse", "displayName": "Ada", "bio": "Writes"})),
        case::<UserReplacement>(
            json!({"username": "ada", "email": "ada@example.org", "displayName": "Ada", "bio": "Writes", "isActive": false, "currentPassword": "correct horse"}),
        ),
        case::<NotificationPreferences>(json!({"comments": true, "followers": false})),
        case::<RoleReplacement>(json!({"roles": ["reader", "editor"]})),
        case::<NewSession>(json!({"username": "ada", "password": "correct horse", "code": "123456"})),
        case::<Session>(json!({
            "sessionId": "s1", "userId": "u1", "accessToken": "a.b.c", "tokenType": "Bearer", "expiresIn": 900, "createdAt": TIME, "expiresAt": LATER,
            "refreshToken": "qrt_x", "refreshExpiresAt": LATER,
        })),
        case::<SessionRefresh>(json!({"refreshToken": "qrt_x"})),
        case::<SessionSummary>(session.clone()),
        page::<SessionPage>(session),
        case::<NewEmailVerification>(json!({"email": "ada@example.org"})),
        case::<NewPasswordReset>(json!({"email": "ada@example.org"})),
        case::<NewIdentity>(json!({"provider": "google"})),
        case::<SignIn>(json!({"authorizationUrl": "https://accounts.example.com/authorize?state=s", "expiresAt": TIME})),
        case::<Identity>(json!({"provider": "google", "linkedAt": TIME})),
        page::<IdentityPage>(json!({"provider": "google", "linkedAt": TIME})),
        case::<PasswordReset>(json!({"password": "correct horse"})),
        case::<PasswordReplacement>(json!({"currentPassword": "correct horse", "newPassword": "another horse"})),
        case::<Post>(and(&summary, json!({"content": "# Hello", "contentHtml": "<h1>Hello</h1>", "commentCount": 7, "reactions": [count, count]}))),
        case::<PostSummary>(summary.clone()),
        page::<PostPage>(summary),
        case::<Revision>(and(&revision, json!({"content": "# Hello"}))),
        case::<RevisionSummary>(revision.clone()),
        page::<RevisionPage>(revision),
        case::<NewPost>(json!({
            "title": "Hello", "content": "# Hello", "slug": "hello", "excerpt": "In short", "tags": ["rust"], "coverUrl": "https://example.org/a.png",
            "language": "en", "canonicalUrl": "https://example.org/a",
        })),
        case::<PostReplacement>(json!({
            "title": "Hello", "content": "# Hello", "slug": "hello", "excerpt": "In short", "tags": ["rust"], "coverUrl": "https://example.org/a.png",
            "language": "en", "canonicalUrl": "https://example.org/a", "status": "scheduled", "publishAt": TIME,
        })),
        case::<Comment>(comment.clone()),
        page::<CommentPage>(comment),
        case::<NewComment>(json!({"content": "Well said", "parentId": "c0"})),
        case::<CommentReplacement>(json!({"content": "Well said"})),
        case::<CommentStatusReplacement>(json!({"status": "held"})),
        case::<ReactionCount>(count),
        case::<Reaction>(reaction.clone()),
        page::<ReactionPage>(reaction),
        case::<Follow>(follow.clone()),
        page::<FollowPage>(follow),
        case::<Tag>(tag.clone()),
        page::<TagPage>(tag),
        case::<Webhook>(webhook.clone()),
        page::<WebhookPage>(webhook.clone()),
        case::<IssuedWebhook>(and(&webhook, json!({"secret": "whsec_x"}))),
        case::<NewWebhook>(json!({"url": "https://example.org/hooks", "eventTypes": ["post.published"], "description": "Site", "isActive": true})),
        case::<WebhookSecret>(json!({"secret": "whsec_x", "formerUntil": LATER})),
        case::<WebhookAttempt>(attempt),
        case::<WebhookDelivery>(delivery.clone()),
        page::<WebhookDeliveryPage>(delivery),
        case::<ApiToken>(api_token.clone()),
        page::<ApiTokenPage>(api_token.clone()),
        case::<IssuedApiToken>(and(&api_token, json!({"token": "qat_x"}))),
        case::<NewApiToken>(json!({"name": "Build", "scopes": ["posts:write"], "expiresAt": LATER})),
        case::<NewAccessToken>(json!({"apiToken": "qat_x"})),
        case::<AccessToken>(json!({"accessToken": "a.b.c", "tokenType": "Bearer", "expiresIn": 600, "scope": "posts:read posts:write"})),
        case::<NewSecondFactor>(json!({"password": "correct horse"})),
        case::<PendingSecondFactor>(json!({"secret": "JBSWY3DP", "uri": "otpauth://totp/quire:ada?secret=JBSWY3DP", "expiresAt": TIME})),
        case::<SecondFactorConfirmation>(json!({"code": "123456"})),
        case::<RecoveryCodes>(json!({"recoveryCodes": ["00000-11111-22222-33333", "44444-55555-66666-77777"]})),
        case::<SecondFactor>(json!({"isEnabled": true, "enabledAt": TIME, "recoveryCodesLeft": 9})),
        case::<SecondFactorRemoval>(json!({"password": "correct horse", "code": "123456"})),
        case::<Export>(json!({
            "exportId": "x1", "status": "ready", "requestedAt": TIME, "readyAt": LATER, "expiresAt": LATER, "size": 18_231, "url": "https://example.org/x",
            "urlExpiresAt": LATER,
        })),
        case::<AuditEvent>(audit_event.clone()),
        page::<AuditEventPage>(audit_event),
        case::<Problem>(json!({
            "type": "urn:quire:problem:invalid-input", "title": "The input is not valid", "status": 422,
            "detail": "Two fields are wrong", "errors": [wrong, wrong],
        })),
        case::<FieldProblem>(wrong),
    ]
}

/// The document with the fields of another one.
fn and(document: &Value, more: Value) -> Value {
    let mut document = document.clone();
    let (Value::Object(fields), Value::Object(more)) = (&mut document, more) else { unreachable!("examples are objects") };
    fields.extend(more);
    document
}

/// Every field of the sources as `(message, name in JSON)`, with the line above it.
fn fields() -> Vec<(String, String, String)> {
    let mut fields = Vec::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/quire/v1")).unwrap() {
        let path = entry.unwrap().path();
        // The requests of services stand for paths and queries; clients show that they are read, and buf that they have comments.
        if path.to_string_lossy().ends_with("_service.proto") {
            continue;
        }
        let source = fs::read_to_string(path).unwrap();
        let mut message = String::new();
        let mut above = "";
        for line in source.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("message ") {
                message = name.trim_end_matches(" {").to_owned();
                assert!(above.starts_with("// "), "{message} has no comment");
            } else if let Some((declaration, _)) = line.split_once(" = ").filter(|(start, _)| !message.is_empty() && !start.starts_with("//")) {
                let mut words = declaration.rsplit(' ').next().unwrap_or_default().split('_');
                let first = words.next().unwrap_or_default().to_owned();
                let name = words.fold(first, |name, word| format!("{name}{}{}", word[..1].to_uppercase(), &word[1..]));
                fields.push((message.clone(), name, above.to_owned()));
            }
            above = line;
        }
    }
    fields
}

#[test]
fn every_message_and_every_field_has_a_value_in_the_examples() {
    let declared: BTreeSet<_> = fields().into_iter().map(|(message, name, _)| (message, name)).collect();
    let keys = |case: &Case| case.example.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect::<Vec<_>>();
    let shown: BTreeSet<_> = cases().iter().flat_map(|case| keys(case).into_iter().map(|key| (case.name.to_owned(), key))).collect();
    assert_eq!(declared, shown);
}

#[test]
fn every_field_has_a_comment() {
    for (message, name, above) in fields() {
        assert!(above.starts_with("// ") && above.ends_with('.'), "{message}.{name}");
    }
}

#[test]
fn examples_come_back_exactly() {
    for Case { name, example, encode, decode } in cases() {
        let bytes = encode(example.clone()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error:?}")), example, "{name}");
    }
}

#[test]
fn no_bytes_are_a_message_of_which_nothing_is_set() {
    for Case { name, decode, .. } in cases() {
        assert_eq!(decode(&[]).expect(name), json!({}), "{name}");
    }
}

#[test]
fn an_optional_zero_false_or_empty_value_comes_back() {
    let there = json!({"isActive": false, "bio": ""});
    assert_eq!(decode::<User>(&encode::<User>(there.clone()).unwrap()).unwrap(), there);
    let there = json!({"commentCount": 0, "content": ""});
    assert_eq!(decode::<Post>(&encode::<Post>(there.clone()).unwrap()).unwrap(), there);
    let there = json!({"depth": 0});
    assert_eq!(decode::<Comment>(&encode::<Comment>(there.clone()).unwrap()).unwrap(), there);
}

#[test]
fn other_empty_values_and_nulls_come_back_absent() {
    let bytes = encode::<Post>(json!({"title": "", "tags": [], "version": 0, "excerpt": null, "reactions": null, "slug": null})).unwrap();
    assert!(bytes.is_empty());
    let bytes = encode::<PostPage>(json!({"items": [], "nextCursor": null})).unwrap();
    assert!(bytes.is_empty());
}

#[test]
fn fields_that_a_document_has_beyond_the_message_are_left_out() {
    let bytes = encode::<Tag>(json!({"tag": "rust", "colour": {"red": [1, 2]}})).unwrap();
    assert_eq!(decode::<Tag>(&bytes).unwrap(), json!({"tag": "rust"}));
}

#[test]
fn a_value_of_another_type_is_an_error() {
    for document in
        [json!({"tags": "rust"}), json!({"title": 5}), json!({"version": -1}), json!({"version": 4_294_967_296_u64}), json!("rust"), json!(null)]
    {
        assert!(matches!(encode::<Post>(document.clone()), Err(Error::Document(_))), "{document}");
    }
}

#[test]
fn the_largest_number_comes_back_as_a_number() {
    let document = json!({"version": u32::MAX});
    assert_eq!(decode::<Post>(&encode::<Post>(document.clone()).unwrap()).unwrap(), document);
}

#[test]
fn field_numbers_are_those_of_the_first_release() {
    let bytes = encode::<NewComment>(json!({"content": "Hi", "parentId": "c0"})).unwrap();
    assert_eq!(bytes, b"\x22\x02c0\x32\x02Hi");
    let bytes =
        encode::<Problem>(json!({"type": "t", "title": "T", "status": 404, "detail": "d", "errors": [{"pointer": "/a", "detail": "b"}]})).unwrap();
    assert_eq!(bytes, b"\x0a\x01t\x12\x01T\x18\x94\x03\x22\x01d\x2a\x07\x0a\x02/a\x12\x01b");
}

#[test]
fn a_field_keeps_its_number_from_one_message_to_the_next() {
    for Case { name, example, encode, decode: _ } in cases() {
        let whole: Option<Decode> = match name {
            "PostSummary" | "Revision" | "RevisionSummary" | "NewPost" | "PostReplacement" => Some(decode::<Post>),
            "NewUser" | "UserReplacement" | "RoleReplacement" => Some(decode::<User>),
            "NewComment" | "CommentReplacement" | "CommentStatusReplacement" => Some(decode::<Comment>),
            _ => None,
        };
        let Some(decode) = whole else { continue };
        let mut expected = example.clone();
        // Only what comes in has them.
        for secret in ["password", "currentPassword"] {
            expected.as_object_mut().unwrap().remove(secret);
        }
        assert_eq!(decode(&encode(example).unwrap()).unwrap(), expected, "{name}");
    }
}

/// Field 100, which no message has, of each wire type.
const UNKNOWN: [&[u8]; 5] = [
    b"\xa0\x06\x96\x01",                         // varint
    b"\xa1\x06\x01\x02\x03\x04\x05\x06\x07\x08", // 64 bits
    b"\xa2\x06\x03abc",                          // bytes
    b"\xa3\x06\x08\x01\xa4\x06",                 // group
    b"\xa5\x06\x01\x02\x03\x04",                 // 32 bits
];

#[test]
fn unknown_fields_are_ignored() {
    for Case { name, example, encode, decode } in cases() {
        for unknown in UNKNOWN {
            let bytes = [unknown, &encode(example.clone()).unwrap(), unknown].concat();
            assert_eq!(decode(&bytes).unwrap(), example, "{name}");
        }
    }
}

#[test]
fn depth_is_limited() {
    let nested = |levels: usize| [b"\xa3\x06".repeat(levels), b"\xa4\x06".repeat(levels)].concat();
    for Case { name, decode, .. } in cases() {
        assert_eq!(decode(&nested(10)).expect(name), json!({}), "{name}");
        for levels in [17, 100, 100_000] {
            assert!(matches!(decode(&nested(levels)), Err(Error::Bytes(DecodeError::RecursionLimitExceeded))), "{name}");
        }
    }
}

#[test]
fn the_memory_of_lists_is_limited() {
    let empty_items = b"\x0a\x00".repeat(512 * 1024);
    assert!(matches!(decode::<PostPage>(&empty_items), Err(Error::Bytes(DecodeError::ElementMemoryLimitExceeded))));
    let page = json!({"items": vec![cases().into_iter().find(|case| case.name == "PostSummary").unwrap().example; 100]});
    assert_eq!(decode::<PostPage>(&encode::<PostPage>(page.clone()).unwrap()).unwrap(), page);
}

#[test]
fn secrets_are_not_in_debug_output() {
    let secret = "correct horse";
    let user: NewUser = serde_json::from_value(json!({"username": "ada", "password": secret})).unwrap();
    let sign_in: NewSession = serde_json::from_value(json!({"username": "ada", "password": secret})).unwrap();
    let session: Session = serde_json::from_value(json!({"accessToken": secret, "refreshToken": secret})).unwrap();
    let refresh: SessionRefresh = serde_json::from_value(json!({"refreshToken": secret})).unwrap();
    let reset: PasswordReset = serde_json::from_value(json!({"password": secret})).unwrap();
    let replacement: PasswordReplacement = serde_json::from_value(json!({"currentPassword": secret, "newPassword": secret})).unwrap();
    let output = format!("{user:?} {sign_in:?} {session:?} {refresh:?} {reset:?} {replacement:?}");
    assert!(output.contains("ada") && !output.contains(secret), "{output}");
}

proptest! {
    #[test]
    fn documents_with_any_texts_and_any_fields_missing_come_back(text in ".{1,40}", number: u32, flag: bool, missing: u32) {
        for Case { name, mut example, encode, decode } in cases() {
            let fields = example.as_object_mut().unwrap();
            for value in fields.values_mut() {
                match value {
                    Value::String(old) => old.clone_from(&text),
                    Value::Number(old) => *old = number.max(1).into(),
                    Value::Bool(old) => *old = flag,
                    _ => {}
                }
            }
            let mut index = 0;
            fields.retain(|_, _| {
                index += 1;
                missing & (1 << index) == 0
            });
            prop_assert_eq!(decode(&encode(example.clone()).unwrap()).unwrap(), example, "{}", name);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        for case in cases() {
            let _ = (case.decode)(&bytes);
        }
    }

    #[test]
    fn damaged_messages_are_read_or_refused(at: prop::sample::Index, byte: u8, end: prop::sample::Index) {
        for Case { example, encode, decode, .. } in cases() {
            let mut bytes = encode(example).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode(&bytes);
            bytes.truncate(end.index(bytes.len()));
            let _ = decode(&bytes);
        }
    }
}

//! `GET /api/v1/audit-events`, and what is entered into the trail.

use aws_sdk_dynamodb::types::AttributeValue;
use quire_tests::{Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, errors, forge::now, is_time, members, walk};

const TRAIL: &str = "/api/v1/audit-events";

fn user(person: &Person) -> String {
    format!("/api/v1/users/{}", person.id)
}

/// The entries of a query, newest first, without what differs between any two of them.
async fn entries(quire: &Quire, root: &Person, query: &str) -> Vec<Value> {
    let pages = walk(quire, Some(&root.token), &format!("{TRAIL}?{query}"), 100).await;
    let mut entries = pages.concat();
    for entry in &mut entries {
        let entry = entry.as_object_mut().expect("an object");
        assert!(is_time(&entry["occurredAt"]) && entry.contains_key("correlationId"), "{entry:?}");
        for differs in ["auditEventId", "occurredAt", "correlationId"] {
            entry.remove(differs);
        }
    }
    // Those of signing in are looked at where it is tested.
    entries.retain(|entry| !text(&entry["type"]).starts_with("session."));
    entries
}

#[tokio::test]
async fn changes_of_accounts_tokens_and_comments_are_entered_with_who_did_them() {
    let (quire, root) = Quire::with_admin().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    quire.put_as(&root, &format!("{}/roles", user(&ada)), &json!({"roles": ["reader", "editor"]})).await.expect(200);
    let ada = quire.sign_in("ada").await;
    let post = quire.published_post(&bob, "T").await;
    let comments = format!("/api/v1/posts/{post}/comments");
    let comment = text(&quire.post_as(&bob, &comments, &json!({"content": "C"})).await.expect(201)["commentId"]);
    let status = format!("{comments}/{comment}/status");
    for _ in 0..2 {
        quire.put_as(&ada, &status, &json!({"status": "rejected"})).await.expect(200);
    }
    let token =
        quire.post_as(&bob, &format!("{}/tokens", user(&bob)), &json!({"name": "My secret plan", "scopes": ["posts:read"]})).await.expect(201);
    for _ in 0..2 {
        quire.delete_as(&root, &format!("{}/tokens/{}", user(&bob), text(&token["tokenId"]))).await.expect(204);
    }
    for is_active in [false, true, true] {
        quire.patch_as(&root, &user(&bob), &json!({"isActive": is_active, "bio": "Nothing to enter"})).await.expect(200);
    }
    for _ in 0..2 {
        assert_eq!(quire.delete_as(&bob, &user(&bob)).await.status, 202);
    }

    let of = |kind: &str, actor: &Person, subject: &Person, details: Value| {
        let mut entry = json!({"type": kind, "actorId": actor.id, "subjectId": subject.id});
        entry.as_object_mut().expect("an object").extend(details.as_object().cloned().expect("an object"));
        entry
    };
    let of_bob = vec![
        of("user.erasure-requested", &bob, &bob, json!({})),
        of("user.status-changed", &root, &bob, json!({"isActive": true})),
        of("user.status-changed", &root, &bob, json!({"isActive": false})),
        of("api-token.revoked", &root, &bob, json!({"tokenId": token["tokenId"]})),
        of("api-token.created", &bob, &bob, json!({"tokenId": token["tokenId"], "scopes": ["posts:read"]})),
        of("comment.moderated", &ada, &bob, json!({"postId": post, "commentId": comment, "status": "rejected"})),
    ];
    assert_eq!(entries(&quire, &root, &format!("subject={}", bob.id)).await, of_bob);
    let of_ada = of("user.roles-changed", &root, &ada, json!({"roles": ["reader", "editor"]}));
    let of_root = of("user.roles-changed", &root, &root, json!({"roles": ["reader", "commenter", "author", "admin"]}));
    let all = [of_bob, vec![of_ada.clone(), of_root.clone()]].concat();
    assert_eq!(entries(&quire, &root, "").await, all);

    let by = |kind: &str| all.iter().filter(|entry| entry["type"] == json!(kind)).cloned().collect::<Vec<_>>();
    for kind in ["user.roles-changed", "user.status-changed", "identity.linked"] {
        assert_eq!(entries(&quire, &root, &format!("type={kind}")).await, by(kind), "{kind}");
    }
    let by_ada = entries(&quire, &root, &format!("actor={}", ada.id)).await;
    assert_eq!(members(&by_ada, "type"), ["comment.moderated"]);
    let combined = format!("subject={}&actor={}&type=user.status-changed", bob.id, root.id);
    assert_eq!(entries(&quire, &root, &combined).await.len(), 2);
    assert_eq!(entries(&quire, &root, &format!("subject={NOBODY}")).await, Vec::<Value>::new());

    let items = quire.items().await;
    let written = items.iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("AUDIT#"))).collect::<Vec<_>>();
    let written = format!("{written:?}");
    for hidden in ["@example.com", "My secret plan", &text(&token["token"]), &ada.token, "\"bob\""] {
        assert!(!written.contains(hidden), "{hidden}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn the_trail_is_for_admins_only() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    quire.put_as(&root, &format!("{}/roles", user(&ada)), &json!({"roles": ["reader", "commenter", "author", "editor"]})).await.expect(200);
    let ada = quire.sign_in("ada").await;
    for path in [TRAIL.to_owned(), format!("{TRAIL}?subject={}", ada.id), format!("{TRAIL}?actor={}", ada.id)] {
        quire.get(&path).await.expect_problem(401, "sign-in-required");
        quire.get_as(&ada, &path).await.expect_problem(403, "forbidden");
        quire.get_as(&root, &path).await.expect(200);
    }
    for (query, pointer, detail) in [
        ("subject=ada", "/subject", "is not an id"),
        ("actor=x", "/actor", "is not an id"),
        ("type=user.registered", "/type", "is not a type of entry"),
        ("limit=101", "/limit", "must be 1 to 100"),
        ("cursor=x", "/cursor", "is not a cursor of this list"),
    ] {
        let problem = quire.get_as(&root, &format!("{TRAIL}?{query}")).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [(pointer.to_owned(), detail.to_owned())]);
    }
    let head = send(quire.request(Method::HEAD, TRAIL).bearer_auth(&root.token)).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    quire.stop().await;
}

/// Writes an entry about an account as the table has it, of some hours before the present month, and of nobody if it is kept no more.
async fn enter(quire: &Quire, subject: &str, hours: i64, is_kept: bool) -> String {
    let month = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).first_of_month().and_then(|month| month.start_of_day());
    let time = month.expect("a month").timestamp() - jiff::SignedDuration::from_hours(hours);
    let millis = time.as_millisecond();
    // Version 7 of a UUID begins with the milliseconds (RFC 9562, section 5.7).
    let id = format!("{:08x}-{:04x}-7000-8000-000000000001", millis >> 16, millis & 0xffff);
    let (text, time) = (|text: &str| AttributeValue::S(text.to_owned()), format!("{time:.3}"));
    let expires = if is_kept { now() + 1000 } else { now() - 1000 };
    for pk in [format!("AUDIT#{}", &time[..7]), format!("AUDIT#{subject}")] {
        let put = quire.dynamodb().put_item().table_name(quire.table()).item("pk", text(&pk)).item("sk", text(&id));
        let put = put.item("id", text(&id)).item("occurredAt", text(&time)).item("actor", text(subject)).item("subject", text(subject));
        let put = put.item("correlationId", text("c")).item("type", text("user.password-changed")).item("data", AttributeValue::M([].into()));
        put.item("expiresAt", AttributeValue::N(expires.to_string())).send().await.expect("the entry is written");
    }
    id
}

#[tokio::test]
async fn pages_go_on_from_month_to_month_and_leave_out_what_is_kept_no_longer() {
    let (quire, root) = Quire::with_admin().await;
    let mut kept = Vec::new();
    for hours in [3, 50, 51, 200] {
        kept.push(enter(&quire, NOBODY, hours, true).await);
        enter(&quire, NOBODY, hours + 1000, false).await;
    }
    // Each entry has one place, whatever the pages are.
    for limit in [1, 2, 3, 100] {
        for query in ["type=user.password-changed".to_owned(), format!("subject={NOBODY}"), format!("actor={NOBODY}")] {
            let entries = walk(&quire, Some(&root.token), &format!("{TRAIL}?{query}"), limit).await.concat();
            assert_eq!(members(&entries, "auditEventId"), kept, "{query} by {limit}");
        }
    }
    let all = walk(&quire, Some(&root.token), TRAIL, 1).await.concat();
    let all = members(&all, "auditEventId");
    let mut newest_first = all.clone();
    newest_first.sort_by(|one, other| other.cmp(one));
    assert!(all.len() > kept.len() && all.ends_with(&kept) && all == newest_first, "{all:?}");
    quire.stop().await;
}

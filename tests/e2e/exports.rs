//! `/api/v1/users/{userId}/exports`, and the links to exports.

use std::{collections::BTreeSet, io::Read};

use aws_sdk_dynamodb::types::AttributeValue;
use flate2::read::GzDecoder;
use futures::future::join_all;
use quire_tests::{Person, Quire, Reply, eventually, root, send, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    NOBODY,
    api_tokens::{account, set},
    deliver, is_time, members, outbox,
};

fn exports(person: &Person) -> String {
    format!("/api/v1/users/{}/exports", person.id)
}

async fn request(quire: &Quire, person: &Person) -> Reply {
    send(quire.request(Method::POST, &exports(person)).bearer_auth(&person.token)).await
}

/// The export once it is ready, with a link.
async fn ready(quire: &Quire, person: &Person, export: &Value) -> Value {
    let path = format!("{}/{}", exports(person), text(&export["exportId"]));
    eventually(|| async {
        let export = quire.get_as(person, &path).await.expect(200);
        (export["status"] != "requested").then_some(export)
    })
    .await
}

/// What is at a link.
async fn fetch(link: &str) -> (u16, Vec<u8>) {
    let reply = reqwest::get(link).await.expect("a reply");
    (reply.status().as_u16(), reply.bytes().await.expect("a body").to_vec())
}

fn unpacked(document: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(document).read_to_string(&mut text).expect("gzip");
    text
}

/// The newest export of an account, as the table has it.
fn stored(person: &Person) -> (String, String) {
    (format!("USER#{}", person.id), "EXPORT".to_owned())
}

/// Has an export asked for some hours before it was.
async fn age(quire: &Quire, person: &Person, hours: i64) {
    let time = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    set(quire, stored(person), "requestedAt", Some(AttributeValue::S(time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()))).await;
}

/// The names in the tables of the document of exports, by the heading that they stand under.
fn documented(heading: &str) -> BTreeSet<String> {
    let document = std::fs::read_to_string(root().join("docs/export.md")).expect("the document");
    let section = document.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("a section {heading}"));
    let names = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.map(str::to_owned).collect()
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().expect("an object").keys().cloned().collect()
}

#[tokio::test]
async fn an_account_gets_all_that_it_owns_and_nothing_else() {
    let (quire, admin) = Quire::with_admin().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let user = format!("/api/v1/users/{}", ada.id);
    quire.patch_as(&ada, &user, &json!({"bio": "Counts <things>", "displayName": "Ada L."})).await.expect(200);
    quire.put_as(&ada, &format!("{user}/notification-preferences"), &json!({"comments": false, "followers": true})).await.expect(200);
    let token = quire.post_as(&ada, &format!("{user}/tokens"), &json!({"name": "Build", "scopes": ["posts:read"]})).await.expect(201);
    let (engines, notes, bobs) =
        (quire.published_post(&ada, "On engines").await, quire.published_post(&ada, "Notes").await, quire.published_post(&bob, "Mine").await);
    quire.patch_as(&ada, &format!("/api/v1/posts/{engines}"), &json!({"content": "They compute."})).await.expect(200);
    quire.delete_as(&ada, &format!("/api/v1/posts/{notes}")).await.expect(204);
    let draft = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "Draft of mine", "content": "Soon"})).await.expect(201);
    quire.post_as(&bob, "/api/v1/posts", &json!({"title": "Draft of another", "content": "Hidden"})).await.expect(201);
    let comment = quire.post_as(&ada, &format!("/api/v1/posts/{bobs}/comments"), &json!({"content": "Well said"})).await.expect(201);
    quire.post_as(&bob, &format!("/api/v1/posts/{engines}/comments"), &json!({"content": "Words of another"})).await.expect(201);
    let put = async |who: &Person, path: String| send(quire.request(Method::PUT, &path).bearer_auth(&who.token)).await.expect(204);
    put(&ada, format!("/api/v1/posts/{bobs}/reactions/love")).await;
    put(&ada, format!("/api/v1/users/{}/followers/{}", bob.id, ada.id)).await;
    put(&bob, format!("{user}/followers/{}", bob.id)).await;
    quire.comments_when(&ada, &bobs, |comments| comments.iter().all(|comment| comment["status"] == "approved")).await;

    let reply = request(&quire, &ada).await;
    let requested = reply.expect(202);
    assert_eq!(reply.header("location"), Some(format!("{}/{}", exports(&ada), text(&requested["exportId"])).as_str()));
    let expected = json!({
        "exportId": requested["exportId"], "status": "requested", "requestedAt": requested["requestedAt"], "expiresAt": requested["expiresAt"],
    });
    assert!(requested == expected && is_time(&requested["requestedAt"]) && is_time(&requested["expiresAt"]), "{requested}");
    let export = ready(&quire, &ada, &requested).await;
    let (status, packed) = fetch(&text(&export["url"])).await;
    assert_eq!((status, &export["status"], &export["size"]), (200, &json!("ready"), &json!(packed.len())));
    assert!(is_time(&export["readyAt"]) && is_time(&export["urlExpiresAt"]), "{export}");
    let written = unpacked(&packed);
    let document: Value = serde_json::from_str(&written).expect("JSON");

    assert_eq!(names(&document), documented("The document"));
    for (list, items) in document.as_object().expect("an object").iter().filter_map(|(name, value)| Some((name, value.as_array()?))) {
        let documented = documented(list);
        assert!(!documented.is_empty() && items.iter().all(|item| names(item).is_subset(&documented)), "{list}: {items:?}");
    }
    let always = names(&document["account"]);
    assert!(always.is_subset(&documented("account")) && always.len() > 10, "{always:?}");
    assert_eq!((&document["format"], &document["version"]), (&json!("quire-export"), &json!(1)));
    assert_eq!(document["exportId"], requested["exportId"]);
    let shown = &document["account"];
    let said = ["username", "email", "bio", "displayName", "hasPassword"].map(|name| &shown[name]);
    assert_eq!(said, [&json!("ada"), &json!("ada@example.com"), &json!("Counts <things>"), &json!("Ada L."), &json!(true)]);
    assert_eq!(document["notificationPreferences"], json!({"comments": false, "followers": true}));
    assert_eq!(members(&items(&document, "apiTokens"), "tokenId"), [text(&token["tokenId"])]);
    assert_eq!(items(&document, "sessions").len(), 1);
    let posts: Vec<_> = items(&document, "posts").iter().map(|post| (text(&post["postId"]), text(&post["content"]))).collect();
    assert_eq!(posts, [(engines.clone(), "They compute.".to_owned()), (text(&draft["postId"]), "Soon".to_owned())]);
    assert_eq!(members(&items(&document, "deletedPosts"), "postId"), [notes.as_str()]);
    let revisions = items(&document, "revisions");
    assert!(revisions.iter().any(|revision| revision["postId"] == json!(engines)), "{revisions:?}");
    let comments: Vec<_> = items(&document, "comments").iter().map(|comment| (text(&comment["commentId"]), text(&comment["content"]))).collect();
    assert_eq!(comments, [(text(&comment["commentId"]), "Well said".to_owned())]);
    let reactions = items(&document, "reactions");
    assert_eq!((members(&reactions, "postId"), members(&reactions, "kind")), (vec![bobs.clone()], vec!["love".to_owned()]));
    assert_eq!(members(&items(&document, "following"), "userId"), [bob.id.as_str()]);
    assert_eq!(members(&items(&document, "followers"), "followerId"), [bob.id.as_str()]);
    let entries = items(&document, "auditEvents");
    let types = members(&entries, "type");
    assert!(
        ["session.created", "api-token.created", "user.export-requested"].iter().all(|kind| types.iter().any(|found| found == kind)),
        "{types:?}"
    );
    assert_eq!((items(&document, "webhooks"), items(&document, "identities")), (Vec::new(), Vec::new()));

    for foreign in ["Words of another", "Draft of another", "Mine", "bob@example.com", "\"bob\"", &admin.id] {
        assert!(!written.contains(foreign), "{foreign}");
    }
    let mut secrets = vec![ada.token.clone(), text(&token["token"])];
    for item in quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.contains(&ada.id))) {
        for name in ["passwordHash", "secretHash", "unsubscribeKey", "hash"] {
            secrets.extend(item.get(name).and_then(|value| value.as_s().ok()).cloned());
        }
        let refresh = item.get("refresh").and_then(|value| value.as_m().ok());
        secrets.extend(refresh.into_iter().flat_map(|refresh| refresh.values()).filter_map(|value| value.as_s().ok()).cloned());
    }
    assert!(secrets.len() >= 6, "{}", secrets.len());
    assert!(secrets.iter().all(|secret| !written.contains(secret.as_str())), "an export holds no secret");
    eventually(|| async {
        let mails = quire.mails();
        mails.iter().any(|mail| mail.to == ["ada@example.com"] && mail.subject == "Your export is ready").then_some(())
    })
    .await;
    let trail = quire.get_as(&admin, &format!("/api/v1/audit-events?subject={}&type=user.exported", ada.id)).await.expect(200);
    assert_eq!(members(&items(&trail, "items"), "exportId"), [text(&requested["exportId"])]);
    quire.stop().await;
}

fn items(document: &Value, list: &str) -> Vec<Value> {
    document[list].as_array().cloned().unwrap_or_else(|| panic!("a list {list}"))
}

#[tokio::test]
async fn an_export_is_for_its_account_alone() {
    let (quire, admin) = Quire::with_admin().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let requested = request(&quire, &ada).await.expect(202);
    let path = format!("{}/{}", exports(&ada), text(&requested["exportId"]));
    for other in [&bob, &admin] {
        quire.get_as(other, &path).await.expect_problem(403, "forbidden");
        send(quire.request(Method::POST, &exports(&ada)).bearer_auth(&other.token)).await.expect_problem(403, "forbidden");
    }
    quire.get(&path).await.expect_problem(401, "sign-in-required");
    send(quire.request(Method::POST, &exports(&ada))).await.expect_problem(401, "sign-in-required");
    for missing in [NOBODY, "x"] {
        quire.get_as(&ada, &format!("{}/{missing}", exports(&ada))).await.expect_problem(404, "export-not-found");
    }
    send(quire.request(Method::POST, "/api/v1/users/x/exports").bearer_auth(&ada.token)).await.expect_problem(404, "user-not-found");
    let token = json!({"name": "Build", "scopes": ["posts:read", "users:read"]});
    let token = quire.post_as(&ada, &format!("/api/v1/users/{}/tokens", ada.id), &token).await.expect(201);
    let access = quire.post("/api/v1/access-tokens", &json!({"apiToken": token["token"]})).await.expect(201);
    let machine = Person { id: ada.id.clone(), token: text(&access["accessToken"]) };
    quire.get_as(&machine, &path).await.expect_problem(403, "insufficient-scope");
    request(&quire, &machine).await.expect_problem(403, "insufficient-scope");
    set(&quire, account(&ada), "isActive", Some(AttributeValue::Bool(false))).await;
    quire.get_as(&ada, &path).await.expect_problem(401, "invalid-token");
    request(&quire, &ada).await.expect_problem(401, "invalid-token");
    quire.stop().await;
}

#[tokio::test]
async fn a_link_works_as_it_was_signed_and_no_other_way() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let mut links = Vec::new();
    for person in [&ada, &bob] {
        let requested = request(&quire, person).await.expect(202);
        links.push(text(&ready(&quire, person, &requested).await["url"]));
    }
    let link = &links[0];
    assert_eq!(fetch(link).await.0, 200);
    let expires = |seconds: u32| link.replace("X-Amz-Expires=300", &format!("X-Amz-Expires={seconds}"));
    assert_ne!(expires(301), *link, "a link is good for five minutes");
    let (address, query) = link.split_once('?').expect("a query");
    let tampered = [
        (link.replace(&ada.id, &bob.id), 403, "SignatureDoesNotMatch"),
        (expires(600), 403, "SignatureDoesNotMatch"),
        (format!("{link}0"), 403, "SignatureDoesNotMatch"),
        (link.replace("X-Amz-Credential=", "X-Amz-Credential=A"), 403, "InvalidAccessKeyId"),
        (expires(604_801), 400, "AuthorizationQueryParametersError"),
        (address.to_owned(), 403, "MissingAuthenticationToken"),
        (format!("{}?{query}", address.replace("exports/", "")), 403, "SignatureDoesNotMatch"),
    ];
    for (link, status, code) in tampered {
        let (found, body) = fetch(&link).await;
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(found == status && body.contains(&format!("<Code>{code}</Code>")), "{link}: {found} {body}");
    }
    let client = reqwest::Client::new();
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(client.request(method, link).send().await.expect("a reply").status(), 501);
    }
    assert_eq!(fetch(link).await.0, 200);
    quire.stop().await;
}

#[tokio::test]
async fn an_account_exports_once_a_day_and_a_repeated_request_gets_the_same_reply() {
    let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
    let ada = quire.person("ada").await;
    let keyed = || send(quire.request(Method::POST, &exports(&ada)).bearer_auth(&ada.token).header("idempotency-key", "k"));
    let replies = join_all((0..5).map(|_| keyed())).await;
    let first = replies[0].expect(202);
    assert!(replies.iter().all(|reply| reply.expect(202) == first));
    let refused = request(&quire, &ada).await;
    refused.expect_problem(429, "too-many-exports");
    let seconds: u32 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((86_000..=86_400).contains(&seconds), "{seconds}");

    age(&quire, &ada, 24).await;
    let replies = join_all((0..5).map(|_| request(&quire, &ada))).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 202);
    assert_eq!(accepted.len(), 1);
    refused.iter().for_each(|reply| drop(reply.expect_problem(429, "too-many-exports")));
    let second = accepted[0].expect(202);
    let path = |export: &Value| format!("{}/{}", exports(&ada), text(&export["exportId"]));
    quire.get_as(&ada, &path(&first)).await.expect_problem(404, "export-not-found");
    assert_eq!(quire.get_as(&ada, &path(&second)).await.expect(200), second);
    age(&quire, &ada, 73).await;
    quire.get_as(&ada, &path(&second)).await.expect_problem(404, "export-not-found");
    quire.stop().await;
}

#[tokio::test]
async fn an_event_that_comes_again_or_too_late_exports_nothing() {
    let quire = Quire::with(tempfile::tempdir().expect("a temporary folder"), |options| options.sources = false).await;
    let ada = quire.person("ada").await;
    request(&quire, &ada).await.expect(202);
    let old = outbox(&quire).await["user.export-requested"][0].clone();
    age(&quire, &ada, 24).await;
    let export = request(&quire, &ada).await.expect(202);
    let message = outbox(&quire).await["user.export-requested"].iter().find(|message| **message != old).expect("another event").clone();
    let name = format!("exports/{}.json.gz", ada.id);
    let object = || quire.object("ExportBucket", &name);
    deliver(&quire, "ExportUser", &old).await;
    assert_eq!(object().await, None, "another export has taken the place of that one");
    deliver(&quire, "ExportUser", &message).await;
    let document = object().await.expect("a document");
    let path = format!("{}/{}", exports(&ada), text(&export["exportId"]));
    let first = quire.get_as(&ada, &path).await.expect(200);
    for message in [&message, &old] {
        deliver(&quire, "ExportUser", message).await;
    }
    assert_eq!(object().await.as_ref(), Some(&document));
    let again = quire.get_as(&ada, &path).await.expect(200);
    assert_eq!((&again["status"], &again["readyAt"]), (&json!("ready"), &first["readyAt"]));
    assert_eq!(outbox(&quire).await["user.export-ready"].len(), 1);
    quire.stop().await;
}

#[tokio::test]
async fn an_erased_account_leaves_no_export() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let requested = request(&quire, &ada).await.expect(202);
    let link = text(&ready(&quire, &ada, &requested).await["url"]);
    let name = format!("exports/{}.json.gz", ada.id);
    assert!(quire.object("ExportBucket", &name).await.is_some());
    let path = format!("/api/v1/users/{}", ada.id);
    assert_eq!(quire.delete_as(&ada, &path).await.status, 202);
    eventually(|| async { (quire.get(&path).await.status == 404).then_some(()) }).await;
    assert_eq!(quire.object("ExportBucket", &name).await, None);
    assert_eq!(fetch(&link).await.0, 404);
    quire.stop().await;
}

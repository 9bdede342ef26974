//! What the table is tried on: accounts that have exactly one role, and new things for each case.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use quire_tests::{PASSWORD, Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{ROLES, table::Row};
use crate::second_factor;

/// An account.
#[derive(Debug, Clone)]
pub(super) struct Member {
    name: String,
    /// Its only role; without one it has those of new accounts.
    role: Option<&'static str>,
    /// Signed in with what it has now.
    pub(super) person: Person,
    /// Signed in with the roles of new accounts, before they were taken: so it owns what its role could not make.
    before: Person,
}

/// The parameters of a path that stand for something.
pub(super) type Thing = Vec<(&'static str, String)>;

/// One Quire for all cases.
pub(super) struct World {
    pub(super) quire: Quire,
    names: AtomicUsize,
    root: Person,
    editor: Person,
    /// One of each role.
    members: Vec<Member>,
    /// Whose things are not the callers'.
    other: Member,
    /// A post of the other's, to comment on.
    post: String,
    /// A webhook and a delivery to it.
    webhook: Thing,
    /// What stays as it is, by its owner and what it is.
    made: Mutex<HashMap<(String, &'static str), Thing>>,
}

impl World {
    pub(super) async fn start() -> Self {
        let (quire, root) = Quire::with_admin().await;
        let names = AtomicUsize::new(0);
        let editor = member(&quire, &root, &names, Some("editor")).await.person;
        let mut members = Vec::new();
        for role in ROLES {
            members.push(member(&quire, &root, &names, Some(role)).await);
        }
        let other = member(&quire, &root, &names, None).await;
        let post = quire.published_post(&other.person, "T").await;
        let webhook = made_webhook(&quire, &root).await;
        let ping = format!("/api/v1/webhooks/{}/pings", webhook[0].1);
        let ping = send(quire.request(Method::POST, &ping).bearer_auth(&root.token)).await.expect(202);
        let webhook = vec![webhook[0].clone(), ("{deliveryId}", text(&ping["deliveryId"]))];
        Self { quire, names, root, editor, members, other, post, webhook, made: Mutex::default() }
    }

    pub(super) async fn stop(self) {
        self.quire.stop().await;
    }

    /// Who asks, and who owns what is asked for. An account that the operation changes is a new one.
    pub(super) async fn people(&self, row: &Row, role: Option<&'static str>, is_own: bool, changes: bool) -> (Option<Member>, Member) {
        let new = async |role| member(&self.quire, &self.root, &self.names, role).await;
        let changes_account = changes
            && matches!(
                row.operation,
                "replace-user"
                    | "update-user"
                    | "delete-user"
                    | "replace-user-roles"
                    | "replace-password"
                    | "create-second-factor"
                    | "confirm-second-factor"
                    | "remove-second-factor"
                    | "create-export"
                    | "get-export"
            );
        let caller = match role {
            Some(_) if is_own && changes_account => Some(new(role).await),
            Some(_) => self.members.iter().find(|member| member.role == role).cloned(),
            None => None,
        };
        let owner = match &caller {
            Some(caller) if is_own => caller.clone(),
            _ if changes_account => new(None).await,
            _ => self.other.clone(),
        };
        (caller, owner)
    }

    /// The address of what the row is about, and that thing. What the operation changes is made for this one case.
    pub(super) async fn address(&self, row: &Row, path: &str, owner: &Member, changes: bool) -> (String, Thing) {
        let id = &owner.person.id;
        let thing = match row.about {
            "drafts" => return (format!("{path}?author={id}&status=draft"), Thing::new()),
            "all-drafts" => return (format!("{path}?status=draft"), Thing::new()),
            "follow" if !changes => self.follow(owner),
            "-" if path.contains("{followerId}") => self.follow(owner),
            // Whoever may not use a code needs none.
            "pending" | "factor" if !changes => vec![("{userId}", id.clone())],
            about if changes => self.make(owner, about).await,
            about => {
                let mut made = self.made.lock().await;
                match made.get(&(id.clone(), about)) {
                    Some(thing) => thing.clone(),
                    None => made.entry((id.clone(), about)).or_insert(self.make(owner, about).await).clone(),
                }
            }
        };
        let path = thing.iter().fold(path.to_owned(), |path, (parameter, value)| path.replace(parameter, value));
        (path.replace("{kind}", "like").replace("{provider}", "nobody").replace("{token}", "qev_"), thing)
    }

    /// Something of the owner's.
    async fn make(&self, owner: &Member, about: &str) -> Thing {
        let (quire, author) = (&self.quire, &owner.before);
        match about {
            "draft" => {
                let post = quire.post_as(author, "/api/v1/posts", &json!({"title": "T"})).await.expect(201);
                vec![("{postId}", text(&post["postId"])), ("{version}", "1".to_owned())]
            }
            // Publishing changed nothing that it says, so the second version is its only revision.
            "published" => vec![("{postId}", quire.published_post(author, "T").await), ("{version}", "2".to_owned())],
            "approved" | "held" => {
                let comments = format!("/api/v1/posts/{}/comments", self.post);
                let comment = text(&quire.post_as(author, &comments, &json!({"content": "C"})).await.expect(201)["commentId"]);
                quire.put_as(&self.editor, &format!("{comments}/{comment}/status"), &json!({"status": about})).await.expect(200);
                vec![("{postId}", self.post.clone()), ("{commentId}", comment)]
            }
            "follow" => {
                let follow = self.follow(owner);
                let path = format!("/api/v1/users/{}/followers/{}", self.editor.id, author.id);
                send(quire.request(Method::PUT, &path).bearer_auth(&author.token)).await.expect(204);
                follow
            }
            "session" => {
                let credentials = json!({"username": owner.name, "password": PASSWORD});
                let session = quire.post("/api/v1/sessions", &credentials).await.expect(201);
                vec![("{sessionId}", text(&session["sessionId"]))]
            }
            "token" => {
                let path = format!("/api/v1/users/{}/tokens", author.id);
                let made = quire.post_as(author, &path, &json!({"name": "T", "scopes": ["posts:read"]})).await.expect(201);
                vec![("{userId}", author.id.clone()), ("{tokenId}", text(&made["tokenId"])), ("<token>", text(&made["token"]))]
            }
            "export" => {
                let path = format!("/api/v1/users/{}/exports", author.id);
                let export = send(quire.request(Method::POST, &path).bearer_auth(&author.token)).await.expect(202);
                vec![("{userId}", author.id.clone()), ("{exportId}", text(&export["exportId"]))]
            }
            "webhook" => self.webhook.clone(),
            "doomed" => made_webhook(quire, &self.root).await,
            "pending" | "factor" => {
                let path = format!("/api/v1/users/{}/second-factor", author.id);
                let pending = quire.post_as(author, &path, &json!({"password": PASSWORD})).await.expect(201);
                let secret = text(&pending["secret"]);
                let code = |steps| second_factor::code(&secret, steps);
                if about == "factor" {
                    quire.put_as(author, &path, &json!({"code": code(0)})).await.expect(200);
                    return vec![("{userId}", author.id.clone()), ("<code>", code(1))];
                }
                vec![("{userId}", author.id.clone()), ("<code>", code(0))]
            }
            _ => vec![("{userId}", author.id.clone())],
        }
    }

    /// A follow belongs to the follower.
    fn follow(&self, owner: &Member) -> Thing {
        vec![("{userId}", self.editor.id.clone()), ("{followerId}", owner.person.id.clone())]
    }

    /// A body that changes something wherever that is possible.
    pub(super) fn body(&self, row: &Row, owner: &Member, thing: &Thing) -> Option<Value> {
        let name = &owner.name;
        let of_thing = |wanted: &str| thing.iter().find(|(name, _)| *name == wanted).map_or("000000", |(_, value)| value.as_str());
        Some(match (row.operation, row.about) {
            ("register-user", _) => {
                let name = new_name(&self.names);
                json!({"username": name, "email": format!("{name}@example.com"), "password": PASSWORD})
            }
            ("replace-user", _) => json!({"username": name, "email": format!("{name}@example.com"), "bio": "New"}),
            ("update-user", "off") => json!({"isActive": false}),
            ("update-user", _) => json!({"bio": "New"}),
            ("replace-user-roles", "all") => json!({"roles": ROLES}),
            // Nobody raises themselves: to its own account, this gives the role that it has.
            ("replace-user-roles", _) => json!({"roles": [owner.role.unwrap_or("reader")]}),
            ("create-session", _) => json!({"username": name, "password": PASSWORD}),
            // What counts is the token in the body, and no account helps who has none.
            ("refresh-session", _) => json!({"refreshToken": "qrt_"}),
            ("create-webhook", _) => json!({"url": NOWHERE, "eventTypes": ["post.published"]}),
            ("update-webhook", _) => json!({"isActive": true}),
            ("create-api-token", _) => json!({"name": "T", "scopes": ["posts:read"]}),
            ("create-access-token", _) => json!({"apiToken": of_thing("<token>")}),
            ("create-second-factor", _) => json!({"password": PASSWORD}),
            ("confirm-second-factor", _) => json!({"code": of_thing("<code>")}),
            ("remove-second-factor", _) => json!({"password": PASSWORD, "code": of_thing("<code>")}),
            ("replace-notification-preferences", _) => json!({"comments": true, "followers": false}),
            ("link-identity", _) => json!({"provider": "nobody"}),
            ("create-email-verification" | "create-password-reset", _) => json!({"email": format!("{name}@example.com")}),
            // What counts is the token in the path, and no account helps who has none.
            ("reset-password", _) => json!({"password": "another horse battery"}),
            ("replace-password", _) => json!({"currentPassword": PASSWORD, "newPassword": "another horse battery"}),
            ("create-post" | "replace-post" | "update-post", _) => json!({"title": "New"}),
            ("create-comment" | "replace-comment" | "update-comment", _) => json!({"content": "New"}),
            ("replace-comment-status", _) => json!({"status": "rejected"}),
            _ => return None,
        })
    }
}

/// Where no request is sent.
const NOWHERE: &str = "https://127.0.0.1:1/";

/// A webhook. There may be few of them.
async fn made_webhook(quire: &Quire, root: &Person) -> Thing {
    let webhook = quire.post_as(root, "/api/v1/webhooks", &json!({"url": NOWHERE, "eventTypes": ["post.archived"]})).await.expect(201);
    vec![("{webhookId}", text(&webhook["webhookId"]))]
}

/// A new account with one role or, without any, with those of new accounts.
async fn member(quire: &Quire, root: &Person, names: &AtomicUsize, role: Option<&'static str>) -> Member {
    let name = new_name(names);
    let before = quire.person(&name).await;
    let person = match role {
        Some(role) => {
            quire.put_as(root, &format!("/api/v1/users/{}/roles", before.id), &json!({"roles": [role]})).await.expect(200);
            quire.sign_in(&name).await
        }
        None => before.clone(),
    };
    Member { name, role, person, before }
}

fn new_name(names: &AtomicUsize) -> String {
    format!("user{}", names.fetch_add(1, Ordering::Relaxed))
}

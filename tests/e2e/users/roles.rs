//! `PUT /api/v1/users/{userId}/roles`, and how the first admin comes to be.

use futures::future::{join, join_all};
use quire_tests::{Person, Quire, send};
use reqwest::Method;
use serde_json::json;

use crate::{NOBODY, errors, forge::Forge, members};

fn path(person: &Person) -> String {
    format!("/api/v1/users/{}", person.id)
}

fn roles(person: &Person) -> String {
    format!("{}/roles", path(person))
}

#[tokio::test]
async fn the_account_that_the_template_names_becomes_the_first_admin_by_signing_in_and_no_other_after_it() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    quire.put_as(&ada, &roles(&ada), &json!({"roles": ["reader", "admin"]})).await.expect_problem(403, "forbidden");

    let quire = Quire::over(quire.stop().await, &[("FirstAdmin", &ada.id)]).await;
    quire.get_as(&quire.sign_in("bob").await, "/api/v1/users").await.expect_problem(403, "forbidden");
    let first = quire.sign_in("ada").await;
    let user = quire.get_as(&first, &path(&ada)).await.expect(200);
    assert_eq!((&user["roles"], &user["version"]), (&json!(["reader", "commenter", "author", "admin"]), &json!(2)));
    let admins = quire.get_as(&first, "/api/v1/users?role=admin").await.expect(200);
    assert_eq!(admins["items"], json!([user]));
    quire.sign_in("ada").await;
    assert_eq!(quire.get(&path(&ada)).await.expect(200)["version"], json!(2), "signing in again changes nothing");

    let quire = Quire::over(quire.stop().await, &[("FirstAdmin", &bob.id)]).await;
    quire.get_as(&quire.sign_in("bob").await, "/api/v1/users").await.expect_problem(403, "forbidden");
    quire.get_as(&quire.sign_in("ada").await, "/api/v1/users").await.expect(200);
    quire.stop().await;
}

#[tokio::test]
async fn many_first_sign_ins_at_once_all_succeed_and_make_one_admin_once() {
    let quire = Quire::start().await;
    let ada = quire.register("ada").await;
    let quire = Quire::over(quire.stop().await, &[("FirstAdmin", &ada)]).await;
    let people = join_all((0..5).map(|_| quire.sign_in("ada"))).await;
    let user = quire.get(&path(&people[0])).await.expect(200);
    assert_eq!((&user["version"], &user["roles"][3]), (&json!(2), &json!("admin")));
    for person in &people {
        quire.get_as(person, "/api/v1/users").await.expect(200);
    }
    quire.stop().await;
}

#[tokio::test]
async fn an_admin_gives_roles_and_takes_them() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let reply = quire.put_as(&root, &roles(&ada), &json!({"roles": ["editor", "reader"]})).await;
    let user = reply.expect(200);
    assert_eq!((&user["roles"], &user["version"], &user["email"]), (&json!(["reader", "editor"]), &json!(2), &json!("ada@example.com")));
    assert_eq!(reply.header("etag"), Some("\"2-own\""));
    assert_eq!(quire.put_as(&root, &roles(&ada), &json!({"roles": ["reader", "editor"]})).await.expect(200), user, "once more changes nothing");
    let of_role = async |role: &str| quire.get_as(&root, &format!("/api/v1/users?role={role}")).await.expect(200)["items"].clone();
    assert_eq!((of_role("editor").await, of_role("commenter").await.as_array().map(Vec::len)), (json!([user]), Some(1)));

    let xml = "<roleReplacement><roles>reader</roles><roles>admin</roles></roleReplacement>";
    let request = quire.request(Method::PUT, &roles(&ada)).bearer_auth(&root.token).header("content-type", "application/xml");
    assert_eq!(send(request.body(xml)).await.expect(200)["roles"], json!(["reader", "admin"]));
    quire.put_as(&ada, &roles(&root), &json!({"roles": ["reader"]})).await.expect_problem(403, "forbidden");
    let ada = quire.sign_in("ada").await;
    quire.put_as(&ada, &roles(&root), &json!({"roles": ["reader"]})).await.expect(200);
    quire.put_as(&root, &roles(&ada), &json!({"roles": ["reader"]})).await.expect_problem(403, "forbidden");
    let late = quire.request(Method::PUT, &roles(&root)).bearer_auth(&ada.token).header("if-match", "\"1\"").json(&json!({"roles": ["author"]}));
    send(late).await.expect_problem(412, "version-mismatch");
    quire.stop().await;
}

#[tokio::test]
async fn a_role_counts_only_if_the_table_and_the_token_have_it() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let forge = Forge::known(&quire).await;
    let pretender = forge.person(&bob.id, &["admin"]);
    let body = json!({"roles": ["reader", "admin"]});
    for target in [&ada, &bob] {
        quire.put_as(&pretender, &roles(target), &body).await.expect_problem(403, "forbidden");
    }
    quire.patch_as(&pretender, &path(&ada), &json!({"bio": "Changed"})).await.expect_problem(403, "forbidden");
    quire.delete_as(&pretender, &path(&ada)).await.expect_problem(403, "forbidden");
    quire.put_as(&forge.person(NOBODY, &["admin"]), &roles(&ada), &body).await.expect_problem(401, "invalid-token");
    quire.stop().await;
}

#[tokio::test]
async fn nobody_raises_themselves() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    quire.put_as(&ada, &roles(&ada), &json!({"roles": ["reader", "editor"]})).await.expect_problem(403, "forbidden");
    let all = json!({"roles": ["reader", "commenter", "author", "editor", "admin"]});
    quire.put_as(&root, &roles(&root), &all).await.expect_problem(403, "forbidden");
    let fewer = quire.put_as(&root, &roles(&root), &json!({"roles": ["admin"]})).await.expect(200);
    assert_eq!(fewer["roles"], json!(["admin"]));
    quire.put_as(&root, &format!("/api/v1/users/{NOBODY}/roles"), &all).await.expect_problem(404, "user-not-found");
    quire.stop().await;
}

#[tokio::test]
async fn the_last_admin_stays_one() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let refused = async |who: &Person| {
        quire.put_as(who, &roles(who), &json!({"roles": ["reader"]})).await.expect_problem(409, "last-admin");
        quire.patch_as(who, &path(who), &json!({"isActive": false})).await.expect_problem(409, "last-admin");
        quire.delete_as(who, &path(who)).await.expect_problem(409, "last-admin");
    };
    refused(&root).await;
    quire.put_as(&root, &roles(&ada), &json!({"roles": ["reader", "admin"]})).await.expect(200);
    let ada = quire.sign_in("ada").await;
    quire.patch_as(&root, &path(&ada), &json!({"isActive": false})).await.expect(200);
    refused(&root).await;
    quire.patch_as(&root, &path(&ada), &json!({"isActive": true})).await.expect(200);
    assert_eq!(quire.delete_as(&root, &path(&root)).await.status, 202);
    refused(&ada).await;
    quire.stop().await;
}

#[tokio::test]
async fn of_two_admins_who_drop_each_other_at_the_same_moment_one_stays() {
    let (quire, root) = Quire::with_admin().await;
    let mut here = root;
    for round in 0..3 {
        let name = format!("admin{round}");
        let id = quire.register(&name).await;
        quire.put_as(&here, &format!("/api/v1/users/{id}/roles"), &json!({"roles": ["reader", "admin"]})).await.expect(200);
        let there = quire.sign_in(&name).await;
        let body = json!({"roles": ["reader"]});
        let (here_roles, there_roles) = (roles(&here), roles(&there));
        let (by_here, by_there) = join(quire.put_as(&here, &there_roles, &body), quire.put_as(&there, &here_roles, &body)).await;
        let (won, lost) = if by_here.status == 200 { (here, by_there) } else { (there, by_here) };
        // It is no admin any more, or sees that it would drop the last one.
        lost.expect_problem(lost.status.as_u16(), if lost.status == 403 { "forbidden" } else { "last-admin" });
        let admins = quire.get_as(&won, "/api/v1/users?role=admin").await.expect(200);
        assert_eq!(members(admins["items"].as_array().expect("a list"), "userId"), std::slice::from_ref(&won.id));
        here = won;
    }
    quire.stop().await;
}

#[tokio::test]
async fn roles_are_some_of_those_that_there_are() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    for (body, pointer, detail) in [
        (json!({}), "/roles", "must have 1 role or more"),
        (json!({"roles": []}), "/roles", "must have 1 role or more"),
        (json!({"roles": "admin"}), "/roles", "must be a list"),
        (json!({"roles": ["reader", "god"]}), "/roles/1", "is not a role"),
        (json!({"roles": ["reader", "reader"]}), "/roles", "must name each role once"),
        (json!({"roles": ["reader"], "userId": "x"}), "/userId", "is not known"),
    ] {
        let problem = quire.put_as(&root, &roles(&ada), &body).await.expect_problem(422, "invalid-input");
        assert_eq!(errors(&problem), [(pointer.to_owned(), detail.to_owned())], "{body}");
    }
    quire.stop().await;
}

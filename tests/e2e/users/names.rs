//! Names and addresses that change hands, and names that look alike.

use futures::future::join_all;
use quire_tests::{PASSWORD, Person, Quire, Reply};
use serde_json::{Value, json};

fn path(person: &Person) -> String {
    format!("/api/v1/users/{}", person.id)
}

async fn sign_in(quire: &Quire, name: &str) -> Reply {
    quire.post("/api/v1/sessions", &json!({"username": name, "password": PASSWORD})).await
}

async fn register(quire: &Quire, username: &str, email: &str) -> Reply {
    quire.post("/api/v1/users", &json!({"username": username, "email": email, "password": PASSWORD})).await
}

/// The claims to names and addresses in the table.
async fn claims(quire: &Quire) -> Vec<String> {
    let items = quire.items().await;
    let claims = items.iter().filter(|item| item["sk"].as_s().is_ok_and(|sk| sk == "CLAIM"));
    let mut claims: Vec<_> = claims.filter_map(|item| item["pk"].as_s().ok().cloned()).collect();
    claims.sort();
    claims
}

#[tokio::test]
async fn a_new_name_and_address_are_claimed_and_the_old_ones_given_up() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let body = json!({"username": "Countess", "email": "Countess@Example.com", "currentPassword": PASSWORD});
    let user = quire.patch_as(&ada, &path(&ada), &body).await.expect(200);
    assert_eq!((&user["username"], &user["email"], &user["version"]), (&json!("countess"), &json!("countess@example.com"), &json!(2)));
    for name in ["countess", "countess@example.com"] {
        assert_eq!(sign_in(&quire, name).await.expect(201)["userId"], json!(ada.id), "{name}");
    }
    for name in ["ada", "ada@example.com"] {
        sign_in(&quire, name).await.expect_problem(401, "wrong-password");
    }
    // SHA-256 of the address.
    assert_eq!(claims(&quire).await, ["EMAIL#5a5f01dada4638ad68ceeb2a77b11eea60473c9e564334bad9c4c1035faccfac", "USERNAME#countess"]);
    register(&quire, "ada", "ada@example.com").await.expect(201);
    register(&quire, "countess", "other@example.com").await.expect_problem(409, "username-taken");
    register(&quire, "other", "countess@example.com").await.expect_problem(409, "email-taken");
    for (body, problem) in
        [(json!({"username": "ada"}), "username-taken"), (json!({"email": "ada@example.com", "currentPassword": PASSWORD}), "email-taken")]
    {
        quire.patch_as(&ada, &path(&ada), &body).await.expect_problem(409, problem);
    }
    assert_eq!(claims(&quire).await.len(), 4, "what is refused claims nothing");
    quire.stop().await;
}

#[tokio::test]
async fn of_twenty_renames_to_one_free_name_one_is_made_and_no_claim_is_left_behind() {
    const MANY: usize = 20;
    let quire = Quire::start().await;
    let mut people = Vec::new();
    for number in 0..MANY {
        people.push((format!("user{number}"), quire.person(&format!("user{number}")).await));
    }
    let body = json!({"username": "wanted"});
    let rename = async |person: &Person| quire.patch_as(person, &path(person), &body).await;
    let replies = join_all(people.iter().map(|(_, person)| rename(person))).await;
    let mut winners = 0;
    for ((name, person), reply) in people.iter().zip(&replies) {
        if reply.status == 200 {
            winners += 1;
            assert_eq!(sign_in(&quire, "wanted").await.expect(201)["userId"], json!(person.id));
            sign_in(&quire, name).await.expect_problem(401, "wrong-password");
            register(&quire, name, "next@example.com").await.expect(201);
        } else {
            reply.expect_problem(409, "username-taken");
            assert_eq!(sign_in(&quire, name).await.expect(201)["userId"], json!(person.id));
        }
    }
    assert_eq!((winners, claims(&quire).await.len()), (1, 2 * (MANY + 1)));
    quire.stop().await;
}

#[tokio::test]
async fn many_changes_to_one_account_at_once_leave_it_one_name() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let rename = async |number: usize| quire.patch_as(&ada, &path(&ada), &json!({"username": format!("ada-{number}")})).await;
    let replies = join_all((0..10).map(rename)).await;
    assert!(replies.iter().any(|reply| reply.status == 200));
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        reply.expect_problem(503, "unavailable");
    }
    let user: Value = quire.get(&path(&ada)).await.expect(200);
    let name = user["username"].as_str().expect("a name").to_owned();
    sign_in(&quire, &name).await.expect(201);
    assert_eq!(claims(&quire).await.len(), 2);
    quire.stop().await;
}

#[tokio::test]
async fn a_name_that_looks_like_another_is_taken_and_signs_nobody_in() {
    let quire = Quire::start().await;
    let paul = quire.person("paul_mo0re").await;
    for alike in ["pau1_moore", "paul-m00re", "paul_rno0re"] {
        register(&quire, alike, "other@example.com").await.expect_problem(409, "username-taken");
        sign_in(&quire, alike).await.expect_problem(401, "wrong-password");
    }
    register(&quire, "paul_more", "other@example.com").await.expect(201);
    quire.patch_as(&paul, &path(&paul), &json!({"username": "paul-moore"})).await.expect(200);
    assert_eq!(sign_in(&quire, "paul-moore").await.expect(201)["userId"], json!(paul.id), "among its own look-alikes an account is free");
    sign_in(&quire, "paul_mo0re").await.expect_problem(401, "wrong-password");
    quire.stop().await;
}

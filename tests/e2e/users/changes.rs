//! `PUT /api/v1/users/{userId}` and `PATCH /api/v1/users/{userId}`.

use quire_tests::{PASSWORD, Person, Quire, send};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{NOBODY, errors, is_time, pointers};

fn path(person: &Person) -> String {
    format!("/api/v1/users/{}", person.id)
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_removes() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let before = quire.get_as(&ada, &path(&ada)).await.expect(200);
    let reply = quire.patch_as(&ada, &path(&ada), &json!({"displayName": "Ada", "bio": "Writes"})).await;
    let after = reply.expect(200);
    let mut expected = before.clone();
    (expected["displayName"], expected["bio"], expected["version"]) = (json!("Ada"), json!("Writes"), json!(2));
    expected["updatedAt"] = after["updatedAt"].clone();
    assert_eq!((&after, reply.header("etag")), (&expected, Some("\"2-own\"")));
    assert!(is_time(&after["updatedAt"]) && after["updatedAt"].as_str() > before["updatedAt"].as_str());
    for same in [json!({}), json!({"displayName": "Ada"}), json!({"username": "ADA", "email": "Ada@example.com", "isActive": true})] {
        assert_eq!(quire.patch_as(&ada, &path(&ada), &same).await.expect(200), after, "{same}");
    }
    let removed = quire.patch_as(&ada, &path(&ada), &json!({"displayName": null})).await.expect(200);
    assert_eq!((removed.get("displayName"), &removed["bio"], &removed["version"]), (None, &json!("Writes"), &json!(3)));
    assert_eq!(quire.get_as(&ada, &path(&ada)).await.expect(200), removed);
    quire.stop().await;
}

#[tokio::test]
async fn a_replacement_is_all_of_the_account_and_may_be_repeated() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    quire.patch_as(&ada, &path(&ada), &json!({"displayName": "Ada", "bio": "Writes"})).await.expect(200);
    let body = json!({"username": "ada", "email": "ada@example.com", "bio": "Reads"});
    let replaced = quire.put_as(&ada, &path(&ada), &body).await.expect(200);
    assert_eq!((replaced.get("displayName"), &replaced["bio"], &replaced["version"]), (None, &json!("Reads"), &json!(3)));
    assert_eq!(quire.put_as(&ada, &path(&ada), &body).await.expect(200), replaced);

    let xml = "<user><username>ada</username><email>ada@example.com</email><bio>Reads</bio><isActive>true</isActive></user>";
    let request = quire.request(Method::PUT, &path(&ada)).bearer_auth(&ada.token).header("content-type", "application/xml");
    assert_eq!(send(request.body(xml)).await.expect(200), replaced);
    quire.stop().await;
}

#[tokio::test]
async fn a_change_is_made_to_the_version_that_the_client_has_in_whatever_form() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let change = async |tag: &str, bio: &str| {
        let request = quire.request(Method::PATCH, &path(&ada)).bearer_auth(&ada.token).header("if-match", tag);
        send(request.json(&json!({"bio": bio}))).await
    };
    for (number, accept) in ["application/json", "application/xml", "application/x-protobuf"].into_iter().enumerate() {
        let own = send(quire.request(Method::GET, &path(&ada)).bearer_auth(&ada.token).header("accept", accept)).await;
        let tag = own.header("etag").expect("a tag").to_owned();
        change(&tag, &format!("Bio {number}")).await.expect(200);
        change(&tag, "Late").await.expect_problem(412, "version-mismatch");
    }
    let public = quire.get(&path(&ada)).await;
    change(public.header("etag").expect("a tag"), "By the tag that everybody sees").await.expect(200);

    let body = json!({"username": "ada", "email": "ada@example.com"});
    let only_new = quire.request(Method::PUT, &path(&ada)).bearer_auth(&ada.token).header("if-none-match", "*").json(&body);
    send(only_new).await.expect_problem(412, "version-mismatch");
    let not_this = quire.request(Method::PUT, &path(&ada)).bearer_auth(&ada.token).header("if-none-match", "\"1\"").json(&body);
    send(not_this).await.expect_problem(400, "malformed");
    quire.stop().await;
}

#[tokio::test]
async fn an_account_is_changed_by_itself_and_by_admins_only() {
    let (quire, root) = Quire::with_admin().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let body = json!({"username": "ada", "email": "ada@example.com", "bio": "Changed"});
    quire.put_as(&bob, &path(&ada), &body).await.expect_problem(403, "forbidden");
    quire.patch_as(&bob, &path(&ada), &json!({"bio": "Changed"})).await.expect_problem(403, "forbidden");
    for is_active in [json!({"isActive": false}), json!({"isActive": false, "bio": "Gone"})] {
        quire.patch_as(&ada, &path(&ada), &is_active).await.expect_problem(403, "forbidden");
    }
    let user = quire.put_as(&root, &path(&ada), &body).await.expect(200);
    assert_eq!((&user["bio"], &user["email"]), (&json!("Changed"), &json!("ada@example.com")), "admins see the address");
    for nobody in [format!("/api/v1/users/{NOBODY}"), "/api/v1/users/ada".to_owned()] {
        quire.put_as(&root, &nobody, &body).await.expect_problem(404, "user-not-found");
        quire.patch_as(&root, &nobody, &json!({})).await.expect_problem(404, "user-not-found");
    }
    quire.stop().await;
}

#[tokio::test]
async fn an_account_that_is_switched_off_changes_nothing_more_even_with_its_token() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let off = quire.patch_as(&root, &path(&ada), &json!({"isActive": false})).await.expect(200);
    assert_eq!((&off["isActive"], &off["version"]), (&json!(false), &json!(2)));
    let credentials = json!({"username": "ada", "password": PASSWORD});
    quire.post("/api/v1/sessions", &credentials).await.expect_problem(401, "wrong-password");
    let body = json!({"username": "ada", "email": "ada@example.com"});
    for reply in [
        quire.put_as(&ada, &path(&ada), &body).await,
        quire.patch_as(&ada, &path(&ada), &json!({})).await,
        quire.patch_as(&ada, &path(&ada), &json!({"isActive": true})).await,
        quire.put_as(&ada, &format!("{}/roles", path(&root)), &json!({"roles": ["reader"]})).await,
        quire.delete_as(&ada, &path(&ada)).await,
    ] {
        reply.expect_problem(401, "invalid-token");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"quire\", error=\"invalid_token\""));
    }
    assert_eq!(quire.get(&path(&ada)).await.expect(200)["isActive"], json!(false));
    quire.put_as(&root, &path(&ada), &body).await.expect(200);
    assert_eq!(quire.get(&path(&ada)).await.expect(200)["isActive"], json!(false), "absent is as it is");
    quire.patch_as(&root, &path(&ada), &json!({"isActive": true})).await.expect(200);
    quire.post("/api/v1/sessions", &credentials).await.expect(201);
    quire.patch_as(&ada, &path(&ada), &json!({"bio": "Back"})).await.expect(200);
    quire.stop().await;
}

#[tokio::test]
async fn an_address_changes_only_with_the_password_of_who_asks() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let body = |password: Option<&str>| {
        let mut body = json!({"username": "ada", "email": "lovelace@example.com"});
        if let Some(password) = password {
            body["currentPassword"] = json!(password);
        }
        body
    };
    for reply in [quire.patch_as(&ada, &path(&ada), &body(None)).await, quire.put_as(&root, &path(&ada), &body(None)).await] {
        assert_eq!(pointers(&reply.expect_problem(422, "invalid-input")), ["/currentPassword"]);
    }
    quire.put_as(&ada, &path(&ada), &body(Some("another horse battery"))).await.expect_problem(401, "wrong-password");
    assert_eq!(quire.get_as(&ada, &path(&ada)).await.expect(200)["version"], json!(1));
    let user = quire.patch_as(&ada, &path(&ada), &body(Some(PASSWORD))).await.expect(200);
    assert_eq!((&user["email"], &user["version"]), (&json!("lovelace@example.com"), &json!(2)));
    let again = json!({"email": "countess@example.com", "currentPassword": PASSWORD});
    assert_eq!(quire.patch_as(&root, &path(&ada), &again).await.expect(200)["email"], json!("countess@example.com"), "an admin's own password");
    quire.stop().await;
}

#[tokio::test]
async fn nobody_guesses_a_password_with_a_token() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let wrong = json!({"email": "eve@example.com", "currentPassword": "another horse battery"});
    // A minute may pass meanwhile, which begins a new count.
    let mut replies = Vec::new();
    for _ in 0..6 {
        replies.push(quire.patch_as(&ada, &path(&ada), &wrong).await);
        let passwords = json!({"currentPassword": "another horse battery", "newPassword": "a third horse battery"});
        replies.push(quire.put_as(&ada, &format!("{}/password", path(&ada)), &passwords).await);
    }
    let (refused, waiting): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 401);
    for reply in refused {
        reply.expect_problem(401, "wrong-password");
    }
    assert!(!waiting.is_empty());
    for reply in waiting {
        reply.expect_problem(429, "too-many-tries");
        assert!(reply.header("retry-after").is_some());
    }
    quire.stop().await;
}

#[tokio::test]
async fn an_account_that_is_switched_on_again_has_no_session_of_before() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let credentials = json!({"username": "ada", "password": PASSWORD});
    let session = quire.post("/api/v1/sessions", &credentials).await.expect(201);
    for is_active in [false, true] {
        quire.patch_as(&root, &path(&ada), &json!({"isActive": is_active})).await.expect(200);
    }
    let refresh = json!({"refreshToken": session["refreshToken"]});
    quire.post("/api/v1/sessions/refresh", &refresh).await.expect_problem(401, "invalid-refresh-token");
    assert_eq!(quire.get_as(&ada, "/api/v1/sessions").await.expect(200)["items"], json!([]));
    quire.post("/api/v1/sessions", &credentials).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn every_wrong_field_of_a_change_is_listed_at_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let wrong = json!({"email": "nowhere", "displayName": "", "bio": 1, "isActive": "true", "password": "correct horse", "roles": []});
    let problem = quire.put_as(&ada, &path(&ada), &wrong).await.expect_problem(422, "invalid-input");
    let expected: [(&str, &str); 7] = [
        ("/username", "is required"),
        ("/email", "must be an e-mail address in ASCII characters"),
        ("/displayName", "must have 1 to 80 characters"),
        ("/bio", "must be a string"),
        ("/isActive", "must be true or false"),
        ("/password", "is not known"),
        ("/roles", "is not known"),
    ];
    assert_eq!(errors(&problem), expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())));
    let problem = quire.patch_as(&ada, &path(&ada), &json!({"username": null, "email": null, "isActive": null})).await;
    assert_eq!(pointers(&problem.expect_problem(422, "invalid-input")), ["/username", "/email", "/isActive"]);
    let request = quire.request(Method::PATCH, &path(&ada)).bearer_auth(&ada.token).header("content-type", "application/xml");
    let reply = send(request.body("<user><bio>B</bio></user>")).await;
    reply.expect_problem(415, "unsupported-media-type");
    assert_eq!(reply.header("accept-patch"), Some("application/merge-patch+json, application/json"));
    assert_eq!(quire.get(&path(&ada)).await.expect(200)["version"], Value::from(1));
    quire.stop().await;
}

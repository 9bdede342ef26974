//! `POST /api/v1/email-verifications` and `PUT /api/v1/email-verifications/{token}`.

use aws_sdk_dynamodb::types::AttributeValue;
use quire_tests::{PASSWORD, Quire, Reply, text};
use serde_json::json;

use crate::{
    NOBODY, deliver, errors,
    mail::{put, still, subjects},
    outbox,
    sessions::{entries, refresh::refresh, sign_in},
};

/// Moves the end of an account's newest token for one purpose into the past.
pub(crate) async fn expire(quire: &Quire, user: &str, purpose: &str) {
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let update = quire.dynamodb().update_item().table_name(quire.table()).key("pk", key(&format!("USER#{user}"))).key("sk", key(purpose));
    let update = update.update_expression("SET #ends = :past").expression_attribute_names("#ends", "ends");
    update.expression_attribute_values(":past", key("2026-01-01T00:00:00.000Z")).send().await.expect("the token is there");
}

/// What a client can tell replies apart by.
pub(crate) fn told(reply: &Reply) -> (u16, Vec<u8>, Vec<(String, String)>) {
    let own = ["x-correlation-id", "apigw-requestid", "ratelimit", "date"];
    let headers = reply.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    (reply.status.as_u16(), reply.body.clone(), headers)
}

#[tokio::test]
async fn who_has_read_the_mail_has_a_verified_address_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/users/{}", ada.id);
    assert_eq!(quire.get_as(&ada, &path).await.expect(200)["emailVerified"], json!(false));
    assert_eq!(quire.get(&path).await.expect(200).get("emailVerified"), None, "it stands beside the address only");
    let token = quire.mailed_token("ada@example.com", "qev_", 1).await;
    let reply = put(&quire, "email-verifications", &token, None).await;
    assert_eq!((reply.expect(204), reply.header("cache-control")), (json!(null), Some("no-store")));
    let user = quire.get_as(&ada, &path).await.expect(200);
    assert_eq!((&user["emailVerified"], &user["version"]), (&json!(true), &json!(2)));
    let audited = entries(&quire, "user.email-verified").await;
    assert_eq!((audited.len(), &audited[0]["subject"]), (1, &json!(ada.id)));
    put(&quire, "email-verifications", &token, None).await.expect_problem(404, "email-verification-not-found");
    quire.stop().await;
}

#[tokio::test]
async fn every_other_token_is_refused_alike() {
    let quire = Quire::start().await;
    let ada = quire.register("ada").await;
    let token = quire.mailed_token("ada@example.com", "qev_", 1).await;
    quire.post("/api/v1/password-resets", &json!({"email": "ada@example.com"})).await.expect(202);
    let reset = quire.mailed_token("ada@example.com", "qpr_", 1).await;
    let other = if &token[60..61] == "A" { "B" } else { "A" };
    let other_account = format!("qev_{}", &token[4..].replacen(&token[10..14], "AAAA", 1));
    let wrong = [
        "qev_".to_owned(),
        "x".to_owned(),
        NOBODY.to_owned(),
        reset.clone(),
        reset.replacen("qpr_", "qev_", 1),
        token.replacen("qev_", "qpr_", 1),
        token[..token.len() - 1].to_owned(),
        format!("{token}A"),
        format!("{}{other}{}", &token[..60], &token[61..]),
        other_account,
    ];
    for wrong in &wrong {
        put(&quire, "email-verifications", wrong, None).await.expect_problem(404, "email-verification-not-found");
    }
    expire(&quire, &ada, "EMAIL-VERIFICATION").await;
    put(&quire, "email-verifications", &token, None).await.expect_problem(404, "email-verification-not-found");
    put(&quire, "password-resets", &token, Some(json!({"password": PASSWORD}))).await.expect_problem(404, "password-reset-not-found");
    quire.stop().await;
}

#[tokio::test]
async fn a_request_has_the_same_answer_for_every_address_and_mails_whom_it_concerns() {
    let quire = still().await;
    quire.register("ada").await;
    let replies = [
        quire.post("/api/v1/email-verifications", &json!({"email": "ada@example.com"})).await,
        quire.post("/api/v1/email-verifications", &json!({"email": "nobody@example.com"})).await,
    ];
    assert_eq!(replies[0].status, 202);
    assert_eq!(told(&replies[0]), told(&replies[1]));
    let requested = outbox(&quire).await.remove("user.email-verification-requested").unwrap_or_default();
    assert_eq!(requested.len(), 2);
    for event in &requested {
        deliver(&quire, "SendEmail", event).await;
    }
    assert_eq!(subjects(&quire.mails()), ["Verify your e-mail address"]);
    let token = quire.mailed_token("ada@example.com", "qev_", 1).await;
    put(&quire, "email-verifications", &token, None).await.expect(204);
    // Nothing is left to be verified.
    for event in outbox(&quire).await.values().flatten() {
        deliver(&quire, "SendEmail", event).await;
    }
    assert_eq!(quire.mails().len(), 1);
    let problem = quire.post("/api/v1/email-verifications", &json!({"email": "nowhere"})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&problem), [("/email".to_owned(), "must be an e-mail address in ASCII characters".to_owned())]);
    quire.stop().await;
}

#[tokio::test]
async fn an_unverified_account_reads_and_does_not_write() {
    let quire = Quire::start_with(&[("RequireVerifiedEmail", "true")]).await;
    let session = {
        quire.register("ada").await;
        sign_in(&quire, "ada", PASSWORD).await.expect(201)
    };
    let ada = quire_tests::Person { id: text(&session["userId"]), token: text(&session["accessToken"]) };
    let posts = "/api/v1/posts";
    quire.post_as(&ada, posts, &json!({"title": "T"})).await.expect_problem(403, "email-unverified");
    quire.put_as(&ada, &format!("/api/v1/users/{NOBODY}/followers/{}", ada.id), &json!({})).await.expect_problem(403, "email-unverified");
    quire.get_as(&ada, posts).await.expect(200);
    quire.get_as(&ada, "/api/v1/feed").await.expect(200);
    // What concerns the account itself stays open, or a wrong address could not be mended.
    quire.patch_as(&ada, &format!("/api/v1/users/{}", ada.id), &json!({"bio": "Writes"})).await.expect(200);
    let token = quire.mailed_token("ada@example.com", "qev_", 1).await;
    put(&quire, "email-verifications", &token, None).await.expect(204);
    quire.post_as(&ada, posts, &json!({"title": "T"})).await.expect_problem(403, "email-unverified");
    let session = refresh(&quire, &text(&session["refreshToken"])).await.expect(200);
    let ada = quire_tests::Person { token: text(&session["accessToken"]), ..ada };
    quire.post_as(&ada, posts, &json!({"title": "T"})).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn another_address_is_not_verified_and_the_former_one_is_told() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/users/{}", ada.id);
    let first = quire.mailed_token("ada@example.com", "qev_", 1).await;
    put(&quire, "email-verifications", &first, None).await.expect(204);
    let user = quire.patch_as(&ada, &path, &json!({"email": "lovelace@example.com", "currentPassword": PASSWORD})).await.expect(200);
    assert_eq!((&user["email"], &user["emailVerified"]), (&json!("lovelace@example.com"), &json!(false)));
    let second = quire.mailed_token("lovelace@example.com", "qev_", 1).await;
    quire_tests::eventually(|| async {
        quire.mails().iter().any(|mail| mail.to == ["ada@example.com"] && mail.subject == "Your e-mail address was changed").then_some(())
    })
    .await;
    assert_eq!(entries(&quire, "user.email-changed").await.len(), 1);
    // The token is for the address that it went to.
    quire.patch_as(&ada, &path, &json!({"email": "countess@example.com", "currentPassword": PASSWORD})).await.expect(200);
    put(&quire, "email-verifications", &second, None).await.expect_problem(404, "email-verification-not-found");
    let third = quire.mailed_token("countess@example.com", "qev_", 1).await;
    put(&quire, "email-verifications", &third, None).await.expect(204);
    assert_eq!(quire.get_as(&ada, &path).await.expect(200)["emailVerified"], json!(true));
    quire.stop().await;
}

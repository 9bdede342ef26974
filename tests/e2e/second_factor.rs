//! `/api/v1/users/{userId}/second-factor`, and signing in with it.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use quire_tests::{PASSWORD, Person, Quire, Reply, eventually, text};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::{
    api_tokens::{account, set},
    errors,
    forge::{decode, now},
    is_time,
};

const STEP: u64 = 30;

fn path(person: &Person) -> String {
    format!("/api/v1/users/{}/second-factor", person.id)
}

/// The code of a secret so many steps from now.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).expect("base32")).build().expect("a secret");
    totp.generate((now() / STEP).checked_add_signed(steps).expect("a step") * STEP).to_string()
}

/// Waits until the present step and the present minute last long enough for a test to end in them.
async fn early() {
    eventually(|| async { (now() % STEP < 15).then_some(()) }).await;
}

/// A code that is none of those around now.
fn wrong_code(secret: &str) -> String {
    let near: Vec<_> = (-2..=3).map(|steps| code(secret, steps)).collect();
    (0..).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).expect("a code")
}

/// Forgets how many codes were tried, as the next minute does.
pub(crate) async fn forget_tries(quire: &Quire, person: &Person) {
    for item in quire.items().await {
        if item["pk"].as_s().is_ok_and(|pk| *pk == format!("RATE#CODE#{}", person.id)) {
            let delete = quire.dynamodb().delete_item().table_name(quire.table()).key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
            delete.send().await.expect("the item is deleted");
        }
    }
}

async fn start(quire: &Quire, person: &Person) -> Value {
    quire.post_as(person, &path(person), &json!({"password": PASSWORD})).await.expect(201)
}

/// Turns the second factor on with the code of the step before this one, so that those of this one and the next are left.
pub(crate) async fn enrol(quire: &Quire, person: &Person) -> (String, Vec<String>) {
    early().await;
    let secret = text(&start(quire, person).await["secret"]);
    let confirmed = quire.put_as(person, &path(person), &json!({"code": code(&secret, -1)})).await.expect(200);
    forget_tries(quire, person).await;
    let codes = confirmed["recoveryCodes"].as_array().expect("a list").iter().map(text).collect();
    (secret, codes)
}

async fn sign_in(quire: &Quire, name: &str, code: Option<&str>) -> Reply {
    let mut body = json!({"username": name, "password": PASSWORD});
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    quire.post("/api/v1/sessions", &body).await
}

/// Which entries the audit trail has about an account, newest first.
async fn trail(quire: &Quire, person: &Person) -> Vec<String> {
    let items = quire.items().await;
    let mut entries: Vec<_> = items.iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| *pk == format!("AUDIT#{}", person.id))).collect();
    entries.sort_by_key(|item| std::cmp::Reverse(item["sk"].as_s().expect("a text").clone()));
    entries.iter().map(|item| item["type"].as_s().expect("a text").clone()).filter(|kind| !kind.starts_with("session.created")).collect()
}

#[tokio::test]
async fn a_second_factor_is_shown_once_confirmed_by_a_code_and_then_signing_in_takes_one() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let shown = async || quire.get_as(&ada, &path(&ada)).await.expect(200);
    assert_eq!(shown().await, json!({"isEnabled": false, "recoveryCodesLeft": 0}));
    early().await;
    let reply = quire.post_as(&ada, &path(&ada), &json!({"password": PASSWORD})).await;
    let pending = reply.expect(201);
    let secret = text(&pending["secret"]);
    let uri = text(&pending["uri"]);
    assert_eq!((reply.header("location"), reply.header("cache-control")), (Some(path(&ada).as_str()), Some("no-store")));
    assert!(uri.starts_with("otpauth://totp/quire.localhost:ada?") && uri.contains(&format!("secret={secret}")), "{uri}");
    assert!(uri.contains("issuer=quire.localhost") && is_time(&pending["expiresAt"]), "{pending}");
    assert_eq!(shown().await["isEnabled"], json!(false), "a secret that waits is no factor");
    sign_in(&quire, "ada", None).await.expect(201);

    quire.put_as(&ada, &path(&ada), &json!({"code": wrong_code(&secret)})).await.expect_problem(401, "wrong-code");
    let reply = quire.put_as(&ada, &path(&ada), &json!({"code": code(&secret, -1)})).await;
    let codes = reply.expect(200)["recoveryCodes"].as_array().cloned().expect("a list");
    assert_eq!((codes.len(), reply.header("cache-control")), (10, Some("no-store")));
    let on = shown().await;
    assert_eq!((&on["isEnabled"], &on["recoveryCodesLeft"], is_time(&on["enabledAt"])), (&json!(true), &json!(10), true));

    let reply = sign_in(&quire, "ada", None).await;
    reply.expect_problem(401, "second-factor-required");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"quire\""));
    quire.post("/api/v1/sessions", &json!({"username": "ada", "password": "wrong horse battery"})).await.expect_problem(401, "wrong-password");
    sign_in(&quire, "ada", Some(&wrong_code(&secret))).await.expect_problem(401, "wrong-code");
    let now_code = code(&secret, 0);
    sign_in(&quire, "ada", Some(&format!(" {now_code} "))).await.expect(201);
    forget_tries(&quire, &ada).await;
    for _ in 0..2 {
        sign_in(&quire, "ada", Some(&now_code)).await.expect_problem(401, "wrong-code");
    }
    assert_eq!(trail(&quire, &ada).await, ["session.refused", "session.refused", "session.refused", "session.refused", "second-factor.enabled"]);

    set(&quire, account(&ada), "isActive", Some(AttributeValue::Bool(false))).await;
    for code in [None, Some("000000"), Some(codes[0].as_str().expect("a text"))] {
        sign_in(&quire, "ada", code).await.expect_problem(401, "wrong-password");
    }

    let (items, logs) = (format!("{:?}", quire.items().await), quire.logs().concat());
    let recovery: Vec<_> = codes.iter().map(text).collect();
    for hidden in [secret.as_str(), uri.as_str(), &recovery[0], &recovery[0].replace('-', "")] {
        assert!(!items.contains(hidden) && !logs.contains(hidden), "{hidden}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_code_counts_in_its_own_step_and_in_those_beside_it_and_once() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    early().await;
    let secret = text(&start(&quire, &ada).await["secret"]);
    for steps in [-2, 2] {
        quire.put_as(&ada, &path(&ada), &json!({"code": code(&secret, steps)})).await.expect_problem(401, "wrong-code");
    }
    let first = code(&secret, -1);
    quire.put_as(&ada, &path(&ada), &json!({"code": first})).await.expect(200);
    forget_tries(&quire, &ada).await;
    sign_in(&quire, "ada", Some(&first)).await.expect_problem(401, "wrong-code");
    early().await;
    for steps in [-2, 2] {
        sign_in(&quire, "ada", Some(&code(&secret, steps))).await.expect_problem(401, "wrong-code");
    }
    sign_in(&quire, "ada", Some(&code(&secret, 1))).await.expect(201);
    forget_tries(&quire, &ada).await;
    // Once a later code was used, an earlier one counts no more.
    sign_in(&quire, "ada", Some(&code(&secret, 0))).await.expect_problem(401, "wrong-code");
    quire.stop().await;
}

#[tokio::test]
async fn a_code_that_many_use_at_once_signs_one_in() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (secret, recovery) = enrol(&quire, &ada).await;
    for code in [code(&secret, 0), recovery[3].clone()] {
        let replies = join_all((0..5).map(|_| sign_in(&quire, "ada", Some(&code)))).await;
        let (signed_in, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 201);
        assert_eq!(signed_in.len(), 1, "{code}");
        refused.iter().for_each(|reply| drop(reply.expect_problem(401, "wrong-code")));
        forget_tries(&quire, &ada).await;
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_however_it_is_typed() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let (_, recovery) = enrol(&quire, &ada).await;
    let (_, of_bob) = enrol(&quire, &bob).await;
    sign_in(&quire, "ada", Some(&recovery[0])).await.expect(201);
    sign_in(&quire, "ada", Some(&recovery[1].replace('-', "").to_uppercase())).await.expect(201);
    assert_eq!(quire.get_as(&ada, &path(&ada)).await.expect(200)["recoveryCodesLeft"], json!(8));
    for wrong in [&recovery[0], &of_bob[0], &"0".repeat(20)] {
        sign_in(&quire, "ada", Some(wrong)).await.expect_problem(401, "wrong-code");
    }
    assert_eq!(trail(&quire, &ada).await[3..], ["second-factor.recovered", "second-factor.recovered", "second-factor.enabled"]);
    quire.stop().await;
}

#[tokio::test]
async fn codes_and_passwords_are_tried_five_times_a_minute() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (secret, _) = enrol(&quire, &ada).await;
    eventually(|| async { (now() % 60 < 15).then_some(()) }).await;
    let wrong = wrong_code(&secret);
    let removal = format!("{}/removal", path(&ada));
    let attempt = json!({"password": PASSWORD, "code": wrong});
    let replies = join_all((0..20).map(|_| quire.post_as(&ada, &removal, &attempt))).await;
    let (tried, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 401);
    assert_eq!((tried.len(), refused.len()), (5, 15), "many at once are counted too");
    tried.iter().for_each(|reply| drop(reply.expect_problem(401, "wrong-code")));
    for reply in refused {
        reply.expect_problem(429, "too-many-tries");
        let wait: u64 = reply.header("retry-after").expect("a wait").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    }
    sign_in(&quire, "ada", Some(&code(&secret, 0))).await.expect_problem(429, "too-many-tries");
    let both = json!({"password": PASSWORD, "code": code(&secret, 0)});
    quire.post_as(&ada, &removal, &both).await.expect_problem(429, "too-many-tries");
    quire.post_as(&ada, &path(&ada), &json!({"password": "wrong"})).await.expect_problem(429, "too-many-tries");
    // Whoever does not know the password learns nothing of it and uses up nothing.
    quire
        .post("/api/v1/sessions", &json!({"username": "ada", "password": "wrong horse", "code": "000000"}))
        .await
        .expect_problem(401, "wrong-password");
    forget_tries(&quire, &ada).await;
    sign_in(&quire, "ada", Some(&code(&secret, 1))).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn a_wrong_code_is_a_failure_to_sign_in() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let (secret, _) = enrol(&quire, &ada).await;
    // Each failure after the fifth makes the next try wait twice as long, so that one soon comes too early.
    for count in 0..12 {
        let reply = sign_in(&quire, "ada", Some(&wrong_code(&secret))).await;
        forget_tries(&quire, &ada).await;
        if reply.status != 401 {
            assert!(count >= 5, "five failures cost nothing");
            reply.expect_problem(429, "too-many-attempts");
            quire.stop().await;
            return;
        }
        reply.expect_problem(401, "wrong-code");
    }
    panic!("wrong codes make nobody wait");
}

#[tokio::test]
async fn a_second_factor_is_turned_off_with_the_password_and_a_code() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let removal = format!("{}/removal", path(&ada));
    let off = async |password: &str, code: &str| quire.post_as(&ada, &removal, &json!({"password": password, "code": code})).await;
    off(PASSWORD, "000000").await.expect_problem(404, "second-factor-not-found");
    let (secret, recovery) = enrol(&quire, &ada).await;
    off("wrong horse battery", &code(&secret, 0)).await.expect_problem(401, "wrong-password");
    off(PASSWORD, &wrong_code(&secret)).await.expect_problem(401, "wrong-code");
    off(PASSWORD, &code(&secret, 0)).await.expect(204);
    off(PASSWORD, &code(&secret, 1)).await.expect_problem(404, "second-factor-not-found");
    assert_eq!(quire.get_as(&ada, &path(&ada)).await.expect(200), json!({"isEnabled": false, "recoveryCodesLeft": 0}));
    sign_in(&quire, "ada", None).await.expect(201);
    sign_in(&quire, "ada", Some(&recovery[0])).await.expect(201);

    forget_tries(&quire, &ada).await;
    let (_, recovery) = enrol(&quire, &ada).await;
    off(PASSWORD, &recovery[9]).await.expect(204);
    let expected = ["second-factor.disabled", "second-factor.enabled", "second-factor.disabled", "second-factor.enabled"];
    let entries = trail(&quire, &ada).await;
    assert_eq!(entries.iter().filter(|kind| *kind == "second-factor.recovered").count(), 1);
    assert_eq!(entries.into_iter().filter(|kind| kind != "second-factor.recovered").collect::<Vec<_>>(), expected);
    quire.stop().await;
}

#[tokio::test]
async fn a_second_factor_begins_with_the_password_and_is_confirmed_in_ten_minutes() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let put = async |code: &str| quire.put_as(&ada, &path(&ada), &json!({"code": code})).await;
    put("000000").await.expect_problem(404, "second-factor-not-found");
    quire.post_as(&ada, &path(&ada), &json!({"password": "wrong horse battery"})).await.expect_problem(401, "wrong-password");
    let first = text(&start(&quire, &ada).await["secret"]);
    early().await;
    let secret = text(&start(&quire, &ada).await["secret"]);
    assert_ne!(first, secret);
    put(&code(&first, 0)).await.expect_problem(401, "wrong-code");
    forget_tries(&quire, &ada).await;
    let key = (format!("SECOND-FACTOR#{}", ada.id), "SECOND-FACTOR".to_owned());
    set(&quire, key, "createdAt", Some(AttributeValue::S("2026-11-22T14:00:00.000Z".into()))).await;
    put(&code(&secret, 0)).await.expect_problem(404, "second-factor-not-found");
    let (secret, _) = enrol(&quire, &ada).await;
    quire.post_as(&ada, &path(&ada), &json!({"password": PASSWORD})).await.expect_problem(409, "second-factor-enabled");
    put(&code(&secret, 0)).await.expect_problem(409, "second-factor-enabled");

    for other in [&bob] {
        quire.get_as(other, &path(&ada)).await.expect_problem(403, "forbidden");
        quire.post_as(other, &path(&ada), &json!({"password": PASSWORD})).await.expect_problem(403, "forbidden");
        quire.put_as(other, &path(&ada), &json!({"code": "000000"})).await.expect_problem(403, "forbidden");
        let body = json!({"password": PASSWORD, "code": "000000"});
        quire.post_as(other, &format!("{}/removal", path(&ada)), &body).await.expect_problem(403, "forbidden");
    }
    quire.get(&path(&ada)).await.expect_problem(401, "sign-in-required");
    let problem = quire.post_as(&bob, &format!("{}/removal", path(&bob)), &json!({"password": 1})).await.expect_problem(422, "invalid-input");
    assert_eq!(errors(&problem), [("/password", "must be a string"), ("/code", "is required")].map(|(p, d)| (p.to_owned(), d.to_owned())));
    set(&quire, account(&bob), "isActive", Some(AttributeValue::Bool(false))).await;
    quire.post_as(&bob, &path(&bob), &json!({"password": PASSWORD})).await.expect_problem(401, "invalid-token");
    quire.stop().await;
}

#[tokio::test]
async fn a_secret_opens_for_its_own_account_only() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let (secret, _) = enrol(&quire, &ada).await;
    enrol(&quire, &bob).await;
    let key = |person: &Person| (format!("SECOND-FACTOR#{}", person.id), "SECOND-FACTOR".to_owned());
    let items = quire.items().await;
    let of_ada = items.iter().find(|item| item["pk"] == AttributeValue::S(key(&ada).0)).expect("the second factor");
    set(&quire, key(&bob), "ciphertext", Some(of_ada["ciphertext"].clone())).await;
    early().await;
    sign_in(&quire, "bob", Some(&code(&secret, 1))).await.expect_problem(503, "unavailable");
    quire.stop().await;
}

#[tokio::test]
async fn an_admin_acts_as_one_only_with_a_second_factor_where_that_is_wanted() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let body = json!({"name": "Build", "scopes": ["users:read"]});
    let token = text(&quire.post_as(&root, &format!("/api/v1/users/{}/tokens", root.id), &body).await.expect(201)["token"]);
    let quire = Quire::over(quire.stop().await, &[("RequireAdminSecondFactor", "true")]).await;
    let roles = |token: &str| decode(token.split('.').nth(1).expect("claims"))["roles"].as_array().cloned().unwrap_or_default();
    let exchanged = async || text(&quire.post("/api/v1/access-tokens", &json!({"apiToken": token})).await.expect(201)["accessToken"]);
    let change = async |who: &Person| quire.put_as(who, &format!("/api/v1/users/{}/roles", ada.id), &json!({"roles": ["reader"]})).await;

    let without = quire.sign_in("root").await;
    assert!(!roles(&without.token).contains(&json!("admin")) && !roles(&exchanged().await).contains(&json!("admin")));
    quire.get_as(&without, "/api/v1/users").await.expect_problem(403, "forbidden");
    change(&without).await.expect_problem(403, "forbidden");
    let shown = quire.get_as(&without, &format!("/api/v1/users/{}", root.id)).await.expect(200);
    assert!(shown["roles"].as_array().is_some_and(|roles| roles.contains(&json!("admin"))), "the account keeps its role");

    let (secret, _) = enrol(&quire, &without).await;
    change(&without).await.expect_problem(403, "forbidden");
    let session = sign_in(&quire, "root", Some(&code(&secret, 0))).await.expect(201);
    let with = Person { id: root.id.clone(), token: text(&session["accessToken"]) };
    assert!(roles(&with.token).contains(&json!("admin")) && roles(&exchanged().await).contains(&json!("admin")));
    quire.get_as(&with, "/api/v1/users").await.expect(200);
    change(&with).await.expect(200);

    let both = json!({"password": PASSWORD, "code": code(&secret, 1)});
    quire.post_as(&with, &format!("{}/removal", path(&with)), &both).await.expect(204);
    assert!(!roles(&quire.sign_in("root").await.token).contains(&json!("admin")));
    quire.stop().await;
}

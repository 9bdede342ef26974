//! Signing in at other providers, and linking identities there.

pub(crate) mod provider;

use aws_sdk_dynamodb::types::AttributeValue;
use quire_tests::{PASSWORD, Person, Quire, Reply, send, text};
use reqwest::{Client, Method, RequestBuilder, Url, header, redirect::Policy};
use serde_json::{Value, json};

use crate::{
    NOBODY, deliver,
    forge::{KID, decode, encode, now},
    is_time, second_factor,
};
use provider::{Certified, Impostor};

/// Our id at every provider.
const CLIENT: &str = "quire-tests";
/// And our secret.
const SECRET: &str = "a-secret-of-the-tests";
/// Name of the cookie.
const COOKIE: &str = "__Host-quire-sign-in";

/// A client that goes nowhere by itself.
pub(crate) fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().expect("a client")
}

/// Where a provider sends browsers back to.
fn redirect(provider: &str) -> String {
    format!("https://quire.localhost/api/v1/identity/{provider}/callback")
}

/// A Quire over nothing that knows these providers.
async fn quire(providers: &[(&str, &str)]) -> Quire {
    let list =
        |value: &dyn Fn(&str) -> String| providers.iter().map(|(name, issuer)| format!("{name}={}", value(issuer))).collect::<Vec<_>>().join(",");
    let (issuers, clients, secrets) = (list(&|issuer| issuer.to_owned()), list(&|_| CLIENT.to_owned()), list(&|_| SECRET.to_owned()));
    Quire::start_with(&[("IdentityProviders", &issuers), ("IdentityClients", &clients), ("IdentityClientSecrets", &secrets)]).await
}

/// A sign-in that has begun: where it goes on, and the cookie.
#[derive(Clone)]
pub(crate) struct Begun {
    url: Url,
    cookie: String,
}

impl Begun {
    /// By a redirect.
    pub(crate) fn of_redirect(reply: &Reply) -> Self {
        reply.expect(302);
        Self { url: reply.header("location").expect("an address").parse().expect("a URL"), cookie: cookie(reply) }
    }

    /// By an account that links an identity.
    pub(crate) fn of_link(reply: &Reply) -> Self {
        Self { url: text(&reply.expect(200)["authorizationUrl"]).parse().expect("a URL"), cookie: cookie(reply) }
    }

    /// The cookies that the browser sends.
    pub(crate) fn header(&self) -> String {
        format!("theme=dark; {COOKIE}={}", self.cookie)
    }

    /// What the provider is told.
    pub(crate) fn parameter(&self, name: &str) -> String {
        parameter(&self.url, name)
    }
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_else(|| panic!("{url} has no {name}"))
}

/// The cookie that a reply gives.
#[track_caller]
fn cookie(reply: &Reply) -> String {
    let line = reply.header("set-cookie").expect("a cookie");
    let (pair, attributes) = line.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax");
    let value = pair.strip_prefix(COOKIE).and_then(|pair| pair.strip_prefix('=')).expect("the cookie of sign-ins");
    assert_eq!(value.len(), 43);
    value.to_owned()
}

async fn begin(quire: &Quire, provider: &str) -> Begun {
    let address = format!("{}/api/v1/identity/{provider}/authorize", quire.cloud().url());
    let reply = send(browser().get(address)).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    Begun::of_redirect(&reply)
}

async fn begin_link(quire: &Quire, person: &Person, provider: &str) -> Begun {
    let reply = quire.post_as(person, &format!("/api/v1/users/{}/identities", person.id), &json!({"provider": provider})).await;
    assert!(is_time(&reply.expect(200)["expiresAt"]));
    Begun::of_link(&reply)
}

fn callback(quire: &Quire, provider: &str, query: &str, cookie: Option<&str>) -> RequestBuilder {
    let request = quire.request(Method::GET, &format!("/api/v1/identity/{provider}/callback?{query}"));
    match cookie {
        Some(cookie) => request.header(header::COOKIE, format!("theme=dark; {COOKIE}={cookie}")),
        None => request,
    }
}

async fn come_back(quire: &Quire, provider: &str, query: &str, cookie: Option<&str>) -> Reply {
    send(callback(quire, provider, query, cookie)).await
}

/// Signs in at the certified provider.
async fn sign_in(quire: &Quire, certified: &Certified, account: &str) -> Reply {
    let begun = begin(quire, "certified").await;
    let back = certified.visit(begun.url.clone(), Some(account)).await;
    come_back(quire, "certified", back.query().unwrap_or_default(), Some(&begun.cookie)).await
}

fn person(session: &Value) -> Person {
    Person { id: text(&session["userId"]), token: text(&session["accessToken"]) }
}

#[tokio::test]
async fn somebody_new_gets_an_account_and_comes_back_to_it() {
    let certified = Certified::start().await;
    let quire = quire(&[("certified", &certified.issuer)]).await;
    let begun = begin(&quire, "certified").await;
    let [flow, client, to, challenge, scope] =
        ["response_type", "client_id", "redirect_uri", "code_challenge_method", "scope"].map(|name| begun.parameter(name));
    assert_eq!([flow, client, to, challenge, scope], ["code", CLIENT, &redirect("certified"), "S256", "openid email profile"]);
    let back = certified.visit(begun.url.clone(), Some("grace")).await;
    assert_eq!(parameter(&back, "iss"), certified.issuer);
    let query = back.query().expect("a query");
    let reply = come_back(&quire, "certified", query, Some(&begun.cookie)).await;
    let session = reply.expect(201);
    assert!(reply.header("set-cookie").is_some_and(|cookie| cookie.starts_with(&format!("{COOKIE}=; Max-Age=0; "))));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let grace = person(&session);
    let user = quire.get_as(&grace, &format!("/api/v1/users/{}", grace.id)).await.expect(200);
    assert_eq!((&user["username"], &user["email"]), (&json!("grace"), &json!("grace@example.com")));
    let claims = decode(grace.token.split('.').nth(1).expect("claims"));
    assert_eq!(claims["email_verified"], Value::Null, "the provider vouches for the address");

    // Nobody needs a token for an address that is verified.
    let registered = json!({"id": NOBODY, "version": 1, "occurredAt": "2026-11-22T14:00:00.000Z", "correlationId": "c", "traceparent": "t",
        "type": "user.registered", "data": {"userId": grace.id}});
    deliver(&quire, "SendEmail", &registered.to_string()).await;
    assert!(quire.mails().iter().all(|mail| mail.subject != "Verify your e-mail address"));

    come_back(&quire, "certified", query, Some(&begun.cookie)).await.expect_problem(400, "sign-in-invalid");
    // The code once more, in a sign-in of its own.
    let other = begin(&quire, "certified").await;
    let replayed = format!("state={}&code={}", other.parameter("state"), parameter(&back, "code"));
    come_back(&quire, "certified", &replayed, Some(&other.cookie)).await.expect_problem(403, "sign-in-refused");

    let again = sign_in(&quire, &certified, "grace").await.expect(201);
    assert_eq!(text(&again["userId"]), grace.id);
    assert_ne!(again["sessionId"], session["sessionId"]);
    let items = quire.items().await;
    let count = |prefix: &str| items.iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with(prefix))).count();
    assert_eq!((count("IDENTITY#"), count("SIGN-IN#"), count("EMAIL#")), (1, 0, 1));
    let (sessions, printed) = (format!("{items:?}"), quire.logs().join("\n"));
    for secret in [begun.cookie.as_str(), &begun.parameter("state"), &begun.parameter("nonce"), SECRET, &parameter(&back, "code"), "grace@"] {
        assert!(!printed.contains(secret), "a log tells {secret}");
        assert!(!sessions.contains(secret) || secret == "grace@", "the table holds {secret}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn an_identity_is_linked_only_by_the_account_that_it_shall_sign_in_to() {
    let certified = Certified::start().await;
    let quire = quire(&[("certified", &certified.issuer)]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let own = format!("/api/v1/users/{}/identities", ada.id);
    sign_in(&quire, &certified, "ada").await.expect_problem(409, "account-exists");
    assert_eq!(quire.get_as(&ada, &own).await.expect(200), json!({"items": []}));

    // Linking twice does nothing twice.
    for _ in 0..2 {
        let begun = begin_link(&quire, &ada, "certified").await;
        let back = certified.visit(begun.url.clone(), Some("ada")).await;
        let linked = come_back(&quire, "certified", back.query().unwrap_or_default(), Some(&begun.cookie)).await;
        assert_eq!((linked.header("cache-control"), &linked.expect(200)["provider"]), (Some("no-store"), &json!("certified")));
        assert_eq!(quire.get_as(&ada, &own).await.expect(200), json!({"items": [linked.json()]}));
    }
    assert_eq!(text(&sign_in(&quire, &certified, "ada").await.expect(201)["userId"]), ada.id);
    let audited = |items: &[std::collections::HashMap<String, AttributeValue>], kind: &str| {
        let of_ada = |item: &&std::collections::HashMap<String, AttributeValue>| item["pk"] == AttributeValue::S(format!("AUDIT#{}", ada.id));
        items.iter().filter(of_ada).filter(|item| item.get("type") == Some(&AttributeValue::S(kind.to_owned()))).count()
    };
    assert_eq!(audited(&quire.items().await, "identity.linked"), 1);

    for (who, account) in [(&bob, "ada"), (&ada, "other")] {
        let begun = begin_link(&quire, who, "certified").await;
        let back = certified.visit(begun.url.clone(), Some(account)).await;
        let reply = come_back(&quire, "certified", back.query().unwrap_or_default(), Some(&begun.cookie)).await;
        reply.expect_problem(409, "identity-taken");
    }
    let begun = begin_link(&quire, &bob, "certified").await;
    let back = certified.visit(begun.url.clone(), Some("unverified-bob")).await;
    let reply = come_back(&quire, "certified", back.query().unwrap_or_default(), Some(&begun.cookie)).await;
    reply.expect_problem(403, "provider-email-unverified");

    let linked = format!("{own}/certified");
    quire.delete_as(&bob, &linked).await.expect_problem(403, "forbidden");
    for _ in 0..2 {
        quire.delete_as(&ada, &linked).await.expect(204);
    }
    assert_eq!(quire.get_as(&ada, &own).await.expect(200), json!({"items": []}));
    assert_eq!(audited(&quire.items().await, "identity.unlinked"), 1);
    sign_in(&quire, &certified, "ada").await.expect_problem(409, "account-exists");

    let grace = person(&sign_in(&quire, &certified, "grace").await.expect(201));
    let only = format!("/api/v1/users/{}/identities/certified", grace.id);
    quire.delete_as(&grace, &only).await.expect_problem(409, "last-sign-in-method");
    assert_eq!(text(&sign_in(&quire, &certified, "grace").await.expect(201)["userId"]), grace.id);
    quire.stop().await;
}

#[tokio::test]
async fn only_the_browser_that_began_a_sign_in_finishes_it_and_once() {
    let certified = Certified::start().await;
    let quire = quire(&[("certified", &certified.issuer), ("other", &certified.issuer)]).await;
    let begun = begin(&quire, "certified").await;
    let back = certified.visit(begun.url.clone(), Some("grace")).await;
    let query = back.query().expect("a query");
    let another = begin(&quire, "certified").await;
    let code = parameter(&back, "code");
    let wrong_state = format!("code={code}&state={}", "x".repeat(43));
    let wrong: [(&str, &str, Option<&str>); 5] = [
        ("certified", query, None),
        ("certified", query, Some(&another.cookie)),
        ("certified", query, Some("short")),
        ("other", query, Some(&begun.cookie)),
        ("certified", &wrong_state, Some(&begun.cookie)),
    ];
    for (provider, query, cookie) in wrong {
        come_back(&quire, provider, query, cookie).await.expect_problem(400, "sign-in-invalid");
    }
    come_back(&quire, "certified", "", Some(&begun.cookie)).await.expect_problem(422, "invalid-input");
    come_back(&quire, "nobody", query, Some(&begun.cookie)).await.expect_problem(400, "sign-in-invalid");
    send(browser().get(format!("{}/api/v1/identity/nobody/authorize", quire.cloud().url()))).await.expect_problem(404, "provider-not-found");

    // The browser sends it twice at once; what others have tried has spent nothing.
    let twice = [0, 1].map(|_| come_back(&quire, "certified", query, Some(&begun.cookie)));
    let mut statuses: Vec<_> = futures::future::join_all(twice).await.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400]);

    let begun = begin(&quire, "certified").await;
    let back = certified.visit(begun.url.clone(), Some("grace")).await;
    age(&quire).await;
    let reply = come_back(&quire, "certified", back.query().unwrap_or_default(), Some(&begun.cookie)).await;
    reply.expect_problem(400, "sign-in-invalid");

    let begun = begin(&quire, "certified").await;
    let back = certified.visit(begun.url.clone(), None).await;
    assert_eq!(parameter(&back, "error"), "access_denied");
    let reply = come_back(&quire, "certified", back.query().unwrap_or_default(), Some(&begun.cookie)).await;
    reply.expect_problem(403, "sign-in-refused");

    sign_in(&quire, &certified, "unverified").await.expect_problem(403, "provider-email-unverified");
    // Its name looks like one that is taken.
    quire.register("rnary").await;
    let mary = person(&sign_in(&quire, &certified, "mary").await.expect(201));
    let name = text(&quire.get(&format!("/api/v1/users/{}", mary.id)).await.expect(200)["username"]);
    assert!(name.starts_with("mary-") && name.len() == 9, "{name}");
    quire.stop().await;
}

/// Makes every sign-in one of an hour ago.
async fn age(quire: &Quire) {
    for item in quire.items().await.into_iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| pk.starts_with("SIGN-IN#"))) {
        let put = quire.dynamodb().put_item().table_name(quire.table()).set_item(Some(item));
        put.item("expires", AttributeValue::S("2026-01-01T00:00:00.000Z".into())).send().await.expect("the item is stored");
    }
}

/// The claims of a right token.
fn claims(issuer: &str, begun: &Begun) -> Value {
    json!({
        "iss": issuer, "aud": CLIENT, "sub": "1", "iat": now(), "exp": now() + 60, "nonce": begun.parameter("nonce"),
        "email": "eve@example.com", "email_verified": true,
    })
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": KID})
}

/// A name, and how it makes a right token a wrong one.
type Lie = (&'static str, fn(&mut Value, &mut Value));

#[tokio::test]
async fn a_token_that_is_wrong_in_one_thing_proves_nobody() {
    let impostor = Impostor::start().await;
    let quire = quire(&[("impostor", &impostor.issuer)]).await;
    let lies: [Lie; 10] = [
        ("nonce", |_, claims| claims["nonce"] = json!("another")),
        ("no nonce", |_, claims| claims["nonce"] = Value::Null),
        ("audience", |_, claims| claims["aud"] = json!("another")),
        ("more audiences", |_, claims| claims["aud"] = json!([CLIENT, "another"])),
        ("issuer", |_, claims| claims["iss"] = json!("https://another.example.com")),
        ("expired", |_, claims| claims["exp"] = json!(now() - 1)),
        ("key", |header, _| header["kid"] = json!("another")),
        ("algorithm", |header, _| header["alg"] = json!("HS256")),
        ("other curve", |header, _| header["alg"] = json!("ES384")),
        ("subject", |_, claims| claims["sub"] = json!("x".repeat(256))),
    ];
    let finish = async |change: &dyn Fn(&Begun) -> String| {
        let begun = begin(&quire, "impostor").await;
        impostor.gives(change(&begun));
        come_back(&quire, "impostor", &format!("code=c&state={}", begun.parameter("state")), Some(&begun.cookie)).await
    };
    for (lie, change) in lies {
        let reply = finish(&|begun| {
            let (mut header, mut claims) = (header(), claims(&impostor.issuer, begun));
            change(&mut header, &mut claims);
            impostor.key.sign(&header, &claims)
        })
        .await;
        assert_eq!(reply.status.as_u16(), 403, "{lie}: {reply:?}");
        reply.expect_problem(403, "sign-in-refused");
    }
    let unsigned = |begun: &Begun| format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&claims(&impostor.issuer, begun)));
    finish(&unsigned).await.expect_problem(403, "sign-in-refused");
    let unknown = |begun: &Begun| {
        let token = impostor.key.sign(&header(), &claims(&impostor.issuer, begun));
        let (message, _) = token.rsplit_once('.').expect("a signature");
        format!("{message}.{}", encode(&json!("x".repeat(40))))
    };
    finish(&unknown).await.expect_problem(403, "sign-in-refused");

    let begun = begin(&quire, "impostor").await;
    let asked = impostor.asked().len();
    let mixed_up = format!("code=c&state={}&iss=https%3A%2F%2Fanother.example.com", begun.parameter("state"));
    come_back(&quire, "impostor", &mixed_up, Some(&begun.cookie)).await.expect_problem(403, "sign-in-refused");
    assert_eq!(impostor.asked().len(), asked, "the code goes nowhere");

    let right = |begun: &Begun| impostor.key.sign(&header(), &claims(&impostor.issuer, begun));
    finish(&right).await.expect(201);
    let keys = impostor.asked().iter().filter(|path| *path == "/keys").count();
    assert!(keys <= 2, "an unknown key is looked for once a minute at most: {keys} times");
    quire.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be_and_left_alone() {
    let impostor = Impostor::start().await;
    let quire = quire(&[("impostor", &impostor.issuer)]).await;
    let begun = begin(&quire, "impostor").await;
    impostor.is_down(true);
    impostor.gives(impostor.key.sign(&header(), &claims(&impostor.issuer, &begun)));
    let query = format!("code=c&state={}", begun.parameter("state"));
    let asked = impostor.asked().len();
    for attempt in 0..5 {
        let reply = come_back(&quire, "impostor", &query, Some(&begun.cookie)).await;
        reply.expect_problem(503, "provider-unavailable");
        let seconds: u32 = reply.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
        assert_eq!(seconds > 5, attempt >= 3, "{seconds}");
    }
    assert_eq!(impostor.asked().len(), asked + 3, "then it is left alone");
    // Another process has not failed yet, and the sign-in was not spent in vain.
    impostor.is_down(false);
    let quire = impostor.known_to(quire).await;
    come_back(&quire, "impostor", &query, Some(&begun.cookie)).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn an_account_with_a_second_factor_does_not_sign_in_at_a_provider() {
    let certified = Certified::start().await;
    let quire = quire(&[("certified", &certified.issuer)]).await;
    let ada = quire.person("ada").await;
    let begun = begin_link(&quire, &ada, "certified").await;
    let back = certified.visit(begun.url.clone(), Some("ada")).await;
    come_back(&quire, "certified", back.query().unwrap_or_default(), Some(&begun.cookie)).await.expect(200);
    sign_in(&quire, &certified, "ada").await.expect(201);
    let (secret, _) = second_factor::enrol(&quire, &ada).await;
    sign_in(&quire, &certified, "ada").await.expect_problem(401, "second-factor-required");
    let credentials = json!({"username": "ada", "password": PASSWORD, "code": second_factor::code(&secret, 0)});
    quire.post("/api/v1/sessions", &credentials).await.expect(201);
    quire.stop().await;
}

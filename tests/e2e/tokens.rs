//! Access tokens: which are taken, and how every other one is refused.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use quire_tests::{Quire, send};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    NOBODY,
    forge::{Forge, KID, claims, encode, header, now},
};

const INVALID: &str = "Bearer realm=\"quire\", error=\"invalid_token\"";

/// GET of an account with these `Authorization` headers: its address, or nothing after checking that the tokens were refused.
async fn address(quire: &Quire, id: &str, authorization: &[&str]) -> Option<String> {
    let request = quire.request(Method::GET, &format!("/api/v1/users/{id}"));
    let reply = send(authorization.iter().fold(request, |request, value| request.header("authorization", *value))).await;
    if reply.status == 200 {
        return reply.json()["email"].as_str().map(str::to_owned);
    }
    reply.expect_problem(401, "invalid-token");
    assert_eq!(reply.header("www-authenticate"), Some(INVALID));
    None
}

#[tokio::test]
async fn a_token_with_one_wrong_claim_or_header_is_refused() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let with = |part: Value, name: &str, value: Value| {
        let mut part = part;
        match value {
            Value::Null => _ = part.as_object_mut().expect("an object").remove(name),
            value => part[name] = value,
        }
        part
    };
    let claim = |name, value| forge.sign(&header(), &with(claims(&ada.id), name, value));
    let head = |name, value| forge.sign(&with(header(), name, value), &claims(&ada.id));
    let now = now();

    let right = [
        ("a right token", forge.sign(&header(), &claims(&ada.id))),
        ("expired within the skew", claim("exp", json!(now - 20))),
        ("made within the skew", claim("nbf", json!(now + 20))),
        ("type in capitals", head("typ", json!("AT+JWT"))),
    ];
    let wrong = [
        ("expired", claim("exp", json!(now - 70))),
        ("without an end", claim("exp", Value::Null)),
        ("not yet", claim("nbf", json!(now + 90))),
        ("another issuer", claim("iss", json!("https://quire.example"))),
        ("no issuer", claim("iss", Value::Null)),
        ("another audience", claim("aud", json!("other-api"))),
        ("no audience", claim("aud", Value::Null)),
        ("no subject", claim("sub", Value::Null)),
        ("a subject that is no id", claim("sub", json!("ada"))),
        ("an unknown role", claim("roles", json!(["reader", "god"]))),
        ("no roles", claim("roles", Value::Null)),
        ("roles as a text", claim("roles", json!("admin"))),
        ("an ID token", head("typ", json!("JWT"))),
        ("no type", head("typ", Value::Null)),
        ("another key's name", head("kid", json!("other"))),
        ("no key's name", head("kid", Value::Null)),
        ("a key's name that is a path", head("kid", json!("../../SIGNING-PRIVATE"))),
        ("another algorithm's name", head("alg", json!("ES384"))),
        ("no algorithm", head("alg", Value::Null)),
    ];
    for (what, token) in right {
        assert_eq!(address(&quire, &ada.id, &[&format!("Bearer {token}")]).await.as_deref(), Some("ada@example.com"), "{what}");
    }
    for (what, token) in wrong {
        assert_eq!(address(&quire, &ada.id, &[&format!("Bearer {token}")]).await, None, "{what}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_token_that_the_key_has_not_signed_is_refused() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let forge = Forge::known(&quire).await;
    let [head, body, signature] = ada.token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let kid = crate::forge::decode(head)["kid"].clone();
    let admin = encode(&{
        let mut claims = crate::forge::decode(body);
        claims["roles"] = json!(["admin"]);
        claims
    });
    let flipped = if signature.starts_with('A') { signature.replacen('A', "B", 1) } else { format!("A{}", &signature[1..]) };
    let (x, y) = forge.coordinates();
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    let own = claims(&ada.id);
    let zeros = BASE64_URL_SAFE_NO_PAD.encode([0; 64]);
    let none = |alg: &str| encode(&json!({"typ": "at+jwt", "alg": alg, "kid": KID}));
    let hs256 = |secret: &[u8]| {
        let message = format!("{}.{}", encode(&json!({"typ": "at+jwt", "alg": "HS256", "kid": KID})), encode(&own));
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac(secret, message.as_bytes())))
    };
    let wrong = [
        ("other claims under the signature", format!("{head}.{admin}.{signature}")),
        ("another signature", format!("{head}.{body}.{flipped}")),
        ("a signature of zeros", format!("{head}.{body}.{zeros}")),
        ("no signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{}.x", ada.token)),
        ("truncated", ada.token[..ada.token.len() - 1].to_owned()),
        ("padded", format!("{}=", ada.token)),
        ("the key of somebody else", forge.sign(&json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}), &own)),
        ("a key that it brings", forge.sign(&json!({"typ": "at+jwt", "alg": "ES256", "kid": "mine", "jwk": jwk}), &own)),
        ("no algorithm", format!("{}.{}.", none("none"), encode(&own))),
        ("no algorithm, in capitals", format!("{}.{}.{signature}", none("NONE"), encode(&own))),
        ("the public key as a shared secret", hs256(&forge.public())),
        ("its coordinates as a shared secret", hs256(&forge.public()[1..])),
        ("no JSON", "e30x.e30x.e30x".to_owned()),
        ("empty objects", "e30.e30.e30".to_owned()),
        ("dots", "..".to_owned()),
        ("oversized", format!("{head}.{body}.{}", "A".repeat(5000))),
        ("nothing", String::new()),
    ];
    for (what, token) in wrong {
        assert_eq!(address(&quire, &ada.id, &[&format!("Bearer {token}")]).await, None, "{what}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_token_comes_once_and_as_a_bearer_token() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let bearer = format!("Bearer {}", ada.token);
    let lower = format!("bearer {}", ada.token);
    for right in [&bearer, &lower] {
        assert_eq!(address(&quire, &ada.id, &[right]).await.as_deref(), Some("ada@example.com"));
    }
    let wrong: [&[&str]; 7] =
        [&[&bearer, &bearer], &[&bearer, "Basic YWRhOng="], &["Basic YWRhOng="], &[&ada.token], &["Bearer"], &[""], &["Bearer a, Bearer b"]];
    for authorization in wrong {
        assert_eq!(address(&quire, &ada.id, authorization).await, None, "{authorization:?}");
    }
    let query = quire.get(&format!("/api/v1/users/{}?access_token={}", ada.id, ada.token)).await.expect(200);
    assert_eq!(query["email"], Value::Null, "a token in a query counts for nothing");
    quire.stop().await;
}

#[tokio::test]
async fn every_route_that_reads_tokens_refuses_a_wrong_one_before_anything_else() {
    let quire = Quire::start().await;
    let post = format!("/api/v1/posts/{NOBODY}");
    let comments = format!("{post}/comments");
    let user = format!("/api/v1/users/{NOBODY}");
    let roles = format!("{user}/roles");
    for (method, path, needs_account) in [
        (Method::GET, user.as_str(), false),
        (Method::GET, "/api/v1/users", true),
        (Method::PUT, &user, true),
        (Method::PATCH, &user, true),
        (Method::DELETE, &user, true),
        (Method::PUT, &roles, true),
        (Method::GET, "/api/v1/posts", false),
        (Method::GET, &post, false),
        (Method::GET, &comments, false),
        (Method::POST, "/api/v1/posts", true),
        (Method::PATCH, &post, true),
        (Method::POST, &comments, true),
    ] {
        let wrong = send(quire.request(method.clone(), path).bearer_auth("a.b.c").body("{")).await;
        wrong.expect_problem(401, "invalid-token");
        assert_eq!(wrong.header("www-authenticate"), Some(INVALID), "{method} {path}");
        if needs_account {
            let missing = send(quire.request(method.clone(), path).body("{")).await;
            missing.expect_problem(401, "sign-in-required");
            assert_eq!(missing.header("www-authenticate"), Some("Bearer realm=\"quire\""), "{method} {path}");
        }
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_token_for_another_deployment_is_refused_though_the_key_is_the_same() {
    for other in [("Issuer", "https://other.example"), ("Audience", "other-api")] {
        let quire = Quire::start_with(&[other]).await;
        let ada = quire.person("ada").await;
        let authorization = format!("Bearer {}", ada.token);
        assert_eq!(address(&quire, &ada.id, &[&authorization]).await.as_deref(), Some("ada@example.com"));
        let quire = Quire::over(quire.stop().await, &[]).await;
        assert_eq!(address(&quire, &ada.id, &[&authorization]).await, None, "{other:?}");
        quire.stop().await;
    }
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut key = if secret.len() > 64 { Sha256::digest(secret).to_vec() } else { secret.to_vec() };
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

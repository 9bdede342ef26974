//! Hostile tokens: every one of them is refused, and each in the same way.

use std::collections::BTreeSet;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use p256::ecdsa::Signature;
use quire_tests::{PASSWORD, Person, Quire, send, text};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    NOBODY,
    forge::{Forge, KID, claims, decode, encode, header, now},
};

/// How many there must be at least.
const LEAST: usize = 80;

/// What is wrong, and the `Authorization` headers.
type Access = (&'static str, Vec<String>);

/// A document with another member, or without it.
fn with(document: Value, name: &str, value: impl Into<Option<Value>>) -> Value {
    let mut document = document;
    match value.into() {
        Some(value) => document[name] = value,
        None => _ = document.as_object_mut().expect("an object").remove(name),
    }
    document
}

/// Tokens that the key has signed, and which are wrong in one claim or one header.
fn signed(forge: &Forge, ada: &Person) -> Vec<(&'static str, String)> {
    let claim = |name: &str, value: Option<Value>| forge.sign(&header(), &with(claims(&ada.id), name, value));
    let head = |name: &str, value: Option<Value>| forge.sign(&with(header(), name, value), &claims(&ada.id));
    let now = now();
    let mut unverified = with(claims(&ada.id), "scope", json!("posts:read"));
    unverified["email_verified"] = json!(false);
    vec![
        ("expired a second beyond the skew", claim("exp", Some(json!(now - 61)))),
        ("without an end", claim("exp", None)),
        ("an end that is a text", claim("exp", Some(json!((now + 600).to_string())))),
        ("an end that is null", claim("exp", Some(Value::Null))),
        ("an end before 1970", claim("exp", Some(json!(-1)))),
        ("not yet", claim("nbf", Some(json!(now + 80)))),
        ("without a beginning", claim("nbf", None)),
        ("a beginning that is a text", claim("nbf", Some(json!(now.to_string())))),
        ("without a time", claim("iat", None)),
        ("another issuer", claim("iss", Some(json!("https://quire.example")))),
        ("an issuer with a slash more", claim("iss", Some(json!("https://quire.localhost/")))),
        ("an issuer in capitals", claim("iss", Some(json!("HTTPS://QUIRE.LOCALHOST")))),
        ("several issuers", claim("iss", Some(json!(["https://quire.localhost", "https://quire.example"])))),
        ("no issuer", claim("iss", None)),
        ("another audience", claim("aud", Some(json!("other-api")))),
        ("several audiences", claim("aud", Some(json!(["quire-api", "other-api"])))),
        ("an empty audience", claim("aud", Some(json!("")))),
        ("an audience that is null", claim("aud", Some(Value::Null))),
        ("no audience", claim("aud", None)),
        ("no subject", claim("sub", None)),
        ("a subject that is no id", claim("sub", Some(json!("ada")))),
        ("a subject that is a key", claim("sub", Some(json!(format!("USER#{}", ada.id))))),
        ("a subject that is a number", claim("sub", Some(json!(1)))),
        ("an unknown role", claim("roles", Some(json!(["reader", "god"])))),
        ("no roles", claim("roles", None)),
        ("roles as a text", claim("roles", Some(json!("admin")))),
        ("a session that is no id", claim("sid", Some(json!("../x")))),
        ("no client", claim("client_id", None)),
        ("no id", claim("jti", None)),
        ("an unknown scope", claim("scope", Some(json!("posts:read everything")))),
        ("an empty scope", claim("scope", Some(json!("")))),
        ("scopes as a list", claim("scope", Some(json!(["posts:read"])))),
        ("a scope of an address that is not verified", forge.sign(&header(), &unverified)),
        ("an ID token", head("typ", Some(json!("JWT")))),
        ("another type", head("typ", Some(json!("dpop+jwt")))),
        ("no type", head("typ", None)),
        ("another key's name", head("kid", Some(json!("other")))),
        ("no key's name", head("kid", None)),
        ("an empty key's name", head("kid", Some(json!("")))),
        ("a key's name that is a path", head("kid", Some(json!("../../SIGNING-PRIVATE")))),
        ("a key's name that is a file", head("kid", Some(json!("/dev/null")))),
        ("a key's name that is a query", head("kid", Some(json!("x' OR '1'='1")))),
        ("a key's name that is a union", head("kid", Some(json!("x' UNION SELECT 'secret' --")))),
        ("a key's name that is a command", head("kid", Some(json!("$(id)|x")))),
        ("a key's name that is an address", head("kid", Some(json!("https://evil.example/jwks.json")))),
        ("a key's name in another script", head("kid", Some(json!("оf-the-tests")))),
        ("a key's name with an end in it", head("kid", Some(json!("of-the-tests\0")))),
        ("a key's name in capitals", head("kid", Some(json!(KID.to_uppercase())))),
        ("a key's number", head("kid", Some(json!(2)))),
        ("several keys' names", head("kid", Some(json!([KID])))),
        ("a long key's name", head("kid", Some(json!("k".repeat(2500))))),
        ("an oversized key's name", head("kid", Some(json!("k".repeat(10_000))))),
        ("what must be understood and is not", head("crit", Some(json!(["exp"])))),
        ("a payload that is not encoded", forge.sign(&with(with(header(), "b64", json!(false)), "crit", json!(["b64"])), &claims(&ada.id))),
        ("another curve's algorithm", head("alg", Some(json!("ES384")))),
        ("a third curve's algorithm", head("alg", Some(json!("ES512")))),
        ("RSA's algorithm", head("alg", Some(json!("RS256")))),
        ("RSA's other algorithm", head("alg", Some(json!("PS256")))),
        ("Edwards curves' algorithm", head("alg", Some(json!("EdDSA")))),
        ("a shared secret's algorithm", head("alg", Some(json!("HS256")))),
        ("an algorithm in small letters", head("alg", Some(json!("es256")))),
        ("several algorithms", head("alg", Some(json!(["ES256", "none"])))),
        ("an algorithm that is null", head("alg", Some(Value::Null))),
        ("without an algorithm", head("alg", None)),
    ]
}

/// Tokens that the key has not signed.
fn unsigned(forge: &Forge, ada: &Person, own: &str) -> Vec<(&'static str, String)> {
    let [head, body, signature] = ada.token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let kid = decode(head)["kid"].clone();
    let other = own.rsplit('.').next().expect("a signature");
    let admin = encode(&with(decode(body), "roles", json!(["admin"])));
    let flipped = if signature.starts_with('A') { signature.replacen('A', "B", 1) } else { format!("A{}", &signature[1..]) };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let der = Signature::from_slice(&bytes).expect("a signature").to_der();
    let zeros = BASE64_URL_SAFE_NO_PAD.encode([0; 64]);
    let (x, y) = forge.coordinates();
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
    let brings = |kid: &Value, name: &str, value: Value| forge.sign(&with(with(header(), "kid", kid.clone()), name, value), &claims(&ada.id));
    let mine = json!("mine");
    let none = |alg: &str| encode(&with(header(), "alg", json!(alg)));
    let claims = encode(&claims(&ada.id));
    let shared = |secret: &[u8]| {
        let message = format!("{}.{claims}", encode(&with(header(), "alg", json!("HS256"))));
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac(secret, message.as_bytes())))
    };
    // SubjectPublicKeyInfo of a point on P-256 (RFC 5480).
    let spki =
        [&b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"[..], &forge.public()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(&spki));
    vec![
        ("other claims under the signature", format!("{head}.{admin}.{signature}")),
        ("another header over the signature", format!("{}.{body}.{signature}", encode(&with(decode(head), "x", json!(1))))),
        ("another token's signature", format!("{head}.{body}.{other}")),
        ("a signature with another bit", format!("{head}.{body}.{flipped}")),
        ("a signature of zeros", format!("{head}.{body}.{zeros}")),
        ("a signature in DER", format!("{head}.{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(der.as_bytes()))),
        ("a signature's first half", format!("{head}.{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(&bytes[..32]))),
        ("a signature written in another way", format!("{head}.{body}.{}", twin(signature))),
        ("a signature in another alphabet", format!("{head}.{body}.{}", BASE64_STANDARD.encode(&bytes))),
        ("no signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("one part", head.to_owned()),
        ("four parts", format!("{}.x", ada.token)),
        ("five parts, as what is encrypted has", format!("{head}..{body}.{body}.{signature}")),
        ("swapped parts", format!("{body}.{head}.{signature}")),
        ("parts in reverse", format!("{signature}.{body}.{head}")),
        ("truncated", ada.token[..ada.token.len() - 1].to_owned()),
        ("cut in the middle", ada.token[..ada.token.len() / 2].to_owned()),
        ("padded", format!("{}=", ada.token)),
        ("a space in it", format!("{head}. {body}.{signature}")),
        ("twice", format!("{0}{0}", ada.token)),
        ("oversized", format!("{head}.{body}.{}", "A".repeat(5000))),
        ("no JSON", "e30x.e30x.e30x".to_owned()),
        ("empty objects", "e30.e30.e30".to_owned()),
        ("dots", "..".to_owned()),
        ("as JSON", json!({"protected": head, "payload": body, "signature": signature}).to_string()),
        ("the key of somebody else", brings(&kid, "typ", json!("at+jwt"))),
        ("a key that it brings", brings(&mine, "jwk", jwk.clone())),
        ("a key that it brings under the name of another", brings(&kid, "jwk", jwk.clone())),
        ("a key that it says where to find", brings(&mine, "jku", json!("https://evil.example/jwks.json"))),
        ("a certificate that it says where to find", brings(&kid, "x5u", json!("https://evil.example/cert.pem"))),
        ("a certificate that it brings", brings(&kid, "x5c", json!([BASE64_STANDARD.encode(&spki)]))),
        ("no algorithm", format!("{}.{claims}.", none("none"))),
        ("no algorithm, and a signature", format!("{}.{claims}.{signature}", none("none"))),
        ("no algorithm, in capitals", format!("{}.{claims}.", none("NONE"))),
        ("no algorithm, in both", format!("{}.{claims}.", none("nOnE"))),
        ("the public key as a shared secret", shared(&forge.public())),
        ("its coordinates as a shared secret", shared(&forge.public()[1..])),
        ("its DER as a shared secret", shared(&spki)),
        ("its PEM as a shared secret", shared(pem.as_bytes())),
        ("its JWK as a shared secret", shared(jwk.to_string().as_bytes())),
        ("its name as a shared secret", shared(KID.as_bytes())),
        ("nothing as a shared secret", shared(b"")),
        ("a token of a machine", format!("qat_{}", "A".repeat(86))),
        ("nothing", String::new()),
    ]
}

/// Headers that hold a right token, and not as one.
fn misplaced(ada: &Person) -> Vec<Access> {
    let bearer = format!("Bearer {}", ada.token);
    vec![
        ("twice", vec![bearer.clone(), bearer.clone()]),
        ("beside a password", vec![bearer.clone(), "Basic YWRhOng=".to_owned()]),
        ("a password before it", vec!["Basic YWRhOng=".to_owned(), bearer.clone()]),
        ("a password alone", vec!["Basic YWRhOng=".to_owned()]),
        ("no scheme", vec![ada.token.clone()]),
        ("a scheme alone", vec!["Bearer".to_owned()]),
        ("an empty header", vec![String::new()]),
        ("two in one header", vec![format!("{bearer}, {bearer}")]),
        ("another scheme", vec![format!("Token {}", ada.token)]),
        ("a scheme of bound tokens", vec![format!("DPoP {}", ada.token)]),
        ("a scheme and a colon", vec![format!("Bearer: {}", ada.token)]),
        ("in quotes", vec![format!("Bearer \"{}\"", ada.token)]),
    ]
}

#[tokio::test]
async fn hostile_tokens_are_refused() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, sign_in(&quire, "bob", true).await);
    let own = quire.sign_in("ada").await.token;
    let forge = Forge::known(&quire).await;
    let now = now();
    let skewed = |name: &str, time: u64| forge.sign(&header(), &with(claims(&ada.id), name, json!(time)));
    let right = [
        ("a right token", forge.sign(&header(), &claims(&ada.id))),
        ("expired within the skew", skewed("exp", now - 40)),
        ("made by a clock that is ahead by no more than the skew", skewed("nbf", now + 60)),
        ("type in capitals", forge.sign(&with(header(), "typ", json!("AT+JWT")), &claims(&ada.id))),
    ];
    for (what, token) in right {
        assert_eq!(address(&quire, &ada.id, &[format!("Bearer {token}")]).await.as_deref(), Some("ada@example.com"), "{what}");
    }
    let mut tried = BTreeSet::new();
    let tokens = signed(&forge, &ada).into_iter().chain(unsigned(&forge, &ada, &own));
    let bearers = tokens.map(|(what, token)| (what, vec![format!("Bearer {token}")]));
    let refresh = ("a refresh token", vec![format!("Bearer {}", text(&bob["refreshToken"]))]);
    for (what, authorization) in bearers.chain([refresh]) {
        assert!(tried.insert(format!("access token: {what}")), "{what} comes twice");
        assert_eq!(address(&quire, &ada.id, &authorization).await, None, "{what}");
    }
    for (what, authorization) in misplaced(&ada) {
        assert!(tried.insert(format!("header: {what}")), "{what} comes twice");
        assert_eq!(address(&quire, &ada.id, &authorization).await, None, "{what}");
    }
    for (what, token) in refresh_tokens(&quire, &bob).await {
        assert!(tried.insert(format!("refresh token: {what}")), "{what} comes twice");
        let reply = quire.post("/api/v1/sessions/refresh", &json!({"refreshToken": token})).await;
        assert_eq!(reply.status, 401, "{what}");
        reply.expect_problem(401, "invalid-refresh-token");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"quire\""), "{what}");
    }
    // Nothing of all that did any harm.
    quire.post("/api/v1/sessions/refresh", &json!({"refreshToken": bob["refreshToken"]})).await.expect(200);
    assert_eq!(address(&quire, &ada.id, &[format!("Bearer {}", ada.token)]).await.as_deref(), Some("ada@example.com"));
    assert!(tried.len() >= LEAST, "{} of {LEAST}", tried.len());
    quire.stop().await;
}

/// A new session of a person, who may be new too.
async fn sign_in(quire: &Quire, name: &str, is_new: bool) -> Value {
    if is_new {
        quire.register(name).await;
    }
    quire.post("/api/v1/sessions", &json!({"username": name, "password": PASSWORD})).await.expect(201)
}

/// Refresh tokens that give nothing, and leave `bob`'s session as it is.
async fn refresh_tokens(quire: &Quire, bob: &Value) -> Vec<(&'static str, String)> {
    let carl = sign_in(quire, "carl", true).await;
    let other = sign_in(quire, "carl", false).await;
    let reused = sign_in(quire, "carl", false).await;
    let halved = sign_in(quire, "carl", false).await;
    let revoked = sign_in(quire, "carl", false).await;
    let refresh = async |session: &Value| quire.post("/api/v1/sessions/refresh", &json!({"refreshToken": session["refreshToken"]})).await.expect(200);
    let second = refresh(&reused).await;
    let third = refresh(&second).await;
    let person = Person { id: text(&revoked["userId"]), token: text(&revoked["accessToken"]) };
    quire.delete_as(&person, &format!("/api/v1/sessions/{}", text(&revoked["sessionId"]))).await.expect(204);

    let token = |session: &Value| text(&session["refreshToken"]);
    let bytes = |session: &Value| BASE64_URL_SAFE_NO_PAD.decode(&token(session)[4..]).expect("base64url");
    let made = |parts: [&[u8]; 4]| format!("qrt_{}", BASE64_URL_SAFE_NO_PAD.encode(parts.concat()));
    let (own, mixed, theirs, half) = (bytes(bob), bytes(&carl), bytes(&other), bytes(&halved));
    let (user, id, family, rotating) = (&own[..16], &own[16..32], &own[32..64], &own[64..]);
    let zeros = [0; 32];
    let nobody = u128::from_str_radix(&NOBODY.replace('-', ""), 16).expect("an id").to_be_bytes();
    let right = token(bob);
    vec![
        ("nothing", String::new()),
        ("a prefix alone", "qrt_".to_owned()),
        ("without its prefix", right[4..].to_owned()),
        ("a machine's prefix", right.replacen("qrt_", "qat_", 1)),
        ("a prefix in capitals", right.replacen("qrt_", "QRT_", 1)),
        ("a prefix twice", format!("qrt_{right}")),
        ("truncated", right[..right.len() - 1].to_owned()),
        ("truncated by a byte group", right[..right.len() - 4].to_owned()),
        ("one character more", format!("{right}A")),
        ("padded", format!("{right}=")),
        ("a space before it", format!(" {right}")),
        ("a line end after it", format!("{right}\n")),
        ("an end in it", format!("{right}\0")),
        ("another alphabet", format!("{}+{}", &right[..131], "")),
        ("another script", format!("{}а", &right[..131])),
        ("oversized", format!("qrt_{}", "A".repeat(100_000))),
        ("an access token", text(&bob["accessToken"])),
        ("zeros", made([user, id, &zeros, &zeros])),
        ("a wrong family", made([user, id, &zeros, rotating])),
        ("swapped halves", made([user, id, rotating, family])),
        ("another's secret", made([user, id, &mixed[32..64], &mixed[64..]])),
        ("another's rotating half and family", made([user, id, &theirs[32..64], rotating])),
        ("another's account", made([&mixed[..16], id, family, rotating])),
        ("another's session", made([user, &mixed[16..32], family, rotating])),
        ("another's account and session", made([&mixed[..16], &mixed[16..32], family, rotating])),
        ("another session of the same account", made([&mixed[..16], &theirs[16..32], &mixed[32..64], &mixed[64..]])),
        ("nobody's account", made([&nobody, id, family, rotating])),
        ("nobody's session", made([user, &nobody, family, rotating])),
        ("account and session in reverse", made([id, user, family, rotating])),
        ("a session that was signed out", token(&revoked)),
        ("used twice", token(&reused)),
        ("the successor of one that was used twice", token(&second)),
        ("the newest after one that was used twice", token(&third)),
        ("a right family with another rotating half", made([&half[..16], &half[16..32], &half[32..64], &zeros])),
        ("the right one after that", token(&halved)),
    ]
}

/// GET of an account with these `Authorization` headers: its address, or nothing after checking that the tokens were refused.
async fn address(quire: &Quire, id: &str, authorization: &[String]) -> Option<String> {
    let request = quire.request(Method::GET, &format!("/api/v1/users/{id}"));
    let reply = send(authorization.iter().fold(request, |request, value| request.header("authorization", value))).await;
    // The gateway refuses headers that are too long for it.
    if reply.status == 431 {
        return None;
    }
    if reply.status == 200 {
        return reply.json()["email"].as_str().map(str::to_owned);
    }
    reply.expect_problem(401, "invalid-token");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"quire\", error=\"invalid_token\""));
    None
}

/// The same bytes in base64url, written in another way: the last character has bits that stand for nothing.
fn twin(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = text.split_at(text.len() - 1);
    let index = ALPHABET.find(last).expect("a character of base64url");
    format!("{start}{}", &ALPHABET[index + 1..=index + 1])
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut key = if secret.len() > 64 { Sha256::digest(secret).to_vec() } else { secret.to_vec() };
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

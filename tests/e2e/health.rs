//! `GET /health/live`, `GET /health/ready` and `GET /.well-known/jwks.json`.

use quire_tests::{PASSWORD, Quire, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_healthy_quire_answers_without_a_body() {
    let quire = Quire::start().await;
    for path in ["/health/live", "/health/ready"] {
        let reply = quire.get(path).await;
        assert_eq!((reply.expect(204), reply.header("cache-control")), (Value::Null, Some("no-store")), "{path}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn the_key_set_is_empty_until_somebody_signs_in_and_then_holds_public_halves_only() {
    let quire = Quire::start().await;
    assert_eq!(quire.get("/.well-known/jwks.json").await.expect(200), json!({"keys": []}));
    let ada = quire.person("ada").await;
    let reply = quire.get("/.well-known/jwks.json").await;
    let key = &reply.expect(200)["keys"][0];
    let expected = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key["kid"], "x": key["x"], "y": key["y"]});
    assert_eq!(*key, expected);
    for coordinate in ["x", "y", "kid"] {
        assert_eq!(text(&key[coordinate]).len(), 43, "32 bytes in base64url: {coordinate}");
    }
    let headers = ["content-type", "cache-control"].map(|name| reply.header(name));
    assert_eq!(headers, [Some("application/json"), Some("public, max-age=300")]);

    let again = quire.post("/api/v1/sessions", &json!({"username": "ada", "password": PASSWORD})).await.expect(201);
    assert_ne!(text(&again["accessToken"]), ada.token);
    assert_eq!(quire.get("/.well-known/jwks.json").await.body, reply.body, "one key signs many tokens");
    quire.stop().await;
}

//! Requests from pages of other origins.

use super::*;

fn cors(origins: &[&str]) -> Cors {
    let all = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    Cors {
        allow_origins: all(origins),
        allow_methods: all(&["GET", "PUT"]),
        allow_headers: all(&["authorization", "content-type"]),
        expose_headers: all(&["etag"]),
        max_age: Some(600),
        allow_credentials: false,
    }
}

#[tokio::test]
async fn the_gateway_answers_a_preflight_itself() {
    let api = Api::serve(&["GET /posts"], Some(cors(&["*"]))).await;
    let headers = ["Origin: https://a.example", "Access-Control-Request-Method: PUT"];
    let response = api.send("OPTIONS /posts", &headers, b"").await;
    assert_eq!((response.status, response.text()), (204, ""));
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert_eq!(response.header("access-control-allow-methods"), Some("GET,PUT"));
    assert_eq!(response.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(response.header("access-control-max-age"), Some("600"));
    api.send("OPTIONS /posts", &[], b"").await.assert_refused(404, "Not Found");
    let without = Api::serve(&["GET /posts"], None).await;
    without.send("OPTIONS /posts", &headers, b"").await.assert_refused(404, "Not Found");
    assert!(api.functions.instances("Echo").is_empty());
}

#[tokio::test]
async fn an_origin_is_allowed_by_name_or_by_scheme() {
    for (allowed, origin, expected) in [
        ("https://a.example", "https://a.example", true),
        ("https://a.example", "https://b.example", false),
        ("https://*", "https://b.example", true),
        ("https://*", "http://b.example", false),
    ] {
        let api = Api::serve(&["$default"], Some(cors(&[allowed]))).await;
        let headers = [&format!("Origin: {origin}"), "Access-Control-Request-Method: GET"];
        let response = api.send("OPTIONS /", &headers, b"").await;
        assert_eq!(response.status, 204);
        assert_eq!(response.header("access-control-allow-origin"), expected.then_some(origin), "{allowed} {origin}");
        assert_eq!(response.header("access-control-allow-methods").is_some(), expected, "{allowed} {origin}");
    }
}

#[tokio::test]
async fn the_configuration_replaces_what_a_function_says_about_cors() {
    let mut cors = cors(&["https://a.example"]);
    cors.allow_credentials = true;
    let api = Api::serve(&["$default"], Some(cors)).await;
    let own = json!({"Access-Control-Allow-Origin": "https://evil.example", "Access-Control-Allow-Methods": "DELETE"});
    let command = format!("x-do: {}", json!({"reply": {"statusCode": 200, "headers": own}}));
    let response = api.send("GET /", &[&command, "Origin: https://a.example"], b"").await;
    assert_eq!(response.all("access-control-allow-origin"), ["https://a.example"]);
    assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(response.header("access-control-expose-headers"), Some("etag"));
    assert_eq!(response.header("access-control-allow-methods"), None);
    for origin in [vec![], vec!["Origin: https://b.example"]] {
        let headers = [vec![command.as_str()], origin].concat();
        let response = api.send("GET /", &headers, b"").await;
        assert!(!response.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{response:?}");
    }
}

//! What holds for every route: headers, ids, limits and the form of failures.

use quire_tests::{PASSWORD, Quire, Reply, eventually, send};
use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};

use crate::{NOBODY, pointers, post_text};

fn registration() -> Value {
    json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD})
}

#[tokio::test]
async fn every_reply_has_the_security_headers() {
    let quire = Quire::start().await;
    let replies: [Reply; 7] = [
        quire.get("/health/live").await,
        quire.get("/.well-known/jwks.json").await,
        quire.get("/api/v1/posts").await,
        quire.get(&format!("/api/v1/posts/{NOBODY}")).await,
        quire.post("/api/v1/users", &registration()).await,
        quire.post("/api/v1/users", &json!({})).await,
        quire.post("/api/v1/posts", &json!({})).await,
    ];
    for (reply, status) in replies.iter().zip([204, 200, 200, 404, 201, 422, 401]) {
        assert_eq!(reply.status, status);
        for (name, value) in [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{status}");
        }
        assert!(reply.header("cache-control").is_some_and(|value| status < 400 || value == "no-store"), "{status}");
        assert!(reply.header("server").is_none() && reply.header("x-powered-by").is_none(), "{status}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_correlation_id_is_echoed_if_it_is_well_formed_and_made_otherwise() {
    let quire = Quire::start().await;
    let id = async |sent: Option<&[u8]>| {
        let mut request = quire.request(Method::GET, "/health/live");
        if let Some(sent) = sent {
            request = request.header("x-correlation-id", HeaderValue::from_bytes(sent).expect("a header"));
        }
        send(request).await.header("x-correlation-id").expect("an id").to_owned()
    };
    let longest = "a".repeat(64);
    for own in ["order-7", "A_b.c-9", &longest] {
        assert_eq!(id(Some(own.as_bytes())).await, own);
    }
    let too_long = "a".repeat(65);
    let mut made = vec![id(None).await, id(None).await];
    for bad in ["a b", "", "a,b", "<script>", "\"", "é", &too_long] {
        made.push(id(Some(bad.as_bytes())).await);
    }
    assert!(made.iter().all(|id| id.len() == 36), "{made:?}");
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 9, "each is a new one");
    quire.stop().await;
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed() {
    let quire = Quire::start().await;
    let bodies: [&[u8]; 14] = [
        b"",
        b"   ",
        b"{",
        b"{\"username\"",
        b"{\"username\": \"ada\",}",
        b"{'username': 'ada'}",
        b"username=ada",
        b"\xef\xbb\xbf{}",
        b"{\"username\": \"\xff\"}",
        b"{\"username\": \"\\ud800\"}",
        b"{\"username\": \"a\x01b\"}",
        b"{\"username\": \"a\nb\"}",
        b"NaN",
        b"{} {}",
    ];
    for body in bodies {
        let problem = post_text(&quire, "/api/v1/users", "application/json", body).await.expect_problem(400, "malformed");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.starts_with("The body is not JSON: line "), "{}: {problem}", String::from_utf8_lossy(body));
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_body_in_an_unknown_form_is_refused_and_a_merge_patch_is_json() {
    let quire = Quire::start().await;
    let body = registration().to_string();
    for media_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/problem", "application/merge-patch+json", "application/jsonp", ""]
    {
        post_text(&quire, "/api/v1/users", media_type, body.clone()).await.expect_problem(415, "unsupported-media-type");
    }
    send(quire.request(Method::POST, "/api/v1/users").body(body.clone())).await.expect_problem(415, "unsupported-media-type");
    post_text(&quire, "/api/v1/users", "Application/JSON; charset=utf-8", body).await.expect(201);

    let ada = quire.person("eve").await;
    let post = quire.published_post(&ada, "T").await;
    for (media_type, status) in [
        ("application/merge-patch+json", 200),
        ("application/json", 200),
        ("application/json-patch+json", 415),
        ("application/xml", 415),
        ("application/x-protobuf", 415),
        ("text/plain", 415),
    ] {
        let request = quire.request(Method::PATCH, &format!("/api/v1/posts/{post}")).bearer_auth(&ada.token);
        let reply = send(request.header("content-type", media_type).body("{}")).await;
        reply.expect(status);
        let accepted = (status == 415).then_some("application/merge-patch+json, application/json");
        assert_eq!(reply.header("accept-patch"), accepted, "RFC 5789, section 3.1");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_body_of_more_than_a_megabyte_is_too_large() {
    let quire = Quire::start().await;
    let padded = |length: usize| {
        let body = registration().to_string();
        format!("{}{body}", " ".repeat(length - body.len()))
    };
    for media_type in ["application/json", "application/json; charset=utf-8"] {
        let body = padded(1024 * 1024 + 1);
        post_text(&quire, "/api/v1/users", media_type, body).await.expect_problem(413, "body-too-large");
    }
    let binary = vec![0xff_u8; 1024 * 1024 + 1];
    post_text(&quire, "/api/v1/users", "application/json", binary).await.expect_problem(413, "body-too-large");
    post_text(&quire, "/api/v1/users", "application/json", padded(1024 * 1024)).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn a_text_that_is_no_id_names_nothing() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    let ids = [
        NOBODY.to_owned(),
        ada.id.clone(),
        post.to_uppercase(),
        post.replace('-', ""),
        format!("%7B{post}%7D"),
        format!("urn:uuid:{post}"),
        "1".into(),
        "x".repeat(3000),
        "%22%3C%3E".into(),
        "%E2%80%AE".into(),
        "%25".into(),
    ];
    for id in &ids {
        quire.get(&format!("/api/v1/posts/{id}")).await.expect_problem(404, "post-not-found");
    }
    for id in [NOBODY, &post, "x", "%25"] {
        quire.get(&format!("/api/v1/users/{id}")).await.expect_problem(404, "user-not-found");
        quire.get(&format!("/api/v1/posts/{}/comments", id.replace(&post, &ada.id))).await.expect_problem(404, "post-not-found");
    }
    for id in [NOBODY, "x", "%25"] {
        quire.patch_as(&ada, &format!("/api/v1/posts/{id}"), &json!({"title": "T"})).await.expect_problem(404, "post-not-found");
        let comments = format!("/api/v1/posts/{id}/comments");
        quire.post_as(&ada, &comments, &json!({"content": "Hi"})).await.expect_problem(404, "post-not-found");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_path_names_what_it_says_and_no_part_of_it_becomes_a_query() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "T").await;
    for rest in ["%3F", "%3Fauthor=x", "%23", "%23x", "%0A", "%0D%0A", "%09", "%00", "%20", "%5C", "%5C..", "%5C..%5Cx"] {
        let reply = quire.get(&format!("/api/v1/posts/{post}{rest}")).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (404, Some("application/problem+json")), "{rest}");
    }
    quire.stop().await;
}

#[tokio::test]
async fn a_wrong_query_is_refused_and_an_unknown_parameter_left_alone() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let comments = format!("/api/v1/posts/{}/comments", quire.published_post(&ada, "T").await);
    for list in ["/api/v1/posts", &comments] {
        for (query, expected) in [
            ("limit=0", "/limit"),
            ("limit=101", "/limit"),
            ("limit=18446744073709551615", "/limit"),
            ("limit=abc", "/limit"),
            ("limit=", "/limit"),
            ("limit=-1", "/limit"),
            ("limit=1.5", "/limit"),
            ("limit=18446744073709551616", "/limit"),
            ("limit=1&limit=2", "/limit"),
            ("cursor=a&cursor=b", "/cursor"),
            ("cursor=", "/cursor"),
            ("cursor=x", "/cursor"),
            ("cursor=%00", "/cursor"),
            ("cursor=UE9TVCM", "/cursor"),
        ] {
            let problem = quire.get(&format!("{list}?{query}")).await.expect_problem(422, "invalid-input");
            assert_eq!(pointers(&problem), [expected], "{list}?{query}");
        }
        let long = format!("cursor={}", "A".repeat(300));
        assert_eq!(pointers(&quire.get(&format!("{list}?{long}")).await.expect_problem(422, "invalid-input")), ["/cursor"]);
        for query in ["limit=1", "limit=100", "limit=%31", "page=7", "limit=5&__proto__=1", "&&"] {
            quire.get(&format!("{list}?{query}")).await.expect(200);
        }
    }
    let problem = quire.get("/api/v1/posts?author=ada").await.expect_problem(422, "invalid-input");
    assert_eq!(pointers(&problem), ["/author"]);
    quire.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_is_one_text_of_visible_characters() {
    let quire = Quire::start().await;
    let too_long = "k".repeat(256);
    let wrong: [&[&[u8]]; 6] = [&[b""], &[b"a b"], &["é".as_bytes()], &[b"a\tb"], &[too_long.as_bytes()], &[b"a", b"\xff"]];
    for keys in wrong {
        let request = quire.request(Method::POST, "/api/v1/users").json(&registration());
        let request = keys.iter().fold(request, |request, key| request.header("idempotency-key", HeaderValue::from_bytes(key).expect("a header")));
        let problem = send(request).await.expect_problem(400, "malformed");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("Idempotency-Key must")), "{keys:?}: {problem}");
    }
    let longest = "k".repeat(255);
    send(quire.request(Method::POST, "/api/v1/users").header("idempotency-key", longest).json(&registration())).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn head_is_answered_as_get_without_the_body() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = format!("/api/v1/posts/{}", quire.published_post(&ada, "T").await);
    let missing = format!("/api/v1/posts/{NOBODY}");
    for path in [&post, "/api/v1/posts?limit=1", "/.well-known/jwks.json", "/openapi.json", "/docs", &missing] {
        let (get, head) = (quire.get(path).await, send(quire.request(Method::HEAD, path)).await);
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()), "{path}");
        for header in ["content-type", "etag", "cache-control", "vary", "link"] {
            assert_eq!(head.header(header), get.header(header), "{path} {header}");
        }
    }
    let tag = quire.get(&post).await.header("etag").expect("a tag").to_owned();
    let known = send(quire.request(Method::HEAD, &post).header("if-none-match", tag)).await;
    assert_eq!((known.status.as_u16(), known.header("content-type")), (304, None));
    quire.stop().await;
}

#[tokio::test]
async fn who_prefers_a_minimal_reply_to_a_change_gets_the_tag_alone() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = format!("/api/v1/posts/{}", quire.published_post(&ada, "T").await);
    let change = async |prefer: &str, title: &str| {
        let request = quire.request(Method::PATCH, &post).bearer_auth(&ada.token).header("prefer", prefer);
        send(request.json(&json!({"title": title}))).await
    };
    for (count, prefer) in ["return=minimal", "respond-async, Return=\"minimal\"; x=1", "return=minimal, return=representation"].iter().enumerate() {
        let title = format!("T{count}");
        let reply = change(prefer, &title).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0), "{prefer}");
        assert_eq!((reply.header("preference-applied"), reply.header("content-type")), (Some("return=minimal"), None));
        let now = quire.get(&post).await;
        assert_eq!((&now.json()["title"], now.header("etag")), (&json!(title), reply.header("etag")), "{prefer}");
    }
    for prefer in ["return=representation", "return=representation, return=minimal", "minimal", "return", "x-return=minimal", "handling=strict"] {
        assert_eq!(change(prefer, "T").await.expect(200)["title"], "T", "{prefer}");
    }
    let wrong = change("return=minimal", "").await;
    wrong.expect_problem(422, "invalid-input");
    assert!(wrong.header("preference-applied").is_none());
    let read = send(quire.request(Method::GET, &post).header("prefer", "return=minimal")).await;
    assert_eq!(read.expect(200)["title"], "T");
    quire.stop().await;
}

#[tokio::test]
async fn every_request_is_logged_with_its_status_and_its_correlation_id() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let request = quire.request(Method::PATCH, &format!("/api/v1/users/{}", bob.id)).bearer_auth(&ada.token).header("x-correlation-id", "who-was-it");
    send(request.json(&json!({"bio": "Changed"}))).await.expect_problem(403, "forbidden");
    let line = eventually(|| async {
        let lines = quire.logs().into_iter().filter_map(|line| serde_json::from_str::<Value>(line.get(line.find('{')?..)?).ok());
        lines.into_iter().find(|line| line["span"]["correlationId"] == "who-was-it" && line["status"] == 403)
    })
    .await;
    assert!(is_time_in_utc(&line["timestamp"]) && line["span"]["requestId"].is_string(), "{line}");
    quire.stop().await;
}

fn is_time_in_utc(time: &Value) -> bool {
    time.as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z'))
}

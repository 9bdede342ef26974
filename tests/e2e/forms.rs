//! The three forms of one document: JSON, XML and Protocol Buffers.

use quire_tests::{Person, Quire, Reply, send, text};
use reqwest::Method;
use serde_json::{Value, json};

async fn get(quire: &Quire, path: &str, accept: &str) -> Reply {
    send(quire.request(Method::GET, path).header("accept", accept)).await
}

async fn post(quire: &Quire, person: &Person, path: &str, form: &str, body: impl Into<reqwest::Body>) -> Reply {
    let request = quire.request(Method::POST, path).bearer_auth(&person.token);
    send(request.header("content-type", form).header("accept", "application/json").body(body)).await
}

#[tokio::test]
async fn an_entity_and_a_page_agree_in_all_forms_and_have_tags_of_their_own() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let id = quire.published_post(&ada, "<Tom & \"Jerry\">").await;
    let path = format!("/api/v1/posts/{id}");

    let as_json = get(&quire, &path, "application/json").await;
    let post = as_json.expect(200);
    let as_xml = get(&quire, &path, "application/xml").await;
    assert_eq!((as_xml.status.as_u16(), as_xml.header("content-type")), (200, Some("application/xml")));
    let xml = String::from_utf8(as_xml.body.clone()).expect("UTF-8");
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<post>") && xml.ends_with("</post>"), "{xml}");
    for (name, value) in post.as_object().expect("an object") {
        if let Some(text) = value.as_str().filter(|text| !text.is_empty() && !text.contains('<')) {
            assert!(xml.contains(&format!("<{name}>{text}</{name}>")), "{name} in {xml}");
        }
    }
    assert!(xml.contains("<title>&lt;Tom &amp; "), "{xml}");
    let places: Vec<_> = post.as_object().expect("an object").keys().filter_map(|name| xml.find(&format!("<{name}>"))).collect();
    assert!(places.len() > 5 && places.is_sorted(), "the forms have their members in one order: {xml}");
    let as_message = get(&quire, &path, "application/x-protobuf").await;
    assert_eq!((as_message.status.as_u16(), as_message.header("content-type")), (200, Some("application/x-protobuf")));
    let message = quire_proto::decode::<quire_proto::v1::Post>(&as_message.body).expect("a message");
    for (name, value) in message.as_object().expect("an object") {
        assert_eq!(value, &post[name], "{name}");
    }
    let tags: std::collections::BTreeSet<_> = [&as_json, &as_xml, &as_message].into_iter().map(|reply| reply.header("etag")).collect();
    assert_eq!(tags.len(), 3, "a strong tag names one form: {tags:?}");
    let tag = as_xml.header("etag").expect("a tag");
    let again = send(quire.request(Method::GET, &path).header("accept", "application/xml").header("if-none-match", tag)).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let change = quire.request(Method::PATCH, &path).bearer_auth(&ada.token).header("if-match", tag).json(&json!({"title": "T"}));
    send(change).await.expect(200);

    let page = String::from_utf8(get(&quire, "/api/v1/posts", "application/xml").await.body).expect("UTF-8");
    assert!(page.contains("<page><items>") && page.contains(&format!("<postId>{id}</postId>")), "{page}");
    quire.stop().await;
}

#[tokio::test]
async fn an_entity_is_made_from_each_form() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = "/api/v1/posts";
    let message = quire_proto::encode::<quire_proto::v1::NewPost>(json!({"title": "Ümläut <&>", "content": "# Hi"})).expect("a message");
    let xml = "<?xml version=\"1.0\"?><post><title>Ümläut &lt;&amp;&gt;</title><content># Hi</content></post>";
    let json = json!({"title": "Ümläut <&>", "content": "# Hi"}).to_string();
    let mut made = Vec::new();
    for (form, body) in [
        ("application/json", json.into_bytes()),
        ("application/xml", xml.as_bytes().to_vec()),
        ("text/xml; charset=utf-8", xml.as_bytes().to_vec()),
        ("application/x-protobuf", message.clone()),
        ("application/protobuf", message),
    ] {
        let created = post(&quire, &ada, path, form, body).await.expect(201);
        made.push(["title", "content", "status"].map(|name| created[name].clone()));
    }
    assert_eq!(made[0], [json!("Ümläut <&>"), json!("# Hi"), json!("draft")]);
    assert!(made.iter().all(|one| one == &made[0]), "{made:?}");
    quire.stop().await;
}

#[tokio::test]
async fn what_is_wrong_in_one_form_is_wrong_in_all() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let expected = json!([{"pointer": "/title", "detail": "is required"}]);
    for (form, body) in
        [("application/json", &b"{\"content\": \"c\"}"[..]), ("application/xml", b"<post><content>c</content></post>"), ("application/protobuf", b"")]
    {
        let problem = post(&quire, &ada, "/api/v1/posts", form, body.to_vec()).await.expect_problem(422, "invalid-input");
        assert_eq!(problem["errors"], expected, "{form}");
    }
    for (form, body) in [
        ("application/xml", &b"<post><title>T</title>"[..]),
        ("application/xml", b"<!DOCTYPE p [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><post><title>&e;</title></post>"),
        ("application/xml", b"<post><title><b>T</b></title></post>"),
        ("application/xml", b"\xff\xfe"),
        ("application/x-protobuf", b"\xff\xff\xff\xff"),
        ("application/x-protobuf", b"{\"title\": \"T\"}"),
    ] {
        post(&quire, &ada, "/api/v1/posts", form, body.to_vec()).await.expect_problem(400, "malformed");
    }
    for (form, body) in
        [("application/xml", &b"<post><title>T</title><title>U</title></post>"[..]), ("application/xml", b"<post id=\"1\"><title>T</title></post>")]
    {
        post(&quire, &ada, "/api/v1/posts", form, body.to_vec()).await.expect_problem(422, "invalid-input");
    }
    post(&quire, &ada, "/api/v1/posts", "application/xml", "<post><title>a&#x1;b</title></post>").await.expect_problem(422, "invalid-input");
    quire.stop().await;
}

#[tokio::test]
async fn a_problem_comes_in_the_form_that_the_client_accepts() {
    let quire = Quire::start().await;
    let path = format!("/api/v1/posts/{}", "x");
    for (accept, content_type) in [
        ("application/xml", "application/problem+xml"),
        ("application/problem+xml", "application/problem+xml"),
        ("application/protobuf;q=0.9, application/json;q=0.1", "application/x-protobuf"),
        ("*/*", "application/problem+json"),
    ] {
        let reply = get(&quire, &path, accept).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (404, Some(content_type)), "{accept}");
    }
    let message = quire_proto::decode::<quire_proto::v1::Problem>(&get(&quire, &path, "application/protobuf").await.body).expect("a message");
    assert_eq!(message, json!({"type": "urn:quire:problem:post-not-found", "title": "There is no such post", "status": 404}));
    let xml = String::from_utf8(get(&quire, &path, "text/xml").await.body).expect("UTF-8");
    assert!(xml.contains("<problem xmlns=\"urn:ietf:rfc:7807\">") && xml.contains("<type>urn:quire:problem:post-not-found</type>"), "{xml}");
    quire.stop().await;
}

#[tokio::test]
async fn a_client_that_accepts_no_form_is_told_before_anything_happens() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let request = quire.request(Method::POST, "/api/v1/posts").bearer_auth(&ada.token).header("accept", "text/html");
    send(request.json(&json!({"title": "T"}))).await.expect_problem(406, "not-acceptable");
    let own = quire.get_as(&ada, &format!("/api/v1/posts?author={}", ada.id)).await.expect(200);
    assert_eq!(own["items"], json!([]));
    quire.stop().await;
}

#[tokio::test]
async fn the_contract_and_its_page_are_served() {
    let quire = Quire::start().await;
    let contract = quire.get("/openapi.json").await;
    assert_eq!(contract.expect(200)["openapi"], "3.1.0");
    for path in ["/openapi.json", "/docs"] {
        let tag = quire.get(path).await.header("etag").expect("a tag").to_owned();
        let again = send(quire.request(Method::GET, path).header("if-none-match", &tag)).await;
        assert_eq!((again.status.as_u16(), again.header("etag"), again.body.len()), (304, Some(tag.as_str()), 0));
        let other = send(quire.request(Method::GET, path).header("if-none-match", "\"3\"")).await;
        assert_eq!((other.status.as_u16(), other.header("etag")), (200, Some(tag.as_str())));
    }
    let page = get(&quire, "/docs", "text/html").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("style-src 'sha256-")));
    assert!(text(&Value::from(String::from_utf8(page.body).expect("UTF-8"))).contains("Register an account"));
    quire.stop().await;
}

#[tokio::test]
async fn another_method_or_address_is_answered_with_what_there_is() {
    let quire = Quire::start().await;
    for (method, path, allow) in [
        (Method::DELETE, "/api/v1/users", "GET, HEAD, OPTIONS, POST"),
        (Method::POST, "/health/live", "GET, HEAD, OPTIONS"),
        (Method::from_bytes(b"PURGE").expect("a method"), "/api/v1/posts/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
    ] {
        let reply = send(quire.request(method, path)).await;
        reply.expect_problem(405, "method-not-allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
    let options = send(quire.request(Method::OPTIONS, "/api/v1/users")).await;
    assert_eq!((options.status.as_u16(), options.header("allow"), options.body.len()), (204, Some("GET, HEAD, OPTIONS, POST"), 0));
    for path in ["/api/v1/nothing", "/api/v2/users", "/index.html", "/api/v1/users/"] {
        quire.get(path).await.expect_problem(404, "not-found");
    }
    let head = send(quire.request(Method::HEAD, "/api/v1/posts")).await;
    let get = quire.get("/api/v1/posts").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    for name in ["etag", "content-type", "cache-control", "vary"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    quire.stop().await;
}

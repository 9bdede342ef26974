//! GraphQL: the same rules as REST, by fields.

use std::{io::Read, process::Stdio};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use quire_tests::{DEADLINE, Person, Quire, Reply, eventually, root, send, text};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::NOBODY;

/// Asks as somebody, or as nobody in particular.
pub(crate) async fn ask(quire: &Quire, who: Option<&Person>, document: &str, variables: Value) -> Reply {
    let request = quire.request(Method::POST, "/graphql").json(&json!({ "query": document, "variables": variables }));
    send(if let Some(person) = who { request.bearer_auth(&person.token) } else { request }).await
}

/// The data of a reply without errors.
#[track_caller]
pub(crate) fn data(reply: &Reply) -> Value {
    let body = reply.expect(200);
    assert_eq!(body.get("errors"), None, "{body}");
    body["data"].clone()
}

/// The extensions of the only error of a reply.
#[track_caller]
pub(crate) fn problem(reply: &Reply) -> Value {
    let body = reply.expect(200);
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
    body["errors"][0]["extensions"].clone()
}

#[tokio::test]
async fn a_user_with_posts_is_one_query() {
    const DOCUMENT: &str = "query GetUser($id: ID!) { user(id: $id) { id name email posts { id title content } } }";
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "On notes").await;
    let content = quire.get(&format!("/api/v1/posts/{post}")).await.expect(200)["content"].clone();
    let mut expected = json!({ "user": {
        "id": ada.id, "name": "ada", "email": null, "posts": [{ "id": post, "title": "On notes", "content": content }],
    } });
    assert_eq!(data(&ask(&quire, None, DOCUMENT, json!({ "id": ada.id })).await), expected);
    expected["user"]["email"] = json!("ada@example.com");
    assert_eq!(data(&ask(&quire, Some(&ada), DOCUMENT, json!({ "id": ada.id })).await), expected);

    let missing = ask(&quire, None, DOCUMENT, json!({ "id": NOBODY })).await;
    assert_eq!(missing.expect(200)["data"], json!({ "user": null }));
    let expected = json!({ "type": "urn:quire:problem:user-not-found", "title": "There is no such user", "status": 404 });
    assert_eq!(problem(&missing), expected);
    quire.stop().await;
}

#[tokio::test]
async fn what_is_written_by_mutations_is_read_by_rest_and_fails_as_rest_does() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let create = "mutation ($input: NewPost!, $key: String) { createPost(input: $input, idempotencyKey: $key) { id version status } }";
    let input = json!({ "title": "On notes", "tags": ["notes"] });
    let made = data(&ask(&quire, Some(&ada), create, json!({ "input": input, "key": "k1" })).await);
    assert_eq!(data(&ask(&quire, Some(&ada), create, json!({ "input": input, "key": "k1" })).await), made, "once");
    let reused = ask(&quire, Some(&ada), create, json!({ "input": { "title": "Another" }, "key": "k1" })).await;
    assert_eq!(problem(&reused)["type"], "urn:quire:problem:idempotency-key-reused");
    let id = text(&made["createPost"]["id"]);
    assert_eq!(quire.get_as(&ada, &format!("/api/v1/posts/{id}")).await.expect(200)["tags"], json!(["notes"]));

    let publish = "mutation ($id: ID!, $v: Int) { updatePost(id: $id, input: { status: PUBLISHED }, ifVersion: $v) { status version } }";
    let stale = ask(&quire, Some(&ada), publish, json!({ "id": id, "v": 9 })).await;
    assert_eq!(problem(&stale)["status"], 412);
    let published = data(&ask(&quire, Some(&ada), publish, json!({ "id": id, "v": 1 })).await);
    assert_eq!(published["updatePost"], json!({ "status": "PUBLISHED", "version": 2 }));

    let nobodys = ask(&quire, None, create, json!({ "input": input })).await;
    let rest = quire.post("/api/v1/posts", &input).await.expect_problem(401, "sign-in-required");
    assert_eq!(problem(&nobodys), rest);
    let wrong = ask(&quire, Some(&ada), create, json!({ "input": { "title": "", "slug": "?" } })).await;
    let rest = quire.post_as(&ada, "/api/v1/posts", &json!({ "title": "", "slug": "?" })).await.expect_problem(422, "invalid-input");
    assert_eq!(problem(&wrong), rest);
    quire.stop().await;
}

#[tokio::test]
async fn mutations_count_as_writes_one_for_each_field_and_queries_do_not() {
    let quire = Quire::start_with(&[("WritesPerMinute", "10")]).await;
    let ada = quire.person("ada").await;
    let left = |reply: &Reply| {
        let told = reply.header("ratelimit").map(str::to_owned);
        told.and_then(|told| told.split(';').find_map(|part| part.strip_prefix("r=")?.parse::<u32>().ok()))
    };
    assert_eq!(left(&ask(&quire, Some(&ada), "{ me { id } }", json!({})).await), None);
    let two = "mutation { a: createPost(input: { title: \"A\" }) { id } b: createPost(input: { title: \"B\" }) { id } }";
    let before = left(&ask(&quire, Some(&ada), "mutation { createPost(input: { title: \"C\" }) { id } }", json!({})).await);
    assert_eq!(before.zip(left(&ask(&quire, Some(&ada), two, json!({})).await)).map(|(before, after)| before - after), Some(2));
    quire.stop().await;
}

#[tokio::test]
async fn a_page_of_posts_with_authors_and_comments_is_four_round_trips() {
    let quire = Quire::start().await;
    let (ada, bob, eve) = (quire.person("ada").await, quire.person("bob").await, quire.person("eve").await);
    for number in 0..20 {
        let author = if number % 2 == 0 { &ada } else { &bob };
        let post = quire.published_post(author, &format!("Number {number}")).await;
        quire.post_as(&eve, &format!("/api/v1/posts/{post}/comments"), &json!({ "content": "Well said" })).await.expect(201);
    }
    let document = "{ posts(first: 20) { nodes { title content author { name } comments { content author { name } } } } }";
    ask(&quire, Some(&bob), document, json!({})).await;
    quire.faults().consumed();
    let page = data(&ask(&quire, Some(&bob), document, json!({})).await);
    let nodes = page["posts"]["nodes"].as_array().expect("posts");
    assert!(nodes.len() == 20 && nodes.iter().all(|post| post["comments"][0]["author"]["name"] == "eve" && post["content"].is_string()), "{page}");
    let consumed = quire.faults().consumed().into_iter().filter(|(call, _)| call.function.as_deref() == Some("AnswerGraphql"));
    let calls: Vec<_> = consumed.map(|(call, _)| call.operation).collect();
    // What is due, and what is published, one after the other.
    assert_eq!(calls[..2], ["Query", "Query"], "{calls:?}");
    // At the same time authors, posts, whose comments may be seen, and the comments of each post; and last their authors.
    let (batches, queries): (Vec<_>, Vec<_>) = calls[2..].iter().partition(|call| *call == "BatchGetItem");
    assert_eq!((batches.len(), queries.len()), (4, 20), "{calls:?}");
    assert_eq!(calls.last().map(String::as_str), Some("BatchGetItem"), "{calls:?}");
    quire.stop().await;
}

#[tokio::test]
async fn a_list_goes_on_after_any_of_its_edges() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let mut posts = Vec::new();
    for title in ["One", "Two", "Three"] {
        posts.insert(0, quire.published_post(&ada, title).await);
    }
    let document = "query ($first: Int, $after: String) { posts(first: $first, after: $after) {
        nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } }";
    let page = async |first: usize, after: &Value| {
        let posts = data(&ask(&quire, None, document, json!({ "first": first, "after": after })).await)["posts"].clone();
        let ids = posts["edges"].as_array().expect("edges").iter().map(|edge| text(&edge["node"]["id"])).collect::<Vec<_>>();
        let nodes = posts["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["id"])).collect::<Vec<_>>();
        assert_eq!(ids, nodes);
        (ids, posts)
    };
    let (ids, first) = page(2, &Value::Null).await;
    assert_eq!(ids, posts[..2]);
    let cursors = [0, 1].map(|index: usize| first["edges"][index]["cursor"].clone());
    let info = json!({ "hasNextPage": true, "hasPreviousPage": false, "startCursor": cursors[0], "endCursor": cursors[1] });
    assert_eq!(first["pageInfo"], info);
    let (ids, last) = page(2, &cursors[0]).await;
    assert_eq!(ids, posts[1..]);
    assert_eq!((&last["pageInfo"]["hasNextPage"], &last["pageInfo"]["endCursor"]), (&json!(false), &last["edges"][1]["cursor"]));
    let (ids, end) = page(2, &last["pageInfo"]["endCursor"]).await;
    let info = json!({ "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null });
    assert_eq!((ids.len(), &end["pageInfo"]), (0, &info));
    quire.stop().await;
}

#[tokio::test]
async fn lists_that_ask_for_too_much_are_refused() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    quire.published_post(&ada, "On notes").await;
    let lists: String = (0..19).map(|number| format!("p{number}: posts(first: 100) {{ nodes {{ id }} }} ")).collect();
    let reply = ask(&quire, None, &format!("{{ {lists} }}"), json!({})).await;
    assert_eq!(problem(&reply)["type"], "urn:quire:problem:too-costly");
    let wrong = ask(&quire, None, "{ posts(first: 0) { nodes { id } } }", json!({})).await;
    assert_eq!(problem(&wrong)["errors"], json!([{ "pointer": "/first", "detail": "must be 1 to 100" }]));
    let wrong = ask(&quire, None, "{ posts(after: \"?\") { nodes { id } } }", json!({})).await;
    assert_eq!(problem(&wrong)["errors"][0]["pointer"], "/after");
    quire.stop().await;
}

#[tokio::test]
async fn a_document_that_was_shown_once_is_known_by_its_hash() {
    let quire = Quire::start().await;
    let document = "{ posts { nodes { id } } }";
    let hash = Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let by_hash = async || {
        let request = quire.request(Method::GET, "/graphql").query(&[("extensions", extensions.to_string())]);
        send(request).await
    };
    assert_eq!(by_hash().await.expect(200)["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    let wrong = json!({ "query": "{ me { id } }", "extensions": extensions });
    send(quire.request(Method::POST, "/graphql").json(&wrong)).await.expect_problem(422, "invalid-input");
    let shown = json!({ "query": document, "extensions": extensions });
    data(&send(quire.request(Method::POST, "/graphql").json(&shown)).await);
    let known = by_hash().await;
    assert_eq!(data(&known), json!({ "posts": { "nodes": [] } }));
    assert!(known.header("cache-control").is_some_and(|caching| caching.starts_with("public")), "{known:?}");
    quire.stop().await;
}

#[tokio::test]
async fn mutations_are_posts_and_forms_are_negotiated() {
    let quire = Quire::start().await;
    let request = |method, path: &str| quire.request(method, path);
    let by_get = send(request(Method::GET, "/graphql").query(&[("query", "mutation { deleteSessions }")])).await;
    by_get.expect_problem(405, "method-not-allowed");
    assert_eq!(by_get.header("allow"), Some("POST"));
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
        let refused = send(request(method, "/graphql")).await;
        refused.expect_problem(405, "method-not-allowed");
        assert_eq!(refused.header("allow"), Some("GET,HEAD,POST"));
    }
    send(request(Method::POST, "/graphql").header("content-type", "text/plain").body("{}")).await.expect_problem(415, "unsupported-media-type");
    send(request(Method::POST, "/graphql").header("accept", "text/html").json(&json!({ "query": "{ me { id } }" })))
        .await
        .expect_problem(406, "not-acceptable");
    let newer = "application/graphql-response+json";
    for (accept, document, status) in [(newer, "{ nothing }", 400), ("*/*", "{ nothing }", 200), (newer, "{ me { id } }", 200)] {
        let reply = send(request(Method::POST, "/graphql").header("accept", accept).json(&json!({ "query": document }))).await;
        assert_eq!(reply.status, status, "{accept} {document}");
    }
    let token = Person { id: String::new(), token: "x".into() };
    ask(&quire, Some(&token), "{ me { id } }", json!({})).await.expect_problem(401, "invalid-token");
    quire.stop().await;
}

/// The introspection query of the reference implementation (graphql-js 16), which GraphiQL sends.
fn introspection() -> String {
    let type_ref = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    format!(
        "query IntrospectionQuery {{
           __schema {{
             queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }} types {{ ...FullType }}
             directives {{ name description locations args {{ ...InputValue }} }}
           }}
         }}
         fragment FullType on __Type {{
           kind name description
           fields(includeDeprecated: true) {{ name description args {{ ...InputValue }} type {{ ...TypeRef }} isDeprecated deprecationReason }}
           inputFields {{ ...InputValue }} interfaces {{ ...TypeRef }}
           enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }} possibleTypes {{ ...TypeRef }}
         }}
         fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue }}
         fragment TypeRef on __Type {{ {type_ref} }}"
    )
}

#[tokio::test]
async fn the_schema_is_told_unless_the_deployment_says_otherwise() {
    const DOCUMENT: &str = "{ __schema { queryType { name } } }";
    let quire = Quire::start().await;
    assert_eq!(data(&ask(&quire, None, DOCUMENT, json!({})).await)["__schema"]["queryType"]["name"], "Query");
    // What editors ask first is within the limits.
    let types = data(&ask(&quire, None, &introspection(), json!({})).await)["__schema"]["types"].clone();
    assert!(types.as_array().is_some_and(|types| types.iter().any(|shown| shown["name"] == "Webhook")), "{types}");
    quire.stop().await;
    let quire = Quire::start_with(&[("GraphqlIntrospection", "false")]).await;
    assert!(ask(&quire, None, DOCUMENT, json!({})).await.expect(200)["errors"].is_array());
    quire.stop().await;
}

/// What browsers accept.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn browsers_are_shown_a_page_that_needs_no_other_host_where_the_deployment_says_so() {
    let quire = Quire::start_with(&[("Graphiql", "true")]).await;
    let get = |accept: &str| quire.request(Method::GET, "/graphql").header("accept", accept);
    let shown = send(get(BROWSER)).await;
    assert_eq!((shown.status.as_u16(), shown.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    assert!(shown.header("vary").is_some_and(|vary| vary.contains("Accept")), "{:?}", shown.headers);
    let policy = shown.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-") && policy.contains("connect-src 'self'"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*'), "{policy}");

    let page = String::from_utf8(shown.body.to_vec()).expect("text");
    for outside in [" src=", "<link", "@import", "url(http", "url(//", "@font-face"] {
        assert!(!page.split("<script>").next().expect("a head").contains(outside), "{outside}");
    }
    let within = |tag: &str| {
        let inner = page.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
        inner.unwrap_or_else(|| panic!("no {tag}")).0
    };
    for tag in ["script", "style"] {
        let hash = BASE64_STANDARD.encode(Sha256::digest(within(tag)));
        assert!(policy.contains(&format!("'sha256-{hash}'")), "the {tag} is the one that the policy lets in");
    }

    let packed = send(get(BROWSER).header("accept-encoding", "gzip, br")).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let mut unpacked = String::new();
    GzDecoder::new(&packed.body[..]).read_to_string(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, page);
    assert!(packed.body.len() < 1024 * 1024, "{} bytes", packed.body.len());

    let asked = send(get(BROWSER).query(&[("query", "{ me { id } }")])).await;
    assert_eq!(asked.expect(200), json!({ "data": { "me": null } }));
    assert_eq!(send(get("application/json")).await.status, 400);
    quire.stop().await;
}

#[tokio::test]
async fn browsers_are_shown_no_page_unless_the_deployment_says_so() {
    let quire = Quire::start().await;
    let get = |accept: &str| quire.request(Method::GET, "/graphql").header("accept", accept);
    assert_eq!(send(get(BROWSER)).await.status, 400);
    send(get("text/html")).await.expect_problem(406, "not-acceptable");
    quire.stop().await;
}

#[tokio::test]
async fn the_page_is_made_of_what_is_published() {
    let folder = root().join("functions/graphql/answer-graphql/graphiql");
    let hint = "install its parts first: npm ci --prefix functions/graphql/answer-graphql/graphiql (Node.js 20 or newer)";
    assert!(folder.join("node_modules/graphiql").is_dir(), "{hint}");
    let checked = Command::new("node").args(["build.js", "--check"]).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true).status().await;
    assert!(checked.expect("Node.js makes the page").success());
}

#[tokio::test]
async fn secrets_are_shown_once_and_kept_by_nobody() {
    let (quire, root) = Quire::with_admin().await;
    let ada = quire.person("ada").await;
    let create =
        "mutation ($id: ID!, $input: NewApiToken!) { createApiToken(userId: $id, input: $input) { apiToken { name scopes expiresAt } token } }";
    let input = json!({ "name": "CI", "scopes": ["posts:read"] });
    let reply = ask(&quire, Some(&ada), create, json!({ "id": ada.id, "input": input })).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let made = data(&reply)["createApiToken"].clone();
    assert_eq!(made["apiToken"], json!({ "name": "CI", "scopes": ["posts:read"], "expiresAt": null }));
    let exchange = "mutation ($token: String!) { createAccessToken(apiToken: $token) { accessToken scope } }";
    let exchanged = data(&ask(&quire, None, exchange, json!({ "token": made["token"] })).await)["createAccessToken"].clone();
    assert_eq!(exchanged["scope"], "posts:read");
    let token = Person { id: ada.id.clone(), token: text(&exchanged["accessToken"]) };
    let refused = ask(&quire, Some(&token), "mutation { createPost(input: { title: \"T\" }) { id } }", json!({})).await;
    assert_eq!(problem(&refused)["type"], "urn:quire:problem:insufficient-scope");
    let wrong = ask(&quire, Some(&ada), create, json!({ "id": ada.id, "input": { "name": "", "scopes": ["x"] } })).await;
    let path = format!("/api/v1/users/{}/tokens", ada.id);
    let rest = quire.post_as(&ada, &path, &json!({ "name": "", "scopes": ["x"] })).await.expect_problem(422, "invalid-input");
    assert_eq!(problem(&wrong), rest);

    let ask_for = "mutation ($id: ID!, $key: String) { createExport(userId: $id, idempotencyKey: $key) { id status url } }";
    let export = data(&ask(&quire, Some(&ada), ask_for, json!({ "id": ada.id, "key": "k1" })).await)["createExport"].clone();
    assert_eq!(data(&ask(&quire, Some(&ada), ask_for, json!({ "id": ada.id, "key": "k1" })).await)["createExport"], export, "once");
    let document = format!("{{ me {{ export(id: {}) {{ status url }} }} }}", export["id"]);
    let by_get = async || {
        let request = quire.request(Method::GET, "/graphql").query(&[("query", &document)]).bearer_auth(&ada.token);
        send(request).await
    };
    let ready = eventually(|| async { Some(by_get().await).filter(|reply| data(reply)["me"]["export"]["status"] == "READY") }).await;
    assert!(data(&ready)["me"]["export"]["url"].is_string());
    assert_eq!(ready.header("cache-control"), Some("no-store"));

    let create = "mutation ($input: NewWebhook!) { createWebhook(input: $input) { webhook { id url eventTypes version createdBy { id } } secret } }";
    let input = json!({ "url": "https://127.0.0.1:1/", "eventTypes": ["post.published"] });
    let webhook = data(&ask(&quire, Some(&root), create, json!({ "input": input })).await)["createWebhook"].clone();
    assert_eq!(webhook["webhook"]["createdBy"]["id"], root.id.as_str());
    let update = "mutation ($id: ID!, $v: Int) { updateWebhook(id: $id, input: { isActive: false }, ifVersion: $v) { isActive version } }";
    let stale = ask(&quire, Some(&root), update, json!({ "id": webhook["webhook"]["id"], "v": 9 })).await;
    assert_eq!(problem(&stale)["status"], 412);
    let events = "{ auditEvents(type: \"webhook.created\") { nodes { type actor { id } details { name values } } } }";
    let events = data(&ask(&quire, Some(&root), events, json!({})).await)["auditEvents"]["nodes"].clone();
    let details = json!([{ "name": "webhookId", "values": [webhook["webhook"]["id"]] }]);
    assert_eq!(events, json!([{ "type": "webhook.created", "actor": { "id": root.id }, "details": details }]));
    quire.stop().await;
}

#[tokio::test]
async fn an_author_reads_the_versions_of_a_post_beside_it() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let post = quire.published_post(&ada, "First").await;
    let change = "mutation ($id: ID!) { updatePost(id: $id, input: { title: \"Second\" }) { version } }";
    data(&ask(&quire, Some(&ada), change, json!({ "id": post })).await);
    let document =
        "query ($id: ID!) { post(id: $id) { revisions { nodes { version title content author { name } } } revision(version: 2) { title content } } }";
    let shown = data(&ask(&quire, Some(&ada), document, json!({ "id": post })).await)["post"].clone();
    let nodes = shown["revisions"]["nodes"].as_array().expect("versions");
    assert_eq!((&nodes[0]["title"], &nodes[0]["author"]["name"], &nodes[0]["content"]), (&json!("Second"), &json!("ada"), &Value::Null));
    assert_eq!(shown["revision"]["title"], "First");
    assert!(shown["revision"]["content"].is_string(), "{shown}");
    let readers = ask(&quire, None, document, json!({ "id": post })).await.expect(200);
    assert_eq!(readers["data"], json!({ "post": { "revisions": null, "revision": null } }));
    quire.stop().await;
}

#[tokio::test]
async fn a_field_that_fails_leaves_what_stands_beside_it() {
    let quire = Quire::start().await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    // `posts` of a user is never null: what fails in it takes the user, which can be.
    let document = "query ($ada: ID!) { other: user(id: $ada) { name posts(first: 0) { id } } me { name secondFactor { isEnabled } } }";
    let body = ask(&quire, Some(&bob), document, json!({ "ada": ada.id })).await.expect(200);
    assert_eq!(body["data"], json!({ "other": null, "me": { "name": "bob", "secondFactor": { "isEnabled": false } } }));
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
    assert_eq!(body["errors"][0]["path"], json!(["other", "posts"]));
    // What can be null is, alone.
    let document = "query ($ada: ID!) { user(id: $ada) { name secondFactor { isEnabled } } }";
    let body = ask(&quire, Some(&bob), document, json!({ "ada": ada.id })).await.expect(200);
    assert_eq!(body["data"], json!({ "user": { "name": "ada", "secondFactor": null } }));
    assert_eq!((&body["errors"][0]["path"], &body["errors"][0]["extensions"]["status"]), (&json!(["user", "secondFactor"]), &json!(403)));
    quire.stop().await;
}

#[tokio::test]
async fn the_audits_of_graphql_over_http_pass() {
    let folder = root().join("tests/graphql");
    assert!(folder.join("node_modules/graphql-http").is_dir(), "install the audits first: npm ci --prefix tests/graphql (Node.js 20 or newer)");
    let quire = Quire::start().await;
    let url = quire.request(Method::GET, "/graphql").build().expect("a request").url().to_string();
    let mut command = Command::new("node");
    let command = command.arg("audit.js").arg(url).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = command.output().await.expect("Node.js runs the audits");
    let lines = String::from_utf8(output.stdout).expect("text");
    let results: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(results.len(), 61, "{lines}");
    let failed: Vec<_> = results.iter().filter(|result| result["status"] != "ok").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    quire.stop().await;
}

#[tokio::test]
async fn the_examples_of_the_documentation_work() {
    let document = std::fs::read_to_string(root().join("docs/graphql.md")).expect("the document");
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let draft = quire.post_as(&ada, "/api/v1/posts", &json!({ "title": "A draft" })).await.expect(201);
    let variables = json!({ "id": ada.id, "after": null, "key": "k1", "post": draft["postId"] });
    let examples: Vec<_> = document.split("```graphql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        data(&ask(&quire, Some(&ada), example, variables.clone()).await);
    }
    quire.stop().await;
}

/// The first block of a language in a document.
fn block<'a>(document: &'a str, language: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("```{language}\n")).expect("a block");
    rest.split("```\n").next().expect("its end")
}

#[tokio::test]
async fn the_typescript_of_the_documentation_compiles_and_runs() {
    let modules = root().join("tests/graphql/node_modules");
    assert!(modules.join("gql.tada").is_dir(), "install the clients first: npm ci --prefix tests/graphql (Node.js 20 or newer)");
    let document = std::fs::read_to_string(root().join("docs/graphql.md")).expect("the document");
    let document = document.split_once("## In TypeScript").expect("the part on TypeScript").1;
    let quire = Quire::start().await;
    quire.register("ada").await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let example = block(document, "ts").replace("https://blog.example.org", &quire.cloud().url());
    for (name, content) in [("tsconfig.json", block(document, "json")), ("example.ts", &example), ("package.json", r#"{ "type": "module" }"#)] {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    std::fs::copy(root().join("schema.graphql"), folder.path().join("schema.graphql")).expect("a copy");
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).expect("a link");
    let mut printed = String::new();
    for (program, arguments) in [
        ("node_modules/.bin/gql.tada", &["generate", "output"][..]),
        ("node_modules/.bin/gql.tada", &["check"]),
        ("node_modules/.bin/tsc", &[]),
        ("node", &["example.js"]),
    ] {
        let mut command = Command::new(program);
        let running = command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(2 * DEADLINE, running).await.expect("in time").expect("it runs");
        printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(printed, "PUBLISHED urn:quire:problem:version-mismatch\nada [ 'On notes' ]\n");
    quire.stop().await;
}

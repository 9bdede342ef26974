//! Quotas of writes.

use quire_tests::{PASSWORD, Quire, send};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn an_account_makes_so_many_writes_a_minute_and_reads_as_it_likes() {
    let quire = Quire::start_with(&[("WritesPerMinute", "3")]).await;
    let (ada, bob) = (quire.person("ada").await, quire.person("bob").await);
    let mut refused = None;
    // The window may turn once on the way.
    for _ in 0..8 {
        let reply = quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T"})).await;
        assert_eq!(reply.header("ratelimit-policy"), Some("\"writes\";q=3;w=60"));
        let left = reply.header("ratelimit").expect("what is left").to_owned();
        assert!(left.starts_with("\"writes\";r="), "{left}");
        if reply.status == 429 {
            assert!(left.starts_with("\"writes\";r=0;t="), "{left}");
            refused = Some(reply);
            break;
        }
        reply.expect(201);
    }
    let refused = refused.expect("one of eight writes is one too many");
    refused.expect_problem(429, "too-many-requests");
    let wait: u64 = refused.header("retry-after").expect("a wait").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    let own = quire.get_as(&ada, &format!("/api/v1/posts?author={}", ada.id)).await;
    assert_eq!(own.header("ratelimit"), None, "reads are not counted");
    assert!(own.expect(200)["items"].as_array().is_some_and(|posts| (3..=6).contains(&posts.len())), "what was refused was not done");
    quire.post_as(&bob, "/api/v1/posts", &json!({"title": "T"})).await.expect(201);
    quire.stop().await;
}

#[tokio::test]
async fn callers_who_are_not_signed_in_share_the_quota_of_their_address() {
    let quire = Quire::start_with(&[("AnonymousWritesPerMinute", "2")]).await;
    let mut statuses = Vec::new();
    for number in 0..6 {
        let body = json!({"username": format!("user{number}"), "email": format!("user{number}@example.com"), "password": PASSWORD});
        // What a client says of its address does not count.
        let request = quire.request(Method::POST, "/api/v1/users").header("x-forwarded-for", format!("192.0.2.{number}"));
        statuses.push(send(request.json(&body)).await.status.as_u16());
    }
    assert_eq!(statuses[0], 201);
    assert!(statuses.contains(&429), "{statuses:?}");
    quire.stop().await;
}

#[tokio::test]
async fn a_write_is_counted_once_and_a_read_never() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let counted = async || {
        let items = quire.items().await;
        let of = items.iter().filter(|item| item["pk"].as_s().is_ok_and(|pk| *pk == format!("RATE#ACCOUNT#{}", ada.id)));
        of.map(|item| item["count"].as_n().expect("a number").parse::<u32>().expect("a count")).sum::<u32>()
    };
    assert_eq!(counted().await, 0);
    let mut stranger = ada.clone();
    stranger.token.push('x');
    let refused = quire.post_as(&stranger, "/api/v1/posts", &json!({"title": "T"})).await;
    refused.expect_problem(401, "invalid-token");
    assert!(refused.header("ratelimit").is_some(), "a wrong token is counted by its address");
    for written in 1..=3 {
        quire.post_as(&ada, "/api/v1/posts", &json!({"title": "T"})).await.expect(201);
        quire.get_as(&ada, "/api/v1/posts").await.expect(200);
        assert_eq!(counted().await, written);
    }
    quire.stop().await;
}

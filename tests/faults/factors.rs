//! API tokens and codes of the second factor, when the function behind them is killed or the table's reply is lost.

use quire_local::faults::{Action, Rule};
use quire_tests::{PASSWORD, Person, Quire, Reply, text};
use serde_json::json;
use totp_rs::{Builder, Secret};

use crate::aws;

fn commits(function: &str, action: Action) -> Rule {
    Rule::new(action).function(function).operation("TransactWriteItems")
}

async fn sign_in(quire: &Quire, code: &str) -> Reply {
    // As if each were on a day of its own.
    for prefix in ["RATE#CODE#", "THROTTLE#"] {
        for tries in aws::items(quire, prefix).await {
            aws::delete(quire, &tries).await;
        }
    }
    quire.post("/api/v1/sessions", &json!({"username": "ada", "password": PASSWORD, "code": code})).await
}

/// Turns on the second factor of `ada`; the recovery codes.
async fn enrol(quire: &Quire, ada: &Person) -> Vec<String> {
    let path = format!("/api/v1/users/{}/second-factor", ada.id);
    let pending = quire.post_as(ada, &path, &json!({"password": PASSWORD})).await.expect(201);
    let secret = Secret::try_from_base32(text(&pending["secret"])).expect("base32");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    let code = Builder::new().with_secret(secret).build().expect("a secret").generate(now).to_string();
    let confirmed = quire.put_as(ada, &path, &json!({"code": code})).await.expect(200);
    confirmed["recoveryCodes"].as_array().expect("a list").iter().map(text).collect()
}

#[tokio::test]
async fn a_code_is_used_up_before_anything_else_so_that_no_crash_makes_it_work_twice() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let codes = enrol(&quire, &ada).await;
    // The first commit uses the code up, the second begins the session.
    let cases = [(0, Action::KillBefore, 201), (0, Action::KillAfter, 401), (1, Action::KillBefore, 401), (1, Action::KillAfter, 401)];
    for ((skipped, kill, again), code) in cases.into_iter().zip(&codes) {
        quire.cloud().functions().replace("CreateSession");
        let fired = quire.faults().add(commits("CreateSession", kill.clone()).skip(skipped));
        assert_eq!((sign_in(&quire, code).await.status.as_u16(), fired.count()), (500, 1), "{kill:?} of {skipped}");
        quire.faults().clear();
        assert_eq!(sign_in(&quire, code).await.status, again, "{kill:?} of {skipped}");
        sign_in(&quire, code).await.expect_problem(401, "wrong-code");
    }
    quire.faults().add(commits("CreateSession", Action::DropReply));
    sign_in(&quire, &codes[4]).await.expect(201);
    let status = quire.get_as(&ada, &format!("/api/v1/users/{}/second-factor", ada.id)).await.expect(200);
    assert_eq!(status["recoveryCodesLeft"], json!(5));
    quire.stop().await;
}

#[tokio::test]
async fn the_tokens_of_an_account_and_their_number_agree_whatever_is_killed() {
    let quire = Quire::start().await;
    let ada = quire.person("ada").await;
    let path = format!("/api/v1/users/{}/tokens", ada.id);
    let body = json!({"name": "Build", "scopes": ["posts:read"]});
    let stored = async || {
        let items = aws::items(&quire, "API-TOKENS#").await;
        let (counts, tokens): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item["sk"]["S"] == "COUNT");
        (tokens, counts.first().and_then(|count| count["tokens"]["N"].as_str()?.parse::<usize>().ok()).unwrap_or_default())
    };
    let mut made = 0;
    for (action, status, is_made) in [(Action::KillBefore, 500, 0), (Action::KillAfter, 500, 1), (Action::DropReply, 201, 1)] {
        quire.cloud().functions().replace("CreateApiToken");
        quire.faults().add(commits("CreateApiToken", action.clone()));
        assert_eq!(quire.post_as(&ada, &path, &body).await.status, status, "{action:?}");
        made += is_made;
        let (tokens, count) = stored().await;
        assert_eq!((tokens.len(), count), (made, made), "{action:?}");
    }
    let (tokens, _) = stored().await;
    let one = format!("{path}/{}", text(&tokens[0]["id"]["S"]));
    for action in [Action::KillBefore, Action::KillAfter] {
        quire.cloud().functions().replace("DeleteApiToken");
        quire.faults().add(commits("DeleteApiToken", action));
        assert_eq!(quire.delete_as(&ada, &one).await.status, 500);
    }
    quire.delete_as(&ada, &one).await.expect(204);
    let (tokens, count) = stored().await;
    assert_eq!((tokens.len(), count), (1, 1));
    quire.stop().await;
}

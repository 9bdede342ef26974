//! How long a sign-in with a wrong password takes, where there is such an account and where there is none.
//!
//! No try is made to wait: each comes from an address of its own, which the event says as the gateway would, and each name is tried as often
//! as it may be. So all tries take the same way through the function, and nothing is changed for the measurement.

use std::{fmt, net::Ipv4Addr, time::Duration};

use quire_local::{cloud::Cloud, functions::Outcome};
use reqwest::Client;
use serde_json::{Value, json};

use crate::{ROOT, Result, median};

/// Failures of one name that cost nothing (`SIGN_IN_FAILURES`).
const TRIES_OF_A_NAME: usize = 5;
/// Names of each kind before those that count: they start the function and fill its caches.
const WARM_UP: usize = 10;

/// What was measured; prints itself as a table.
pub(crate) struct Report {
    unknown: Vec<Duration>,
    known: Vec<Duration>,
}

/// Tries a wrong password on so many unknown and as many known names, in turn.
pub(crate) async fn run(cloud: &Cloud, tries: usize) -> Result<Report> {
    let names = tries.div_ceil(TRIES_OF_A_NAME) + WARM_UP;
    eprintln!("Registering {names} accounts");
    let http = Client::new();
    for number in 0..names {
        let name = known(number);
        let account = json!({"username": name, "email": format!("{name}@example.com"), "password": "correct horse battery"});
        http.post(format!("{}/api/v1/users", cloud.url())).json(&account).send().await?.error_for_status()?;
    }
    let event: Value = serde_json::from_str(&std::fs::read_to_string(format!("{ROOT}/events/create-session.json"))?)?;
    let mut report = Report { unknown: Vec::new(), known: Vec::new() };
    for number in 0..tries + WARM_UP * TRIES_OF_A_NAME {
        let name = number / TRIES_OF_A_NAME;
        // Each kind goes first as often as the other.
        let mut times = [Duration::ZERO; 2];
        for turn in 0..2 {
            let kind = (number + turn) % 2;
            let name = if kind == 0 { unknown(name) } else { known(name) };
            times[kind] = time(cloud, &event, &name, address(2 * number + turn)?).await?;
        }
        if name >= WARM_UP {
            report.unknown.push(times[0]);
            report.known.push(times[1]);
        }
    }
    Ok(report)
}

fn known(number: usize) -> String {
    format!("known-{number:06}")
}

fn unknown(number: usize) -> String {
    format!("other-{number:06}")
}

/// An address that nothing else comes from.
fn address(number: usize) -> Result<Ipv4Addr> {
    Ok(Ipv4Addr::from_bits(0x0a00_0001 + u32::try_from(number)?))
}

async fn time(cloud: &Cloud, event: &Value, name: &str, address: Ipv4Addr) -> Result<Duration> {
    let mut event = event.clone();
    event["requestContext"]["http"]["sourceIp"] = json!(address);
    event["body"] = json!(json!({"username": name, "password": "wrong horse battery"}).to_string());
    let event = event.to_string();
    let invocation = cloud.functions().invoke("CreateSession", event.into(), None).await;
    match invocation.outcome {
        Outcome::Reply(reply) if serde_json::from_slice::<Value>(&reply)?["statusCode"] == json!(401) => Ok(invocation.duration),
        other => Err(format!("the try was not refused as it should: {other:?}").into()),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unknown, known } = self;
        let millis = |times: &[Duration]| median(times.iter().copied()).unwrap_or_default().as_secs_f64() * 1000.0;
        writeln!(f, "Medians of {} tries with a wrong password of each kind, in turn:\n", known.len())?;
        writeln!(f, "| name | median, ms |\n|---|--:|")?;
        writeln!(f, "| of no account | {:.3} |\n| of an account | {:.3} |", millis(unknown), millis(known))?;
        writeln!(f, "\nA known name takes {:.4} times as long as an unknown one.", millis(known) / millis(unknown))
    }
}

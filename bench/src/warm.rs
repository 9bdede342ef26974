//! Warm requests through the whole local cloud: gateway, function, DynamoDB, all on this machine, over loopback.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use quire_local::cloud::Cloud;
use reqwest::{Client, Method};
use serde_json::json;

use crate::{Result, events};

/// Requests of a kind before those that count: they start the functions.
const WARM_UP: usize = 200;

/// How much is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    pub(crate) requests: usize,
    pub(crate) concurrency: usize,
}

/// What was measured; prints itself as a table.
pub(crate) struct Report {
    concurrency: usize,
    rows: Vec<(&'static str, Load)>,
}

/// Time of each request, in order of length, and of all together.
struct Load {
    requests: Vec<Duration>,
    total: Duration,
}

/// Sends requests of three kinds, one kind after the other.
pub(crate) async fn run(cloud: &Cloud, limits: Limits) -> Result<Report> {
    let seeded = events::seed(cloud, 0).await?;
    let (client, base) = (Client::new(), cloud.url());
    let post = format!("{base}/api/v1/posts/{}", seeded.post);
    let kinds = [
        ("`GET /api/v1/posts/{postId}`", Method::GET, post.clone()),
        ("`GET /api/v1/posts`", Method::GET, format!("{base}/api/v1/posts")),
        ("`POST /api/v1/posts/{postId}/comments`", Method::POST, format!("{post}/comments")),
    ];
    let mut rows = Vec::new();
    for (name, method, url) in kinds {
        eprintln!("Warm requests: {name}");
        let send = async |number: usize| {
            let request = client.request(method.clone(), &url);
            let request = match method {
                Method::POST => request.bearer_auth(&seeded.token).json(&json!({"content": format!("Well said, {number}")})),
                _ => request,
            };
            request.send().await?.error_for_status()?.bytes().await?;
            Ok(())
        };
        load(Limits { requests: WARM_UP, ..limits }, &send).await?;
        rows.push((name, load(limits, &send).await?));
    }
    Ok(Report { concurrency: limits.concurrency, rows })
}

/// Sends until one of the limits is reached.
async fn load(limits: Limits, send: &impl AsyncFn(usize) -> Result<()>) -> Result<Load> {
    let started = Instant::now();
    let (numbers, times) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let sender = async || -> Result<()> {
        while started.elapsed() < limits.time {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            if number >= limits.requests {
                break;
            }
            let sent = Instant::now();
            send(number).await?;
            times.lock().unwrap_or_else(PoisonError::into_inner).push(sent.elapsed());
        }
        Ok(())
    };
    try_join_all((0..limits.concurrency).map(|_| sender())).await?;
    let total = started.elapsed();
    let mut requests = times.into_inner().unwrap_or_else(PoisonError::into_inner);
    requests.sort_unstable();
    Ok(Load { requests, total })
}

impl Load {
    /// The time that this share of the requests did not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let index = (self.requests.len() * percent).div_ceil(100).saturating_sub(1);
        self.requests.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { concurrency, rows } = self;
        writeln!(f, "Warm requests through the local cloud, {concurrency} at a time:\n")?;
        writeln!(f, "| request | requests | per second | median ms | 99th percentile ms |\n|---|--:|--:|--:|--:|")?;
        for (name, load) in rows {
            let millis = |percent| load.percentile(percent).as_secs_f64() * 1000.0;
            #[expect(clippy::cast_precision_loss, reason = "the count is far below 2^52")]
            let rate = load.requests.len() as f64 / load.total.as_secs_f64();
            writeln!(f, "| {name} | {} | {rate:.0} | {:.2} | {:.2} |", load.requests.len(), millis(50), millis(99))?;
        }
        Ok(())
    }
}

//! Cold starts: every function and hello world in turn, round after round, so that what slows the machine down slows all alike.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use quire_local::{cloud::Cloud, identity::Identities, stack::Function};
use serde_json::Value;

use crate::{
    HELLO, Result,
    events::{self, Seeded, succeeded},
    median,
    process::{ColdStart, Cost, measure},
    tls::Proxy,
};

/// One program to measure.
struct Subject<'a> {
    name: &'a str,
    binary: &'a Path,
    logical_id: &'a str,
    environment: BTreeMap<String, String>,
    /// Calls to AWS before the first event, and for it.
    calls: (Vec<String>, Vec<String>),
    starts: Vec<ColdStart>,
}

/// What was measured; prints itself as a table.
pub(crate) struct Report {
    rounds: usize,
    roots: usize,
    hello: Row,
    functions: Vec<Row>,
}

struct Row {
    name: String,
    calls: (Vec<String>, Vec<String>),
    binary: u64,
    median: ColdStart,
}

/// Measures the functions of [`events::MEASURED`], or those of `only`, `rounds` times after a first start that is not counted.
pub(crate) async fn run(cloud: &Cloud, binaries: &BTreeMap<String, PathBuf>, rounds: usize, only: &[String]) -> Result<Report> {
    let known: BTreeSet<_> = binaries.keys().collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(name)) {
        return Err(format!("the template has no function {unknown}").into());
    }
    let folder = tempfile::tempdir()?;
    let bundle = folder.path().join("roots.pem");
    let upstream = cloud.endpoint_url().trim_start_matches("http://").to_owned();
    let proxy = Proxy::start(upstream, &bundle).await?;
    eprintln!("Preparing data");
    let seeded = events::seed(cloud, rounds + 1).await?;

    let functions = cloud.stack().functions.values();
    let is_measured = |name: &String| if only.is_empty() { events::MEASURED.contains(&name.as_str()) } else { only.contains(name) };
    let chosen = functions.filter(|function| is_measured(&function.binary));
    let mut subjects = vec![Subject::hello(&binaries[HELLO])];
    subjects.extend(chosen.map(|function| Subject::new(cloud, function, &binaries[&function.binary], &proxy.url, &bundle)));
    for subject in &mut subjects {
        subject.calls = calls(cloud, subject, &seeded).await?;
    }
    for round in 1..=rounds {
        eprint!("\rCold starts: round {round} of {rounds}");
        for subject in &mut subjects {
            let start = subject.start(&seeded.event(subject.name, round)?, || ()).await?;
            subject.starts.push(start);
        }
    }
    eprintln!();
    let mut rows = subjects.iter().map(Subject::row).collect::<Result<Vec<_>>>()?.into_iter();
    let hello = rows.next().ok_or("hello was not measured")?;
    Ok(Report { rounds, roots: proxy.roots, hello, functions: rows.collect() })
}

/// The calls of a first start, which also brings the binary into the page cache.
async fn calls(cloud: &Cloud, subject: &Subject<'_>, seeded: &Seeded) -> Result<(Vec<String>, Vec<String>)> {
    let made = || -> Vec<String> {
        let own = cloud.faults().calls().into_iter().filter(|call| call.function.as_deref() == Some(subject.logical_id));
        own.map(|call| call.operation).collect()
    };
    let before = made().len();
    let mut at_start = before;
    subject.start(&seeded.event(subject.name, 0)?, || at_start = made().len()).await?;
    let made = made();
    Ok((made[before..at_start].to_vec(), made[at_start..].to_vec()))
}

impl<'a> Subject<'a> {
    fn hello(binary: &'a Path) -> Self {
        // lambda_runtime does not start without these.
        let lambda = [("FUNCTION_NAME", "hello"), ("FUNCTION_MEMORY_SIZE", "256"), ("FUNCTION_VERSION", "$LATEST")];
        let lambda = lambda.into_iter().chain([("LOG_GROUP_NAME", "hello"), ("LOG_STREAM_NAME", "hello")]);
        let environment = lambda.map(|(name, value)| (format!("AWS_LAMBDA_{name}"), value.to_owned())).collect();
        Self { name: HELLO, binary, logical_id: "", environment, calls: Default::default(), starts: Vec::new() }
    }

    fn new(cloud: &Cloud, function: &'a Function, binary: &'a Path, endpoint: &str, bundle: &Path) -> Self {
        let credentials = Identities::issue(cloud.stack(), &function.logical_id, "bench");
        let mut environment = Self::hello(binary).environment;
        environment.extend(function.environment.clone());
        let own = [
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
            ("AWS_REGION", cloud.stack().region.clone()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
            ("AWS_SESSION_TOKEN", credentials.session_token),
            ("AWS_CA_BUNDLE", bundle.to_string_lossy().into_owned()),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Self { name: &function.binary, binary, logical_id: &function.logical_id, environment, calls: Default::default(), starts: Vec::new() }
    }

    async fn start(&self, event: &Value, ready: impl FnOnce()) -> Result<ColdStart> {
        measure(self.binary, self.environment.clone(), event, ready, |answer| self.name == HELLO || succeeded(answer)).await
    }

    fn row(&self) -> Result<Row> {
        let cost = |of: fn(&ColdStart) -> Cost| -> Option<Cost> {
            Some(Cost { wall: median(self.starts.iter().map(|start| of(start).wall))?, cpu: median(self.starts.iter().map(|start| of(start).cpu))? })
        };
        let memory = |of: fn(&ColdStart) -> u64| median(self.starts.iter().map(of));
        let medians = || {
            let (ready, answered) = (cost(|start| start.ready)?, cost(|start| start.answered)?);
            Some(ColdStart { ready, answered, resident: memory(|start| start.resident)?, peak: memory(|start| start.peak)? })
        };
        let median = medians().ok_or("nothing was measured")?;
        Ok(Row { name: self.name.to_owned(), calls: self.calls.clone(), binary: self.binary.metadata()?.len(), median })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, roots, hello, functions } = self;
        writeln!(
            f,
            "Medians of {rounds} cold starts, times in ms, sizes in MB, in brackets the ratio to `hello`; {roots} roots are loaded for TLS.\n"
        )?;
        writeln!(f, "| function | binary | CPU to first event | CPU to first reply | time to first event | time to first reply | resident | peak |")?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
        for row in std::iter::once(hello).chain(functions) {
            let (own, base) = (&row.median, &hello.median);
            let cells = [
                megabytes(row.binary, hello.binary),
                millis(own.ready.cpu, base.ready.cpu),
                millis(own.answered.cpu, base.answered.cpu),
                millis(own.ready.wall, base.ready.wall),
                millis(own.answered.wall, base.answered.wall),
                megabytes(own.resident, base.resident),
                megabytes(own.peak, base.peak),
            ];
            writeln!(f, "| `{}` | {} |", row.name, cells.join(" | "))?;
        }
        writeln!(f, "\n| function | calls before the first event | calls for it |\n|---|---|---|")?;
        for row in functions {
            let (at_start, after) = &row.calls;
            writeln!(f, "| `{}` | {} | {} |", row.name, list(at_start), list(after))?;
        }
        Ok(())
    }
}

fn millis(own: Duration, base: Duration) -> String {
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    format!("{:.2} ({:.2})", millis(own), millis(own) / millis(base))
}

#[expect(clippy::cast_precision_loss, reason = "the sizes are far below 2^52")]
fn megabytes(own: u64, base: u64) -> String {
    format!("{:.1} ({:.2})", own as f64 / 1e6, own as f64 / base as f64)
}

/// `Query, 2 × GetItem`.
fn list(calls: &[String]) -> String {
    let runs = calls.chunk_by(|one, other| one == other);
    let texts: Vec<_> = runs.map(|run| if run.len() == 1 { run[0].clone() } else { format!("{} × {}", run.len(), run[0]) }).collect();
    if texts.is_empty() { "–".to_owned() } else { texts.join(", ") }
}

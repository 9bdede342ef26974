//! `invoke`: one function, once, against the data folder.

use std::{
    io::Read,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use quire_local::{
    cloud::{Cloud, Options},
    functions::{Invocation, Outcome},
};
use serde_json::Value;

use super::{CliError, InvokeOptions, build};

pub(super) async fn run(options: InvokeOptions) -> Result<ExitCode, CliError> {
    let InvokeOptions { function, event, common } = options;
    let template = common.template()?;
    let stack = common.stack(&template)?;
    let found = stack.functions.values().find(|candidate| candidate.binary == function || candidate.logical_id == function);
    let Some(found) = found else {
        let names: Vec<_> = stack.functions.values().map(|function| function.binary.as_str()).collect();
        return Err(CliError::NoFunction(function, names.join(", ")));
    };
    let event = event.map_or(Ok(Bytes::from_static(b"{}")), |path| read(&path))?;
    let binaries = build(&template, std::slice::from_ref(&found.binary)).await?;
    let startup = Arc::new(Mutex::new(Vec::new()));
    let lines = startup.clone();
    let cloud = Cloud::start(Options {
        data: common.data(&template),
        parameters: common.parameters(),
        template,
        port: 0,
        sources: false,
        binaries,
        log: Arc::new(move |line| {
            // What a process says before it has an invocation is not among the invocation's own lines.
            if line.request_id.is_none() {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.text);
            }
        }),
    })
    .await?;
    let invocation = cloud.functions().invoke(&found.logical_id, event, None).await;
    cloud.stop().await;
    for line in startup.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        eprintln!("{line}");
    }
    Ok(report(&invocation))
}

fn read(path: &Path) -> Result<Bytes, CliError> {
    let read = if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map(|_| text)
    } else {
        std::fs::read(path)
    };
    read.map(Bytes::from).map_err(|error| CliError::File(path.display().to_string(), error))
}

/// The result on standard output, all else on standard error; a failed function is a failed command.
fn report(invocation: &Invocation) -> ExitCode {
    let Invocation { request_id, outcome, duration, init, max_memory_mb, logs } = invocation;
    for line in logs {
        eprintln!("{line}");
    }
    let mut summary = format!("RequestId: {request_id}  Duration: {:.1} ms", duration.as_secs_f64() * 1000.0);
    if let Some(init) = init {
        summary.push_str(&format!("  Init: {:.1} ms", init.as_secs_f64() * 1000.0));
    }
    if let Some(memory) = max_memory_mb {
        summary.push_str(&format!("  Max memory used: {memory} MB"));
    }
    eprintln!("{summary}");
    match outcome {
        Outcome::Reply(reply) => {
            println!("{}", pretty(reply));
            ExitCode::SUCCESS
        }
        Outcome::Failed(error) => {
            println!("{}", pretty(&error.payload));
            ExitCode::FAILURE
        }
        Outcome::Throttled => {
            eprintln!("error: the function was throttled");
            ExitCode::FAILURE
        }
    }
}

fn pretty(json: &Bytes) -> String {
    let parsed: Result<Value, _> = serde_json::from_slice(json);
    let text = parsed.and_then(|value| serde_json::to_string_pretty(&value));
    text.unwrap_or_else(|_| String::from_utf8_lossy(json).into_owned())
}

//! `start`: the whole system, until Ctrl-C or SIGTERM.

use std::{io, process::ExitCode};

use quire_local::{
    cloud::{Cloud, Options},
    endpoint::MAIL_PAGE,
    identity::DEVELOPER_ACCESS_KEY,
    ses::Mail,
};
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, StartOptions, build, log, watch::Watch};

pub(super) async fn run(options: StartOptions) -> Result<ExitCode, CliError> {
    let StartOptions { port, fresh, watch, common } = options;
    // Before the build, so that Ctrl-C ends it and not only Cargo.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut stopped = std::pin::pin!(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });

    let template = common.template()?;
    let binaries: Vec<_> = common.stack(&template)?.functions.into_values().map(|function| function.binary).collect();
    eprintln!("Building {} functions", binaries.len());
    let built = tokio::select! {
        built = build(&template, &binaries) => built?,
        () = &mut stopped => return Ok(ExitCode::SUCCESS),
    };
    let data = common.data(&template);
    if fresh {
        forget(&data)?;
    }
    let mut watch = if watch { Some(Watch::start(&template, &built)?) } else { None };
    let cloud = Cloud::start(Options {
        template: template.clone(),
        parameters: common.parameters(),
        data: data.clone(),
        port,
        sources: true,
        binaries: built,
        log: log::to_stdout(),
    })
    .await?;
    cloud.ses().tell(announce);
    greet(&cloud, &data);
    tokio::select! {
        () = &mut stopped => {}
        // Without watching there is nothing to wait for but the end.
        error = async {
            match &mut watch {
                Some(watch) => watch.run(&template, &cloud).await,
                None => std::future::pending().await,
            }
        } => eprintln!("error: {error}"),
    }
    eprintln!("Stopping");
    cloud.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Removes what the local cloud made, and nothing else that may be in the folder.
fn forget(data: &std::path::Path) -> Result<(), CliError> {
    for file in ["dynamodb.sqlite", "sqs.sqlite", "checkpoints.sqlite", "s3.sqlite", "kms.json", "mail.ndjson"] {
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::remove_file(data.join(format!("{file}{suffix}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(CliError::File(data.display().to_string(), error)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// One line for a mail: what it is about, and the link or the code in it.
fn announce(mail: &Mail) {
    let text = mail.text.as_deref().unwrap_or_default();
    let secret = text.lines().find(|line| !line.is_empty() && !line.contains(' ') && line.contains('_')).unwrap_or_default();
    println!("Mail to {}: {} {secret}", mail.to.join(", "), mail.subject);
}

fn greet(cloud: &Cloud, data: &std::path::Path) {
    let url = cloud.url();
    println!("\nQuire runs at {url}\n");
    let mut routes: Vec<_> = cloud
        .stack()
        .functions
        .values()
        .flat_map(|function| function.routes.iter().map(move |route| (&route.path, &route.method, &function.binary)))
        // It stands beside each GET.
        .filter(|(_, method, _)| *method != "HEAD")
        .collect();
    routes.sort();
    for (path, method, binary) in routes {
        println!("  {method:<6} {path:<40} {binary}");
    }
    println!("\nAWS services: {} (any AWS tool with --endpoint-url, access key \"{DEVELOPER_ACCESS_KEY}\")", cloud.endpoint_url());
    println!("Mail: {}{MAIL_PAGE}", cloud.endpoint_url());
    println!("Data: {}\n", data.display());
    println!("Try:\n  curl -i {url}/api/v1/users -H 'content-type: application/json' \\");
    println!("    -d '{{\"username\": \"ada\", \"email\": \"ada@example.com\", \"password\": \"correct horse battery\"}}'\n");
}

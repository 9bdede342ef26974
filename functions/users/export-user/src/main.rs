//! The queue `ExportUserQueue`: makes a copy of all that an account owns.
//!
//! Reads what the account owns, list by list, and writes it to the bucket of exports as one compressed document. Then the export is ready,
//! with an entry of the audit trail and `user.export-ready`, in one transaction. An event that comes again finds it so.

use std::{process::ExitCode, sync::Arc};

use futures::future::BoxFuture;
use quire_app::{Result, exports::Exporter};
use quire_aws::{BoxError, Setup, s3::S3};
use quire_domain::{Timestamp, event::Event};
use quire_worker::{Consume, run_queue};

struct ExportUser(Exporter);

fn main() -> ExitCode {
    run_queue(worker)
}

fn worker(setup: &Setup) -> Result<Box<dyn Consume>, BoxError> {
    let files = S3::new(setup.environment, &setup.environment.get("EXPORT_BUCKET")?)?;
    Ok(Box::new(ExportUser(Exporter::new(setup.store()?, Arc::new(files)))))
}

impl Consume for ExportUser {
    fn consume<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        self.0.export(event, now)
    }
}

//! One operating system process of a function: its start, its environment, what it prints and how it ended.

use std::{
    collections::BTreeMap,
    future,
    io::{self, ErrorKind},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
};

use tokio::{
    net::unix::pipe,
    process::{Child, Command},
};

use super::pool::Shared;
use crate::{identity::Identities, stack::Function};

/// Longest line in a log event of CloudWatch; longer ones are split.
const MAX_LINE: usize = 256 * 1024;

pub(super) struct Process {
    pub(super) child: Child,
    pub(super) output: Output,
}

impl Process {
    /// Starts a binary in its own folder, with this environment and nothing else.
    pub(super) fn spawn(binary: &Path, environment: &BTreeMap<String, String>) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(binary);
        command.env_clear().envs(environment).current_dir(folder(binary));
        // One pipe for both, so that the lines keep their order.
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        // In a group of its own, so that Ctrl-C in the terminal reaches the local cloud only, which then ends the functions.
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok(Self { child, output: Output { pipe, open: true, partial: Vec::new() } })
    }

    /// Sends SIGKILL.
    pub(super) fn kill(&mut self) {
        // Fails only if it has already ended.
        let _ = self.child.start_kill();
    }

    /// Most memory that it has used so far, in MiB.
    pub(super) fn max_memory_mb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib.div_ceil(1024))
    }
}

/// What a process prints, by lines.
pub(super) struct Output {
    pipe: pipe::Receiver,
    open: bool,
    partial: Vec<u8>,
}

impl Output {
    /// Waits for lines; for ever once there can be none. Nothing is lost if the future is dropped.
    pub(super) async fn lines(&mut self) -> Vec<String> {
        loop {
            if !self.open {
                future::pending::<()>().await;
            }
            if self.pipe.readable().await.is_err() {
                self.open = false;
            }
            let lines = self.available();
            if !lines.is_empty() {
                return lines;
            }
        }
    }

    /// The lines that are there already.
    ///
    /// A process that has called the Runtime API or has ended printed before it did, and the operating system reports these events in
    /// their order: whoever has seen such a call gets here all that was printed before.
    pub(super) fn available(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 8192];
        while self.open {
            match self.pipe.try_read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(length) => self.split(&buffer[..length], &mut lines),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.open = false,
            }
        }
        if !self.open && !self.partial.is_empty() {
            lines.push(self.take_partial());
        }
        lines
    }

    fn split(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= MAX_LINE {
                lines.push(self.take_partial());
            }
        }
    }

    fn take_partial(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.partial).trim_end_matches(['\r', '\n']).to_owned();
        self.partial.clear();
        line
    }
}

/// The environment of a process, complete.
///
/// `AWS_EXECUTION_ENV` is missing, as in AWS for runtimes that consist of the operating system only, and so is `LD_LIBRARY_PATH`, whose
/// folders exist only there.
pub(super) fn environment(shared: &Shared, function: &Function, instance: &str, binary: &Path) -> BTreeMap<String, String> {
    let Shared { stack, options, api_url, .. } = shared;
    let credentials = Identities::issue(stack, &function.logical_id, instance);
    let today = jiff::Timestamp::now().strftime("%Y/%m/%d");
    // The template may replace these, and none of those below.
    let mut variables = BTreeMap::from([
        ("LANG".to_owned(), "en_US.UTF-8".to_owned()),
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
        ("TZ".to_owned(), ":UTC".to_owned()),
    ]);
    variables.extend(function.environment.clone());
    let reserved = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
        ("AWS_DEFAULT_REGION", stack.region.clone()),
        ("AWS_ENDPOINT_URL", options.endpoint_url.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("{today}/[$LATEST]{instance}")),
        // Lambda's own value has no scheme; one with a path is understood only with it.
        ("AWS_LAMBDA_RUNTIME_API", format!("{api_url}/{instance}")),
        ("AWS_REGION", stack.region.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", credentials.session_token),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LAMBDA_TASK_ROOT", folder(binary).to_string_lossy().into_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
    ];
    variables.extend(reserved.map(|(name, value)| (name.to_owned(), value)));
    variables
}

fn folder(binary: &Path) -> &Path {
    binary.parent().unwrap_or(Path::new("/"))
}

/// How a process ended, in Lambda's words.
pub(super) fn describe(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "Runtime exited with error: unknown".to_owned() };
    let signal = |signal| match signal {
        4 => "illegal instruction".to_owned(),
        6 => "aborted".to_owned(),
        9 => "killed".to_owned(),
        11 => "segmentation fault".to_owned(),
        15 => "terminated".to_owned(),
        other => format!("signal {other}"),
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, number) => format!("Runtime exited with error: signal: {}", signal(number.unwrap_or_default())),
    }
}

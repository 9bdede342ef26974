//! Ends the functions' processes when this process dies without a chance to do it.
//!
//! A function that waits for an event ends by itself once the Runtime API is gone, but one that hangs in its handler does not. So a
//! small shell reads the process ids from a pipe; when the pipe closes, because this process ended however it did, it kills them.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
};

const SCRIPT: &str = r#"while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -9 $pids"#;

pub(super) struct Watchdog {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    pub(super) fn start() -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT]).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // In a group of its own, so that Ctrl-C in the terminal does not end it.
        let mut shell = command.process_group(0).spawn()?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Replaces the ids of the processes to kill.
    pub(super) fn watch(&mut self, pids: impl Iterator<Item = u32>) {
        let mut line = pids.map(|pid| pid.to_string()).collect::<Vec<_>>().join(" ");
        line.push('\n');
        if let Some(Err(error)) = self.pipe.as_mut().map(|pipe| pipe.write_all(line.as_bytes())) {
            tracing::warn!(%error, "the watchdog has ended: functions may outlive a crash of the local cloud");
            self.pipe = None;
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.shell.wait();
    }
}

//! The task that drives one process from its start to its end.

use std::{process::ExitStatus, sync::Arc, time::Duration, time::SystemTime};

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::{
    FunctionError, Invocation, LogLine, MAX_PAYLOAD, Outcome, Phase,
    api::{self, Call, Problem},
    pool::{Input, Job, Next, Shared},
    process::{self, Process},
};
use crate::{
    service::{ACCOUNT, epoch_millis},
    stack::Function,
};

type Reply = oneshot::Sender<Response>;

/// Starts a process for a job and drives it until it ends, through further jobs if all goes well.
pub(super) async fn run(shared: Arc<Shared>, function: Function, id: String, inbox: UnboundedReceiver<Input>, job: Job) {
    // `Functions::start` has checked that the binary is known.
    let binary = shared.options.binaries.get(&function.binary).cloned().unwrap_or_default();
    let logical_id = function.logical_id.clone();
    let mut inbox = match Process::spawn(&binary, &process::environment(&shared, &function, &id, &binary)) {
        Ok(process) => {
            shared.spawned(&id, process.child.id());
            let mut instance =
                Instance { shared: shared.clone(), function, id: id.clone(), inbox, process, poll: None, request_id: None, logs: Vec::new() };
            instance.work(job).await;
            instance.end().await;
            instance.inbox
        }
        Err(error) => {
            let text = format!("RequestId: {} Error: fork/exec {}: {error}", job.request_id, binary.display());
            let outcome = Outcome::Failed(FunctionError::new("Runtime.InvalidEntrypoint", text));
            let Job { request_id, reply, .. } = job;
            let invocation = Invocation { request_id, outcome, duration: Duration::ZERO, init: None, max_memory_mb: None, logs: Vec::new() };
            let _ = reply.send(invocation);
            inbox
        }
    };
    shared.ended(&id);
    // An idle process can end just after it was given an event, which then goes to another one.
    while let Ok(input) = inbox.try_recv() {
        if let Input::Run(job) = input {
            // A refusal drops the job, which tells its caller that it was not run.
            let _ = shared.submit(&logical_id, job);
        }
    }
}

struct Instance {
    shared: Arc<Shared>,
    function: Function,
    id: String,
    inbox: UnboundedReceiver<Input>,
    process: Process,
    /// The process' pending call for an event.
    poll: Option<Reply>,
    /// The invocation in flight.
    request_id: Option<String>,
    /// What has been printed in it.
    logs: Vec<String>,
}

enum Happening {
    Run(Job),
    Retire,
    Call(Call, Reply),
    Exited(Option<ExitStatus>),
}

/// Why a process cannot go on.
enum End {
    Exited(Option<ExitStatus>),
    TimedOut,
    InitError(FunctionError),
}

impl Instance {
    async fn work(&mut self, first: Job) {
        self.request_id = Some(first.request_id.clone());
        let started = Instant::now();
        let limit = self.shared.options.init;
        if let Err(end) = self.ready(started + limit).await {
            let error = self.explain(end, "Init", limit);
            self.end().await;
            self.reply(first, Outcome::Failed(error), Duration::ZERO, Some(started.elapsed()), None);
            return;
        }
        let mut init = Some(started.elapsed());
        let mut job = first;
        self.shared.set_phase(&self.id, Phase::Busy);
        loop {
            let Some(deadline) = self.serve(job, init.take()).await else { return };
            if self.ready(deadline).await.is_err() {
                return;
            }
            job = match self.shared.next(&self.id) {
                Next::Job(job) => job,
                Next::Wait => match self.idle().await {
                    Some(job) => job,
                    None => return,
                },
                Next::End => return,
            };
        }
    }

    /// Waits until the process asks for an event.
    async fn ready(&mut self, deadline: Instant) -> Result<(), End> {
        while self.poll.as_ref().is_none_or(oneshot::Sender::is_closed) {
            match timeout_at(deadline, self.happening()).await {
                Err(_) => return Err(End::TimedOut),
                Ok(Happening::Exited(status)) => return Err(End::Exited(status)),
                Ok(Happening::Call(Call::InitError(error), reply)) => {
                    let _ = reply.send(api::accepted());
                    return Err(End::InitError(error));
                }
                Ok(other) => self.take_call(other),
            }
        }
        Ok(())
    }

    /// Waits for a job; `None` if the process is to end or has ended.
    async fn idle(&mut self) -> Option<Job> {
        let mut limit = self.shared.options.idle;
        loop {
            match timeout(limit, self.happening()).await {
                Ok(Happening::Run(job)) => return Some(job),
                Ok(Happening::Retire | Happening::Exited(_)) => return None,
                Ok(other) => self.take_call(other),
                Err(_) if self.shared.leave_idle(&self.id) => return None,
                // An event is already on its way here.
                Err(_) => limit = Duration::MAX,
            }
        }
    }

    /// Runs one job. The result is the time by which the process must ask for another, or `None` if it cannot go on.
    async fn serve(&mut self, job: Job, init: Option<Duration>) -> Option<Instant> {
        self.request_id = Some(job.request_id.clone());
        let started = Instant::now();
        let deadline = started + self.function.timeout;
        let answer = self.exchange(&job, deadline).await;
        let duration = started.elapsed();
        let memory = self.process.max_memory_mb();
        let (outcome, alive) = match answer {
            Ok(Ok(reply)) => (Outcome::Reply(reply), true),
            Ok(Err(error)) => (Outcome::Failed(error), true),
            Err(end) => {
                let error = self.explain(end, "Task", self.function.timeout);
                self.end().await;
                (Outcome::Failed(error), false)
            }
        };
        if alive {
            self.shared.set_phase(&self.id, Phase::Finishing);
        }
        self.reply(job, outcome, duration, init, memory);
        alive.then_some(deadline)
    }

    /// Hands over the event and waits for its answer.
    async fn exchange(&mut self, job: &Job, deadline: Instant) -> Result<Result<Bytes, FunctionError>, End> {
        let expires = SystemTime::now() + deadline.duration_since(Instant::now());
        loop {
            // A process that asks again without an answer has lost the event with its connection, and gets it again.
            if let Some(poll) = self.poll.take() {
                let _ = poll.send(self.event(job, expires));
            }
            match timeout_at(deadline, self.happening()).await {
                Err(_) => return Err(End::TimedOut),
                Ok(Happening::Exited(status)) => return Err(End::Exited(status)),
                Ok(Happening::Call(Call::Answer { request_id, result }, reply)) if request_id == job.request_id => {
                    let (response, result) = match result {
                        Ok(body) => (api::accepted(), Ok(body)),
                        Err(Problem::Reported(error)) => (api::accepted(), Err(error)),
                        Err(Problem::TooLarge) => (api::too_large(), Err(too_large())),
                        Err(Problem::Streaming) => {
                            let error =
                                FunctionError::new("Runtime.StreamingUnsupported", "The local cloud does not run functions that stream replies");
                            (api::refuse(StatusCode::BAD_REQUEST, &error.error_type, &error.message), Err(error))
                        }
                    };
                    let _ = reply.send(response);
                    return Ok(result);
                }
                Ok(other) => self.take_call(other),
            }
        }
    }

    fn event(&self, job: &Job, expires: SystemTime) -> Response {
        let arn = format!("arn:aws:lambda:{}:{ACCOUNT}:function:{}", self.shared.stack.region, self.function.name);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", job.request_id.clone()),
            ("lambda-runtime-deadline-ms", epoch_millis(expires).to_string()),
            ("lambda-runtime-invoked-function-arn", arn),
            ("lambda-runtime-trace-id", job.trace.clone()),
        ];
        (headers, Body::from(job.event.clone())).into_response()
    }

    /// Keeps a call for an event for later; refuses every other that comes at the wrong time.
    fn take_call(&mut self, happening: Happening) {
        match happening {
            Happening::Call(Call::Next, reply) => self.poll = Some(reply),
            Happening::Call(Call::Answer { .. }, reply) => {
                let _ = reply.send(api::refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"));
            }
            Happening::Call(Call::InitError(_), reply) => {
                let _ = reply.send(api::refuse(StatusCode::FORBIDDEN, "InvalidStateTransition", "The process has been initialised"));
            }
            // The first two reach idle processes only, which take them; everybody takes the end.
            Happening::Run(_) | Happening::Retire | Happening::Exited(_) => {}
        }
    }

    /// The next thing that matters. What is printed meanwhile is passed on.
    async fn happening(&mut self) -> Happening {
        loop {
            tokio::select! {
                biased;
                input = self.inbox.recv() => match input {
                    Some(Input::Run(job)) => return Happening::Run(job),
                    Some(Input::Retire) => return Happening::Retire,
                    Some(Input::Call(call, reply)) => return Happening::Call(call, reply),
                    // The sender is in the books until this task takes it out.
                    Some(Input::Kill) | None => self.process.kill(),
                },
                lines = self.process.output.lines() => self.log(lines),
                status = self.process.child.wait() => return Happening::Exited(status.ok()),
            }
        }
    }

    /// Kills the process if it still runs, and takes its last words.
    async fn end(&mut self) {
        self.process.kill();
        let _ = self.process.child.wait().await;
        let lines = self.process.output.available();
        self.log(lines);
    }

    fn reply(&mut self, job: Job, outcome: Outcome, duration: Duration, init: Option<Duration>, max_memory_mb: Option<u64>) {
        let lines = self.process.output.available();
        self.log(lines);
        self.request_id = None;
        let Job { request_id, reply, .. } = job;
        let logs = std::mem::take(&mut self.logs);
        // Nobody waits for it if the caller has gone.
        let _ = reply.send(Invocation { request_id, outcome, duration, init, max_memory_mb, logs });
    }

    fn log(&mut self, lines: Vec<String>) {
        for text in lines {
            if self.request_id.is_some() {
                self.logs.push(text.clone());
            }
            let (function, instance) = (self.function.logical_id.clone(), self.id.clone());
            (self.shared.options.log)(LogLine { function, instance, request_id: self.request_id.clone(), text });
        }
    }

    /// What Lambda answers for a process that could not go on with `what`.
    fn explain(&mut self, end: End, what: &str, limit: Duration) -> FunctionError {
        let request_id = self.request_id.clone().unwrap_or_default();
        match end {
            End::Exited(status) => FunctionError::new("Runtime.ExitError", format!("RequestId: {request_id} Error: {}", process::describe(status))),
            End::InitError(error) => error,
            End::TimedOut => {
                let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
                let text = format!("{now} {request_id} {what} timed out after {:.2} seconds", limit.as_secs_f64());
                self.log(vec![text.clone()]);
                FunctionError::new("Sandbox.Timedout", text)
            }
        }
    }
}

fn too_large() -> FunctionError {
    let text = format!("Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes).");
    FunctionError::new("Function.ResponseSizeTooLarge", text)
}

//! The books of all functions: which processes there are, which are idle, and which invocations wait.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{
    mpsc::{self, UnboundedSender},
    oneshot, watch,
};

use super::{FunctionError, InstanceStatus, Invocation, Options, Outcome, Phase, api::Call, instance, watchdog::Watchdog};
use crate::{
    service::ACCOUNT,
    stack::{Function, Stack},
};

/// An invocation that has not been answered.
pub(super) struct Job {
    pub(super) request_id: String,
    pub(super) event: Bytes,
    pub(super) trace: String,
    pub(super) reply: oneshot::Sender<Invocation>,
}

/// What reaches the task that drives a process.
pub(super) enum Input {
    /// An event; sent to idle processes only.
    Run(Job),
    /// The process calls the Runtime API.
    Call(Call, oneshot::Sender<Response>),
    /// Kill the process.
    Kill,
    /// End; sent to idle processes only.
    Retire,
}

/// What a process that asks for an event gets.
pub(super) enum Next {
    Job(Job),
    Wait,
    End,
}

pub(super) struct Shared {
    pub(super) stack: Arc<Stack>,
    pub(super) options: Options,
    pub(super) api_url: String,
    pub(super) state: Mutex<State>,
    /// Number of processes that have not ended.
    pub(super) live: watch::Sender<usize>,
}

pub(super) struct State {
    pub(super) closed: bool,
    pub(super) started: u64,
    pub(super) pools: HashMap<String, Pool>,
    pub(super) instances: BTreeMap<String, Entry>,
    pub(super) watchdog: Watchdog,
}

pub(super) struct Pool {
    limit: usize,
    /// The limit comes from the template: what exceeds it is throttled. The machine's own limit makes it wait.
    throttles: bool,
    waiting: VecDeque<Job>,
    /// The most recently used is last and taken first, so that what is not needed stays idle and ends.
    idle: Vec<String>,
}

pub(super) struct Entry {
    logical_id: String,
    input: UnboundedSender<Input>,
    pid: Option<u32>,
    phase: Phase,
    retired: bool,
}

impl Pool {
    pub(super) fn new(function: &Function, max_instances: usize) -> Self {
        let reserved = function.reserved_concurrency.map(|number| number as usize).filter(|number| *number <= max_instances);
        Self { limit: reserved.unwrap_or(max_instances), throttles: reserved.is_some(), waiting: VecDeque::new(), idle: Vec::new() }
    }
}

impl State {
    fn count(&self, logical_id: &str, phase: Option<Phase>) -> usize {
        let of_function = self.instances.values().filter(|entry| entry.logical_id == logical_id);
        of_function.filter(|entry| phase.is_none_or(|phase| entry.phase == phase)).count()
    }

    fn watch_processes(&mut self) {
        self.watchdog.watch(self.instances.values().filter_map(|entry| entry.pid));
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a job to an idle process or a new one, or lets it wait. An error is the job's outcome.
    pub(super) fn submit(self: &Arc<Self>, logical_id: &str, job: Job) -> Result<(), Outcome> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.closed {
            return Err(Outcome::Throttled);
        }
        let running = state.count(logical_id, None);
        let finishing = state.count(logical_id, Some(Phase::Finishing));
        let Some(pool) = state.pools.get_mut(logical_id) else {
            let arn = format!("arn:aws:lambda:{}:{ACCOUNT}:function:{logical_id}", self.stack.region);
            return Err(Outcome::Failed(FunctionError::new("ResourceNotFoundException", format!("Function not found: {arn}"))));
        };
        if let Some(entry) = pool.idle.pop().and_then(|id| state.instances.get_mut(&id)) {
            entry.phase = Phase::Busy;
            // The task of an idle process takes itself out of the books before it stops to listen.
            let _ = entry.input.send(Input::Run(job));
        } else if pool.waiting.len() < finishing {
            // A process that has just answered asks for the next event sooner than a new one would start.
            pool.waiting.push_back(job);
        } else if running < pool.limit {
            self.start(state, logical_id, job);
        } else if pool.throttles {
            return Err(Outcome::Throttled);
        } else {
            pool.waiting.push_back(job);
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, state: &mut State, logical_id: &str, job: Job) {
        let Some(function) = self.stack.functions.get(logical_id).cloned() else { return };
        state.started += 1;
        let id = format!("{logical_id}-{}", state.started);
        let (input, inbox) = mpsc::unbounded_channel();
        let entry = Entry { logical_id: logical_id.to_owned(), input, pid: None, phase: Phase::Starting, retired: false };
        state.instances.insert(id.clone(), entry);
        self.live.send_modify(|count| *count += 1);
        tokio::spawn(instance::run(self.clone(), function, id, inbox, job));
    }

    /// Records the process of an instance.
    pub(super) fn spawned(&self, id: &str, pid: Option<u32>) {
        let mut state = self.state();
        if let Some(entry) = state.instances.get_mut(id) {
            entry.pid = pid;
        }
        state.watch_processes();
    }

    pub(super) fn set_phase(&self, id: &str, phase: Phase) {
        if let Some(entry) = self.state().instances.get_mut(id) {
            entry.phase = phase;
        }
    }

    /// What an instance does next that has asked for an event.
    pub(super) fn next(&self, id: &str) -> Next {
        let mut guard = self.state();
        let state = &mut *guard;
        let Some(entry) = state.instances.get_mut(id) else { return Next::End };
        let Some(pool) = state.pools.get_mut(&entry.logical_id) else { return Next::End };
        if state.closed || entry.retired {
            return Next::End;
        }
        if let Some(job) = pool.waiting.pop_front() {
            entry.phase = Phase::Busy;
            return Next::Job(job);
        }
        entry.phase = Phase::Idle;
        pool.idle.push(id.to_owned());
        Next::Wait
    }

    /// Removes an instance whose process has ended; whoever waits gets a new one.
    pub(super) fn ended(self: &Arc<Self>, id: &str) {
        let mut guard = self.state();
        let state = &mut *guard;
        if let Some(Entry { logical_id, .. }) = state.instances.remove(id) {
            state.watch_processes();
            let running = state.count(&logical_id, None);
            let next = state.pools.get_mut(&logical_id).and_then(|pool| {
                pool.idle.retain(|idle| idle != id);
                if running < pool.limit { pool.waiting.pop_front() } else { None }
            });
            if let Some(job) = next {
                self.start(state, &logical_id, job);
            }
        }
        self.live.send_modify(|count| *count -= 1);
    }

    /// Takes an instance out of the idle ones. `false` if an event is already on its way to it.
    pub(super) fn leave_idle(&self, id: &str) -> bool {
        let mut state = self.state();
        let mut idle = state.pools.values_mut().map(|pool| &mut pool.idle);
        idle.any(|idle| idle.iter().position(|it| it == id).map(|index| idle.remove(index)).is_some())
    }

    /// Sends to an instance. `false` if there is none with this id.
    pub(super) fn send(&self, id: &str, input: Input) -> bool {
        self.state().instances.get(id).is_some_and(|entry| entry.input.send(input).is_ok())
    }

    pub(super) fn kill(&self, id: &str) -> bool {
        // Nobody may be given a process that is about to die.
        self.leave_idle(id);
        self.send(id, Input::Kill)
    }

    pub(super) fn replace(&self, logical_id: &str) {
        let mut guard = self.state();
        let state = &mut *guard;
        let idle = state.pools.get_mut(logical_id).map(|pool| std::mem::take(&mut pool.idle)).unwrap_or_default();
        for (id, entry) in &mut state.instances {
            if entry.logical_id == logical_id {
                entry.retired = true;
                if idle.contains(id) {
                    // As above: it listens as long as it is in the books.
                    let _ = entry.input.send(Input::Retire);
                }
            }
        }
    }

    /// Kills all processes and takes no further invocation.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for pool in state.pools.values_mut() {
            pool.waiting.clear();
        }
        for entry in state.instances.values() {
            let _ = entry.input.send(Input::Kill);
        }
    }

    pub(super) fn statuses(&self, logical_id: &str) -> Vec<InstanceStatus> {
        let state = self.state();
        let of_function = state.instances.iter().filter(|(_, entry)| entry.logical_id == logical_id);
        of_function.map(|(id, entry)| InstanceStatus { id: id.clone(), pid: entry.pid, phase: entry.phase }).collect()
    }
}

//! Faults for tests: what goes wrong with which call to an emulated service, and a record of the calls seen.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::service::ServiceError;

/// Most calls that the record keeps; older ones are forgotten.
const MAX_CALLS: usize = 10_000;

/// One call that reached the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Logical id of the calling function; `None` for a person.
    pub function: Option<String>,
    /// Service as IAM names it, such as `sqs`.
    pub service: &'static str,
    /// Operation, such as `SendMessageBatch`.
    pub operation: String,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The calling process is killed before the service sees the call.
    KillBefore,
    /// The service does the operation; the calling process is killed before the reply.
    KillAfter,
    /// The service does nothing and the caller gets this error.
    Fail(ServiceError),
    /// The service sees the call this much later.
    Delay(Duration),
    /// The service does the operation; the connection is closed instead of a reply.
    DropReply,
}

/// Which calls go wrong, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    action: Action,
    function: Option<String>,
    operation: Option<String>,
    skip: usize,
    times: usize,
}

impl Rule {
    /// The first call goes wrong. Actions that kill match calls by functions only, because nobody else can be killed.
    pub fn new(action: Action) -> Self {
        Self { action, function: None, operation: None, skip: 0, times: 1 }
    }

    /// Only calls by the function with this logical id.
    pub fn function(self, logical_id: &str) -> Self {
        Self { function: Some(logical_id.to_owned()), ..self }
    }

    /// Only calls of this operation, such as `SendMessageBatch`.
    pub fn operation(self, operation: &str) -> Self {
        Self { operation: Some(operation.to_owned()), ..self }
    }

    /// The first `calls` that match are left alone.
    pub fn skip(self, calls: usize) -> Self {
        Self { skip: calls, ..self }
    }

    /// This many calls go wrong.
    pub fn times(self, calls: usize) -> Self {
        Self { times: calls, ..self }
    }

    fn matches(&self, call: &Call) -> bool {
        let kills = matches!(self.action, Action::KillBefore | Action::KillAfter);
        self.times > 0
            && (!kills || call.function.is_some())
            && self.function.as_ref().is_none_or(|function| call.function.as_ref() == Some(function))
            && self.operation.as_ref().is_none_or(|operation| *operation == call.operation)
    }
}

/// Tells a test how often a rule has fired.
#[derive(Debug, Clone)]
pub struct Fired(watch::Receiver<usize>);

impl Fired {
    /// How often the rule has fired until now.
    pub fn count(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until the rule has fired `times` times. Put a deadline around it: a rule that is gone never fires.
    pub async fn wait(&self, times: usize) {
        if self.0.clone().wait_for(|count| *count >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// An action that one call must suffer.
pub(crate) struct Fault {
    pub(crate) action: Action,
    fired: Arc<watch::Sender<usize>>,
}

impl Fault {
    /// To be called when the harm is done, or for a delay when it begins.
    pub(crate) fn fired(&self) {
        self.fired.send_modify(|count| *count += 1);
    }
}

type Kill = Arc<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct State {
    rules: Vec<(Rule, Arc<watch::Sender<usize>>)>,
    calls: VecDeque<Call>,
    /// What calls of DynamoDB have consumed, while it is measured.
    consumed: Option<Vec<(Call, f64)>>,
    kill: Option<Kill>,
}

/// The rules in force and the calls seen. Clones share both.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Faults").field("rules", &state.rules.len()).field("calls", &state.calls.len()).finish_non_exhaustive()
    }
}

impl Faults {
    /// Adds a rule. Of several rules that match a call, the first added that has nothing left to skip decides.
    pub fn add(&self, rule: Rule) -> Fired {
        let (sender, receiver) = watch::channel(0);
        self.state().rules.push((rule, Arc::new(sender)));
        Fired(receiver)
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.state().rules.clear();
    }

    /// Sets how to kill the process with an instance id.
    pub fn kill_with(&self, kill: impl Fn(&str) + Send + Sync + 'static) {
        self.state().kill = Some(Arc::new(kill));
    }

    /// The last 10,000 calls, oldest first, including those that were denied or went wrong.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.iter().cloned().collect()
    }

    /// Records a call.
    pub(crate) fn record(&self, call: &Call) {
        let mut state = self.state();
        if state.calls.len() == MAX_CALLS {
            state.calls.pop_front();
        }
        state.calls.push_back(call.clone());
    }

    /// Measures from now on what calls of functions consume of DynamoDB, and gives what was measured since the last time: each call with
    /// its capacity units, in the order of their replies.
    pub fn consumed(&self) -> Vec<(Call, f64)> {
        self.state().consumed.replace(Vec::new()).unwrap_or_default()
    }

    /// Whether consumption is measured.
    pub(crate) fn measures(&self) -> bool {
        self.state().consumed.is_some()
    }

    /// Notes what a call has consumed.
    pub(crate) fn note(&self, call: &Call, units: f64) {
        if let Some(consumed) = &mut self.state().consumed {
            consumed.push((call.clone(), units));
        }
    }

    /// What must happen to a call.
    pub(crate) fn meet(&self, call: &Call) -> Option<Fault> {
        for (rule, fired) in self.state().rules.iter_mut().filter(|(rule, _)| rule.matches(call)) {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else {
                rule.times -= 1;
                return Some(Fault { action: rule.action.clone(), fired: fired.clone() });
            }
        }
        None
    }

    /// Kills a process.
    pub(crate) fn kill(&self, instance: &str) -> Result<(), ServiceError> {
        let kill = self.state().kill.clone();
        kill.map(|kill| kill(instance)).ok_or_else(|| ServiceError::internal("a fault rule kills, but nothing was set to kill with"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock leaves the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(function: Option<&str>, operation: &str) -> Call {
        Call { function: function.map(str::to_owned), service: "sqs", operation: operation.to_owned() }
    }

    #[test]
    fn a_rule_skips_and_then_fires_as_often_as_it_says() {
        let faults = Faults::default();
        faults.add(Rule::new(Action::DropReply).operation("SendMessage").skip(1).times(2));
        let fired = |operation| faults.meet(&call(None, operation)).is_some();
        assert_eq!(["SendMessage", "DeleteMessage", "SendMessage", "SendMessage", "SendMessage"].map(fired), [false, false, true, true, false]);
    }

    #[test]
    fn a_rule_for_a_function_leaves_others_alone() {
        let faults = Faults::default();
        faults.add(Rule::new(Action::DropReply).function("A"));
        assert!(faults.meet(&call(Some("B"), "SendMessage")).is_none());
        assert!(faults.meet(&call(None, "SendMessage")).is_none());
        assert!(faults.meet(&call(Some("A"), "SendMessage")).is_some());
    }

    #[test]
    fn a_person_is_never_killed() {
        let faults = Faults::default();
        faults.add(Rule::new(Action::KillBefore));
        assert!(faults.meet(&call(None, "SendMessage")).is_none());
        assert!(faults.meet(&call(Some("A"), "SendMessage")).is_some());
    }

    #[test]
    fn the_record_keeps_the_last_ten_thousand_calls() {
        let faults = Faults::default();
        for number in 0..MAX_CALLS + 5 {
            faults.record(&call(None, &number.to_string()));
        }
        let calls = faults.calls();
        assert_eq!((calls.len(), calls[0].operation.as_str()), (MAX_CALLS, "5"));
    }
}

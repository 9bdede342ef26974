//! Work for later. A queue holds a message back for a quarter of an hour at most; until its time has come, the message is passed on.

use quire_domain::{
    Result, Timestamp,
    event::{Consumer, Event},
};
use quire_store::{Commit, CommitError, Store};

/// Whether the time of an event has not come yet. Then it is emitted again, once, so that a message which comes twice goes on as one.
pub(crate) async fn postponed(store: &Store, consumer: Consumer, event: &Event, now: Timestamp) -> Result<bool> {
    if event.data.not_before().is_none_or(|time| time <= now) {
        return Ok(false);
    }
    let commit = Commit::new(event.actor, event.trace.clone(), now).effect(consumer, event.id).emit([event.data.clone()]);
    match store.commit(commit).await {
        Ok(()) | Err(CommitError::AlreadyDone) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

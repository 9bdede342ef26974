//! What readers did with posts, counted from events.
//!
//! A counter that each reaction and each comment wrote to would make all who react to one post wait for each other. So their commits only
//! say by how much it changed, and a worker adds up what has come of a post meanwhile: one transaction holds the sums and the markers of
//! the events that are in them. Sums come out the same in any order, and no event is in two of them.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    counts::Counter,
    event::{Consumer, Event, EventData, Trace},
    id::{EventId, PostId},
};
use quire_store::{Commit, CommitError, Key, Store};

use crate::change::ATTEMPTS;

/// Events in one transaction, which holds 100 items (quota of `TransactWriteItems`): their markers, the counts, and that there is the post.
const EVENTS: usize = 98;
/// Grows whenever anything counted changes.
const CHANGES: &str = "changes";

/// The changes of one post's counters, by the events that tell of them.
type Changes = BTreeMap<EventId, (Counter, i64)>;

/// Counts what readers did with posts.
#[derive(Debug, Clone)]
pub struct Tallies {
    store: Store,
}

impl Tallies {
    /// The counts of the posts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Counts what `post.engagement-changed` events tell, each event once, however often it comes. Returns the ids of those that are to
    /// be delivered again; the others are counted, or their posts are gone.
    ///
    /// # Errors
    /// The table's, if nothing can be read; nothing is counted then.
    pub fn count<'a>(&'a self, events: &'a [Event], now: Timestamp) -> BoxFuture<'a, Result<BTreeSet<EventId>>> {
        Box::pin(async move {
            let mut failed = BTreeSet::new();
            let mut posts: BTreeMap<PostId, (Trace, Changes)> = BTreeMap::new();
            for event in events {
                if let EventData::PostEngagementChanged { post_id, counter, delta } = event.data {
                    let (_, changes) = posts.entry(post_id).or_insert_with(|| (event.trace.clone(), Changes::new()));
                    changes.insert(event.id, (counter, delta));
                } else {
                    tracing::error!(eventId = %event.id, "An event tells of nothing to count");
                    failed.insert(event.id);
                }
            }
            let done = self.done(posts.values().flat_map(|(_, changes)| changes.keys().copied()).collect()).await?;
            for (post, (trace, changes)) in posts {
                let changes: Vec<_> = changes.into_iter().filter(|(event, _)| !done.contains(event)).collect();
                for part in changes.chunks(EVENTS) {
                    let part: Changes = part.iter().copied().collect();
                    let ids: Vec<_> = part.keys().copied().collect();
                    if let Err(error) = self.add(post, &trace, part, now).await {
                        tracing::error!(postId = %post, error = &error as &dyn std::error::Error, "A post's counts could not be changed");
                        failed.extend(ids);
                    }
                }
            }
            Ok(failed)
        })
    }

    /// Counts events of one post in one transaction.
    async fn add(&self, post: PostId, trace: &Trace, mut changes: Changes, now: Timestamp) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let mut sums: BTreeMap<Counter, i64> = BTreeMap::new();
            for (counter, delta) in changes.values() {
                *sums.entry(*counter).or_default() += delta;
            }
            let mut counters: Vec<_> = sums.into_iter().map(|(counter, sum)| (counter.name(), sum)).collect();
            counters.push((CHANGES, i64::from(counters.iter().any(|(_, sum)| *sum != 0))));
            let mut commit = Commit::new(None, trace.clone(), now).require(Key::post(post)).add(Key::post_counts(post), &counters);
            for event in changes.keys() {
                commit = commit.effect(Consumer::TallyEngagement, *event);
            }
            match self.store.commit(commit).await {
                Ok(()) => tracing::info!(postId = %post, events = changes.len(), "A post's counts were changed"),
                Err(CommitError::Stale) => tracing::info!(postId = %post, "A post is gone before its counts were changed"),
                // Another delivery of some of them was faster.
                Err(CommitError::AlreadyDone) => {
                    let done = self.done(changes.keys().copied().collect()).await?;
                    changes.retain(|event, _| !done.contains(event));
                    if !changes.is_empty() {
                        continue;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
        Err(Error::Contended)
    }

    /// Those of these events that are counted.
    async fn done(&self, events: Vec<EventId>) -> Result<BTreeSet<EventId>> {
        let marker = |event: &EventId| Key::effect(Consumer::TallyEngagement, *event);
        let found = self.store.find(events.iter().map(marker).collect()).await?;
        Ok(events.into_iter().filter(|event| found.has(&marker(event))).collect())
    }
}

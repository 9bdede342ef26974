//! What the system does with new and changed comments.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    comment::Comment,
    counts::Counter,
    cursor::Position,
    event::{Consumer, Event, EventData},
    id::{CommentId, PostId},
    moderation::{BlockedWords, judge},
};
use quire_store::{Commit, CommitError, Key, Order, Pages, Store};

use crate::{Call, change::ATTEMPTS};

/// How many comments before a new one are looked at for repetitions.
const EARLIER: usize = 100;

/// Judges new and changed comments.
#[derive(Debug, Clone)]
pub struct Moderation {
    store: Store,
    blocked: BlockedWords,
}

impl Moderation {
    /// Moderation with these blocked words.
    pub fn new(store: Store, blocked: BlockedWords) -> Self {
        Self { store, blocked }
    }

    /// Approves or holds the comment of a `comment.created` or `comment.updated` event. The decision, its event and the marker that
    /// this event is done are one transaction: a second delivery changes nothing.
    ///
    /// What is judged is the comment as it is now, which may be newer than the event and is never older, because the read is consistent.
    /// The decision is committed for the version that was judged and for no other: words that change in between are judged anew.
    ///
    /// # Errors
    /// [`Error::Internal`] for an event of another type; whatever the table gives, so that the event is delivered again.
    pub fn moderate<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (EventData::CommentCreated { post_id, comment_id } | EventData::CommentUpdated { post_id, comment_id }) = event.data else {
                return Err(Error::internal("moderating a comment", "the event is neither comment.created nor comment.updated"));
            };
            let call = Call::for_event(event, now);
            for _ in 0..ATTEMPTS {
                let Some(comment) = self.store.get::<Comment>(Key::comment(post_id, comment_id)).await? else {
                    tracing::info!(commentId = %comment_id, "A comment is gone before it was moderated");
                    return Ok(());
                };
                let verdict = judge(&comment, &self.earlier(post_id, comment_id).await?, &self.blocked);
                let Some((moderated, decided)) = comment.moderated(&verdict, now) else { return Ok(()) };
                let commit = Commit::new(None, call.trace.clone(), now)
                    .update(&comment, &moderated)
                    .effect(Consumer::ModerateComment, event.id)
                    .emit([decided])
                    .emit(EventData::counted(post_id, Counter::CommentCount, comment.counted(&moderated)));
                match self.store.commit(commit).await {
                    Ok(()) => tracing::info!(commentId = %comment_id, status = ?moderated.status, "A comment was moderated"),
                    Err(CommitError::AlreadyDone) => tracing::info!(commentId = %comment_id, "A comment was moderated before"),
                    Err(CommitError::Stale) => continue,
                    Err(error) => return Err(error.into()),
                }
                return Ok(());
            }
            Err(Error::Contended)
        })
    }

    async fn earlier(&self, post: PostId, comment: CommentId) -> Result<Vec<Comment>> {
        let pages = Pages { partition: Key::comments(post), prefix: "", after: Some(comment.sort_key()), order: Order::Descending, limit: EARLIER };
        Ok(self.store.page(pages).await?.items)
    }
}

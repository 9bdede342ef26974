//! Reactions to posts.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    counts::Counter,
    cursor::Reacted,
    error::Kind as Missing,
    event::EventData,
    id::{PostId, UserId},
    policy::{self, Action},
    post::Post,
    reaction::{Kind, Reaction},
};
use quire_store::{Commit, CommitError, Key, Order, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    change::{ATTEMPTS, made},
    input::{Fields, Input},
    page::{PageRequest, PageView, walk},
};

/// The use cases of reactions.
#[derive(Debug, Clone)]
pub struct Reactions {
    store: Store,
}

/// Which reactions a client asks for.
#[derive(Debug, Clone)]
pub struct ReactionQuery {
    /// Those of one kind, or all.
    pub kind: Option<Kind>,
    /// Which page of them.
    pub page: PageRequest,
}

impl Input for ReactionQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let kind = fields.optional("kind", str::parse);
        let page = PageRequest::read(fields);
        Some(Self { kind: kind?, page: page? })
    }
}

/// A reaction as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactionView {
    /// The post.
    pub post_id: PostId,
    /// Who reacted.
    pub user_id: UserId,
    /// How.
    pub kind: Kind,
    /// When.
    pub created_at: Timestamp,
}

impl From<Reaction> for ReactionView {
    fn from(reaction: Reaction) -> Self {
        let Reaction { post_id, user_id, kind, created_at } = reaction;
        Self { post_id, user_id, kind, created_at }
    }
}

impl Reactions {
    /// The reactions in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Makes the principal's reaction be there. It counts once, however often and by how many requests at once it is asked for.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::NotFound`] for a post that is not published, [`Error::Contended`],
    /// [`Error::VersionMismatch`] for one that is there although it must be new.
    pub fn put<'a>(&'a self, call: &'a Call, post: PostId, kind: Kind, only_new: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (reaction, present) = self.wanted(call, post, kind).await?;
            let exists = || if only_new { Err(Error::VersionMismatch) } else { Ok(()) };
            if present.is_some() {
                return exists();
            }
            let commit = Commit::new(Some(reaction.user_id), call.trace.clone(), call.now).create(&reaction).emit(EventData::counted(
                post,
                Counter::Reaction(kind),
                1,
            ));
            match self.store.commit(commit).await {
                // Another request was faster, and its event is counted.
                Err(CommitError::Stale) => exists(),
                outcome => Ok(outcome?),
            }
        })
    }

    /// Makes the principal's reaction be gone.
    ///
    /// # Errors
    /// As [`Reactions::put`].
    pub fn delete<'a>(&'a self, call: &'a Call, post: PostId, kind: Kind) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let (_, Some(reaction)) = self.wanted(call, post, kind).await? else { return Ok(()) };
                let commit = Commit::new(Some(reaction.user_id), call.trace.clone(), call.now).remove(&reaction).emit(EventData::counted(
                    post,
                    Counter::Reaction(kind),
                    -1,
                ));
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    /// Who reacted to a post and how, in the order of the accounts' ids.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::NotFound`] for a post that the principal may not see.
    pub fn list<'a>(&'a self, call: &'a Call, post: PostId, query: &'a ReactionQuery) -> BoxFuture<'a, Result<PageView<ReactionView>>> {
        Box::pin(async move {
            let ReactionQuery { kind, page } = query;
            let pages = page.pages::<Reacted>(Key::reactions(post), Order::Ascending)?;
            seen(call, self.store.get(Key::post(post)).await?)?;
            let position = |reaction: &Reaction| Reacted { by: reaction.user_id, kind: reaction.kind };
            let (items, next) = walk(&self.store, pages, &position, |reaction| kind.is_none_or(|kind| kind == reaction.kind)).await?;
            Ok(PageView::new(items, position, next))
        })
    }

    /// The principal's reaction as it would begin now, and as it is, if it is there.
    async fn wanted(&self, call: &Call, post: PostId, kind: Kind) -> Result<(Reaction, Option<Reaction>)> {
        let by = policy::require(&call.principal, Action::React, None)?;
        let (post, present) = self.store.get_both::<Post, Reaction>(Key::post(post), Key::reaction(post, by, kind)).await?;
        Ok((Reaction::to(&call.principal, &seen(call, post)?, kind, call.now)?, present))
    }
}

fn seen(call: &Call, post: Option<Post>) -> Result<Post> {
    post.ok_or(Error::NotFound(Missing::Post))?.seen_by(&call.principal, call.now)
}

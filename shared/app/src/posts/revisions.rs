//! What posts said before.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result,
    cursor::Position,
    error::Kind,
    id::PostId,
    post::Post,
    revision::{Revision, RevisionNumber, RevisionSummary},
};
use quire_store::{Key, Order, Pages};

use super::{Posts, RevisionListItem, RevisionView};
use crate::{
    Call,
    page::{PageRequest, PageView},
};

impl Posts {
    /// The present version of a post and each earlier one that said something else, newest first, for its author and editors.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn revisions<'a>(&'a self, call: &'a Call, id: PostId, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<RevisionListItem>>> {
        Box::pin(async move {
            let after: Option<RevisionNumber> = page.position()?;
            let present = Revision::of(&self.reviewed(call, id).await?).summary;
            // What has become an earlier version since the post was read is not listed twice.
            let after_key = after.unwrap_or(present.number()).sort_key();
            let mut revisions = if after.is_none() { vec![present] } else { Vec::new() };
            let pages = Pages {
                partition: Key::revisions(id),
                prefix: "",
                after: Some(after_key),
                order: Order::Descending,
                limit: page.limit - revisions.len(),
            };
            let earlier = self.store.page::<RevisionSummary>(pages).await?;
            revisions.extend(earlier.items);
            let next_cursor = revisions.last().filter(|_| earlier.more).map(|revision| revision.number().cursor());
            Ok(PageView { items: revisions.into_iter().map(RevisionListItem::from).collect(), next_cursor })
        })
    }

    /// What a post said in one of those versions, for its author and editors.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn revision<'a>(&'a self, call: &'a Call, id: PostId, number: RevisionNumber) -> BoxFuture<'a, Result<RevisionView>> {
        Box::pin(async move {
            let present = Revision::of(&self.reviewed(call, id).await?);
            if present.summary.number() == number {
                return Ok(present.into());
            }
            let revision: Option<Revision> = self.store.get(Key::revision(id, number)).await?;
            Ok(revision.ok_or(Error::NotFound(Kind::Revision))?.into())
        })
    }

    async fn reviewed(&self, call: &Call, id: PostId) -> Result<Post> {
        let post: Option<Post> = self.store.get(Key::post(id)).await?;
        post.ok_or(Error::NotFound(Kind::Post))?.reviewed_by(&call.principal)
    }
}

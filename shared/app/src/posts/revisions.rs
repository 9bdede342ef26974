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
            let post: Option<Post> = self.store.get(Key::post(id)).await?;
            let present = Revision::of(&reviewed(call, post)?).summary;
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
            let next = revisions.last().filter(|_| earlier.more).map(RevisionSummary::number);
            Ok(PageView::new(revisions, RevisionSummary::number, next))
        })
    }

    /// What a post said in one of those versions, for its author and editors.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn revision<'a>(&'a self, call: &'a Call, id: PostId, number: RevisionNumber) -> BoxFuture<'a, Result<RevisionView>> {
        Box::pin(async move {
            // What was the present version when the revision was looked for may be none when the post is read.
            for _ in 0..2 {
                let (post, revision) = self.store.get_both::<Post, Revision>(Key::post(id), Key::revision(id, number)).await?;
                let present = Revision::of(&reviewed(call, post)?);
                let revision = if present.summary.number() == number { Some(present) } else { revision };
                if let Some(revision) = revision {
                    return Ok(revision.into());
                }
            }
            Err(Error::NotFound(Kind::Revision))
        })
    }
}

fn reviewed(call: &Call, post: Option<Post>) -> Result<Post> {
    post.ok_or(Error::NotFound(Kind::Post))?.reviewed_by(&call.principal, call.now)
}

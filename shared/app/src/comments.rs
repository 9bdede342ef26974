//! Comments.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    comment::{Comment, Status},
    cursor::Position,
    error::Kind,
    id::{CommentId, PostId, UserId},
    policy::{self, Action},
    post::Post,
    text::CommentText,
};
use quire_store::{Commit, Key, Order, Pages, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    idempotency::commit_once,
    input::{Fields, Input},
    page::{PageRequest, PageView, walk},
};

/// The use cases of comments.
#[derive(Debug, Clone)]
pub struct Comments {
    store: Store,
}

/// What a reader sends to comment.
#[derive(Debug, Clone, Serialize)]
pub struct NewComment {
    /// What it says.
    pub content: CommentText,
}

impl Input for NewComment {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { content: fields.required("content", CommentText::parse)? })
    }
}

/// A comment as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommentView {
    /// Names the comment.
    pub comment_id: CommentId,
    /// The post it is on.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// What it says.
    pub content: CommentText,
    /// `pending`, `approved` or `held`.
    pub status: Status,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

impl From<Comment> for CommentView {
    fn from(comment: Comment) -> Self {
        let Comment { id, post_id, author_id, content, status, created_at, updated_at, version } = comment;
        Self { comment_id: id, post_id, author_id, content, status, created_at, updated_at, version }
    }
}

impl Comments {
    /// The comments in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Comments on a published post. Others see the comment once it is approved.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn create<'a>(&'a self, call: &'a Call, post_id: PostId, input: NewComment) -> BoxFuture<'a, Result<CommentView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::Comment, None)?;
            let decision = async {
                let post = self.post(post_id).await?.seen_by(&call.principal)?;
                let (comment, created) = Comment::write(&call.principal, post, input.content.clone(), CommentId::generate(call.now), call.now)?;
                let commit = Commit::new(Some(comment.author_id), call.trace.clone(), call.now).create(&comment).emit([created]);
                Ok((CommentView::from(comment), commit))
            };
            commit_once(&self.store, call, "create-comment", &(post_id, &input), decision).await
        })
    }

    /// The comments of a post that the principal may see, oldest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::NotFound`] for a post that the principal may not see.
    pub fn list<'a>(&'a self, call: &'a Call, post_id: PostId, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<CommentView>>> {
        Box::pin(async move {
            let after: Option<CommentId> = page.position()?;
            self.post(post_id).await?.seen_by(&call.principal)?;
            let pages = Pages {
                partition: Key::comments(post_id),
                prefix: "",
                after: after.map(|position| position.sort_key()),
                order: Order::Ascending,
                limit: page.limit,
            };
            let (seen, next) = walk(&self.store, pages, |comment: &Comment| comment.id, |comment| comment.is_seen_by(&call.principal)).await?;
            Ok(PageView { items: seen.into_iter().map(CommentView::from).collect(), next_cursor: next.map(|position| position.cursor()) })
        })
    }

    async fn post(&self, id: PostId) -> Result<Post> {
        self.store.get(Key::post(id)).await?.ok_or(Error::NotFound(Kind::Post))
    }
}

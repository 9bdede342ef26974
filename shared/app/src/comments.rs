//! Comments.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::future::{BoxFuture, try_join, try_join_all};
use quire_domain::{
    Error, Result, Timestamp,
    audit::AuditData,
    comment::{Comment, Decision, Status, Written},
    counts::Counter,
    error::Kind,
    event::EventData,
    id::{CommentId, PostId, UserId},
    policy::{self, Action},
    post::Post,
    text::CommentText,
};
use quire_store::{Commit, Key, Order, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    change::{ATTEMPTS, Precondition, made},
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
    /// The comment that it answers.
    pub parent_id: Option<CommentId>,
}

impl Input for NewComment {
    fn read(fields: &mut Fields) -> Option<Self> {
        let content = fields.required("content", CommentText::parse);
        let parent_id = fields.optional("parentId", str::parse);
        Some(Self { content: content?, parent_id: parent_id? })
    }
}

/// Other words for a comment: all of it that can be replaced.
#[derive(Debug, Clone)]
pub struct CommentReplacement {
    /// What it says.
    pub content: CommentText,
}

impl Input for CommentReplacement {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { content: fields.required("content", CommentText::parse)? })
    }
}

/// A JSON Merge Patch (RFC 7396) of a comment.
#[derive(Debug, Clone)]
pub struct CommentPatch {
    /// What it says, if that changes.
    pub content: Option<CommentText>,
}

impl Input for CommentPatch {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { content: fields.replaced("content", CommentText::parse)? })
    }
}

impl From<CommentReplacement> for CommentPatch {
    fn from(CommentReplacement { content }: CommentReplacement) -> Self {
        Self { content: Some(content) }
    }
}

/// What a moderator sends.
#[derive(Debug, Clone)]
pub struct CommentStatusReplacement {
    /// What becomes of the comment.
    pub status: Decision,
}

impl Input for CommentStatusReplacement {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { status: fields.required("status", Decision::parse)? })
    }
}

/// Which comments of a post a client asks for.
#[derive(Debug, Clone)]
pub struct CommentQuery {
    /// Those with one status, or all.
    pub status: Option<Status>,
    /// Which page of them.
    pub page: PageRequest,
}

impl Input for CommentQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let status = fields.optional("status", Status::parse);
        let page = PageRequest::read(fields);
        Some(Self { status: status?, page: page? })
    }
}

/// Which comments of all posts a moderator asks for.
#[derive(Debug, Clone)]
pub struct ModerationQuery {
    /// Those with this status; held ones if the moderator names none.
    pub status: Status,
    /// Which page of them.
    pub page: PageRequest,
}

impl Input for ModerationQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let status = fields.optional("status", |text| match Status::parse(text) {
            Ok(status) if status.is_moderated_by_people() => Ok(status),
            _ => Err("must be \"held\", \"pending\" or \"rejected\""),
        });
        let page = PageRequest::read(fields);
        Some(Self { status: status?.unwrap_or(Status::Held), page: page? })
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
    /// Who wrote it, unless it is deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub author_id: Option<UserId>,
    /// The comment that it answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_id: Option<CommentId>,
    /// How many comments are above it.
    #[serde(default)]
    pub depth: u8,
    /// What it says, unless it is deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content: Option<CommentText>,
    /// `pending`, `approved`, `held`, `rejected` or `deleted`.
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
        let Comment { id, post_id, author_id, parent_id, depth, content, status, created_at, updated_at, version } = comment;
        let author_id = (status != Status::Deleted).then_some(author_id);
        Self { comment_id: id, post_id, author_id, parent_id, depth, content, status, created_at, updated_at, version }
    }
}

/// The first comments of posts, by the post and how many of them were asked for.
pub type FirstComments = HashMap<(PostId, usize), PageView<CommentView>>;

impl Comments {
    /// The comments in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Comments on a published post or answers a comment of it. Others see the comment once it is approved.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::Invalid`] for a comment that cannot be answered.
    pub fn create<'a>(&'a self, call: &'a Call, post_id: PostId, input: NewComment) -> BoxFuture<'a, Result<CommentView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::Comment, None)?;
            let decision = async {
                let (post, parent) = match input.parent_id {
                    None => (self.post(call, post_id).await?, None),
                    Some(parent) => {
                        let (post, comment) = self.both(call, post_id, parent).await?;
                        (post, Some((parent, comment)))
                    }
                };
                let written = Written { content: input.content.clone(), parent };
                let (comment, created) = Comment::write(&call.principal, post, written, CommentId::generate(call.now), call.now)?;
                let commit = Commit::new(Some(comment.author_id), call.trace.clone(), call.now).create(&comment).emit([created]);
                Ok((CommentView::from(comment), commit))
            };
            commit_once(&self.store, call, "create-comment", &(post_id, &input), decision).await
        })
    }

    /// A comment that the principal may see.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn get<'a>(&'a self, call: &'a Call, post_id: PostId, id: CommentId) -> BoxFuture<'a, Result<CommentView>> {
        Box::pin(async move { Ok(self.load(call, post_id, id).await?.seen_by(&call.principal)?.into()) })
    }

    /// The comments of a post that the principal may see, oldest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::NotFound`] for a post that the principal may not see.
    pub fn list<'a>(&'a self, call: &'a Call, post_id: PostId, query: &'a CommentQuery) -> BoxFuture<'a, Result<PageView<CommentView>>> {
        Box::pin(async move {
            let CommentQuery { status, page } = query;
            let pages = page.pages::<CommentId>(Key::comments(post_id), Order::Ascending)?;
            self.post(call, post_id).await?;
            let wanted = |comment: &Comment| status.is_none_or(|status| status == comment.status) && comment.is_seen_by(&call.principal);
            let (seen, next) = walk(&self.store, pages, |comment: &Comment| comment.id, wanted).await?;
            Ok(PageView::new(seen, |comment| comment.id, next))
        })
    }

    /// The first comments of posts that the principal may see, so many of each, oldest first: one batch for 100 posts and, at the same time,
    /// one query for each list.
    ///
    /// # Errors
    /// The table's.
    pub fn first<'a>(&'a self, call: &'a Call, lists: Vec<(PostId, usize)>) -> BoxFuture<'a, Result<FirstComments>> {
        Box::pin(async move {
            let ids: BTreeSet<_> = lists.iter().map(|(id, _)| *id).collect();
            let posts = async { Ok(self.store.find(ids.iter().copied().map(Key::post).collect()).await?) };
            let pages = try_join_all(lists.iter().map(|(id, limit)| async {
                let pages = PageRequest { limit: *limit, cursor: None }.pages::<CommentId>(Key::comments(*id), Order::Ascending)?;
                let seen = |comment: &Comment| comment.is_seen_by(&call.principal);
                walk(&self.store, pages, |comment: &Comment| comment.id, seen).await
            }));
            let (mut posts, pages) = try_join(posts, pages).await?;
            let mut visible = HashSet::new();
            for id in ids {
                if posts.take::<Post>(&Key::post(id))?.is_some_and(|post| post.seen_by(&call.principal, call.now).is_ok()) {
                    visible.insert(id);
                }
            }
            let pages = lists.into_iter().zip(pages).filter(|((id, _), _)| visible.contains(id));
            Ok(pages.map(|(list, (comments, next))| (list, PageView::new(comments, |comment| comment.id, next))).collect())
        })
    }

    /// The comments of all posts that moderation has left with one status, oldest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`] for somebody who is no moderator.
    pub fn list_moderation<'a>(&'a self, call: &'a Call, query: &'a ModerationQuery) -> BoxFuture<'a, Result<PageView<CommentView>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ModerateComment, None)?;
            let ModerationQuery { status, page } = query;
            let pages = page.pages::<CommentId>(Key::moderation(*status), Order::Ascending)?;
            let (comments, next) = walk(&self.store, pages, |comment: &Comment| comment.id, |_| true).await?;
            Ok(PageView::new(comments, |comment| comment.id, next))
        })
    }

    /// Changes the words of a comment, which is moderated again.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::EditWindowClosed`], [`Error::VersionMismatch`],
    /// [`Error::Contended`].
    pub fn edit<'a>(
        &'a self,
        call: &'a Call,
        (post_id, id): (PostId, CommentId),
        patch: CommentPatch,
        precondition: &'a Precondition,
    ) -> BoxFuture<'a, Result<CommentView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::EditComment, call.principal.user_id())?;
            let decide = |comment: Comment| comment.edit(&call.principal, patch.content.clone(), call.now);
            self.change(call, post_id, id, precondition, decide, |_| None).await
        })
    }

    /// Takes a moderator's decision.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::CommentDeleted`], [`Error::VersionMismatch`],
    /// [`Error::Contended`].
    pub fn decide<'a>(
        &'a self,
        call: &'a Call,
        (post_id, id): (PostId, CommentId),
        decision: Decision,
        precondition: &'a Precondition,
    ) -> BoxFuture<'a, Result<CommentView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::ModerateComment, None)?;
            let decide = |comment: Comment| comment.decide(&call.principal, decision, call.now);
            let entry = |after: &Comment| Some(AuditData::CommentModerated { post_id, comment_id: id, status: after.status });
            self.change(call, post_id, id, precondition, decide, entry).await
        })
    }

    /// Deletes a comment; it keeps its place. One that is deleted already stays so, whatever version is named.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn delete<'a>(&'a self, call: &'a Call, (post_id, id): (PostId, CommentId), precondition: &'a Precondition) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let before = self.load(call, post_id, id).await?;
                let Some((after, deleted)) = before.clone().delete(&call.principal, call.now)? else { return Ok(()) };
                precondition.check(before.version)?;
                if self.commit(call, &before, &after, deleted, None).await? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    async fn change(
        &self,
        call: &Call,
        post_id: PostId,
        id: CommentId,
        precondition: &Precondition,
        decide: impl Fn(Comment) -> Result<(Comment, Option<EventData>)>,
        entry: impl Fn(&Comment) -> Option<AuditData>,
    ) -> Result<CommentView> {
        for _ in 0..ATTEMPTS {
            let before = self.load(call, post_id, id).await?;
            let (after, event) = decide(before.clone())?;
            precondition.check(before.version)?;
            let done = match event {
                None => true,
                Some(event) => self.commit(call, &before, &after, event, entry(&after)).await?,
            };
            if done {
                return Ok(after.into());
            }
        }
        Err(Error::Contended)
    }

    /// Whether the change was made: not if somebody else was faster.
    async fn commit(&self, call: &Call, before: &Comment, after: &Comment, event: EventData, entry: Option<AuditData>) -> Result<bool> {
        let mut commit = Commit::new(call.principal.user_id(), call.trace.clone(), call.now)
            .update(before, after)
            .emit([event])
            .emit(EventData::counted(after.post_id, Counter::CommentCount, before.counted(after)));
        if let Some(entry) = entry {
            commit = commit.audit(Some(before.author_id), entry);
        }
        made(self.store.commit(commit).await)
    }

    async fn load(&self, call: &Call, post_id: PostId, id: CommentId) -> Result<Comment> {
        let (_, comment) = self.both(call, post_id, id).await?;
        comment.ok_or(Error::NotFound(Kind::Comment))
    }

    /// A post that the principal may see, and a comment on it, if there is one.
    async fn both(&self, call: &Call, post_id: PostId, id: CommentId) -> Result<(Post, Option<Comment>)> {
        let (post, comment) = self.store.get_both::<Post, Comment>(Key::post(post_id), Key::comment(post_id, id)).await?;
        Ok((post.ok_or(Error::NotFound(Kind::Post))?.seen_by(&call.principal, call.now)?, comment))
    }

    async fn post(&self, call: &Call, id: PostId) -> Result<Post> {
        self.store.get::<Post>(Key::post(id)).await?.ok_or(Error::NotFound(Kind::Post))?.seen_by(&call.principal, call.now)
    }
}

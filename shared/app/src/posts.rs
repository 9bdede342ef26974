//! Posts.

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    cursor::{Position, Published},
    error::Kind,
    id::{PostId, UserId},
    policy::{self, Action},
    post::{Draft, Post, PostPatch, PostSummary, Status},
    slug::Slug,
    text::{Content, Title},
};
use quire_store::{Claim, Commit, CommitError, Key, Order, Pages, Store};
use serde::{Deserialize, Serialize};

use crate::{
    Call,
    idempotency::commit_once,
    input::{Fields, Input},
    page::{PageRequest, PageView},
};

/// The year before which nothing was published: where the list of published posts ends.
const FIRST_YEAR: i16 = 2026;
/// Attempts at a change that names no version and meets others.
const ATTEMPTS: usize = 5;

/// The use cases of posts.
#[derive(Debug, Clone)]
pub struct Posts {
    store: Store,
}

impl Input for Draft {
    fn read(fields: &mut Fields) -> Option<Self> {
        let title = fields.required("title", Title::parse);
        let content = fields.optional("content", Content::parse);
        let slug = fields.optional("slug", Slug::parse);
        Some(Self { title: title?, content: content?.unwrap_or_default(), slug: slug? })
    }
}

/// A JSON Merge Patch (RFC 7396).
impl Input for PostPatch {
    fn read(fields: &mut Fields) -> Option<Self> {
        let title = fields.replaced("title", Title::parse);
        let content = fields.replaced("content", Content::parse);
        let slug = fields.replaced("slug", Slug::parse);
        let status = fields.replaced("status", Status::parse);
        Some(Self { title: title?, content: content?, slug: slug?, status: status? })
    }
}

/// Which versions of an entity a change may be made to: `If-Match` (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Any version.
    #[default]
    None,
    /// One of these.
    OneOf(Vec<u64>),
}

impl Precondition {
    pub(crate) fn check(&self, version: u64) -> Result<()> {
        match self {
            Self::OneOf(versions) if !versions.contains(&version) => Err(Error::VersionMismatch),
            Self::None | Self::OneOf(_) => Ok(()),
        }
    }
}

/// A post as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostView {
    /// Names the post.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// Markdown.
    pub content: Content,
    /// Unique among all posts.
    pub slug: Slug,
    /// `draft` or `published`.
    pub status: Status,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published_at: Option<Timestamp>,
    /// Counts changes, from 1.
    pub version: u64,
}

/// A post in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostListItem {
    /// Names the post.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// Unique among all posts.
    pub slug: Slug,
    /// `draft` or `published`.
    pub status: Status,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub published_at: Option<Timestamp>,
    /// The version of the post.
    pub version: u64,
}

impl From<Post> for PostView {
    fn from(post: Post) -> Self {
        let Post { id, author_id, title, content, slug, status, created_at, updated_at, published_at, version } = post;
        Self { post_id: id, author_id, title, content, slug, status, created_at, updated_at, published_at, version }
    }
}

impl From<PostSummary> for PostListItem {
    fn from(post: PostSummary) -> Self {
        let PostSummary { id, author_id, title, slug, status, created_at, updated_at, published_at, version } = post;
        Self { post_id: id, author_id, title, slug, status, created_at, updated_at, published_at, version }
    }
}

impl Posts {
    /// The posts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Drafts a post for the principal.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::SlugTaken`].
    pub fn create<'a>(&'a self, call: &'a Call, input: Draft) -> BoxFuture<'a, Result<PostView>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::DraftPost, None)?;
            let decision = async {
                let (post, drafted) = Post::draft(&call.principal, input.clone(), PostId::generate(call.now), call.now)?;
                let commit = Commit::new(Some(post.author_id), call.trace.clone(), call.now)
                    .create(&post)
                    .claim(Claim::Slug(post.slug.clone()), &post.id)
                    .emit([drafted]);
                Ok((PostView::from(post), commit))
            };
            commit_once(&self.store, call, "create-post", &input, decision).await
        })
    }

    /// A post that the principal may see.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn get<'a>(&'a self, call: &'a Call, id: PostId) -> BoxFuture<'a, Result<PostView>> {
        Box::pin(async move { Ok(self.load(id).await?.seen_by(&call.principal)?.into()) })
    }

    /// Changes a post. A change that names no version is made to the newest one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::IllegalMove`],
    /// [`Error::SlugTaken`], [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn update<'a>(&'a self, call: &'a Call, id: PostId, patch: PostPatch, precondition: Precondition) -> BoxFuture<'a, Result<PostView>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let before = self.load(id).await?;
                let (after, events) = before.clone().edit(&call.principal, patch.clone(), call.now)?;
                precondition.check(before.version)?;
                if after == before {
                    return Ok(after.into());
                }
                let mut commit = Commit::new(call.principal.user_id(), call.trace.clone(), call.now).update(&before, &after).emit(events);
                if after.slug != before.slug {
                    commit = commit.claim(Claim::Slug(after.slug.clone()), &after.id);
                }
                match self.store.commit(commit).await {
                    Ok(()) => return Ok(after.into()),
                    Err(CommitError::Stale) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Error::Contended)
        })
    }

    /// Published posts, newest first; one query a page, and one more where a page crosses the turn of a year.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor.
    pub fn list_published<'a>(&'a self, call: &'a Call, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<PostListItem>>> {
        Box::pin(async move {
            let limit = page.limit;
            let after: Option<Published> = page.position()?;
            let mut posts: Vec<PostSummary> = Vec::new();
            let mut more = false;
            let this_year = call.now.year();
            for year in (FIRST_YEAR..=after.map_or(this_year, |position| position.at.year().min(this_year))).rev() {
                let pages = Pages {
                    partition: Key::published_in(year),
                    prefix: "",
                    after: after.filter(|position| position.at.year() == year).map(|position| position.sort_key()),
                    order: Order::Descending,
                    limit: limit - posts.len(),
                };
                let page = self.store.page(pages).await?;
                posts.extend(page.items);
                more = page.more || (posts.len() == limit && year > FIRST_YEAR);
                if posts.len() == limit {
                    break;
                }
            }
            let last = posts.last().and_then(|post| Some(Published { at: post.published_at?, id: post.id }));
            let next_cursor = last.filter(|_| more).map(|position| position.cursor());
            Ok(PageView { items: posts.into_iter().map(PostListItem::from).collect(), next_cursor })
        })
    }

    /// All posts of one author, newest first, for the author and for editors.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong cursor, [`Error::Unauthenticated`], [`Error::Forbidden`].
    pub fn list_owned<'a>(&'a self, call: &'a Call, owner: UserId, page: &'a PageRequest) -> BoxFuture<'a, Result<PageView<PostListItem>>> {
        Box::pin(async move {
            policy::require(&call.principal, Action::SeeUnpublishedPost, Some(owner))?;
            let after: Option<PostId> = page.position()?;
            let pages = Pages {
                partition: Key::owner(owner),
                prefix: "POST#",
                after: after.map(|position| position.sort_key()),
                order: Order::Descending,
                limit: page.limit,
            };
            let page = self.store.page::<PostSummary>(pages).await?;
            let next_cursor = page.items.last().filter(|_| page.more).map(|post| post.id.cursor());
            Ok(PageView { items: page.items.into_iter().map(PostListItem::from).collect(), next_cursor })
        })
    }

    async fn load(&self, id: PostId) -> Result<Post> {
        self.store.get(Key::post(id)).await?.ok_or(Error::NotFound(Kind::Post))
    }
}

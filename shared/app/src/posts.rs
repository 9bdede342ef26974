//! Posts.

mod input;
mod list;
mod revisions;
mod view;

use std::collections::HashMap;

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result,
    counts::PostCounts,
    error::Kind,
    id::PostId,
    policy::{self, Action},
    post::{Draft, FormerSlug, Post, PostName, PostPatch, Tombstone},
    revision::Revision,
    slug::Slug,
};
use quire_store::{Claim, Commit, Key, Store};

use crate::{
    Call,
    change::{ATTEMPTS, Precondition, made},
    idempotency::commit_once,
};

pub use input::PostReplacement;
pub(crate) use list::position;
pub use list::{PostFilter, PostQuery};
pub use view::{PostListItem, PostSelection, PostView, RevisionListItem, RevisionView};

/// The use cases of posts.
#[derive(Debug, Clone)]
pub struct Posts {
    store: Store,
}

/// What stands at the address of a post.
#[derive(Debug)]
pub enum Found {
    /// The post.
    Post(Box<PostView>),
    /// A post that has another slug now.
    Moved(Slug),
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
                Ok((PostView::new(post, &PostCounts::default()), commit))
            };
            commit_once(&self.store, call, "create-post", &input, decision).await
        })
    }

    /// A post that the principal may see, by its id or its slug; by a slug that it once had, its present one.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn get<'a>(&'a self, call: &'a Call, name: &'a PostName) -> BoxFuture<'a, Result<Found>> {
        Box::pin(async move {
            let id = match name {
                PostName::Id(id) => *id,
                PostName::Slug(slug) => {
                    let owner = self.store.owner_of(&Claim::Slug(slug.clone())).await?;
                    owner.and_then(|owner| owner.parse().ok()).ok_or(Error::NotFound(Kind::Post))?
                }
            };
            let (post, counts) = self.load(id).await?;
            let post = post.seen_by(&call.principal, call.now)?;
            Ok(match name {
                PostName::Slug(slug) if *slug != post.slug => Found::Moved(post.slug),
                PostName::Id(_) | PostName::Slug(_) => Found::Post(Box::new(PostView::new(post, &counts))),
            })
        })
    }

    /// Those of these posts that the principal may see, in one batch for 50 of them. Each id stands there once.
    ///
    /// # Errors
    /// The table's.
    pub fn many<'a>(&'a self, call: &'a Call, ids: Vec<PostId>) -> BoxFuture<'a, Result<HashMap<PostId, PostView>>> {
        Box::pin(async move {
            let mut found = self.store.find(ids.iter().flat_map(|id| [Key::post(*id), Key::post_counts(*id)]).collect()).await?;
            let mut views = HashMap::with_capacity(ids.len());
            for id in ids {
                let counts = found.take::<PostCounts>(&Key::post_counts(id))?.unwrap_or_default();
                let post = found.take::<Post>(&Key::post(id))?.map(|post| post.seen_by(&call.principal, call.now));
                if let Some(Ok(post)) = post {
                    views.insert(id, PostView::new(post, &counts));
                }
            }
            Ok(views)
        })
    }

    /// Changes a post. A change that names no version is made to the newest one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::IllegalMove`], [`Error::Invalid`],
    /// [`Error::SlugTaken`], [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn update<'a>(&'a self, call: &'a Call, id: PostId, patch: PostPatch, precondition: Precondition) -> BoxFuture<'a, Result<PostView>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let (stored, counts) = self.load(id).await?;
                let before = stored.clone().edited_by(&call.principal, call.now)?;
                precondition.check(before.version)?;
                let (after, events) = stored.clone().edit(&call.principal, patch.clone(), call.now)?;
                if after == before {
                    return Ok(PostView::new(after, &counts));
                }
                let mut commit = Commit::new(call.principal.user_id(), call.trace.clone(), call.now).update(&stored, &after).emit(events);
                if after.slug != before.slug {
                    let former = FormerSlug { post_id: before.id, slug: before.slug.clone() };
                    commit = commit.claim(Claim::Slug(after.slug.clone()), &after.id).write(&former);
                }
                if let Some(revision) = Revision::of_change(&before, &after) {
                    commit = commit.create(&revision);
                }
                if made(self.store.commit(commit).await)? {
                    return Ok(PostView::new(after, &counts));
                }
            }
            Err(Error::Contended)
        })
    }

    /// Deletes a post for everybody. Its slugs stay claimed, so that no other post ever stands at its address.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unauthenticated`], [`Error::Forbidden`], [`Error::VersionMismatch`], [`Error::Contended`].
    pub fn delete<'a>(&'a self, call: &'a Call, id: PostId, precondition: Precondition) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for _ in 0..ATTEMPTS {
                let Some(post) = self.store.get::<Post>(Key::post(id)).await? else {
                    let tombstone: Option<Tombstone> = self.store.get(Key::tombstone(id)).await?;
                    return tombstone.ok_or(Error::NotFound(Kind::Post))?.delete(&call.principal);
                };
                precondition.check(post.clone().edited_by(&call.principal, call.now)?.version)?;
                let (tombstone, deleted) = post.clone().delete(&call.principal, call.now)?;
                let commit = Commit::new(call.principal.user_id(), call.trace.clone(), call.now)
                    .remove(&post)
                    .erase(Key::post_counts(id))
                    .create(&tombstone)
                    .emit([deleted]);
                if made(self.store.commit(commit).await)? {
                    return Ok(());
                }
            }
            Err(Error::Contended)
        })
    }

    async fn load(&self, id: PostId) -> Result<(Post, PostCounts)> {
        self.store.post(id).await?.ok_or(Error::NotFound(Kind::Post))
    }
}

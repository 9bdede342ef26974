//! Scheduled posts, published when their time has come.

use futures::future::BoxFuture;
use quire_domain::{Error, Result, Timestamp, cursor::Published, event::Trace, id::PostId, post::Post};
use quire_store::{Commit, Key, Store};

use crate::change::{ATTEMPTS, made};

/// Posts that are looked for together.
const TOGETHER: usize = 50;
/// Posts that one run publishes at most; the next run takes the others. One takes some tens of milliseconds.
const POSTS: usize = 500;

/// Publishes scheduled posts.
#[derive(Debug, Clone)]
pub struct Publishing {
    store: Store,
}

impl Publishing {
    /// The scheduled posts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Publishes posts whose time has come, oldest first. A post, its places in lists and its event are one commit, made to the version that
    /// was read: of two runs, or a run and an author, one publishes it. A post that cannot be published holds back no other.
    ///
    /// # Errors
    /// Whatever the table gives; [`Error::Internal`] once all others are published, if a post could not be. The next run tries again.
    pub fn run(&self, trace: Trace, now: Timestamp) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let (mut taken, mut published, mut failed) = (0, 0, 0);
            let mut after: Option<Published> = None;
            while taken < POSTS {
                let page = self.store.due_posts(now, after, TOGETHER).await?;
                for position in &page.items {
                    taken += 1;
                    match self.publish(position.id, &trace, now).await {
                        Ok(true) => published += 1,
                        Ok(false) => {}
                        Err(error) => {
                            failed += 1;
                            tracing::error!(postId = %position.id, error = %error, cause = ?error, "A scheduled post could not be published");
                        }
                    }
                }
                after = page.items.last().copied().or(after);
                if !page.more {
                    break;
                }
            }
            if taken > 0 {
                tracing::info!(published, failed, "Scheduled posts were published");
            }
            if failed > 0 { Err(Error::internal("publishing scheduled posts", format!("{failed} could not be published"))) } else { Ok(()) }
        })
    }

    /// Whether it was published now: not if others did that, or want something else of it by now.
    async fn publish(&self, id: PostId, trace: &Trace, now: Timestamp) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let Some(post) = self.store.get::<Post>(Key::post(id)).await? else { return Ok(false) };
            let Some((published, event)) = post.fall_due(now) else { return Ok(false) };
            let late = now.seconds() - post.publish_at.unwrap_or(now).seconds();
            let commit = Commit::new(None, trace.clone(), now).update(&post, &published).emit([event]);
            if made(self.store.commit(commit).await)? {
                tracing::info!(postId = %id, lateSeconds = late, "A scheduled post was published");
                return Ok(true);
            }
        }
        Err(Error::Contended)
    }
}

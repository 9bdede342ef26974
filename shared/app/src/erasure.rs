//! Erases accounts: everything that names a person or holds what they wrote.
//!
//! One run does a bounded number of steps; an event goes on where it stopped. Each step removes what it lists, and nothing else says how far
//! the work is: a run that died, or comes twice, goes on with what is still there.
//!
//! Access tokens that were given before work for ten minutes, so something may be written while the account is erased. A second pass a
//! quarter of an hour later finds that.

use std::{str::FromStr, sync::Arc};

use futures::future::BoxFuture;
use quire_domain::{
    Error, Result, Timestamp,
    admins::Admins,
    comment::Comment,
    counts::Counter,
    event::{Consumer, Event, EventData, Trace},
    follow::Follow,
    id::{PostId, UserId},
    identity::Identities,
    post::{Post, PostSummary, Tombstone},
    rate::{self, Caller},
    reaction::Reaction,
    slug::Slug,
    user::{Erasure, User},
};
use quire_store::{Claim, Commit, CommitError, Key, Order, OwnComment, Pages, Store};
use serde::de::DeserializeOwned;

use crate::{change::made, delay::postponed, exports, ports::Files};

/// Things that are looked at in one step.
const TOGETHER: usize = 25;
/// Steps of one run: some seconds of work.
const STEPS: usize = 40;
/// Changes that met others, in one run, before the event is left to be delivered again.
const CONFLICTS: usize = 20;
/// Seconds until the second pass: longer than an access token lasts, and no longer than a queue can delay a message.
const SECOND_PASS_SECONDS: i64 = 15 * 60;

/// What becomes of the posts of an account that is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasedPosts {
    /// They are erased too.
    Delete,
    /// What was published stays, without its author and without its earlier versions; drafts are erased.
    Anonymise,
}

impl FromStr for ErasedPosts {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "delete" => Ok(Self::Delete),
            "anonymise" => Ok(Self::Anonymise),
            _ => Err("erased posts are \"delete\" or \"anonymise\""),
        }
    }
}

/// Erases accounts.
#[derive(Clone)]
pub struct Erasures {
    store: Store,
    files: Arc<dyn Files>,
    posts: ErasedPosts,
}

/// One run of the erasure of one account.
struct Run<'a> {
    account: UserId,
    trace: &'a Trace,
    now: Timestamp,
    steps: usize,
    conflicts: usize,
}

impl Run<'_> {
    fn commit(&self) -> Commit {
        Commit::new(None, self.trace.clone(), self.now)
    }

    /// Whether there is another step to do in this run.
    fn goes_on(&mut self) -> bool {
        self.steps = self.steps.saturating_sub(1);
        self.steps > 0
    }
}

impl Erasures {
    /// Erasures in `store`, and of exports in `files`.
    pub fn new(store: Store, files: Arc<dyn Files>, posts: ErasedPosts) -> Self {
        Self { store, files, posts }
    }

    /// Erases the account of a `user.erasure-requested` or `user.erasure-continued` event, as far as one run gets.
    ///
    /// # Errors
    /// [`Error::Internal`] for an event of another type; [`Error::LastAdmin`] where a backup has made the only admin of an account that is
    /// erased; whatever the table gives, so that the event is delivered again.
    pub fn erase<'a>(&'a self, event: &'a Event, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (EventData::UserErasureRequested { user_id: account } | EventData::UserErasureContinued { user_id: account, .. }) = event.data else {
                return Err(Error::internal("erasing an account", "the event does not ask for it"));
            };
            if postponed(&self.store, Consumer::EraseUser, event, now).await? {
                return Ok(());
            }
            let mut run = Run { account, trace: &event.trace, now, steps: STEPS, conflicts: 0 };
            if self.everything(&mut run).await? {
                tracing::info!(userId = %account, "An account was erased");
                return Ok(());
            }
            // The marker keeps a message that comes twice from making two of what follows.
            let rest = EventData::UserErasureContinued { user_id: account, not_before: None };
            match self.store.commit(run.commit().effect(Consumer::EraseUser, event.id).emit([rest])).await {
                Ok(()) | Err(CommitError::AlreadyDone) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }

    /// Whether nothing is left. The account itself goes last, because it tells of its claims.
    async fn everything(&self, run: &mut Run<'_>) -> Result<bool> {
        let Some(user) = self.switched_off(run).await? else { return self.content(run).await };
        self.identities(run).await?;
        Ok(self.content(run).await? && self.profile(run, &user).await?)
    }

    async fn content(&self, run: &mut Run<'_>) -> Result<bool> {
        Ok(self.posts(run).await?
            && self.deleted_posts(run).await?
            && self.comments(run).await?
            && self.reactions(run).await?
            && self.follows(run).await?
            && self.lists(run).await?)
    }

    /// The account, which is inactive once its erasure was asked for. One that a backup has brought back is not.
    async fn switched_off(&self, run: &mut Run<'_>) -> Result<Option<User>> {
        loop {
            let Some(before) = self.store.get::<User>(Key::user(run.account)).await? else { return Ok(None) };
            let after = before.under_erasure(run.now);
            if after == before {
                return Ok(Some(before));
            }
            let mut commit = run.commit().update(&before, &after);
            if before.is_admin() {
                let admins: Option<Admins> = self.store.get(Key::admins()).await?;
                let changed = Admins::after(admins.as_ref(), &after)?;
                commit = match &admins {
                    Some(admins) => commit.update(admins, &changed),
                    None => commit.create(&changed),
                };
            }
            self.change(run, commit).await?;
        }
    }

    async fn identities(&self, run: &mut Run<'_>) -> Result<()> {
        while let Some(identities) = self.store.get::<Identities>(Key::identities(run.account)).await? {
            let claims = identities.identities.iter().map(Claim::identity);
            let commit = claims.fold(run.commit(), |commit, claim| commit.release(&claim, &run.account));
            self.change(run, commit.remove(&identities)).await?;
        }
        Ok(())
    }

    async fn posts(&self, run: &mut Run<'_>) -> Result<bool> {
        while run.goes_on() {
            let posts: Vec<PostSummary> = self.first(Key::owner(run.account), "POST#").await?;
            if posts.is_empty() {
                return Ok(true);
            }
            for PostSummary { id, .. } in posts {
                let Some(post) = self.store.get::<Post>(Key::post(id)).await? else { continue };
                let anonymous = if self.posts == ErasedPosts::Anonymise { post.anonymised() } else { None };
                let commit = match anonymous {
                    Some(anonymous) => {
                        if !self.revisions(run, id).await? {
                            return Ok(false);
                        }
                        run.commit().update(&post, &anonymous)
                    }
                    None => {
                        let (tombstone, deleted) = post.clone().remains(run.now);
                        // A backup that was restored over what is newer has brought the post back beside its tombstone.
                        run.commit().remove(&post).write(&tombstone).emit([deleted])
                    }
                };
                self.change(run, commit).await?;
            }
        }
        Ok(false)
    }

    /// What stayed of the posts that were deleted, by their author or just now: earlier versions, addresses, and what others did with them.
    async fn deleted_posts(&self, run: &mut Run<'_>) -> Result<bool> {
        while run.goes_on() {
            let tombstones: Vec<Tombstone> = self.first(Key::deleted(run.account), "").await?;
            if tombstones.is_empty() {
                return Ok(true);
            }
            for tombstone in tombstones {
                if !self.remains(run, &tombstone).await? {
                    return Ok(false);
                }
                self.store.commit(run.commit().write(&tombstone.erased())).await?;
                self.store.erase(vec![Key::deleted_post(run.account, tombstone.id)]).await?;
            }
        }
        Ok(false)
    }

    async fn remains(&self, run: &mut Run<'_>, Tombstone { id, slug, .. }: &Tombstone) -> Result<bool> {
        loop {
            let comments: Vec<Comment> = self.first(Key::comments(*id), "").await?;
            if comments.is_empty() {
                break;
            }
            self.change(run, comments.iter().fold(run.commit(), Commit::remove)).await?;
            if !run.goes_on() {
                return Ok(false);
            }
        }
        loop {
            let reactions: Vec<Reaction> = self.first(Key::reactions(*id), "").await?;
            if reactions.is_empty() {
                break;
            }
            self.change(run, reactions.iter().fold(run.commit(), Commit::remove)).await?;
            if !run.goes_on() {
                return Ok(false);
            }
        }
        if !self.revisions(run, *id).await? {
            return Ok(false);
        }
        let (partition, kept) = (Key::post(*id).pk, Key::tombstone(*id));
        let left: Vec<_> = self.store.keys(partition, TOGETHER * 4).await?.into_iter().filter(|key| *key != kept).collect();
        let former = left.iter().filter_map(|key| Slug::parse(key.sk.strip_prefix("SLUG#")?).ok());
        for slug in former.chain(slug.clone()) {
            // One that has another owner was given up before.
            made(self.store.commit(run.commit().release(&Claim::Slug(slug), id)).await)?;
        }
        let is_all = left.len() < TOGETHER * 4 - 1;
        self.store.erase(left).await?;
        Ok(is_all)
    }

    /// The earlier versions of a post.
    async fn revisions(&self, run: &mut Run<'_>, post: PostId) -> Result<bool> {
        loop {
            let listed = self.store.keys(Key::revisions(post), TOGETHER).await?;
            if listed.is_empty() {
                return Ok(true);
            }
            // What is listed goes first, so that the list leads to all that is left.
            let versions = listed.iter().map(|key| Key { pk: Key::post(post).pk, sk: key.sk.clone() });
            self.store.erase(versions.collect()).await?;
            self.store.erase(listed).await?;
            if !run.goes_on() {
                return Ok(false);
            }
        }
    }

    async fn comments(&self, run: &mut Run<'_>) -> Result<bool> {
        while run.goes_on() {
            let comments: Vec<OwnComment> = self.first(Key::commented(run.account), "").await?;
            if comments.is_empty() {
                return Ok(true);
            }
            for OwnComment { post_id, id } in comments {
                let Some(before) = self.store.get::<Comment>(Key::comment(post_id, id)).await? else {
                    self.store.erase(vec![Key::own_comment(run.account, id)]).await?;
                    continue;
                };
                let after = before.erased(run.now);
                let counted = EventData::counted(post_id, Counter::CommentCount, before.counted(&after));
                self.change(run, run.commit().update(&before, &after).emit(counted)).await?;
            }
        }
        Ok(false)
    }

    async fn reactions(&self, run: &mut Run<'_>) -> Result<bool> {
        while run.goes_on() {
            let reactions: Vec<Reaction> = self.first(Key::reacted(run.account), "").await?;
            if reactions.is_empty() {
                return Ok(true);
            }
            for reaction in reactions {
                let counted = EventData::counted(reaction.post_id, Counter::Reaction(reaction.kind), -1);
                self.change(run, run.commit().remove(&reaction).emit(counted)).await?;
            }
        }
        Ok(false)
    }

    async fn follows(&self, run: &mut Run<'_>) -> Result<bool> {
        while run.goes_on() {
            let mut follows: Vec<Follow> = self.first(Key::following(run.account), "").await?;
            if follows.is_empty() {
                follows = self.first(Key::followers(run.account), "").await?;
            }
            if follows.is_empty() {
                return Ok(true);
            }
            self.change(run, follows.iter().fold(run.commit(), Commit::remove)).await?;
        }
        Ok(false)
    }

    /// What lies in partitions of the account's own and is nobody else's, and its export.
    async fn lists(&self, run: &mut Run<'_>) -> Result<bool> {
        let account = run.account;
        self.files.remove(&exports::file(account)).await.map_err(Error::Unavailable)?;
        let window = rate::window(run.now);
        let partitions = [
            Key::feed(account),
            Key::api_tokens(account),
            Key::second_factor(account).pk,
            Key::code_tries(account, window).pk,
            Key::rate(&Caller::Account(account), window).pk,
            Key::idempotencies(account),
            Key::user(account).pk,
        ];
        let kept = [Key::user(account), Key::erasure(account)];
        for partition in partitions {
            loop {
                let found: Vec<_> = self.store.keys(partition.clone(), TOGETHER).await?.into_iter().filter(|key| !kept.contains(key)).collect();
                if found.is_empty() {
                    break;
                }
                // A record goes before what leads to it.
                let records: Vec<_> = found.iter().filter_map(Key::of_nobody).collect();
                if !records.is_empty() {
                    self.store.erase(records).await?;
                }
                self.store.erase(found).await?;
                if !run.goes_on() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The account itself, its claims and how often it failed to sign in. It stands in the ledger from then on.
    async fn profile(&self, run: &mut Run<'_>, user: &User) -> Result<bool> {
        let names = [user.username.as_str().to_lowercase(), user.email.as_str().to_lowercase()];
        let failures = names.iter().map(|name| Key::failures_of(name));
        self.store.erase(failures.chain([Key::pulled(user.id)]).collect()).await?;
        let again = Some(run.now.plus_seconds(SECOND_PASS_SECONDS));
        let commit = run
            .commit()
            .remove(user)
            .release(&Claim::Username(user.username.clone()), &user.id)
            .release(&Claim::Email(user.email.clone()), &user.id)
            .write(&Erasure { user_id: user.id, erased_at: run.now })
            .emit([EventData::UserErasureContinued { user_id: user.id, not_before: again }]);
        self.change(run, commit).await
    }

    async fn first<T: DeserializeOwned>(&self, partition: String, prefix: &'static str) -> Result<Vec<T>> {
        let pages = Pages { partition, prefix, after: None, order: Order::Ascending, limit: TOGETHER };
        Ok(self.store.page(pages).await?.items)
    }

    /// Whether a change was made. One that met another is found again where it is listed; too many are somebody else's fault.
    async fn change(&self, run: &mut Run<'_>, commit: Commit) -> Result<bool> {
        let is_made = made(self.store.commit(commit).await)?;
        run.conflicts += usize::from(!is_made);
        if run.conflicts > CONFLICTS { Err(Error::Contended) } else { Ok(is_made) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_deleted_or_anonymised() {
        assert_eq!(("delete".parse(), "anonymise".parse()), (Ok(ErasedPosts::Delete), Ok(ErasedPosts::Anonymise)));
        assert!("".parse::<ErasedPosts>().is_err());
    }
}

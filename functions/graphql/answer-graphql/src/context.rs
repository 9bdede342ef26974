//! What the fields of a request share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::http::StatusCode;
use futures::FutureExt;
use quire_app::{
    Call, Client, Error, IdempotencyKey,
    access_tokens::AccessTokens,
    api_tokens::{ApiTokenCreation, ApiTokens},
    audit::AuditTrail,
    change::Precondition,
    comments::{CommentView, Comments},
    exports::{ExportRequests, Exports},
    feeds::Feeds,
    follows::Follows,
    identities::LinkedIdentities,
    input::{self, Input, Typing},
    notifications::Notifications,
    page::{PageRequest, PageView},
    passwords::Passwords,
    persisted::PersistedDocuments,
    posts::{PostView, Posts},
    reactions::Reactions,
    second_factor_changes::{SecondFactorChanges, SecondFactorViews},
    sessions::{OwnSessions, Sessions, SignIn},
    tags::Tags,
    user_changes::UserChanges,
    users::{Registrations, UserView, Users},
    verification::EmailVerifications,
    webhooks::{WebhookSecretChanges, Webhooks},
};
use quire_domain::{
    id::{PostId, UserId},
    limits,
};
use quire_edge::{Problem, Writes, call::signed_in, params::PathId};
use serde_json::Value;

use crate::{
    failure::{Failure, paged},
    loader::Loader,
};

/// The use cases.
pub(crate) struct UseCases {
    pub(crate) users: Users,
    pub(crate) registrations: Registrations,
    pub(crate) user_changes: UserChanges,
    pub(crate) sign_in: SignIn,
    pub(crate) sessions: Sessions,
    pub(crate) own_sessions: OwnSessions,
    pub(crate) passwords: Passwords,
    pub(crate) verifications: EmailVerifications,
    pub(crate) notifications: Notifications,
    pub(crate) posts: Posts,
    pub(crate) comments: Comments,
    pub(crate) reactions: Reactions,
    pub(crate) follows: Follows,
    pub(crate) feeds: Feeds,
    pub(crate) tags: Tags,
    pub(crate) access_tokens: AccessTokens,
    pub(crate) api_tokens: ApiTokens,
    pub(crate) api_token_creation: ApiTokenCreation,
    pub(crate) second_factor_views: SecondFactorViews,
    pub(crate) second_factor_changes: SecondFactorChanges,
    pub(crate) identities: LinkedIdentities,
    pub(crate) export_requests: ExportRequests,
    pub(crate) exports: Exports,
    pub(crate) webhooks: Webhooks,
    pub(crate) webhook_secrets: WebhookSecretChanges,
    pub(crate) audit: AuditTrail,
    pub(crate) documents: PersistedDocuments,
}

/// A request.
pub(crate) struct Context {
    pub(crate) cases: Arc<UseCases>,
    pub(crate) call: Call,
    pub(crate) client: Client,
    pub(crate) user: Loader<UserId, UserView>,
    pub(crate) post: Loader<PostId, PostView>,
    /// The first comments of posts, so many of each.
    pub(crate) comments: Loader<(PostId, usize), PageView<CommentView>>,
    writes: Writes,
    cost: AtomicUsize,
    shows_secret: AtomicBool,
}

impl juniper::Context for Context {}

impl Context {
    pub(crate) fn new(cases: Arc<UseCases>, call: Call, client: Client, writes: Writes) -> Self {
        let (users, posts, comments) = (cases.clone(), cases.clone(), cases.clone());
        let (by_user, by_post, by_reader) = (call.clone(), call.clone(), call.clone());
        let user = Loader::new(move |ids| {
            let (cases, call) = (users.clone(), by_user.clone());
            async move { Ok(cases.users.many(&call, ids).await?) }.boxed()
        });
        let post = Loader::new(move |ids| {
            let (cases, call) = (posts.clone(), by_post.clone());
            async move { Ok(cases.posts.many(&call, ids).await?) }.boxed()
        });
        let comments = Loader::new(move |keys: Vec<(PostId, usize)>| {
            let (cases, call) = (comments.clone(), by_reader.clone());
            async move { Ok(cases.comments.first(&call, keys).await?) }.boxed()
        });
        Self { cases, call, client, user, post, comments, writes, cost: AtomicUsize::new(0), shows_secret: AtomicBool::new(false) }
    }

    /// Keeps a document under its hash. It counts as a write, so that nobody keeps too many.
    pub(crate) async fn keep(&self, hash: &str, document: &str) -> Result<(), Problem> {
        self.writes.count(&self.call).await?;
        Ok(self.cases.documents.keep(&self.call, hash, document).await?)
    }

    /// The call, by an account.
    pub(crate) fn signed_in(&self) -> Result<&Call, Failure> {
        signed_in(&self.call)?;
        Ok(&self.call)
    }

    /// A write by anybody: it is counted, and what was read before is read again after it.
    pub(crate) async fn write(&self, idempotency_key: Option<String>) -> Result<Call, Failure> {
        self.writes.count(&self.call).await?;
        self.user.clear();
        self.post.clear();
        self.comments.clear();
        let mut call = self.call.clone();
        if let Some(key) = idempotency_key {
            let key = IdempotencyKey::parse(&key).map_err(|error| Error::field("/idempotencyKey", error.to_string()))?;
            call.idempotency_key = Some(key);
        }
        Ok(call)
    }

    /// A write by an account.
    pub(crate) async fn write_signed_in(&self, idempotency_key: Option<String>) -> Result<Call, Failure> {
        let call = self.write(idempotency_key).await?;
        signed_in(&call)?;
        Ok(call)
    }

    /// The page that a list asks for, if the request may ask for so much.
    pub(crate) fn page(&self, first: Option<i32>, after: Option<String>) -> Result<PageRequest, Failure> {
        let parameters = [first.map(|first| ("limit".to_owned(), first.to_string())), after.map(|after| ("cursor".to_owned(), after))];
        let page: PageRequest = input::read_query(parameters.into_iter().flatten()).map_err(paged)?;
        self.charge(page.limit + limits::GRAPHQL_LIST_COST)?;
        Ok(page)
    }

    /// Counts what is read for one thing alone, or for a list.
    pub(crate) fn charge(&self, cost: usize) -> Result<(), Failure> {
        if self.cost.fetch_add(cost, Ordering::Relaxed) + cost > limits::GRAPHQL_COST {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too-costly", "The lists of the document ask for too much").into());
        }
        Ok(())
    }

    /// Says that the reply holds what nobody on its way may keep.
    pub(crate) fn show_once(&self) {
        self.shows_secret.store(true, Ordering::Relaxed);
    }

    /// Whether it does.
    pub(crate) fn shows_secret(&self) -> bool {
        self.shows_secret.load(Ordering::Relaxed)
    }
}

/// What a client calls by `text`; a text that is no id names nothing, as in a path.
pub(crate) fn id<T: PathId>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| Error::NotFound(T::KIND).into())
}

/// The versions that a change may be made to.
pub(crate) fn versions(if_version: Option<i32>) -> Precondition {
    match if_version {
        None => Precondition::None,
        // No version is negative, and so none matches.
        Some(version) => Precondition::OneOf(u64::try_from(version).into_iter().collect()),
    }
}

/// Reads the input of a use case.
pub(crate) fn read<T: Input>(members: impl IntoIterator<Item = (String, Value)>) -> Result<T, Failure> {
    Ok(input::read(members, Typing::Typed)?)
}

//! The queries and the mutations. Each calls the use case that the REST route calls.

use juniper::{EmptySubscription, RootNode, graphql_object};
use quire_app::{
    audit::AuditQuery,
    comments::{CommentPatch, CommentQuery, CommentStatusReplacement, ModerationQuery},
    notifications::UnsubscribeToken,
    one_time::{ResetToken, VerificationToken},
    posts::Found,
    users::RoleReplacement,
};
use quire_domain::{
    id::{ApiTokenId, CommentId, DeliveryId, PostId, SessionId, UserId},
    limits,
    post::PostName,
    revision::RevisionNumber,
};
use quire_edge::params::FollowerId;

use crate::{
    context::{Context, id, read, versions},
    failure::{Failure, paged},
    input::{
        Member, NewApiToken, NewComment, NewPost, NewSession, NewUser, NewWebhook, NotificationPreferencesInput, PostPatch, UserPatch, WebhookPatch,
        members,
    },
    types::{
        AccessToken, AuditEventConnection, Comment, CommentConnection, CommentDecision, CommentStatus, Delivery, Export, IssuedApiToken,
        IssuedWebhook, NotificationPreferences, PendingSecondFactor, Post, PostConnection, PostStatus, ReactionKind, RecoveryCodes, Revision,
        RevisionConnection, Role, SessionConnection, SignedIn, TagConnection, User, UserConnection, Webhook, WebhookConnection, WebhookSecret, shape,
    },
};

/// Queries and mutations; nothing is told as it happens.
pub(crate) type Schema = RootNode<Query, Mutation, EmptySubscription<Context>>;

/// The schema, with its limits.
pub(crate) fn schema(introspection: bool) -> Schema {
    let schema = Schema::new(Query, Mutation, EmptySubscription::new());
    let schema = schema.limit_depth(limits::GRAPHQL_DEPTH).limit_tokens(limits::GRAPHQL_TOKENS).limit_fields(limits::GRAPHQL_FIELDS);
    if introspection { schema } else { schema.disable_introspection() }
}

#[derive(Debug)]
pub(crate) struct Query;

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Query {
    /// The account of the caller; null for nobody in particular.
    async fn me(context: &Context) -> Result<Option<User>, Failure> {
        match context.call.principal.user_id() {
            Some(id) => User::by_id(context, id).await,
            None => Ok(None),
        }
    }

    /// An account.
    async fn user(context: &Context, id: juniper::ID) -> Result<Option<User>, Failure> {
        let id: UserId = self::id(&id)?;
        let missing = quire_app::Error::NotFound(quire_domain::error::Kind::User);
        Ok(Some(User::by_id(context, id).await?.ok_or(missing)?))
    }

    /// Accounts, newest first; for admins.
    async fn users(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        role: Option<Role>,
        is_active: Option<bool>,
    ) -> Result<Option<UserConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        let query = read::<quire_app::users::UserQuery>(members([("role", role.member()), ("isActive", is_active.member())]))?;
        let query = quire_app::users::UserQuery { page, ..query };
        UserConnection::of(context.cases.users.list(call, &query).await.map_err(paged)?).map(Some)
    }

    /// A post by its id or a slug that it has or had.
    async fn post(context: &Context, id: juniper::ID) -> Result<Option<Post>, Failure> {
        let mut name: PostName = self::id(&id)?;
        loop {
            match context.cases.posts.get(&context.call, &name).await? {
                Found::Post(post) => return Post::of(&post).map(Some),
                Found::Moved(slug) => name = PostName::Slug(slug),
            }
        }
    }

    /// Posts that the caller may see, newest first.
    async fn posts(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        author: Option<juniper::ID>,
        tag: Option<String>,
        status: Option<PostStatus>,
        language: Option<String>,
    ) -> Result<Option<PostConnection>, Failure> {
        let author = author.map(|author| author.to_string());
        let values = [("author", author.member()), ("tag", tag.member()), ("status", status.member()), ("language", language.member())];
        let filter = read(members(values))?;
        let page = context.page(first, after)?;
        PostConnection::of(context.cases.posts.list(&context.call, &filter, &page).await.map_err(paged)?).map(Some)
    }

    /// Published posts of those whom the caller follows, newest first.
    async fn feed(context: &Context, first: Option<i32>, after: Option<String>) -> Result<Option<PostConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        PostConnection::of(context.cases.feeds.read(call, &page).await.map_err(paged)?).map(Some)
    }

    /// Tags of published posts.
    async fn tags(context: &Context, first: Option<i32>, after: Option<String>) -> Result<Option<TagConnection>, Failure> {
        let page = context.page(first, after)?;
        TagConnection::of(context.cases.tags.list(&page).await.map_err(paged)?).map(Some)
    }

    /// A comment on a post.
    async fn comment(context: &Context, post_id: juniper::ID, id: juniper::ID) -> Result<Option<Comment>, Failure> {
        let (post, comment): (PostId, CommentId) = (self::id(&post_id)?, self::id(&id)?);
        Comment::of(&context.cases.comments.get(&context.call, post, comment).await?).map(Some)
    }

    /// The comments of a post that the caller may see, oldest first.
    async fn comments(
        context: &Context,
        post_id: juniper::ID,
        first: Option<i32>,
        after: Option<String>,
        status: Option<CommentStatus>,
    ) -> Result<Option<CommentConnection>, Failure> {
        let post: PostId = self::id(&post_id)?;
        let status = status.map(|status| shape(&status)).transpose()?;
        let query = CommentQuery { status, page: context.page(first, after)? };
        CommentConnection::of(context.cases.comments.list(&context.call, post, &query).await.map_err(paged)?).map(Some)
    }

    /// The comments of all posts that wait for a moderator, or that moderation has left with another status, oldest first.
    async fn moderation(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        status: Option<CommentStatus>,
    ) -> Result<Option<CommentConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        let query: ModerationQuery = read(status.and_then(|status| Some(("status".to_owned(), serde_json::to_value(status).ok()?))))?;
        let query = ModerationQuery { page, ..query };
        CommentConnection::of(context.cases.comments.list_moderation(call, &query).await.map_err(paged)?).map(Some)
    }

    /// The sessions of the caller, newest first.
    async fn sessions(context: &Context, first: Option<i32>, after: Option<String>) -> Result<Option<SessionConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        SessionConnection::of(context.cases.own_sessions.list(call, &page).await.map_err(paged)?).map(Some)
    }

    /// The versions of a post, newest first; for its author and for editors.
    async fn revisions(
        context: &Context,
        post_id: juniper::ID,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<RevisionConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        RevisionConnection::of(context.cases.posts.revisions(call, self::id(&post_id)?, &page).await.map_err(paged)?).map(Some)
    }

    /// A post as one of its versions was; for its author and for editors.
    async fn revision(context: &Context, post_id: juniper::ID, version: i32) -> Result<Option<Revision>, Failure> {
        let call = context.signed_in()?;
        let (post, number): (PostId, RevisionNumber) = (self::id(&post_id)?, id(&version.to_string())?);
        Revision::of(&context.cases.posts.revision(call, post, number).await?).map(Some)
    }

    /// A webhook; for admins.
    async fn webhook(context: &Context, id: juniper::ID) -> Result<Option<Webhook>, Failure> {
        let call = context.signed_in()?;
        Webhook::of(&context.cases.webhooks.get(call, self::id(&id)?).await?).map(Some)
    }

    /// All webhooks, newest first; for admins.
    async fn webhooks(context: &Context, first: Option<i32>, after: Option<String>) -> Result<Option<WebhookConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        WebhookConnection::of(context.cases.webhooks.list(call, &page).await.map_err(paged)?).map(Some)
    }

    /// The audit trail, newest first, or what of it is about an account, by an account, or of a type; for admins.
    async fn audit_events(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        subject: Option<juniper::ID>,
        actor: Option<juniper::ID>,
        #[graphql(name = "type")] kind: Option<String>,
    ) -> Result<Option<AuditEventConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        let text = |id: Option<juniper::ID>| id.map(|id| id.to_string()).member();
        let query: AuditQuery = read(members([("subject", text(subject)), ("actor", text(actor)), ("type", kind.member())]))?;
        let query = AuditQuery { page, ..query };
        AuditEventConnection::of(context.cases.audit.list(call, &query).await.map_err(paged)?).map(Some)
    }
}

#[derive(Debug)]
pub(crate) struct Mutation;

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Mutation {
    /// Opens an account.
    async fn register_user(context: &Context, input: NewUser, idempotency_key: Option<String>) -> Result<Option<User>, Failure> {
        let call = context.write(idempotency_key).await?;
        User::of(&context.cases.registrations.register(&call, read(input.members())?).await?).map(Some)
    }

    /// Changes an account.
    async fn update_user(context: &Context, id: juniper::ID, input: UserPatch, if_version: Option<i32>) -> Result<Option<User>, Failure> {
        let call = context.write_signed_in(None).await?;
        let edit = read(input.members())?;
        User::of(&context.cases.user_changes.edit(&call, self::id(&id)?, edit, versions(if_version)).await?).map(Some)
    }

    /// Gives an account other roles; for admins.
    async fn replace_user_roles(context: &Context, id: juniper::ID, roles: Vec<Role>, if_version: Option<i32>) -> Result<Option<User>, Failure> {
        let call = context.write_signed_in(None).await?;
        let RoleReplacement(roles) = read(members([("roles", roles.member())]))?;
        User::of(&context.cases.user_changes.assign_roles(&call, self::id(&id)?, roles, versions(if_version)).await?).map(Some)
    }

    /// Has an account erased.
    async fn delete_user(context: &Context, id: juniper::ID, if_version: Option<i32>) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        context.cases.user_changes.request_erasure(&call, self::id(&id)?, versions(if_version)).await?;
        Ok(Some(true))
    }

    /// Signs in.
    async fn create_session(context: &Context, input: NewSession) -> Result<Option<SignedIn>, Failure> {
        let call = context.write(None).await?;
        SignedIn::of(&context.cases.sign_in.create(&call, &context.client, read(input.members())?).await?).map(Some)
    }

    /// Gives a session its next tokens.
    async fn refresh_session(context: &Context, refresh_token: String) -> Result<Option<SignedIn>, Failure> {
        let call = context.write(None).await?;
        let input = read(members([("refreshToken", refresh_token.member())]))?;
        SignedIn::of(&context.cases.sessions.refresh(&call, &input).await?).map(Some)
    }

    /// Ends a session of the caller.
    async fn delete_session(context: &Context, id: juniper::ID) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        let id: SessionId = self::id(&id)?;
        context.cases.own_sessions.delete(&call, id).await?;
        Ok(Some(true))
    }

    /// Ends all sessions of the caller.
    async fn delete_sessions(context: &Context) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        context.cases.own_sessions.delete_all(&call).await?;
        Ok(Some(true))
    }

    /// Replaces the password of an account.
    async fn replace_password(
        context: &Context,
        user_id: juniper::ID,
        current_password: String,
        new_password: String,
    ) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        let input = read(members([("currentPassword", current_password.member()), ("newPassword", new_password.member())]))?;
        context.cases.passwords.replace(&call, self::id(&user_id)?, &input).await?;
        Ok(Some(true))
    }

    /// Has a token mailed that sets another password, if there is an account with the address.
    async fn create_password_reset(context: &Context, email: String) -> Result<Option<bool>, Failure> {
        let call = context.write(None).await?;
        context.cases.passwords.request_reset(&call, &read(members([("email", email.member())]))?).await?;
        Ok(Some(true))
    }

    /// Sets another password with a mailed token.
    async fn reset_password(context: &Context, token: String, password: String) -> Result<Option<bool>, Failure> {
        let call = context.write(None).await?;
        let token: ResetToken = id(&token)?;
        context.cases.passwords.reset(&call, &token, &read(members([("password", password.member())]))?).await?;
        Ok(Some(true))
    }

    /// Has a token mailed that verifies an address, if there is an account with it.
    async fn create_email_verification(context: &Context, email: String) -> Result<Option<bool>, Failure> {
        let call = context.write(None).await?;
        context.cases.verifications.request(&call, &read(members([("email", email.member())]))?).await?;
        Ok(Some(true))
    }

    /// Verifies an address with a mailed token.
    async fn verify_email(context: &Context, token: String) -> Result<Option<bool>, Failure> {
        let call = context.write(None).await?;
        let token: VerificationToken = id(&token)?;
        context.cases.verifications.complete(&call, &token).await?;
        Ok(Some(true))
    }

    /// Says which mails an account wants.
    async fn replace_notification_preferences(
        context: &Context,
        user_id: juniper::ID,
        input: NotificationPreferencesInput,
    ) -> Result<Option<NotificationPreferences>, Failure> {
        let call = context.write_signed_in(None).await?;
        let input = read(input.members())?;
        NotificationPreferences::of(&context.cases.notifications.replace(&call, self::id(&user_id)?, input).await?).map(Some)
    }

    /// Drafts a post.
    async fn create_post(context: &Context, input: NewPost, idempotency_key: Option<String>) -> Result<Option<Post>, Failure> {
        let call = context.write_signed_in(idempotency_key).await?;
        Post::of(&context.cases.posts.create(&call, read(input.members())?).await?).map(Some)
    }

    /// Changes a post; schedules, publishes or archives it.
    async fn update_post(context: &Context, id: juniper::ID, input: PostPatch, if_version: Option<i32>) -> Result<Option<Post>, Failure> {
        let call = context.write_signed_in(None).await?;
        let patch = read(input.members())?;
        Post::of(&context.cases.posts.update(&call, self::id(&id)?, patch, versions(if_version)).await?).map(Some)
    }

    /// Deletes a post.
    async fn delete_post(context: &Context, id: juniper::ID, if_version: Option<i32>) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        context.cases.posts.delete(&call, self::id(&id)?, versions(if_version)).await?;
        Ok(Some(true))
    }

    /// Comments on a post, or answers a comment.
    async fn create_comment(
        context: &Context,
        post_id: juniper::ID,
        input: NewComment,
        idempotency_key: Option<String>,
    ) -> Result<Option<Comment>, Failure> {
        let call = context.write_signed_in(idempotency_key).await?;
        let post: PostId = self::id(&post_id)?;
        Comment::of(&context.cases.comments.create(&call, post, read(input.members())?).await?).map(Some)
    }

    /// Changes the words of a comment.
    async fn update_comment(
        context: &Context,
        post_id: juniper::ID,
        id: juniper::ID,
        content: String,
        if_version: Option<i32>,
    ) -> Result<Option<Comment>, Failure> {
        let call = context.write_signed_in(None).await?;
        let place = (self::id(&post_id)?, self::id(&id)?);
        let patch: CommentPatch = read(members([("content", content.member())]))?;
        Comment::of(&context.cases.comments.edit(&call, place, patch, &versions(if_version)).await?).map(Some)
    }

    /// Takes a moderator's decision on a comment.
    async fn replace_comment_status(
        context: &Context,
        post_id: juniper::ID,
        id: juniper::ID,
        status: CommentDecision,
        if_version: Option<i32>,
    ) -> Result<Option<Comment>, Failure> {
        let call = context.write_signed_in(None).await?;
        let place = (self::id(&post_id)?, self::id(&id)?);
        let CommentStatusReplacement { status } = read(members([("status", status.member())]))?;
        Comment::of(&context.cases.comments.decide(&call, place, status, &versions(if_version)).await?).map(Some)
    }

    /// Deletes a comment; it keeps its place.
    async fn delete_comment(context: &Context, post_id: juniper::ID, id: juniper::ID, if_version: Option<i32>) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        let place = (self::id(&post_id)?, self::id(&id)?);
        context.cases.comments.delete(&call, place, &versions(if_version)).await?;
        Ok(Some(true))
    }

    /// Reacts to a post as the caller. With `onlyNew`, fails if the reaction is there.
    async fn put_reaction(context: &Context, post_id: juniper::ID, kind: ReactionKind, only_new: Option<bool>) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        context.cases.reactions.put(&call, self::id(&post_id)?, shape(&kind)?, only_new.unwrap_or_default()).await?;
        Ok(Some(true))
    }

    /// Takes a reaction of the caller back.
    async fn delete_reaction(context: &Context, post_id: juniper::ID, kind: ReactionKind) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        context.cases.reactions.delete(&call, self::id(&post_id)?, shape(&kind)?).await?;
        Ok(Some(true))
    }

    /// Makes an account follow another. With `onlyNew`, fails if it does already.
    async fn put_follower(
        context: &Context,
        user_id: juniper::ID,
        follower_id: juniper::ID,
        only_new: Option<bool>,
    ) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        let (user, FollowerId(follower)) = (self::id(&user_id)?, self::id(&follower_id)?);
        context.cases.follows.follow(&call, user, follower, only_new.unwrap_or_default()).await?;
        Ok(Some(true))
    }

    /// Makes an account no longer follow another.
    async fn delete_follower(context: &Context, user_id: juniper::ID, follower_id: juniper::ID) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        let (user, FollowerId(follower)) = (self::id(&user_id)?, self::id(&follower_id)?);
        context.cases.follows.unfollow(&call, user, follower).await?;
        Ok(Some(true))
    }

    /// Makes an API token of the caller's account.
    async fn create_api_token(context: &Context, user_id: juniper::ID, input: NewApiToken) -> Result<Option<IssuedApiToken>, Failure> {
        let call = context.write_signed_in(None).await?;
        let token = context.cases.api_token_creation.create(&call, self::id(&user_id)?, read(input.members())?).await?;
        IssuedApiToken::of(&token).map(Some)
    }

    /// Revokes an API token.
    async fn delete_api_token(context: &Context, user_id: juniper::ID, id: juniper::ID) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        let (user, token): (_, ApiTokenId) = (self::id(&user_id)?, self::id(&id)?);
        context.cases.api_tokens.revoke(&call, user, token).await?;
        Ok(Some(true))
    }

    /// Gives an access token in exchange for an API token.
    async fn create_access_token(context: &Context, api_token: String) -> Result<Option<AccessToken>, Failure> {
        let call = context.write(None).await?;
        AccessToken::of(&context.cases.access_tokens.exchange(&call, read(members([("apiToken", api_token.member())]))?).await?).map(Some)
    }

    /// Makes the secret of a second factor, which waits for its first code.
    async fn create_second_factor(context: &Context, user_id: juniper::ID, password: String) -> Result<Option<PendingSecondFactor>, Failure> {
        let call = context.write_signed_in(None).await?;
        let input = read(members([("password", password.member())]))?;
        PendingSecondFactor::of(&context.cases.second_factor_changes.start(&call, self::id(&user_id)?, input).await?).map(Some)
    }

    /// Turns the second factor on, by its first code.
    async fn confirm_second_factor(context: &Context, user_id: juniper::ID, code: String) -> Result<Option<RecoveryCodes>, Failure> {
        let call = context.write_signed_in(None).await?;
        let input = read(members([("code", code.member())]))?;
        RecoveryCodes::of(&context.cases.second_factor_changes.confirm(&call, self::id(&user_id)?, input).await?).map(Some)
    }

    /// Turns the second factor off.
    async fn remove_second_factor(context: &Context, user_id: juniper::ID, password: String, code: String) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        let input = read(members([("password", password.member()), ("code", code.member())]))?;
        context.cases.second_factor_changes.remove(&call, self::id(&user_id)?, input).await?;
        Ok(Some(true))
    }

    /// Lets an account at another provider no more sign in to this one.
    async fn unlink_identity(context: &Context, user_id: juniper::ID, provider: String) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        context.cases.identities.unlink(&call, self::id(&user_id)?, id(&provider)?).await?;
        Ok(Some(true))
    }

    /// Ends mail of one kind by the token of a link in it.
    async fn unsubscribe(context: &Context, token: String) -> Result<Option<bool>, Failure> {
        let call = context.write(None).await?;
        let token: UnsubscribeToken = id(&token)?;
        context.cases.notifications.unsubscribe(&call, &token).await?;
        Ok(Some(true))
    }

    /// Asks for a copy of all that the caller's account owns.
    async fn create_export(context: &Context, user_id: juniper::ID, idempotency_key: Option<String>) -> Result<Option<Export>, Failure> {
        let call = context.write_signed_in(idempotency_key).await?;
        Export::of(&context.cases.export_requests.request(&call, self::id(&user_id)?).await?).map(Some)
    }

    /// Makes a webhook.
    async fn create_webhook(context: &Context, input: NewWebhook) -> Result<Option<IssuedWebhook>, Failure> {
        let call = context.write_signed_in(None).await?;
        IssuedWebhook::of(&context.cases.webhook_secrets.create(&call, read(input.members())?).await?).map(Some)
    }

    /// Changes a webhook, or switches it on or off.
    async fn update_webhook(context: &Context, id: juniper::ID, input: WebhookPatch, if_version: Option<i32>) -> Result<Option<Webhook>, Failure> {
        let call = context.write_signed_in(None).await?;
        let patch = read(input.members())?;
        Webhook::of(&context.cases.webhooks.update(&call, self::id(&id)?, patch, versions(if_version)).await?).map(Some)
    }

    /// Removes a webhook; it is told nothing more.
    async fn delete_webhook(context: &Context, id: juniper::ID, if_version: Option<i32>) -> Result<Option<bool>, Failure> {
        let call = context.write_signed_in(None).await?;
        context.cases.webhooks.delete(&call, self::id(&id)?, versions(if_version)).await?;
        Ok(Some(true))
    }

    /// Makes another secret of a webhook; the one before stays good for a day.
    async fn rotate_webhook_secret(context: &Context, id: juniper::ID) -> Result<Option<WebhookSecret>, Failure> {
        let call = context.write_signed_in(None).await?;
        WebhookSecret::of(&context.cases.webhook_secrets.rotate(&call, self::id(&id)?).await?).map(Some)
    }

    /// Has a test sent to a webhook.
    async fn ping_webhook(context: &Context, id: juniper::ID, idempotency_key: Option<String>) -> Result<Option<Delivery>, Failure> {
        let call = context.write_signed_in(idempotency_key).await?;
        Delivery::of(&context.cases.webhooks.ping(&call, self::id(&id)?).await?).map(Some)
    }

    /// Has a delivery tried once more.
    async fn repeat_webhook_delivery(
        context: &Context,
        webhook_id: juniper::ID,
        id: juniper::ID,
        idempotency_key: Option<String>,
    ) -> Result<Option<Delivery>, Failure> {
        let call = context.write_signed_in(idempotency_key).await?;
        let (webhook, delivery): (_, DeliveryId) = (self::id(&webhook_id)?, self::id(&id)?);
        Delivery::of(&context.cases.webhooks.repeat(&call, webhook, delivery).await?).map(Some)
    }
}

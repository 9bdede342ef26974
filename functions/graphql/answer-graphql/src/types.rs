//! What clients see: the views of the use cases, and what leads from one to another.

use std::sync::Arc;

use juniper::{GraphQLEnum, GraphQLObject, GraphQLScalar, ID, graphql_object};
use quire_app::{page::PageView, webhooks::IssuedWebhookView};
use quire_domain::{
    id::{PostId, UserId},
    limits,
};
use quire_edge::params::PathId;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    context::{Context, id, read},
    failure::{Failure, paged},
    input::{Member, members},
};

/// A time as RFC 3339 says it, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, GraphQLScalar)]
#[graphql(transparent, specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
pub(crate) struct DateTime(pub(crate) String);

macro_rules! names {
    ($($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $value:ident,)* })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, GraphQLEnum)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum $name {
            $($(#[$what])* $value,)*
        }
    )*};
}

names! {
    /// What an account may do.
    Role {
        /// Reads and reacts.
        Reader,
        /// Comments.
        Commenter,
        /// Writes posts.
        Author,
        /// Edits the posts of others and moderates.
        Editor,
        /// Manages accounts.
        Admin,
    }

    /// Where a post is on its way.
    PostStatus {
        /// Not to be seen by others yet.
        Draft,
        /// To be published at a time.
        Scheduled,
        /// Seen by everybody.
        Published,
        /// Seen by nobody else any more.
        Archived,
    }

    /// What has become of a comment.
    CommentStatus {
        /// Not moderated yet.
        Pending,
        /// Seen by everybody.
        Approved,
        /// Waits for a moderator.
        Held,
        /// Refused by a moderator.
        Rejected,
        /// Without its author and its text.
        Deleted,
    }

    /// What a moderator makes of a comment.
    CommentDecision {
        /// Everybody may see it.
        Approved,
        /// It waits for another look.
        Held,
        /// It stays unseen.
        Rejected,
    }

    /// A way to react.
    ReactionKind {
        /// It is good.
        Like,
        /// It is very good.
        Love,
        /// It is funny.
        Laugh,
        /// It teaches something.
        Insightful,
        /// It is sad.
        Sad,
    }

    /// How far an export is.
    ExportStatus {
        /// It was asked for.
        Requested,
        /// It can be fetched.
        Ready,
        /// It became too large.
        Failed,
    }

    /// Why a webhook is told nothing, if nobody switched it off.
    WebhookPauseReason {
        /// It said that it is gone (410).
        Gone,
        /// It did not answer well for long.
        Failing,
    }

    /// What became of a delivery.
    DeliveryStatus {
        /// It is tried, or tried again.
        Pending,
        /// The webhook took it.
        Delivered,
        /// It was tried for the last time.
        Failed,
        /// Its webhook was switched off before.
        Cancelled,
    }

    /// Why a webhook gave no reply.
    DeliveryFailure {
        /// The name leads nowhere.
        Unresolved,
        /// The name leads to an address that is not asked.
        AddressRefused,
        /// Nobody takes connections there.
        Unreachable,
        /// Its certificate proves nothing, or it speaks no TLS.
        TlsFailed,
        /// It took too long.
        TimedOut,
        /// It ended the connection, or what it said is no HTTP.
        NoReply,
    }
}

/// What a use case shows, as the object of the schema that has the same members.
pub(crate) fn shape<T: DeserializeOwned>(view: &impl Serialize) -> Result<T, Failure> {
    let value = serde_json::to_value(view).and_then(serde_json::from_value);
    Ok(value.map_err(|error| quire_app::Error::internal("writing a reply", error))?)
}

/// Counts and versions; nothing here is counted so far that it does not fit.
fn number(value: &Value) -> i32 {
    value.as_u64().and_then(|number| i32::try_from(number).ok()).unwrap_or(i32::MAX)
}

/// An object whose members are read as they are asked for.
#[derive(Debug, Clone)]
struct Members(Arc<Value>);

impl Members {
    fn of(view: &impl Serialize) -> Result<Self, Failure> {
        shape(view).map(|value| Self(Arc::new(value)))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0[name].as_str().map(str::to_owned)
    }

    fn needed(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    fn time(&self, name: &str) -> Option<DateTime> {
        self.text(name).map(DateTime)
    }

    fn shaped<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        shape(&self.0[name])
    }

    fn id<T: PathId>(&self, name: &str) -> Result<T, Failure> {
        id(self.0[name].as_str().unwrap_or_default())
    }
}

/// Where a page of a list stands, as the Cursor Connections Specification of Relay has it.
#[derive(Debug, GraphQLObject)]
pub(crate) struct PageInfo {
    /// Whether there may be more.
    has_next_page: bool,
    /// False: pages go forward alone.
    has_previous_page: bool,
    /// Where its first edge stands; null where there is none.
    start_cursor: Option<String>,
    /// What `after` takes to go on. A page that a filter left empty has one as well, if there may be more.
    end_cursor: Option<String>,
}

impl PageInfo {
    fn of<T>(page: &PageView<T>) -> Self {
        Self {
            has_next_page: page.next_cursor.is_some(),
            has_previous_page: false,
            start_cursor: page.cursors.first().cloned(),
            end_cursor: page.next_cursor.as_ref().or(page.cursors.last()).cloned(),
        }
    }
}

macro_rules! connections {
    ($($(#[$about:meta])* $name:ident of $node:ident by $edge:ident,)*) => {$(
        /// One on a page.
        #[derive(Debug, GraphQLObject)]
        #[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
        pub(crate) struct $edge {
            /// What `after` takes to go on behind it.
            cursor: String,
            /// What stands there.
            node: $node,
        }

        $(#[$about])*
        #[derive(Debug, GraphQLObject)]
        #[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
        pub(crate) struct $name {
            /// What is on the page, each with its cursor.
            edges: Vec<$edge>,
            /// The same without cursors.
            nodes: Vec<$node>,
            /// Where the page stands.
            page_info: PageInfo,
        }

        impl $name {
            pub(crate) fn of<T: Serialize>(page: PageView<T>) -> Result<Self, Failure> {
                let page_info = PageInfo::of(&page);
                let nodes = page.items.iter().map($node::of).collect::<Result<Vec<_>, _>>()?;
                let edges = page.cursors.into_iter().zip(nodes.iter().cloned()).map(|(cursor, node)| $edge { cursor, node });
                Ok(Self { edges: edges.collect(), nodes, page_info })
            }
        }
    )*};
}

connections! {
    /// A page of accounts.
    UserConnection of User by UserEdge,
    /// A page of posts.
    PostConnection of Post by PostEdge,
    /// A page of comments.
    CommentConnection of Comment by CommentEdge,
    /// A page of followers, or of who is followed.
    FollowConnection of Follow by FollowEdge,
    /// A page of reactions.
    ReactionConnection of Reaction by ReactionEdge,
    /// A page of tags.
    TagConnection of Tag by TagEdge,
    /// A page of sessions.
    SessionConnection of Session by SessionEdge,
    /// A page of API tokens.
    ApiTokenConnection of ApiToken by ApiTokenEdge,
    /// A page of the versions of a post.
    RevisionConnection of Revision by RevisionEdge,
    /// A page of webhooks.
    WebhookConnection of Webhook by WebhookEdge,
    /// A page of deliveries.
    DeliveryConnection of Delivery by DeliveryEdge,
    /// A page of the audit trail.
    AuditEventConnection of AuditEvent by AuditEventEdge,
}

macro_rules! shaped {
    ($($name:ident),*) => {$(
        impl $name {
            pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
                shape(view)
            }
        }
    )*};
}

shaped!(
    Tag,
    Session,
    SignedIn,
    NotificationPreferences,
    ApiToken,
    IssuedApiToken,
    AccessToken,
    SecondFactor,
    PendingSecondFactor,
    RecoveryCodes,
    Identity,
    Export,
    Delivery,
    WebhookSecret
);

/// An account.
#[derive(Debug, Clone)]
pub(crate) struct User(Members);

impl User {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }

    /// An account by its id, in one batch with the others of its level.
    pub(crate) async fn by_id(context: &Context, id: UserId) -> Result<Option<Self>, Failure> {
        context.user.load(id).await?.as_ref().map(Self::of).transpose()
    }

    fn user_id(&self) -> Result<UserId, Failure> {
        self.0.id("userId")
    }
}

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl User {
    /// Names the account.
    fn id(&self) -> ID {
        self.0.needed("userId").into()
    }

    /// How it wants to be called, or else its username.
    fn name(&self) -> String {
        self.0.text("displayName").unwrap_or_else(|| self.0.needed("username"))
    }

    /// Unique among all accounts.
    fn username(&self) -> String {
        self.0.needed("username")
    }

    /// How it wants to be called.
    fn display_name(&self) -> Option<String> {
        self.0.text("displayName")
    }

    /// Its address, for the account itself and for admins; null for others.
    fn email(&self) -> Option<String> {
        self.0.text("email")
    }

    /// Whether it has shown that the address is its own; null for others.
    fn email_verified(&self) -> Option<bool> {
        self.0.0["emailVerified"].as_bool()
    }

    /// What it says of itself.
    fn bio(&self) -> Option<String> {
        self.0.text("bio")
    }

    /// Whether it may sign in.
    fn is_active(&self) -> bool {
        self.0.0["isActive"].as_bool().unwrap_or_default()
    }

    /// What it may do.
    fn roles(&self) -> Result<Vec<Role>, Failure> {
        self.0.shaped("roles")
    }

    /// When it was registered.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.needed("createdAt"))
    }

    /// When it last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.needed("updatedAt"))
    }

    /// Counts changes, from 1.
    fn version(&self) -> i32 {
        number(&self.0.0["version"])
    }

    /// Its newest posts that the caller may see.
    async fn posts(&self, context: &Context, first: Option<i32>) -> Result<Vec<Post>, Failure> {
        let filter = read(members([("author", Some(self.0.0["userId"].clone()))]))?;
        let page = context.cases.posts.list(&context.call, &filter, &context.page(first, None)?).await?;
        page.items.iter().map(Post::of).collect()
    }

    /// Its posts that the caller may see, newest first, page by page.
    async fn post_connection(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        status: Option<PostStatus>,
    ) -> Result<PostConnection, Failure> {
        let filter = read(members([("author", Some(self.0.0["userId"].clone())), ("status", status.member())]))?;
        PostConnection::of(context.cases.posts.list(&context.call, &filter, &context.page(first, after)?).await.map_err(paged)?)
    }

    /// Who follows it, newest first.
    async fn followers(&self, context: &Context, first: Option<i32>, after: Option<String>) -> Result<FollowConnection, Failure> {
        let page = context.page(first, after)?;
        FollowConnection::of(context.cases.follows.followers(self.user_id()?, &page).await.map_err(paged)?)
    }

    /// Whom it follows, newest first.
    async fn following(&self, context: &Context, first: Option<i32>, after: Option<String>) -> Result<FollowConnection, Failure> {
        let page = context.page(first, after)?;
        FollowConnection::of(context.cases.follows.following(self.user_id()?, &page).await.map_err(paged)?)
    }

    /// Which mails it wants; for the account itself.
    async fn notification_preferences(&self, context: &Context) -> Result<Option<NotificationPreferences>, Failure> {
        let call = context.signed_in()?;
        context.charge(limits::GRAPHQL_LIST_COST)?;
        NotificationPreferences::of(&context.cases.notifications.preferences(call, self.user_id()?).await?).map(Some)
    }

    /// Its API tokens, newest first; for the account itself and for admins.
    async fn api_tokens(&self, context: &Context, first: Option<i32>, after: Option<String>) -> Result<Option<ApiTokenConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        ApiTokenConnection::of(context.cases.api_tokens.list(call, self.user_id()?, &page).await.map_err(paged)?).map(Some)
    }

    /// Whether its second factor is on; for the account itself.
    async fn second_factor(&self, context: &Context) -> Result<Option<SecondFactor>, Failure> {
        let call = context.signed_in()?;
        context.charge(limits::GRAPHQL_LIST_COST)?;
        SecondFactor::of(&context.cases.second_factor_views.get(call, self.user_id()?).await?).map(Some)
    }

    /// The accounts at other providers that sign in to it; for the account itself.
    async fn identities(&self, context: &Context) -> Result<Option<Vec<Identity>>, Failure> {
        let call = context.signed_in()?;
        context.charge(limits::GRAPHQL_LIST_COST)?;
        let identities = context.cases.identities.list(call, self.user_id()?).await?;
        identities.items.iter().map(Identity::of).collect::<Result<_, _>>().map(Some)
    }

    /// A copy of all that it owns that was asked for; for the account itself. Its address is a secret, and good for minutes.
    async fn export(&self, context: &Context, id: ID) -> Result<Option<Export>, Failure> {
        let call = context.signed_in()?;
        context.charge(limits::GRAPHQL_LIST_COST)?;
        let export = context.cases.exports.get(call, self.user_id()?, self::id(&id)?).await?;
        context.show_once();
        Export::of(&export).map(Some)
    }
}

/// A post.
#[derive(Debug, Clone)]
pub(crate) struct Post(Members);

impl Post {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }

    /// A post by its id, in one batch with the others of its level.
    pub(crate) async fn by_id(context: &Context, id: PostId) -> Result<Option<Self>, Failure> {
        context.post.load(id).await?.as_ref().map(Self::of).transpose()
    }

    fn post_id(&self) -> Result<PostId, Failure> {
        self.0.id("postId")
    }

    /// With what lists leave out.
    async fn whole(&self, context: &Context) -> Result<Self, Failure> {
        if self.0.0.get("content").is_some() {
            return Ok(self.clone());
        }
        let missing = quire_app::Error::NotFound(PostId::KIND);
        Ok(Self::by_id(context, self.post_id()?).await?.ok_or(missing)?)
    }
}

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Post {
    /// Names the post.
    fn id(&self) -> ID {
        self.0.needed("postId").into()
    }

    /// Who wrote it.
    fn author_id(&self) -> ID {
        self.0.needed("authorId").into()
    }

    /// Who wrote it; null if the account is gone.
    async fn author(&self, context: &Context) -> Result<Option<User>, Failure> {
        User::by_id(context, self.0.id("authorId")?).await
    }

    /// One line.
    fn title(&self) -> String {
        self.0.needed("title")
    }

    /// Markdown.
    async fn content(&self, context: &Context) -> Result<Option<String>, Failure> {
        Ok(self.whole(context).await?.0.text("content"))
    }

    /// The content as HTML that is safe to show.
    async fn content_html(&self, context: &Context) -> Result<Option<String>, Failure> {
        Ok(self.whole(context).await?.0.text("content").map(|content| quire_markdown::to_html(&content)))
    }

    /// What it is about.
    fn excerpt(&self) -> Option<String> {
        self.0.text("excerpt")
    }

    /// Unique among all posts.
    fn slug(&self) -> String {
        self.0.needed("slug")
    }

    /// What it is listed under.
    fn tags(&self) -> Result<Vec<String>, Failure> {
        self.0.shaped("tags")
    }

    /// A picture.
    fn cover_url(&self) -> Option<String> {
        self.0.text("coverUrl")
    }

    /// What it is written in.
    fn language(&self) -> Option<String> {
        self.0.text("language")
    }

    /// The original, where the post appeared elsewhere first.
    fn canonical_url(&self) -> Option<String> {
        self.0.text("canonicalUrl")
    }

    /// Where it is on its way.
    fn status(&self) -> Result<PostStatus, Failure> {
        self.0.shaped("status")
    }

    /// When it is to be published; only while it is scheduled.
    fn publish_at(&self) -> Option<DateTime> {
        self.0.time("publishAt")
    }

    /// When it was drafted.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.needed("createdAt"))
    }

    /// When it last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.needed("updatedAt"))
    }

    /// When it was published first.
    fn published_at(&self) -> Option<DateTime> {
        self.0.time("publishedAt")
    }

    /// Counts changes, from 1.
    fn version(&self) -> i32 {
        number(&self.0.0["version"])
    }

    /// Approved comments.
    async fn comment_count(&self, context: &Context) -> Result<Option<i32>, Failure> {
        Ok(Some(number(&self.whole(context).await?.0.0["commentCount"])))
    }

    /// The kinds of reactions that somebody gave.
    async fn reactions(&self, context: &Context) -> Result<Option<Vec<ReactionCount>>, Failure> {
        self.whole(context).await?.0.shaped("reactions").map(Some)
    }

    /// Who reacted, newest first.
    async fn reaction_connection(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        kind: Option<ReactionKind>,
    ) -> Result<Option<ReactionConnection>, Failure> {
        let page = context.page(first, after)?;
        let kind = kind.map(|kind| shape(&kind)).transpose()?;
        let query = quire_app::reactions::ReactionQuery { kind, page };
        ReactionConnection::of(context.cases.reactions.list(&context.call, self.post_id()?, &query).await.map_err(paged)?).map(Some)
    }

    /// Its first comments that the caller may see.
    async fn comments(&self, context: &Context, first: Option<i32>) -> Result<Vec<Comment>, Failure> {
        let page = context.page(first, None)?;
        let comments = context.comments.load((self.post_id()?, page.limit)).await?;
        comments.iter().flat_map(|page| &page.items).map(Comment::of).collect()
    }

    /// Its comments that the caller may see, oldest first, page by page.
    async fn comment_connection(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        status: Option<CommentStatus>,
    ) -> Result<Option<CommentConnection>, Failure> {
        let page = context.page(first, after)?;
        let status = status.map(|status| shape(&status)).transpose()?;
        let query = quire_app::comments::CommentQuery { status, page };
        CommentConnection::of(context.cases.comments.list(&context.call, self.post_id()?, &query).await.map_err(paged)?).map(Some)
    }

    /// Its versions, newest first; for its author and for editors.
    async fn revisions(&self, context: &Context, first: Option<i32>, after: Option<String>) -> Result<Option<RevisionConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        RevisionConnection::of(context.cases.posts.revisions(call, self.post_id()?, &page).await.map_err(paged)?).map(Some)
    }

    /// The post as one of its versions was; for its author and for editors.
    async fn revision(&self, context: &Context, version: i32) -> Result<Option<Revision>, Failure> {
        let call = context.signed_in()?;
        context.charge(limits::GRAPHQL_LIST_COST)?;
        Revision::of(&context.cases.posts.revision(call, self.post_id()?, id(&version.to_string())?).await?).map(Some)
    }
}

/// A comment.
#[derive(Debug, Clone)]
pub(crate) struct Comment(Members);

impl Comment {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }
}

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Comment {
    /// Names the comment.
    fn id(&self) -> ID {
        self.0.needed("commentId").into()
    }

    /// The post it is on.
    fn post_id(&self) -> ID {
        self.0.needed("postId").into()
    }

    /// The post it is on.
    async fn post(&self, context: &Context) -> Result<Option<Post>, Failure> {
        Post::by_id(context, self.0.id("postId")?).await
    }

    /// Who wrote it; null if it is deleted.
    async fn author(&self, context: &Context) -> Result<Option<User>, Failure> {
        match self.0.text("authorId") {
            Some(author) => User::by_id(context, id(&author)?).await,
            None => Ok(None),
        }
    }

    /// The comment that it answers.
    fn parent_id(&self) -> Option<ID> {
        self.0.text("parentId").map(ID::from)
    }

    /// How many comments are above it.
    fn depth(&self) -> i32 {
        number(&self.0.0["depth"])
    }

    /// What it says; null if it is deleted.
    fn content(&self) -> Option<String> {
        self.0.text("content")
    }

    /// What has become of it.
    fn status(&self) -> Result<CommentStatus, Failure> {
        self.0.shaped("status")
    }

    /// When it was written.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.needed("createdAt"))
    }

    /// When it last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.needed("updatedAt"))
    }

    /// Counts changes, from 1.
    fn version(&self) -> i32 {
        number(&self.0.0["version"])
    }
}

/// Somebody who follows somebody.
#[derive(Debug, Clone)]
pub(crate) struct Follow(Members);

impl Follow {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }
}

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Follow {
    /// Who is followed.
    async fn user(&self, context: &Context) -> Result<Option<User>, Failure> {
        User::by_id(context, self.0.id("userId")?).await
    }

    /// Who follows.
    async fn follower(&self, context: &Context) -> Result<Option<User>, Failure> {
        User::by_id(context, self.0.id("followerId")?).await
    }

    /// Since when.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.needed("createdAt"))
    }
}

/// What somebody did with a post.
#[derive(Debug, Clone)]
pub(crate) struct Reaction(Members);

impl Reaction {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }
}

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Reaction {
    /// Who reacted.
    async fn user(&self, context: &Context) -> Result<Option<User>, Failure> {
        User::by_id(context, self.0.id("userId")?).await
    }

    /// How.
    fn kind(&self) -> Result<ReactionKind, Failure> {
        self.0.shaped("kind")
    }

    /// When.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.needed("createdAt"))
    }
}

/// How many reacted to a post in one way.
#[derive(Debug, Deserialize, GraphQLObject)]
pub(crate) struct ReactionCount {
    /// How.
    kind: ReactionKind,
    /// From 1.
    count: i32,
}

/// A tag of published posts.
#[derive(Debug, Clone, Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tag {
    /// The tag.
    tag: String,
    /// Published posts that have it.
    post_count: i32,
}

/// A session of the caller.
#[derive(Debug, Clone, Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    /// Names the session.
    #[graphql(name = "id")]
    session_id: String,
    /// What the client said it was.
    #[serde(default)]
    device: Option<String>,
    /// Whether the request came in it.
    is_current: bool,
    /// When it began.
    created_at: DateTime,
    /// When it was last given tokens.
    last_used_at: DateTime,
    /// When it ends unless it is used before.
    refresh_expires_at: DateTime,
    /// When it ends, however much it is used.
    expires_at: DateTime,
}

/// The tokens of a session, shown once.
#[derive(Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedIn {
    /// Names the session.
    session_id: String,
    /// The account.
    user_id: String,
    /// A bearer token (RFC 6750).
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds that the token is valid.
    expires_in: i32,
    /// What gives the next tokens, once.
    refresh_token: String,
    /// When the session ends unless its refresh token is used before.
    refresh_expires_at: DateTime,
    /// When the session began.
    created_at: DateTime,
    /// When the session ends, however much it is used.
    expires_at: DateTime,
}

/// Which mails an account wants.
#[derive(Debug, Deserialize, GraphQLObject)]
pub(crate) struct NotificationPreferences {
    /// Comments on its posts, and answers to its comments.
    comments: bool,
    /// New followers.
    followers: bool,
}

/// A version of a post.
#[derive(Debug, Clone)]
pub(crate) struct Revision(Members);

impl Revision {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }
}

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Revision {
    /// The post.
    fn post_id(&self) -> ID {
        self.0.needed("postId").into()
    }

    /// Which version it was.
    fn version(&self) -> i32 {
        number(&self.0.0["version"])
    }

    /// Who wrote it; null if the account is gone.
    async fn author(&self, context: &Context) -> Result<Option<User>, Failure> {
        User::by_id(context, self.0.id("authorId")?).await
    }

    /// One line.
    fn title(&self) -> String {
        self.0.needed("title")
    }

    /// Markdown; null in lists, which leave it out.
    fn content(&self) -> Option<String> {
        self.0.text("content")
    }

    /// What it is about.
    fn excerpt(&self) -> Option<String> {
        self.0.text("excerpt")
    }

    /// What it was listed under.
    fn tags(&self) -> Result<Vec<String>, Failure> {
        self.0.shaped("tags")
    }

    /// What it is written in.
    fn language(&self) -> Option<String> {
        self.0.text("language")
    }

    /// When this version was written.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.needed("updatedAt"))
    }
}

/// An API token, without what it says.
#[derive(Debug, Clone, Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiToken {
    /// Names the token.
    #[graphql(name = "id")]
    token_id: String,
    /// What it is for.
    name: String,
    /// What it may do, such as `posts:read`.
    scopes: Vec<String>,
    /// When it was made.
    created_at: DateTime,
    /// When it was last exchanged, to the hour.
    #[serde(default)]
    last_used_at: Option<DateTime>,
    /// When it ends.
    #[serde(default)]
    expires_at: Option<DateTime>,
}

/// A new API token, shown once with what it says.
#[derive(Deserialize, GraphQLObject)]
pub(crate) struct IssuedApiToken {
    /// What is shown of it later.
    #[serde(flatten)]
    api_token: ApiToken,
    /// What it says.
    token: String,
}

/// An access token in exchange for an API token.
#[derive(Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccessToken {
    /// A bearer token (RFC 6750).
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds that the token is valid.
    expires_in: i32,
    /// What it may do, separated by spaces.
    scope: String,
}

/// Whether a second factor is on.
#[derive(Debug, Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecondFactor {
    /// Whether it is.
    is_enabled: bool,
    /// Since when.
    #[serde(default)]
    enabled_at: Option<DateTime>,
    /// Recovery codes that were not used.
    recovery_codes_left: i32,
}

/// A new second factor, shown once, which waits for its first code.
#[derive(Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PendingSecondFactor {
    /// The secret, in Base32.
    secret: String,
    /// The same for an authenticator app (`otpauth:`).
    uri: String,
    /// Until when it waits.
    expires_at: DateTime,
}

/// What stands in for the second factor, once each; shown once.
#[derive(Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoveryCodes {
    /// The codes.
    recovery_codes: Vec<String>,
}

/// An account at another provider that signs in to this one.
#[derive(Debug, Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// The provider.
    provider: String,
    /// Since when.
    linked_at: DateTime,
}

/// A copy of all that an account owns.
#[derive(Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    /// Names the export.
    #[graphql(name = "id")]
    export_id: String,
    /// How far it is.
    status: ExportStatus,
    /// When it was asked for.
    requested_at: DateTime,
    /// When it was there.
    #[serde(default)]
    ready_at: Option<DateTime>,
    /// When it is over.
    expires_at: DateTime,
    /// Bytes of the document, compressed.
    #[serde(default)]
    size: Option<i32>,
    /// Where it is; whoever has the address gets it.
    #[serde(default)]
    url: Option<String>,
    /// Until when it is there.
    #[serde(default)]
    url_expires_at: Option<DateTime>,
}

/// Who is told of events.
#[derive(Debug, Clone)]
pub(crate) struct Webhook(Members);

impl Webhook {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }
}

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl Webhook {
    /// Names the webhook.
    fn id(&self) -> ID {
        self.0.needed("webhookId").into()
    }

    /// Where it is.
    fn url(&self) -> String {
        self.0.needed("url")
    }

    /// What it is told of, such as `post.published`.
    fn event_types(&self) -> Result<Vec<String>, Failure> {
        self.0.shaped("eventTypes")
    }

    /// What it is for.
    fn description(&self) -> Option<String> {
        self.0.text("description")
    }

    /// Whether it is told anything.
    fn is_active(&self) -> bool {
        self.0.0["isActive"].as_bool().unwrap_or_default()
    }

    /// Why it is not, if nobody switched it off.
    fn pause_reason(&self) -> Result<Option<WebhookPauseReason>, Failure> {
        self.0.shaped("pauseReason")
    }

    /// Who made it; null if the account is gone.
    async fn created_by(&self, context: &Context) -> Result<Option<User>, Failure> {
        User::by_id(context, self.0.id("createdBy")?).await
    }

    /// When it was made.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.needed("createdAt"))
    }

    /// When it last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.needed("updatedAt"))
    }

    /// Counts changes, from 1.
    fn version(&self) -> i32 {
        number(&self.0.0["version"])
    }

    /// What it was told, newest first.
    async fn deliveries(&self, context: &Context, first: Option<i32>, after: Option<String>) -> Result<Option<DeliveryConnection>, Failure> {
        let call = context.signed_in()?;
        let page = context.page(first, after)?;
        DeliveryConnection::of(context.cases.webhooks.deliveries(call, self.0.id("webhookId")?, &page).await.map_err(paged)?).map(Some)
    }
}

/// A new webhook, shown once with its secret.
#[derive(GraphQLObject)]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
pub(crate) struct IssuedWebhook {
    /// What is shown of it later.
    webhook: Webhook,
    /// What its requests are signed with.
    secret: String,
}

impl IssuedWebhook {
    pub(crate) fn of(view: &IssuedWebhookView) -> Result<Self, Failure> {
        Ok(Self { webhook: Webhook::of(&view.shown)?, secret: view.secret.expose_secret().to_owned() })
    }
}

/// Another secret of a webhook, shown once.
#[derive(Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookSecret {
    /// What its requests are signed with from now on.
    secret: String,
    /// Until when they are signed with the one before, too.
    #[serde(default)]
    former_until: Option<DateTime>,
}

/// What a webhook was told, or is to be.
#[derive(Debug, Clone, Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// Names the delivery: `webhook-id` of its requests.
    #[graphql(name = "id")]
    delivery_id: String,
    /// What the webhook is told of, such as `post.published`.
    event_type: String,
    /// What became of it.
    status: DeliveryStatus,
    /// When it was made.
    created_at: DateTime,
    /// When it is tried next.
    #[serde(default)]
    next_attempt_at: Option<DateTime>,
    /// The newest attempts, oldest first.
    attempts: Vec<DeliveryAttempt>,
}

/// What came of one request to a webhook.
#[derive(Debug, Clone, Deserialize, GraphQLObject)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryAttempt {
    /// When it was made.
    attempted_at: DateTime,
    /// Milliseconds that it took.
    duration_ms: i32,
    /// Status of the reply, if there was one.
    #[serde(default)]
    status_code: Option<i32>,
    /// Beginning of the reply's body.
    #[serde(default)]
    response_body: Option<String>,
    /// Why there was none.
    #[serde(default)]
    failure: Option<DeliveryFailure>,
}

/// An entry of the audit trail.
#[derive(Debug, Clone)]
pub(crate) struct AuditEvent(Members);

impl AuditEvent {
    pub(crate) fn of(view: &impl Serialize) -> Result<Self, Failure> {
        Members::of(view).map(Self)
    }

    /// The account that a member names, if it does.
    async fn account(&self, context: &Context, name: &str) -> Result<Option<User>, Failure> {
        match self.0.text(name) {
            Some(account) => User::by_id(context, id(&account)?).await,
            None => Ok(None),
        }
    }
}

/// Members that every entry of the audit trail has; the others are its details.
const COMMON: [&str; 6] = ["auditEventId", "type", "occurredAt", "actorId", "subjectId", "correlationId"];

#[graphql_object]
#[graphql(context = Context, scalar = juniper::DefaultScalarValue)]
impl AuditEvent {
    /// Names the entry.
    fn id(&self) -> ID {
        self.0.needed("auditEventId").into()
    }

    /// What was done, such as `session.created`.
    #[graphql(name = "type")]
    fn kind(&self) -> String {
        self.0.needed("type")
    }

    /// When it was done.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.0.needed("occurredAt"))
    }

    /// Who did it, if an account did.
    fn actor_id(&self) -> Option<ID> {
        self.0.text("actorId").map(ID::from)
    }

    /// The same; null also if the account is gone.
    async fn actor(&self, context: &Context) -> Result<Option<User>, Failure> {
        self.account(context, "actorId").await
    }

    /// The account that it was done to, if it is one.
    fn subject_id(&self) -> Option<ID> {
        self.0.text("subjectId").map(ID::from)
    }

    /// The same; null also if the account is gone.
    async fn subject(&self, context: &Context) -> Result<Option<User>, Failure> {
        self.account(context, "subjectId").await
    }

    /// The request that it came from.
    fn correlation_id(&self) -> String {
        self.0.needed("correlationId")
    }

    /// What else there is to say.
    fn details(&self) -> Vec<AuditDetail> {
        let members = self.0.0.as_object().into_iter().flatten().filter(|(name, _)| !COMMON.contains(&name.as_str()));
        members.map(|(name, value)| AuditDetail { name: name.clone(), values: texts(value) }).collect()
    }
}

/// One thing that an entry of the audit trail says.
#[derive(Debug, GraphQLObject)]
pub(crate) struct AuditDetail {
    /// The member of the entry in REST.
    name: String,
    /// What it says; several where it is a list.
    values: Vec<String>,
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        value => vec![value.to_string()],
    }
}

//! The methods, each a use case: the same inputs, outcomes and failures as the operation of REST that has its name.

use futures::FutureExt;
use quire_app::{
    comments::{CommentReplacement, CommentStatusReplacement},
    page::PageRequest,
    posts::{Found, PostQuery, PostReplacement, PostSelection},
    users::{RoleReplacement, UserReplacement},
};
use quire_domain::post::PostName;
use quire_edge::{Audience, FollowerId};
use quire_proto::v1;

use crate::{ask::Answer, dispatch::Method};

macro_rules! methods {
    ($($service:literal {
        $($method:literal $effect:ident $audience:ident ($request:ident) -> $response:ident = |$app:ident, $ask:ident| $answer:expr;)*
    })*) => {
        pub(crate) static METHODS: &[Method] = &[$($(
            Method {
                name: concat!("quire.v1.", $service, "/", $method),
                reads: methods!(@$effect),
                audience: Audience::$audience,
                decode: quire_proto::decode::<v1::$request>,
                read_json: quire_proto::read_json::<v1::$request>,
                encode: quire_proto::encode::<v1::$response>,
                run: |$app, $ask| async move { $answer }.boxed(),
            },
        )*)*];
    };
    (@reads) => { true };
    (@writes) => { false };
}

methods! {
    "UserService" {
        "RegisterUser" writes Public (RegisterUserRequest) -> User = |app, ask| Answer::entity(&app.registrations.register(&ask.call, ask.input("user")?).await?);
        "ListUsers" reads SignedIn (ListUsersRequest) -> UserPage = |app, ask| Answer::shown(&app.users.list(&ask.call, &ask.query()?).await?);
        "GetUser" reads Anyone (GetUserRequest) -> User = |app, ask| Answer::entity(&app.users.get(&ask.call, ask.id()?).await?);
        "ReplaceUser" writes SignedIn (ReplaceUserRequest) -> User = |app, ask| {
            let (id, UserReplacement(edit)) = (ask.id()?, ask.input("user")?);
            Answer::entity(&app.user_changes.edit(&ask.call, id, edit, ask.precondition()).await?)
        };
        "UpdateUser" writes SignedIn (UpdateUserRequest) -> User = |app, ask| {
            let (id, edit) = (ask.id()?, ask.patch("user")?);
            Answer::entity(&app.user_changes.edit(&ask.call, id, edit, ask.precondition()).await?)
        };
        "DeleteUser" writes SignedIn (DeleteUserRequest) -> DeleteUserResponse = |app, ask| {
            app.user_changes.request_erasure(&ask.call, ask.id()?, ask.precondition()).await?;
            Ok(Answer::done())
        };
        "ReplaceUserRoles" writes SignedIn (ReplaceUserRolesRequest) -> User = |app, ask| {
            let (id, RoleReplacement(roles)) = (ask.id()?, ask.input("roles")?);
            Answer::entity(&app.user_changes.assign_roles(&ask.call, id, roles, ask.precondition()).await?)
        };
    }
    "SessionService" {
        "CreateSession" writes Public (CreateSessionRequest) -> Session = |app, ask| {
            Answer::shown(&app.sign_in.create(&ask.call, &ask.client, ask.input("session")?).await?)
        };
        "RefreshSession" writes Public (RefreshSessionRequest) -> Session = |app, ask| {
            Answer::shown(&app.sessions.refresh(&ask.call, &ask.input("session")?).await?)
        };
        "ListSessions" reads SignedIn (ListSessionsRequest) -> SessionPage = |app, ask| {
            Answer::shown(&app.own_sessions.list(&ask.call, &ask.query()?).await?)
        };
        "DeleteSession" writes SignedIn (DeleteSessionRequest) -> DeleteSessionResponse = |app, ask| {
            app.own_sessions.delete(&ask.call, ask.id()?).await?;
            Ok(Answer::done())
        };
        "DeleteSessions" writes SignedIn (DeleteSessionsRequest) -> DeleteSessionsResponse = |app, ask| {
            app.own_sessions.delete_all(&ask.call).await?;
            Ok(Answer::done())
        };
    }
    "PostService" {
        "CreatePost" writes SignedIn (CreatePostRequest) -> Post = |app, ask| Answer::entity(&app.posts.create(&ask.call, ask.input("post")?).await?);
        "ListPosts" reads Anyone (ListPostsRequest) -> PostPage = |app, ask| {
            let PostQuery { filter, selection, page } = ask.query()?;
            Ok(Answer::shown(&app.posts.list(&ask.call, &filter, &page).await?)?.only(&selection))
        };
        "GetPost" reads Anyone (GetPostRequest) -> Post = |app, ask| {
            let (name, PostSelection(selection)) = (ask.id::<PostName>()?, ask.query()?);
            let mut found = app.posts.get(&ask.call, &name).await?;
            if let Found::Moved(slug) = found {
                found = app.posts.get(&ask.call, &PostName::Slug(slug)).await?;
            }
            // It moved again meanwhile.
            let Found::Post(mut post) = found else { return Err(quire_app::Error::Contended.into()) };
            if selection.names("contentHtml") {
                post.content_html = Some(quire_markdown::to_html(post.content.as_str()));
            }
            Ok(Answer::entity(&*post)?.only(&selection))
        };
        "ReplacePost" writes SignedIn (ReplacePostRequest) -> Post = |app, ask| {
            let (id, PostReplacement(patch)) = (ask.id()?, ask.input("post")?);
            Answer::entity(&app.posts.update(&ask.call, id, patch, ask.precondition()).await?)
        };
        "UpdatePost" writes SignedIn (UpdatePostRequest) -> Post = |app, ask| {
            let (id, patch) = (ask.id()?, ask.patch("post")?);
            Answer::entity(&app.posts.update(&ask.call, id, patch, ask.precondition()).await?)
        };
        "DeletePost" writes SignedIn (DeletePostRequest) -> DeletePostResponse = |app, ask| {
            app.posts.delete(&ask.call, ask.id()?, ask.precondition()).await?;
            Ok(Answer::done())
        };
        "ListRevisions" reads SignedIn (ListRevisionsRequest) -> RevisionPage = |app, ask| {
            Answer::shown(&app.posts.revisions(&ask.call, ask.id()?, &ask.query()?).await?)
        };
        "GetRevision" reads SignedIn (GetRevisionRequest) -> Revision = |app, ask| {
            Answer::entity(&app.posts.revision(&ask.call, ask.id()?, ask.id()?).await?)
        };
    }
    "CommentService" {
        "CreateComment" writes SignedIn (CreateCommentRequest) -> Comment = |app, ask| {
            Answer::entity(&app.comments.create(&ask.call, ask.id()?, ask.input("comment")?).await?)
        };
        "ListComments" reads Anyone (ListCommentsRequest) -> CommentPage = |app, ask| {
            Answer::shown(&app.comments.list(&ask.call, ask.id()?, &ask.query()?).await?)
        };
        "GetComment" reads Anyone (GetCommentRequest) -> Comment = |app, ask| {
            Answer::entity(&app.comments.get(&ask.call, ask.id()?, ask.id()?).await?)
        };
        "ReplaceComment" writes SignedIn (ReplaceCommentRequest) -> Comment = |app, ask| {
            let (ids, replacement) = ((ask.id()?, ask.id()?), ask.input::<CommentReplacement>("comment")?);
            Answer::entity(&app.comments.edit(&ask.call, ids, replacement.into(), &ask.precondition()).await?)
        };
        "UpdateComment" writes SignedIn (UpdateCommentRequest) -> Comment = |app, ask| {
            let (ids, patch) = ((ask.id()?, ask.id()?), ask.patch("comment")?);
            Answer::entity(&app.comments.edit(&ask.call, ids, patch, &ask.precondition()).await?)
        };
        "DeleteComment" writes SignedIn (DeleteCommentRequest) -> DeleteCommentResponse = |app, ask| {
            app.comments.delete(&ask.call, (ask.id()?, ask.id()?), &ask.precondition()).await?;
            Ok(Answer::done())
        };
        "ReplaceCommentStatus" writes SignedIn (ReplaceCommentStatusRequest) -> Comment = |app, ask| {
            let (ids, replacement) = ((ask.id()?, ask.id()?), ask.input::<CommentStatusReplacement>("decision")?);
            Answer::entity(&app.comments.decide(&ask.call, ids, replacement.status, &ask.precondition()).await?)
        };
        "ListModeration" reads SignedIn (ListModerationRequest) -> CommentPage = |app, ask| {
            Answer::shown(&app.comments.list_moderation(&ask.call, &ask.query()?).await?)
        };
    }
    "EngagementService" {
        "ListReactions" reads Anyone (ListReactionsRequest) -> ReactionPage = |app, ask| {
            Answer::shown(&app.reactions.list(&ask.call, ask.id()?, &ask.query()?).await?)
        };
        "PutReaction" writes SignedIn (PutReactionRequest) -> PutReactionResponse = |app, ask| {
            app.reactions.put(&ask.call, ask.id()?, ask.id()?, ask.only_new()).await?;
            Ok(Answer::done())
        };
        "DeleteReaction" writes SignedIn (DeleteReactionRequest) -> DeleteReactionResponse = |app, ask| {
            app.reactions.delete(&ask.call, ask.id()?, ask.id()?).await?;
            Ok(Answer::done())
        };
        "ListFollowers" reads Public (ListFollowersRequest) -> FollowPage = |app, ask| {
            Answer::shown(&app.follows.followers(ask.id()?, &ask.query()?).await?)
        };
        "ListFollowing" reads Public (ListFollowingRequest) -> FollowPage = |app, ask| {
            Answer::shown(&app.follows.following(ask.id()?, &ask.query()?).await?)
        };
        "PutFollower" writes SignedIn (PutFollowerRequest) -> PutFollowerResponse = |app, ask| {
            let FollowerId(follower) = ask.id()?;
            app.follows.follow(&ask.call, ask.id()?, follower, ask.only_new()).await?;
            Ok(Answer::done())
        };
        "DeleteFollower" writes SignedIn (DeleteFollowerRequest) -> DeleteFollowerResponse = |app, ask| {
            let FollowerId(follower) = ask.id()?;
            app.follows.unfollow(&ask.call, ask.id()?, follower).await?;
            Ok(Answer::done())
        };
        "GetFeed" reads SignedIn (GetFeedRequest) -> PostPage = |app, ask| Answer::shown(&app.feeds.read(&ask.call, &ask.query()?).await?);
        "ListTags" reads Public (ListTagsRequest) -> TagPage = |app, ask| Answer::shown(&app.tags.list(&ask.query::<PageRequest>()?).await?);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use super::METHODS;

    #[test]
    fn the_methods_are_those_of_the_services_and_read_where_they_say_so() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proto/quire/v1");
        let mut declared = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap() {
            let source = fs::read_to_string(entry.unwrap().path()).unwrap();
            let Some((_, service)) = source.split_once("\nservice ") else { continue };
            let (name, body) = service.split_once(" {\n").unwrap();
            let body = body.split("\n}\n").next().unwrap();
            for method in body.split("  rpc ").skip(1) {
                let method_name = method.split('(').next().unwrap();
                declared.insert(format!("quire.v1.{name}/{method_name}"), method.contains("NO_SIDE_EFFECTS"));
            }
        }
        let methods: BTreeMap<_, _> = METHODS.iter().map(|method| (method.name.to_owned(), method.reads)).collect();
        assert!(methods.len() == METHODS.len() && methods.len() > 30);
        assert_eq!(methods, declared);
    }
}

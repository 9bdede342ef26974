//! Input objects. What they hold is checked where the members of a REST body are: by the use case's own input.

use juniper::{GraphQLInputObject, Nullable};
use serde_json::Value;

use crate::types::{CommentDecision, DateTime, PostStatus, Role};

/// What can be a member of a document; absent is not null.
pub(crate) trait Member {
    fn member(self) -> Option<Value>;
}

impl Member for String {
    fn member(self) -> Option<Value> {
        Some(self.into())
    }
}

impl Member for bool {
    fn member(self) -> Option<Value> {
        Some(self.into())
    }
}

impl Member for DateTime {
    fn member(self) -> Option<Value> {
        Some(self.0.into())
    }
}

macro_rules! serialized {
    ($($name:ty),*) => {$(
        impl Member for $name {
            fn member(self) -> Option<Value> {
                serde_json::to_value(self).ok()
            }
        }
    )*};
}

serialized!(PostStatus, CommentDecision, Role);

impl<T: Member> Member for Vec<T> {
    fn member(self) -> Option<Value> {
        Some(self.into_iter().filter_map(Member::member).collect())
    }
}

/// Null and absent are the same where nothing can be removed.
impl<T: Member> Member for Option<T> {
    fn member(self) -> Option<Value> {
        self.and_then(Member::member)
    }
}

impl<T: Member> Member for Nullable<T> {
    fn member(self) -> Option<Value> {
        match self {
            Self::ImplicitNull => None,
            Self::ExplicitNull => Some(Value::Null),
            Self::Some(value) => value.member(),
        }
    }
}

/// The named values that were given.
pub(crate) fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Vec<(String, Value)> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

macro_rules! inputs {
    ($($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $field:ident: $kind:ty = $member:literal,)* })*) => {$(
        $(#[$about])*
        #[derive(Debug, GraphQLInputObject)]
        pub(crate) struct $name {
            $($(#[$what])* $field: $kind,)*
        }

        impl $name {
            /// Its members, as a body has them.
            pub(crate) fn members(self) -> Vec<(String, Value)> {
                members([$(($member, self.$field.member())),*])
            }
        }
    )*};
}

inputs! {
    /// An account to open.
    NewUser {
        /// Unique among all accounts.
        username: String = "username",
        /// Its address.
        email: String = "email",
        /// Its password.
        password: String = "password",
        /// How it wants to be called.
        display_name: Option<String> = "displayName",
        /// What it says of itself.
        bio: Option<String> = "bio",
    }

    /// What changes of an account. Absent members stay; null removes.
    UserPatch {
        /// Another username.
        username: Nullable<String> = "username",
        /// Another address; takes the password.
        email: Nullable<String> = "email",
        /// How it wants to be called.
        display_name: Nullable<String> = "displayName",
        /// What it says of itself.
        bio: Nullable<String> = "bio",
        /// Whether it may sign in; for admins.
        is_active: Nullable<bool> = "isActive",
        /// The password of the account that asks.
        current_password: Nullable<String> = "currentPassword",
    }

    /// Who signs in.
    NewSession {
        /// The username or the e-mail address.
        username: String = "username",
        /// The password.
        password: String = "password",
        /// A code of the second factor, or one that recovers it.
        code: Option<String> = "code",
    }

    /// A post to draft.
    NewPost {
        /// One line.
        title: String = "title",
        /// Markdown.
        content: Option<String> = "content",
        /// Unique among all posts; made of the title if absent.
        slug: Option<String> = "slug",
        /// What it is about.
        excerpt: Option<String> = "excerpt",
        /// What it is listed under.
        tags: Option<Vec<String>> = "tags",
        /// A picture.
        cover_url: Option<String> = "coverUrl",
        /// What it is written in.
        language: Option<String> = "language",
        /// The original, where the post appeared elsewhere first.
        canonical_url: Option<String> = "canonicalUrl",
    }

    /// What changes of a post. Absent members stay; null removes.
    PostPatch {
        /// One line.
        title: Nullable<String> = "title",
        /// Markdown.
        content: Nullable<String> = "content",
        /// Unique among all posts.
        slug: Nullable<String> = "slug",
        /// What it is about.
        excerpt: Nullable<String> = "excerpt",
        /// What it is listed under.
        tags: Nullable<Vec<String>> = "tags",
        /// A picture.
        cover_url: Nullable<String> = "coverUrl",
        /// What it is written in.
        language: Nullable<String> = "language",
        /// The original, where the post appeared elsewhere first.
        canonical_url: Nullable<String> = "canonicalUrl",
        /// Publishes, schedules or archives it.
        status: Nullable<PostStatus> = "status",
        /// When it is to be published; with the status SCHEDULED.
        publish_at: Nullable<DateTime> = "publishAt",
    }

    /// A comment to write.
    NewComment {
        /// What it says.
        content: String = "content",
        /// The comment that it answers.
        parent_id: Option<String> = "parentId",
    }

    /// An API token to make.
    NewApiToken {
        /// What it is for.
        name: String = "name",
        /// What it may do, such as `posts:read`; one or more.
        scopes: Vec<String> = "scopes",
        /// When it ends; never if absent.
        expires_at: Option<DateTime> = "expiresAt",
    }

    /// A webhook to make.
    NewWebhook {
        /// Where it is.
        url: String = "url",
        /// What it is told of, such as `post.published`; one or more.
        event_types: Vec<String> = "eventTypes",
        /// What it is for.
        description: Option<String> = "description",
        /// Whether it is told at once; it is if absent.
        is_active: Option<bool> = "isActive",
    }

    /// What changes of a webhook. Absent members stay; null removes.
    WebhookPatch {
        /// Another place.
        url: Nullable<String> = "url",
        /// What it is told of; one or more.
        event_types: Nullable<Vec<String>> = "eventTypes",
        /// What it is for.
        description: Nullable<String> = "description",
        /// Switches it on or off.
        is_active: Nullable<bool> = "isActive",
    }

    /// Which mails an account wants.
    NotificationPreferencesInput {
        /// Comments on its posts, and answers to its comments.
        comments: bool = "comments",
        /// New followers.
        followers: bool = "followers",
    }
}

//! What accounts are mailed about besides their security, and whether they want that.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    comment::{Comment, Status as CommentStatus},
    id::UserId,
    post::{Post, Status as PostStatus},
    user::User,
};

/// What an account can be mailed about or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Comments on its posts, and answers to its comments.
    Comments,
    /// New followers.
    Followers,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 2] = [Self::Comments, Self::Followers];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Comments => "comments",
            Self::Followers => "followers",
        }
    }
}

/// Makes the tokens by which an account ends notifications without signing in. It is no more than that worth, so it is stored as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnsubscribeKey(String);

impl UnsubscribeKey {
    /// The key with this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UnsubscribeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnsubscribeKey(…)")
    }
}

/// What an account wants to be mailed about: everything, until it says something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationPreferences {
    /// The account.
    pub user_id: UserId,
    /// Whether it is mailed about comments on its posts and answers to its comments.
    pub comments: bool,
    /// Whether it is mailed about new followers.
    pub followers: bool,
    /// Made with the first mail that can be answered with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unsubscribe_key: Option<UnsubscribeKey>,
    /// Counts changes, from 1; 0 for what was never stored.
    pub version: u64,
}

impl NotificationPreferences {
    /// Those of an account that has not said anything.
    pub fn new(user_id: UserId) -> Self {
        Self { user_id, comments: true, followers: true, unsubscribe_key: None, version: 0 }
    }

    /// Whether the account wants to be mailed about this.
    pub fn wants(&self, topic: Topic) -> bool {
        match topic {
            Topic::Comments => self.comments,
            Topic::Followers => self.followers,
        }
    }

    /// Whether `user`, whose preferences these are, is mailed about this: only an active account at an address that it has shown to be
    /// its own.
    pub fn reach(&self, user: &User, topic: Topic) -> bool {
        user.is_active && user.email_verified_at.is_some() && self.wants(topic)
    }

    /// The preferences with these answers; the same if they are the same.
    #[must_use]
    pub fn with(&self, comments: bool, followers: bool) -> Self {
        self.changed(Self { comments, followers, ..self.clone() })
    }

    /// The preferences without a topic; the same if it is off.
    #[must_use]
    pub fn without(&self, topic: Topic) -> Self {
        match topic {
            Topic::Comments => self.with(false, self.followers),
            Topic::Followers => self.with(self.comments, false),
        }
    }

    /// The preferences with a key, unless they have one.
    #[must_use]
    pub fn with_key(&self, key: UnsubscribeKey) -> Self {
        self.changed(Self { unsubscribe_key: self.unsubscribe_key.clone().or(Some(key)), ..self.clone() })
    }

    fn changed(&self, after: Self) -> Self {
        if after == *self { after } else { Self { version: self.version + 1, ..after } }
    }
}

/// That an account was mailed about something, which happens once, however often the thing happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notified {
    /// The account.
    pub user_id: UserId,
    /// The id of the comment or of the follower.
    pub about: String,
    /// When.
    pub at: Timestamp,
}

/// Why an account is told of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It wrote the comment that is answered.
    Answered,
    /// It wrote the post.
    Author,
}

/// Who is told of a comment, each once: who wrote the comment that it answers, and who wrote the post. Nobody is told of what they did
/// themselves, be it writing the comment or, as `actor`, approving it; and nobody of what others do not see.
pub fn told_of_comment(post: &Post, comment: &Comment, parent: Option<&Comment>, actor: Option<UserId>) -> Vec<(UserId, Relation)> {
    if comment.status != CommentStatus::Approved || post.status != PostStatus::Published {
        return Vec::new();
    }
    let answered = parent.filter(|parent| parent.status != CommentStatus::Deleted).map(|parent| (parent.author_id, Relation::Answered));
    let author = Some((post.author_id, Relation::Author)).filter(|(id, _)| answered.is_none_or(|(answered, _)| answered != *id));
    let did_it = |id: UserId| id == comment.author_id || Some(id) == actor;
    answered.into_iter().chain(author).filter(|(id, _)| !did_it(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        comment::Written,
        details::Details,
        id::{CommentId, PostId},
        policy::{Principal, Role},
        post::Draft,
        text::{CommentText, Content, Email, Title, Username},
        user::Registration,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn user() -> User {
        let (username, email) = (Username::parse("ada").unwrap(), Email::parse("ada@example.com").unwrap());
        let registration = Registration { username, email, display_name: None, bio: None };
        User::register(registration, [Role::Reader].into(), UserId::generate(at(0)), at(0)).0
    }

    fn published(author: UserId) -> Post {
        let draft = Draft { title: Title::parse("T").unwrap(), content: Content::default(), slug: None, details: Details::default() };
        let author = Principal::user(author, [Role::Author].into());
        Post { status: PostStatus::Published, ..Post::draft(&author, draft, PostId::generate(at(0)), at(0)).unwrap().0 }
    }

    fn comment(post: &Post, by: UserId) -> Comment {
        let written = Written { content: CommentText::parse("Well said").unwrap(), parent: None };
        let by = Principal::user(by, [Role::Commenter].into());
        Comment::write(&by, post.clone(), written, CommentId::generate(at(1)), at(1)).unwrap().0
    }

    #[test]
    fn only_verified_and_active_accounts_are_mailed_what_they_want() {
        let user = User { email_verified_at: Some(at(1)), ..user() };
        let all = NotificationPreferences::new(user.id);
        assert!(Topic::ALL.into_iter().all(|topic| all.reach(&user, topic)));
        for topic in Topic::ALL {
            let less = all.without(topic);
            assert_eq!(Topic::ALL.map(|topic| less.reach(&user, topic)), Topic::ALL.map(|other| other != topic), "{}", topic.name());
            assert_eq!((less.version, less.without(topic)), (1, less.clone()));
        }
        assert!(!all.reach(&User { is_active: false, ..user.clone() }, Topic::Comments));
        assert!(!all.reach(&User { email_verified_at: None, ..user }, Topic::Comments));
    }

    #[test]
    fn a_key_is_made_once_and_never_shown() {
        let preferences = NotificationPreferences::new(user().id).with_key(UnsubscribeKey::new("secret".into()));
        assert_eq!(preferences.with_key(UnsubscribeKey::new("other".into())), preferences);
        assert!(!format!("{preferences:?}").contains("secret"));
    }

    #[test]
    fn nobody_is_told_of_their_own_comment_or_twice() {
        let [author, writer, answered, moderator] = std::array::from_fn(|_| UserId::generate(at(0)));
        let post = published(author);
        let comment = |by, status| Comment { status, ..comment(&post, by) };
        let told = |by: UserId, parent: Option<UserId>, actor: Option<UserId>| {
            let parent = parent.map(|by| comment(by, CommentStatus::Approved));
            told_of_comment(&post, &comment(by, CommentStatus::Approved), parent.as_ref(), actor)
        };
        assert_eq!(told(writer, None, None), [(author, Relation::Author)]);
        assert_eq!(told(writer, Some(answered), Some(moderator)), [(answered, Relation::Answered), (author, Relation::Author)]);
        assert_eq!(told(writer, Some(author), None), [(author, Relation::Answered)]);
        assert_eq!(told(writer, Some(writer), Some(author)), []);
        assert_eq!(told(author, None, None), []);
        assert_eq!(told(author, Some(answered), None), [(answered, Relation::Answered)]);
        let deleted = comment(answered, CommentStatus::Deleted);
        assert_eq!(told_of_comment(&post, &comment(writer, CommentStatus::Approved), Some(&deleted), None), [(author, Relation::Author)]);
        for status in [CommentStatus::Pending, CommentStatus::Held, CommentStatus::Rejected, CommentStatus::Deleted] {
            assert_eq!(told_of_comment(&post, &comment(writer, status), None, None), []);
        }
        let archived = Post { status: PostStatus::Archived, ..post.clone() };
        assert_eq!(told_of_comment(&archived, &comment(writer, CommentStatus::Approved), None, None), []);
    }
}

//! Comments: written on a published post, seen by others once approved.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Kind, Result},
    event::EventData,
    id::{CommentId, PostId, UserId},
    moderation::Verdict,
    policy::{self, Action, Principal},
    post::{Post, Status as PostStatus},
    text::CommentText,
};

/// What moderation has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing yet.
    Pending,
    /// Seen by everybody.
    Approved,
    /// Waits for a moderator.
    Held,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Names the comment.
    pub id: CommentId,
    /// The post it is on.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// What it says.
    pub content: CommentText,
    /// What moderation has decided.
    pub status: Status,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

impl Comment {
    /// Comments on a post.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a post that the principal may not see or that is not published, [`Error::Unauthenticated`]
    /// or [`Error::Forbidden`] for a principal who may not comment.
    pub fn write(principal: &Principal, post: Post, content: CommentText, id: CommentId, now: Timestamp) -> Result<(Self, EventData)> {
        let author_id = policy::require(principal, Action::Comment, None)?;
        if post.status != PostStatus::Published {
            return Err(Error::NotFound(Kind::Post));
        }
        let post_id = post.id;
        let comment = Self { id, post_id, author_id, content, status: Status::Pending, created_at: now, updated_at: now, version: 1 };
        Ok((comment, EventData::CommentCreated { post_id, comment_id: id }))
    }

    /// Whether `principal` may see it.
    pub fn is_seen_by(&self, principal: &Principal) -> bool {
        self.status == Status::Approved || policy::allows(principal, Action::SeeUnapprovedComment, Some(self.author_id))
    }

    /// The comment after moderation, or `None` if somebody has decided already.
    pub fn moderated(&self, verdict: &Verdict, now: Timestamp) -> Option<(Self, EventData)> {
        if self.status != Status::Pending {
            return None;
        }
        let (post_id, comment_id) = (self.post_id, self.id);
        let (status, event) = match verdict {
            Verdict::Approved => (Status::Approved, EventData::CommentApproved { post_id, comment_id }),
            Verdict::Held(reasons) => (Status::Held, EventData::CommentHeld { post_id, comment_id, reasons: reasons.clone() }),
        };
        Some((Self { status, updated_at: now, version: self.version + 1, ..self.clone() }, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        details::Details,
        policy::Role,
        post::Draft,
        text::{Content, Title},
    };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn user(role: Role) -> Principal {
        Principal::User { id: UserId::generate(at(0)), roles: [role].into() }
    }

    fn post(status: PostStatus) -> Post {
        let draft = Draft { title: Title::parse("T").unwrap(), content: Content::default(), slug: None, details: Details::default() };
        Post { status, ..Post::draft(&user(Role::Author), draft, PostId::generate(at(0)), at(0)).unwrap().0 }
    }

    fn written() -> Comment {
        let text = CommentText::parse("Well said").unwrap();
        Comment::write(&user(Role::Commenter), post(PostStatus::Published), text, CommentId::generate(at(1)), at(1)).unwrap().0
    }

    #[test]
    fn a_comment_is_decided_once() {
        let (approved, event) = written().moderated(&Verdict::Approved, at(2)).unwrap();
        assert_eq!((approved.status, approved.version), (Status::Approved, 2));
        assert!(matches!(event, EventData::CommentApproved { .. }));
        assert_eq!(approved.moderated(&Verdict::Held(vec![]), at(3)), None);
    }

    #[test]
    fn an_unapproved_comment_is_seen_by_its_author_and_by_editors() {
        let comment = written();
        let author = Principal::User { id: comment.author_id, roles: [].into() };
        assert!(comment.is_seen_by(&author) && comment.is_seen_by(&user(Role::Editor)));
        assert!(!comment.is_seen_by(&user(Role::Author)) && !comment.is_seen_by(&Principal::Anonymous));
    }

    #[test]
    fn a_draft_takes_no_comments() {
        let text = CommentText::parse("First").unwrap();
        let outcome = Comment::write(&user(Role::Commenter), post(PostStatus::Draft), text, CommentId::generate(at(1)), at(1));
        assert!(matches!(outcome, Err(Error::NotFound(Kind::Post))));
    }
}

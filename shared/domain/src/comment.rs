//! Comments: written on a published post, seen by others once approved.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Kind, Result},
    event::EventData,
    id::{CommentId, PostId, UserId},
    limits,
    moderation::Verdict,
    policy::{self, Action, Principal},
    post::{Post, Status as PostStatus},
    text::CommentText,
};

/// What has become of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not moderated yet.
    Pending,
    /// Seen by everybody.
    Approved,
    /// Waits for a moderator.
    Held,
    /// Refused by a moderator.
    Rejected,
    /// Without its author and its text, so that its answers keep their place.
    Deleted,
}

/// The text names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"pending\", \"approved\", \"held\", \"rejected\" or \"deleted\"")]
pub struct InvalidStatus;

impl Status {
    /// Reads a status by its name.
    ///
    /// # Errors
    /// [`InvalidStatus`].
    pub fn parse(text: &str) -> Result<Self, InvalidStatus> {
        match text {
            "pending" => Ok(Self::Pending),
            "approved" => Ok(Self::Approved),
            "held" => Ok(Self::Held),
            "rejected" => Ok(Self::Rejected),
            "deleted" => Ok(Self::Deleted),
            _ => Err(InvalidStatus),
        }
    }

    /// Whether a moderator has the comment on a list of things to do.
    pub fn is_moderated_by_people(self) -> bool {
        match self {
            Self::Pending | Self::Held | Self::Rejected => true,
            Self::Approved | Self::Deleted => false,
        }
    }
}

/// What a moderator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Everybody may see it.
    Approve,
    /// It waits for another look.
    Hold,
    /// It stays unseen.
    Reject,
}

/// The text names no decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"approved\", \"held\" or \"rejected\"")]
pub struct InvalidDecision;

impl Decision {
    /// Reads a decision by the name of the status that it gives.
    ///
    /// # Errors
    /// [`InvalidDecision`].
    pub fn parse(text: &str) -> Result<Self, InvalidDecision> {
        match text {
            "approved" => Ok(Self::Approve),
            "held" => Ok(Self::Hold),
            "rejected" => Ok(Self::Reject),
            _ => Err(InvalidDecision),
        }
    }

    fn status(self) -> Status {
        match self {
            Self::Approve => Status::Approved,
            Self::Hold => Status::Held,
            Self::Reject => Status::Rejected,
        }
    }
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Names the comment.
    pub id: CommentId,
    /// The post it is on.
    pub post_id: PostId,
    /// Who wrote it; stays known when the comment is deleted, and is not shown.
    pub author_id: UserId,
    /// The comment that it answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_id: Option<CommentId>,
    /// How many comments are above it.
    #[serde(default)]
    pub depth: u8,
    /// What it says, until it is deleted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content: Option<CommentText>,
    /// What has become of it.
    pub status: Status,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: u64,
}

/// What a commenter writes, and what it answers.
#[derive(Debug, Clone)]
pub struct Written {
    /// What it says.
    pub content: CommentText,
    /// Names the comment that it answers, with the comment if there is one of that name on the post.
    pub parent: Option<(CommentId, Option<Comment>)>,
}

impl Comment {
    /// Comments on a post, or answers a comment of it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a post that the principal may not see or that is not published, [`Error::Unauthenticated`]
    /// or [`Error::Forbidden`] for a principal who may not comment, [`Error::Invalid`] for a comment that cannot be answered.
    pub fn write(principal: &Principal, post: Post, written: Written, id: CommentId, now: Timestamp) -> Result<(Self, EventData)> {
        let author_id = policy::require(principal, Action::Comment, None)?;
        if post.status != PostStatus::Published {
            return Err(Error::NotFound(Kind::Post));
        }
        let post_id = post.id;
        let Written { content, parent } = written;
        let (parent_id, depth) = match parent {
            None => (None, 0),
            Some((parent_id, parent)) => {
                let answered = parent.filter(|parent| parent.status != Status::Deleted && parent.is_seen_by(principal));
                let parent = answered.ok_or_else(|| Error::field("/parentId", "is no comment of this post that you can answer"))?;
                if parent.depth >= limits::COMMENT_DEPTH {
                    return Err(Error::field("/parentId", format!("has {} comments above it already", limits::COMMENT_DEPTH)));
                }
                (Some(parent_id), parent.depth + 1)
            }
        };
        let (status, content) = (Status::Pending, Some(content));
        let comment = Self { id, post_id, author_id, parent_id, depth, content, status, created_at: now, updated_at: now, version: 1 };
        Ok((comment, EventData::CommentCreated { post_id, comment_id: id }))
    }

    /// Whether `principal` may see it. Everybody sees that something was deleted.
    pub fn is_seen_by(&self, principal: &Principal) -> bool {
        matches!(self.status, Status::Approved | Status::Deleted) || policy::allows(principal, Action::SeeUnapprovedComment, Some(self.author_id))
    }

    /// This comment, for somebody who may see it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not know that it exists.
    pub fn seen_by(self, principal: &Principal) -> Result<Self> {
        if self.is_seen_by(principal) { Ok(self) } else { Err(Error::NotFound(Kind::Comment)) }
    }

    /// The comment with other words, to be moderated again. The same words give the same version and no event.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not see it, [`Error::Forbidden`] for somebody else than its author,
    /// [`Error::EditWindowClosed`] once time is up, and for one that is rejected or deleted: an edit does not undo a moderator's refusal.
    pub fn edit(self, principal: &Principal, content: Option<CommentText>, now: Timestamp) -> Result<(Self, Option<EventData>)> {
        let before = self.seen_by(principal)?;
        policy::require(principal, Action::EditComment, Some(before.author_id))?;
        let closed = matches!(before.status, Status::Rejected | Status::Deleted);
        if closed || now > before.created_at.plus_seconds(limits::COMMENT_EDIT_SECONDS) {
            return Err(Error::EditWindowClosed);
        }
        if content.is_none() || content == before.content {
            return Ok((before, None));
        }
        let event = EventData::CommentUpdated { post_id: before.post_id, comment_id: before.id };
        Ok((Self { content, ..before.with(Status::Pending, now) }, Some(event)))
    }

    /// The comment without its text. `None` if it is deleted already.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not see it, [`Error::Forbidden`] for somebody who may not delete it.
    pub fn delete(self, principal: &Principal, now: Timestamp) -> Result<Option<(Self, EventData)>> {
        let before = self.seen_by(principal)?;
        policy::require(principal, Action::DeleteComment, Some(before.author_id))?;
        if before.status == Status::Deleted {
            return Ok(None);
        }
        let event = EventData::CommentDeleted { post_id: before.post_id, comment_id: before.id };
        Ok(Some((Self { content: None, ..before.with(Status::Deleted, now) }, event)))
    }

    /// The comment once its author is erased: without author and words, in its place.
    #[must_use]
    pub fn erased(&self, now: Timestamp) -> Self {
        Self { author_id: UserId::ERASED, content: None, ..self.clone().with(Status::Deleted, now) }
    }

    /// The comment after a moderator's decision. The status that it has gives the same version and no event.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not see it, [`Error::Forbidden`] for somebody who is no moderator,
    /// [`Error::CommentDeleted`].
    pub fn decide(self, principal: &Principal, decision: Decision, now: Timestamp) -> Result<(Self, Option<EventData>)> {
        let before = self.seen_by(principal)?;
        policy::require(principal, Action::ModerateComment, None)?;
        if before.status == Status::Deleted {
            return Err(Error::CommentDeleted);
        }
        if before.status == decision.status() {
            return Ok((before, None));
        }
        let (post_id, comment_id) = (before.post_id, before.id);
        let event = match decision {
            Decision::Approve => EventData::CommentApproved { post_id, comment_id },
            Decision::Hold => EventData::CommentHeld { post_id, comment_id, reasons: Vec::new() },
            Decision::Reject => EventData::CommentRejected { post_id, comment_id },
        };
        Ok((before.with(decision.status(), now), Some(event)))
    }

    /// The comment after moderation, or `None` if it does not wait for any.
    pub fn moderated(&self, verdict: &Verdict, now: Timestamp) -> Option<(Self, EventData)> {
        if self.status != Status::Pending {
            return None;
        }
        let (post_id, comment_id) = (self.post_id, self.id);
        let (status, event) = match verdict {
            Verdict::Approved => (Status::Approved, EventData::CommentApproved { post_id, comment_id }),
            Verdict::Held(reasons) => (Status::Held, EventData::CommentHeld { post_id, comment_id, reasons: reasons.clone() }),
        };
        Some((self.clone().with(status, now), event))
    }

    /// By how much `after` changes the number of the post's approved comments.
    pub fn counted(&self, after: &Self) -> i64 {
        let one = |comment: &Self| i64::from(comment.status == Status::Approved);
        one(after) - one(self)
    }

    fn with(self, status: Status, now: Timestamp) -> Self {
        Self { status, updated_at: now, version: self.version + 1, ..self }
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
        Principal::user(UserId::generate(at(0)), [role].into())
    }

    fn post(status: PostStatus) -> Post {
        let draft = Draft { title: Title::parse("T").unwrap(), content: Content::default(), slug: None, details: Details::default() };
        Post { status, ..Post::draft(&user(Role::Author), draft, PostId::generate(at(0)), at(0)).unwrap().0 }
    }

    fn text(text: &str) -> CommentText {
        CommentText::parse(text).unwrap()
    }

    fn write(post: Post, parent: Option<Comment>) -> Result<Comment> {
        let written = Written { content: text("Well said"), parent: parent.map(|parent| (parent.id, Some(parent))) };
        Comment::write(&user(Role::Commenter), post, written, CommentId::generate(at(1)), at(1)).map(|(comment, _)| comment)
    }

    fn written() -> Comment {
        write(post(PostStatus::Published), None).unwrap()
    }

    fn author(comment: &Comment) -> Principal {
        Principal::user(comment.author_id, [Role::Commenter].into())
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
        let author = Principal::user(comment.author_id, [].into());
        assert!(comment.is_seen_by(&author) && comment.is_seen_by(&user(Role::Editor)));
        assert!(!comment.is_seen_by(&user(Role::Author)) && !comment.is_seen_by(&Principal::Anonymous));
    }

    #[test]
    fn a_draft_takes_no_comments() {
        assert!(matches!(write(post(PostStatus::Draft), None), Err(Error::NotFound(Kind::Post))));
    }

    #[test]
    fn threads_are_five_levels_deep() {
        let approved = |comment: Comment| Comment { status: Status::Approved, ..comment };
        let mut comment = approved(written());
        for depth in 1..=limits::COMMENT_DEPTH {
            let answer = write(post(PostStatus::Published), Some(comment.clone())).unwrap();
            assert_eq!((answer.depth, answer.parent_id), (depth, Some(comment.id)));
            comment = approved(answer);
        }
        assert!(matches!(write(post(PostStatus::Published), Some(comment)), Err(Error::Invalid(_))));
    }

    #[test]
    fn what_is_unseen_or_deleted_is_not_answered() {
        let pending = written();
        let deleted = pending.clone().delete(&author(&pending), at(2)).unwrap().unwrap().0;
        for parent in [pending, deleted] {
            assert!(matches!(write(post(PostStatus::Published), Some(parent)), Err(Error::Invalid(_))));
        }
    }

    #[test]
    fn an_edit_is_moderated_again_until_time_is_up() {
        let approved = written().moderated(&Verdict::Approved, at(2)).unwrap().0;
        let me = author(&approved);
        let last = approved.created_at.plus_seconds(limits::COMMENT_EDIT_SECONDS);
        let (edited, event) = approved.clone().edit(&me, Some(text("Better said")), last).unwrap();
        assert_eq!((edited.status, edited.version, approved.counted(&edited)), (Status::Pending, 3, -1));
        assert!(matches!(event, Some(EventData::CommentUpdated { .. })));
        assert_eq!(approved.clone().edit(&me, Some(text("Well said")), last).unwrap(), (approved.clone(), None));
        let late = Timestamp::from_millis(last.millis() + 1);
        assert!(matches!(approved.clone().edit(&me, Some(text("Late")), late), Err(Error::EditWindowClosed)));
        assert!(matches!(approved.edit(&user(Role::Editor), Some(text("Mine")), last), Err(Error::Forbidden(Action::EditComment))));
    }

    #[test]
    fn an_edit_does_not_undo_a_refusal() {
        let (rejected, _) = written().decide(&user(Role::Editor), Decision::Reject, at(2)).unwrap();
        let me = author(&rejected);
        assert!(matches!(rejected.edit(&me, Some(text("Please")), at(3)), Err(Error::EditWindowClosed)));
    }

    #[test]
    fn a_deleted_comment_is_an_empty_place_for_good() {
        let approved = written().moderated(&Verdict::Approved, at(2)).unwrap().0;
        let (deleted, _) = approved.clone().delete(&author(&approved), at(3)).unwrap().unwrap();
        assert_eq!((&deleted.content, deleted.status, approved.counted(&deleted)), (&None, Status::Deleted, -1));
        assert!(deleted.is_seen_by(&Principal::Anonymous));
        assert_eq!(deleted.clone().delete(&user(Role::Editor), at(4)).unwrap(), None);
        assert!(matches!(deleted.clone().delete(&user(Role::Commenter), at(4)), Err(Error::Forbidden(_))));
        assert!(matches!(deleted.clone().decide(&user(Role::Editor), Decision::Approve, at(4)), Err(Error::CommentDeleted)));
        assert_eq!(deleted.moderated(&Verdict::Approved, at(4)), None);
    }

    #[test]
    fn a_moderator_decides_as_often_as_they_like() {
        let editor = user(Role::Editor);
        let (rejected, _) = written().decide(&editor, Decision::Reject, at(2)).unwrap();
        assert_eq!(rejected.clone().decide(&editor, Decision::Reject, at(3)).unwrap(), (rejected.clone(), None));
        let (approved, event) = rejected.clone().decide(&editor, Decision::Approve, at(3)).unwrap();
        assert_eq!((approved.status, rejected.counted(&approved)), (Status::Approved, 1));
        assert!(matches!(event, Some(EventData::CommentApproved { .. })));
        let me = author(&approved);
        assert!(matches!(approved.decide(&me, Decision::Hold, at(4)), Err(Error::Forbidden(Action::ModerateComment))));
    }
}

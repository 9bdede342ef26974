//! Posts: drafted by an author, published once, changed under optimistic concurrency.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    error::{Error, Kind, Result},
    event::EventData,
    id::{PostId, UserId},
    policy::{self, Action, Principal},
    slug::Slug,
    text::{Content, Title},
};

/// Where a post is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Seen by its author and by editors.
    Draft,
    /// Seen by everybody.
    Published,
}

/// The text names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"draft\" or \"published\"")]
pub struct InvalidStatus;

impl Status {
    /// Reads a status by its name.
    ///
    /// # Errors
    /// [`InvalidStatus`].
    pub fn parse(text: &str) -> Result<Self, InvalidStatus> {
        match text {
            "draft" => Ok(Self::Draft),
            "published" => Ok(Self::Published),
            _ => Err(InvalidStatus),
        }
    }
}

/// A post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    /// Names the post.
    pub id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// Markdown.
    pub content: Content,
    /// Unique among all posts.
    pub slug: Slug,
    /// Where it is in its life.
    pub status: Status,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// Counts changes, from 1.
    pub version: u64,
}

/// A post as lists show it: without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostSummary {
    /// Names the post.
    pub id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// Unique among all posts.
    pub slug: Slug,
    /// Where it is in its life.
    pub status: Status,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// The version of the post.
    pub version: u64,
}

/// What an author gives to draft a post, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// One line.
    pub title: Title,
    /// Markdown.
    pub content: Content,
    /// A chosen slug, or none to make one from the title.
    pub slug: Option<Slug>,
}

/// What changes in a post; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostPatch {
    /// A new title.
    pub title: Option<Title>,
    /// New content.
    pub content: Option<Content>,
    /// A new slug.
    pub slug: Option<Slug>,
    /// A new status.
    pub status: Option<Status>,
}

impl Post {
    /// Drafts a post.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`] for a principal who may not write posts.
    pub fn draft(principal: &Principal, draft: Draft, id: PostId, now: Timestamp) -> Result<(Self, EventData)> {
        let author_id = policy::require(principal, Action::DraftPost, None)?;
        let Draft { title, content, slug } = draft;
        let slug = slug.unwrap_or_else(|| Slug::for_post(&title, id));
        let post =
            Self { id, author_id, title, content, slug, status: Status::Draft, created_at: now, updated_at: now, published_at: None, version: 1 };
        Ok((post, EventData::PostDrafted { post_id: id }))
    }

    /// This post, for somebody who may see it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not know that it exists.
    pub fn seen_by(self, principal: &Principal) -> Result<Self> {
        let visible = match self.status {
            Status::Published => true,
            Status::Draft => policy::allows(principal, Action::SeeUnpublishedPost, Some(self.author_id)),
        };
        if visible { Ok(self) } else { Err(Error::NotFound(Kind::Post)) }
    }

    /// The post after `patch`, with the events that follow. A patch that changes nothing gives the same version and no event.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not see the post, [`Error::Forbidden`] for somebody who may not change it,
    /// [`Error::IllegalMove`] for a status that cannot follow the present one.
    pub fn edit(self, principal: &Principal, patch: PostPatch, now: Timestamp) -> Result<(Self, Vec<EventData>)> {
        let before = self.seen_by(principal)?;
        policy::require(principal, Action::EditPost, Some(before.author_id))?;
        let PostPatch { title, content, slug, status } = patch;
        let mut after = before.clone();
        after.title = title.unwrap_or(after.title);
        after.content = content.unwrap_or(after.content);
        after.slug = slug.unwrap_or(after.slug);
        match (before.status, status.unwrap_or(before.status)) {
            (Status::Draft, Status::Draft) | (Status::Published, Status::Published) => {}
            (Status::Draft, Status::Published) => {
                after.status = Status::Published;
                after.published_at = Some(now);
            }
            (from @ Status::Published, to @ Status::Draft) => return Err(Error::IllegalMove { from, to }),
        }
        if after == before {
            return Ok((before, Vec::new()));
        }
        after.updated_at = now;
        after.version += 1;
        let post_id = after.id;
        let event = if after.status == before.status { EventData::PostUpdated { post_id } } else { EventData::PostPublished { post_id } };
        Ok((after, vec![event]))
    }

    /// The post as lists show it.
    pub fn summary(&self) -> PostSummary {
        let Self { id, author_id, title, content: _, slug, status, created_at, updated_at, published_at, version } = self.clone();
        PostSummary { id, author_id, title, slug, status, created_at, updated_at, published_at, version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn user(roles: &[Role]) -> Principal {
        Principal::User { id: UserId::generate(at(0)), roles: roles.iter().copied().collect() }
    }

    fn draft_of(author: &Principal) -> Post {
        let draft = Draft { title: Title::parse("On notes").unwrap(), content: Content::parse("…").unwrap(), slug: None };
        Post::draft(author, draft, PostId::generate(at(1)), at(1)).unwrap().0
    }

    fn publish() -> PostPatch {
        PostPatch { status: Some(Status::Published), ..PostPatch::default() }
    }

    #[test]
    fn publishing_sets_the_time_once_and_counts_the_version() {
        let author = user(&[Role::Author]);
        let (published, events) = draft_of(&author).edit(&author, publish(), at(5)).unwrap();
        assert_eq!((published.published_at, published.version), (Some(at(5)), 2));
        assert_eq!(events, [EventData::PostPublished { post_id: published.id }]);
        let (again, events) = published.clone().edit(&author, publish(), at(9)).unwrap();
        assert_eq!((again, events), (published, vec![]));
    }

    #[test]
    fn a_published_post_does_not_become_a_draft_again() {
        let author = user(&[Role::Author]);
        let (published, _) = draft_of(&author).edit(&author, publish(), at(5)).unwrap();
        let back = PostPatch { status: Some(Status::Draft), ..PostPatch::default() };
        assert!(matches!(published.edit(&author, back, at(6)), Err(Error::IllegalMove { .. })));
    }

    #[test]
    fn a_draft_is_unknown_to_strangers_and_a_published_post_is_not_theirs_to_change() {
        let (author, stranger, editor) = (user(&[Role::Author]), user(&[Role::Author]), user(&[Role::Editor]));
        let draft = draft_of(&author);
        assert!(matches!(draft.clone().edit(&stranger, publish(), at(2)), Err(Error::NotFound(Kind::Post))));
        assert!(matches!(draft.clone().seen_by(&Principal::Anonymous), Err(Error::NotFound(Kind::Post))));
        let (published, _) = draft.edit(&editor, publish(), at(2)).unwrap();
        assert!(matches!(published.clone().edit(&stranger, publish(), at(3)), Err(Error::Forbidden(Action::EditPost))));
        assert!(published.seen_by(&Principal::Anonymous).is_ok());
    }
}

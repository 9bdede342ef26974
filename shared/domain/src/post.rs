//! Posts: drafted by an author, published now or later, archived, deleted; changed under optimistic concurrency.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    change::Change,
    details::{Details, Language, Tag, Tags, WebAddress},
    error::{Error, Kind, Result},
    event::EventData,
    id::{InvalidId, PostId, UserId},
    limits,
    policy::{self, Action, Principal},
    slug::Slug,
    text::{Content, Excerpt, Title},
};

/// Where a post is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Seen by its author and by editors.
    Draft,
    /// Seen by its author and by editors, and to be published at a time.
    Scheduled,
    /// Seen by everybody.
    Published,
    /// Seen by its author and by editors, after it was published or instead.
    Archived,
}

/// The text names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"draft\", \"scheduled\", \"published\" or \"archived\"")]
pub struct InvalidStatus;

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Scheduled, Self::Published, Self::Archived];

    /// The status's name in the API and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Published => "published",
            Self::Archived => "archived",
        }
    }

    /// Reads a status by its name.
    ///
    /// # Errors
    /// [`InvalidStatus`].
    pub fn parse(text: &str) -> Result<Self, InvalidStatus> {
        Self::ALL.into_iter().find(|status| status.name() == text).ok_or(InvalidStatus)
    }

    /// Whether a post of this status may have `next` after a change.
    fn may_become(self, next: Self) -> bool {
        match self {
            Self::Draft | Self::Scheduled => true,
            Self::Published | Self::Archived => matches!(next, Self::Published | Self::Archived),
        }
    }
}

/// What stands for a post in a path: its id, or a slug that it has or once had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostName {
    /// Names it for ever.
    Id(PostId),
    /// Names it too.
    Slug(Slug),
}

impl FromStr for PostName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self::Id).or_else(|_| Slug::parse(text).map(Self::Slug).map_err(|_| InvalidId))
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
    /// What it says of itself besides.
    #[serde(flatten)]
    pub details: Details,
    /// Where it is in its life.
    pub status: Status,
    /// When it is to be published; only while it is scheduled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub publish_at: Option<Timestamp>,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was published first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
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
    /// What it says of itself besides.
    #[serde(flatten)]
    pub details: Details,
    /// Where it is in its life.
    pub status: Status,
    /// When it is to be published; only while it is scheduled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub publish_at: Option<Timestamp>,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was published first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
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
    /// What it says of itself besides.
    pub details: Details,
}

/// What changes in a post; `None` and [`Change::Keep`] leave a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostPatch {
    /// A new title.
    pub title: Option<Title>,
    /// New content.
    pub content: Option<Content>,
    /// A new slug.
    pub slug: Option<Slug>,
    /// What it is about.
    pub excerpt: Change<Excerpt>,
    /// New tags.
    pub tags: Option<Tags>,
    /// A picture.
    pub cover_url: Change<WebAddress>,
    /// What it is written in.
    pub language: Change<Language>,
    /// The original.
    pub canonical_url: Change<WebAddress>,
    /// A new status.
    pub status: Option<Status>,
    /// When to publish it.
    pub publish_at: Option<Timestamp>,
}

/// What stays of a deleted post, so that its deletion can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// Named the post.
    pub id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// The slug that it had last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slug: Option<Slug>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
}

/// A slug that a post has no longer, and that still leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerSlug {
    /// The post.
    pub post_id: PostId,
    /// The slug.
    pub slug: Slug,
}

impl Post {
    /// Drafts a post.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`] for a principal who may not write posts.
    pub fn draft(principal: &Principal, draft: Draft, id: PostId, now: Timestamp) -> Result<(Self, EventData)> {
        let author_id = policy::require(principal, Action::DraftPost, None)?;
        let Draft { title, content, slug, details } = draft;
        let slug = slug.unwrap_or_else(|| Slug::for_post(&title, id));
        let post = Self {
            id,
            author_id,
            title,
            content,
            slug,
            details,
            status: Status::Draft,
            publish_at: None,
            created_at: now,
            updated_at: now,
            published_at: None,
            version: 1,
        };
        Ok((post, EventData::PostDrafted { post_id: id }))
    }

    /// The post at `now`. One that is scheduled is published from its time on, whether that is written down already or not: what this
    /// gives is what the table holds once it is.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if let Some(at) = due(self.status, self.publish_at, now) {
            self.status = Status::Published;
            self.publish_at = None;
            self.published_at = Some(at);
            self.updated_at = at;
            self.version += 1;
        }
        self
    }

    /// The published post, with the event that follows, once its time has come.
    pub fn fall_due(&self, now: Timestamp) -> Option<(Self, EventData)> {
        due(self.status, self.publish_at, now)?;
        Some((self.clone().as_of(now), EventData::PostPublished { post_id: self.id }))
    }

    /// This post as it is at `now`, for somebody who may see it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not know that it exists.
    pub fn seen_by(self, principal: &Principal, now: Timestamp) -> Result<Self> {
        let post = self.as_of(now);
        let visible = match post.status {
            Status::Published => true,
            Status::Draft | Status::Scheduled | Status::Archived => policy::allows(principal, Action::SeeUnpublishedPost, Some(post.author_id)),
        };
        if visible { Ok(post) } else { Err(Error::NotFound(Kind::Post)) }
    }

    /// This post as it is at `now`, for somebody who may change it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not see the post, [`Error::Forbidden`] for somebody who may not change it.
    pub fn edited_by(self, principal: &Principal, now: Timestamp) -> Result<Self> {
        let post = self.seen_by(principal, now)?;
        policy::require(principal, Action::EditPost, Some(post.author_id))?;
        Ok(post)
    }

    /// This post as it is at `now`, for somebody who may see what it said before.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who may not see the post, [`Error::Forbidden`] for somebody who may see it only as it is.
    pub fn reviewed_by(self, principal: &Principal, now: Timestamp) -> Result<Self> {
        let post = self.seen_by(principal, now)?;
        // What it said before may never have been published.
        policy::require(principal, Action::SeeUnpublishedPost, Some(post.author_id))?;
        Ok(post)
    }

    /// The post after `patch`, with the events that follow. A patch that changes nothing gives the same version and no event. A post whose
    /// time has come is published before it is changed, and says so by the first of two events.
    ///
    /// # Errors
    /// Those of [`Post::edited_by`], [`Error::IllegalMove`] for a status that cannot follow the present one, [`Error::Invalid`] for a
    /// time of publication that is missing, has no use, or is not within a year from now.
    pub fn edit(self, principal: &Principal, patch: PostPatch, now: Timestamp) -> Result<(Self, Vec<EventData>)> {
        let published = self.fall_due(now).map(|(_, event)| event);
        let before = self.edited_by(principal, now)?;
        let PostPatch { title, content, slug, excerpt, tags, cover_url, language, canonical_url, status, publish_at } = patch;
        let (from, to) = (before.status, status.unwrap_or(before.status));
        if !from.may_become(to) {
            return Err(Error::IllegalMove { from, to });
        }
        let publish_at = before.publication(to, publish_at, now)?;
        let mut after = before.clone();
        after.title = title.unwrap_or(after.title);
        after.content = content.unwrap_or(after.content);
        after.slug = slug.unwrap_or(after.slug);
        after.details = Details {
            excerpt: excerpt.apply(after.details.excerpt),
            tags: tags.unwrap_or(after.details.tags),
            cover_url: cover_url.apply(after.details.cover_url),
            language: language.apply(after.details.language),
            canonical_url: canonical_url.apply(after.details.canonical_url),
        };
        after.status = to;
        after.publish_at = publish_at;
        if to == Status::Published {
            after.published_at = after.published_at.or(Some(now));
        }
        if after == before {
            return Ok((before, Vec::new()));
        }
        after.updated_at = now;
        after.version += 1;
        let event = after.event(&before);
        Ok((after, published.into_iter().chain([event]).collect()))
    }

    /// When the post is to be published once it has the status `to`.
    fn publication(&self, to: Status, asked: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>> {
        let refuse = |message: &str| Err(Error::field("/publishAt", message));
        let possible = |at: Timestamp| now < at && at <= now.plus_seconds(limits::SCHEDULE_SECONDS);
        match (to, asked.or(self.publish_at)) {
            (Status::Scheduled, None) => refuse("is required for the status \"scheduled\""),
            // It is in the future still.
            (Status::Scheduled, at) if at == self.publish_at => Ok(at),
            (Status::Scheduled, Some(at)) if possible(at) => Ok(Some(at)),
            (Status::Scheduled, Some(_)) => refuse("must be in the future and within a year"),
            (Status::Draft | Status::Published | Status::Archived, _) if asked.is_some() => refuse("is for the status \"scheduled\" only"),
            (Status::Draft | Status::Published | Status::Archived, _) => Ok(None),
        }
    }

    /// What has happened to `before`.
    fn event(&self, before: &Self) -> EventData {
        let post_id = self.id;
        if (self.status, self.publish_at) == (before.status, before.publish_at) {
            return EventData::PostUpdated { post_id };
        }
        match (self.status, self.publish_at) {
            (Status::Draft, _) => EventData::PostDrafted { post_id },
            (Status::Scheduled, Some(publish_at)) => EventData::PostScheduled { post_id, publish_at },
            (Status::Scheduled, None) => EventData::PostUpdated { post_id },
            (Status::Published, _) => EventData::PostPublished { post_id },
            (Status::Archived, _) => EventData::PostArchived { post_id },
        }
    }

    /// What stays once the post is deleted.
    ///
    /// # Errors
    /// Those of [`Post::edited_by`].
    pub fn delete(self, principal: &Principal, now: Timestamp) -> Result<(Tombstone, EventData)> {
        Ok(self.edited_by(principal, now)?.remains(now))
    }

    /// What stays of the post, which its author cannot ask for: they are erased.
    pub fn remains(self, now: Timestamp) -> (Tombstone, EventData) {
        let Self { id, author_id, slug, .. } = self;
        (Tombstone { id, author_id, slug: Some(slug), deleted_at: now }, EventData::PostDeleted { post_id: id })
    }

    /// The post without its author, who is erased; nothing of one that never was public, which goes with its author.
    pub fn anonymised(&self) -> Option<Self> {
        self.published_at.map(|_| Self { author_id: UserId::ERASED, version: self.version + 1, ..self.clone() })
    }

    /// The post as lists show it.
    pub fn summary(&self) -> PostSummary {
        let Self { id, author_id, title, content: _, slug, details, status, publish_at, created_at, updated_at, published_at, version } =
            self.clone();
        PostSummary { id, author_id, title, slug, details, status, publish_at, created_at, updated_at, published_at, version }
    }

    /// The tags under which everybody finds it.
    pub fn public_tags(&self) -> impl Iterator<Item = &Tag> {
        self.details.tags.iter().filter(|_| self.status == Status::Published)
    }
}

impl PostSummary {
    /// The post at `now`, as [`Post::as_of`] says.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        if let Some(at) = due(self.status, self.publish_at, now) {
            self.status = Status::Published;
            self.publish_at = None;
            self.published_at = Some(at);
            self.updated_at = at;
            self.version += 1;
        }
        self
    }
}

/// When a post was published that still stands there as scheduled at `now`.
fn due(status: Status, publish_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    publish_at.filter(|at| status == Status::Scheduled && *at <= now)
}

impl Tombstone {
    /// What stays once the author is erased too.
    #[must_use]
    pub fn erased(&self) -> Self {
        Self { author_id: UserId::ERASED, slug: None, ..self.clone() }
    }

    /// Deletes the post once more, which does nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] for somebody who could not have deleted it.
    pub fn delete(&self, principal: &Principal) -> Result<()> {
        if policy::allows(principal, Action::EditPost, Some(self.author_id)) { Ok(()) } else { Err(Error::NotFound(Kind::Post)) }
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
        Principal::user(UserId::generate(at(0)), roles.iter().copied().collect())
    }

    fn draft_of(author: &Principal) -> Post {
        let content = Content::parse("…").unwrap();
        let draft = Draft { title: Title::parse("On notes").unwrap(), content, slug: None, details: Details::default() };
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
        assert!(matches!(draft.clone().seen_by(&Principal::Anonymous, at(2)), Err(Error::NotFound(Kind::Post))));
        let (published, _) = draft.edit(&editor, publish(), at(2)).unwrap();
        assert!(matches!(published.clone().edit(&stranger, publish(), at(3)), Err(Error::Forbidden(Action::EditPost))));
        assert!(published.seen_by(&Principal::Anonymous, at(3)).is_ok());
    }

    fn moved(status: Status, publish_at: Option<Timestamp>) -> PostPatch {
        PostPatch { status: Some(status), publish_at, ..PostPatch::default() }
    }

    /// A post of each status, all of them changed last at 10 s.
    fn with(author: &Principal, status: Status) -> Post {
        let patches = match status {
            Status::Draft => vec![],
            Status::Scheduled => vec![moved(Status::Scheduled, Some(at(60_000)))],
            Status::Published => vec![publish()],
            Status::Archived => vec![publish(), moved(Status::Archived, None)],
        };
        patches.into_iter().fold(draft_of(author), |post, patch| post.edit(author, patch, at(10_000)).unwrap().0)
    }

    #[test]
    fn a_status_follows_another_as_the_table_says() {
        use Status::{Archived, Draft, Published, Scheduled};
        let author = user(&[Role::Author]);
        let table = [
            (Draft, vec![Draft, Scheduled, Published, Archived]),
            (Scheduled, vec![Draft, Scheduled, Published, Archived]),
            (Published, vec![Published, Archived]),
            (Archived, vec![Published, Archived]),
        ];
        for (from, legal) in table {
            for to in Status::ALL {
                let publish_at = (to == Scheduled).then(|| at(90_000));
                let outcome = with(&author, from).edit(&author, moved(to, publish_at), at(20_000));
                match outcome {
                    Ok((post, _)) => {
                        assert!(legal.contains(&to), "{from:?} {to:?}");
                        assert_eq!((post.status, post.publish_at), (to, publish_at), "{from:?} {to:?}");
                    }
                    Err(Error::IllegalMove { from: f, to: t }) => {
                        assert_eq!((f, t), (from, to));
                        assert!(!legal.contains(&to), "{from:?} {to:?}");
                    }
                    Err(error) => panic!("{from:?} {to:?} {error}"),
                }
            }
        }
    }

    #[test]
    fn each_change_has_its_event() {
        let author = user(&[Role::Author]);
        let event = |from: Status, patch: PostPatch| {
            let before = with(&author, from);
            let (post_id, (_, mut events)) = (before.id, before.edit(&author, patch, at(20_000)).unwrap());
            assert_eq!(events.len(), 1);
            (post_id, events.remove(0))
        };
        let titled = || PostPatch { title: Some(Title::parse("U").unwrap()), ..PostPatch::default() };
        for status in Status::ALL {
            let (post_id, event) = event(status, titled());
            assert_eq!(event, EventData::PostUpdated { post_id });
        }
        let (post_id, drafted) = event(Status::Scheduled, moved(Status::Draft, None));
        assert_eq!(drafted, EventData::PostDrafted { post_id });
        let (post_id, scheduled) = event(Status::Scheduled, PostPatch { publish_at: Some(at(70_000)), ..PostPatch::default() });
        assert_eq!(scheduled, EventData::PostScheduled { post_id, publish_at: at(70_000) });
        let (post_id, archived) = event(Status::Draft, moved(Status::Archived, None));
        assert_eq!(archived, EventData::PostArchived { post_id });
        let (post_id, published) = event(Status::Archived, publish());
        assert_eq!(published, EventData::PostPublished { post_id });
    }

    #[test]
    fn an_archived_post_that_is_published_again_keeps_its_time() {
        let author = user(&[Role::Author]);
        let published = with(&author, Status::Archived).edit(&author, publish(), at(50_000)).unwrap().0;
        assert_eq!(published.published_at, Some(at(10_000)));
        let never = draft_of(&author).edit(&author, moved(Status::Archived, None), at(10_000)).unwrap().0;
        assert_eq!(never.edit(&author, publish(), at(50_000)).unwrap().0.published_at, Some(at(50_000)));
    }

    #[test]
    fn a_time_of_publication_is_for_scheduled_posts_and_in_the_future() {
        let author = user(&[Role::Author]);
        let year = limits::SCHEDULE_SECONDS * 1000;
        let refused = |from: Status, patch: PostPatch| match with(&author, from).edit(&author, patch, at(20_000)) {
            Err(Error::Invalid(errors)) => assert_eq!(errors[0].pointer, "/publishAt"),
            other => panic!("{other:?}"),
        };
        refused(Status::Draft, moved(Status::Scheduled, None));
        for wrong in [at(0), at(20_000), at(20_001 + year)] {
            refused(Status::Draft, moved(Status::Scheduled, Some(wrong)));
            refused(Status::Scheduled, PostPatch { publish_at: Some(wrong), ..PostPatch::default() });
        }
        for status in [Status::Draft, Status::Published, Status::Archived] {
            refused(status, PostPatch { publish_at: Some(at(30_000)), ..PostPatch::default() });
        }
        refused(Status::Scheduled, moved(Status::Published, Some(at(30_000))));
        for right in [at(20_001), at(20_000 + year)] {
            assert!(with(&author, Status::Draft).edit(&author, moved(Status::Scheduled, Some(right)), at(20_000)).is_ok());
        }
        let scheduled = with(&author, Status::Scheduled);
        let (kept, events) = scheduled.clone().edit(&author, moved(Status::Scheduled, Some(at(60_000))), at(59_999)).unwrap();
        assert_eq!((kept, events), (scheduled, vec![]), "the same time again");
    }

    #[test]
    fn a_scheduled_post_is_published_from_its_time_on_and_not_before() {
        let author = user(&[Role::Author]);
        let scheduled = with(&author, Status::Scheduled);
        let early = at(59_999);
        assert_eq!(scheduled.fall_due(early), None);
        assert_eq!(scheduled.clone().as_of(early), scheduled);
        assert!(matches!(scheduled.clone().seen_by(&Principal::Anonymous, early), Err(Error::NotFound(Kind::Post))));

        for now in [at(60_000), at(9_000_000)] {
            let (published, event) = scheduled.fall_due(now).unwrap();
            assert_eq!(event, EventData::PostPublished { post_id: scheduled.id });
            assert_eq!((published.status, published.publish_at, published.published_at), (Status::Published, None, Some(at(60_000))));
            assert_eq!((published.version, published.updated_at), (scheduled.version + 1, at(60_000)), "whenever it is written down");
            assert_eq!(scheduled.clone().seen_by(&Principal::Anonymous, now).unwrap(), published, "as if it were written down");
            assert_eq!(scheduled.summary().as_of(now), published.summary());
            assert_eq!(published.fall_due(now), None, "once");
        }
        for status in [Status::Draft, Status::Published, Status::Archived] {
            assert_eq!(with(&author, status).fall_due(at(9_000_000)), None);
        }
    }

    #[test]
    fn a_post_whose_time_has_come_is_published_before_it_is_changed() {
        let (author, stranger) = (user(&[Role::Author]), user(&[Role::Author]));
        let scheduled = with(&author, Status::Scheduled);
        let (post_id, now) = (scheduled.id, at(60_000));
        for late in [moved(Status::Draft, None), moved(Status::Scheduled, Some(at(90_000))), moved(Status::Scheduled, Some(at(60_000)))] {
            let refused = scheduled.clone().edit(&author, late, now);
            assert!(matches!(refused, Err(Error::IllegalMove { from: Status::Published, .. })), "{refused:?}");
        }
        let (archived, events) = scheduled.clone().edit(&author, moved(Status::Archived, None), now).unwrap();
        assert_eq!((archived.version, archived.published_at), (scheduled.version + 2, Some(now)));
        assert_eq!(events, [EventData::PostPublished { post_id }, EventData::PostArchived { post_id }]);
        let (same, events) = scheduled.clone().edit(&author, publish(), now).unwrap();
        assert_eq!((same, events), (scheduled.clone().as_of(now), vec![]));
        assert!(matches!(scheduled.edit(&stranger, publish(), now), Err(Error::Forbidden(Action::EditPost))));
    }

    #[test]
    fn whoever_could_delete_a_post_can_do_so_again() {
        let (author, stranger, editor) = (user(&[Role::Author]), user(&[Role::Author]), user(&[Role::Editor]));
        let published = with(&author, Status::Published);
        assert!(matches!(published.clone().delete(&stranger, at(20_000)), Err(Error::Forbidden(Action::EditPost))));
        assert!(matches!(draft_of(&author).delete(&stranger, at(20_000)), Err(Error::NotFound(Kind::Post))));
        let (tombstone, event) = published.delete(&author, at(20_000)).unwrap();
        assert_eq!(event, EventData::PostDeleted { post_id: tombstone.id });
        assert!(tombstone.delete(&author).is_ok() && tombstone.delete(&editor).is_ok());
        for nobody in [&stranger, &Principal::Anonymous] {
            assert!(matches!(tombstone.delete(nobody), Err(Error::NotFound(Kind::Post))));
        }
    }
}

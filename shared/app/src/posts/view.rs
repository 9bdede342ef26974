//! Posts and their versions as clients see them.

use quire_domain::{
    Timestamp,
    counts::{Counter, PostCounts, ReactionCount},
    details::{Details, Language, Tags},
    id::{PostId, UserId},
    post::{Post, PostSummary, Status},
    revision::{Revision, RevisionSummary},
    slug::Slug,
    text::{Content, Excerpt, Title},
};
use serde::{Deserialize, Serialize};

use crate::{
    input::{Fields, Input},
    selection::Selection,
};

/// A post as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostView {
    /// Names the post.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// Markdown.
    pub content: Content,
    /// The content as HTML that is safe to show, if somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_html: Option<String>,
    /// Unique among all posts.
    pub slug: Slug,
    /// What it says of itself besides.
    #[serde(flatten)]
    pub details: Details,
    /// `draft`, `scheduled`, `published` or `archived`.
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
    /// Approved comments.
    pub comment_count: u64,
    /// The kinds of reactions that somebody gave.
    pub reactions: Vec<ReactionCount>,
    /// Counts changes, from 1.
    pub version: u64,
    /// Counts changes of the counts: with the version, it tells representations apart.
    #[serde(skip)]
    pub changes: u64,
}

/// The members of a post that a client wants.
#[derive(Debug, Clone)]
pub struct PostSelection(pub Selection);

impl Input for PostSelection {
    fn read(fields: &mut Fields) -> Option<Self> {
        Selection::read(fields, PostView::FIELDS).map(Self)
    }
}

/// A post in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostListItem {
    /// Names the post.
    pub post_id: PostId,
    /// Who wrote it.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// Unique among all posts.
    pub slug: Slug,
    /// What it says of itself besides.
    #[serde(flatten)]
    pub details: Details,
    /// `draft`, `scheduled`, `published` or `archived`.
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

impl PostView {
    /// The names of all that it may show; the first is always there.
    pub const FIELDS: &'static [&'static str] = &[
        "postId",
        "authorId",
        "title",
        "content",
        "contentHtml",
        "excerpt",
        "slug",
        "tags",
        "coverUrl",
        "language",
        "canonicalUrl",
        "status",
        "publishAt",
        "createdAt",
        "updatedAt",
        "publishedAt",
        "commentCount",
        "reactions",
        "version",
    ];

    pub(super) fn new(post: Post, counts: &PostCounts) -> Self {
        let Post { id, author_id, title, content, slug, details, status, publish_at, created_at, updated_at, published_at, version } = post;
        Self {
            post_id: id,
            author_id,
            title,
            content,
            content_html: None,
            slug,
            details,
            status,
            publish_at,
            created_at,
            updated_at,
            published_at,
            comment_count: counts.shown(Counter::CommentCount),
            reactions: counts.reactions(),
            version,
            changes: counts.changes,
        }
    }
}

impl PostListItem {
    /// The names of all that it may show; the first is always there.
    pub const FIELDS: &'static [&'static str] = &[
        "postId",
        "authorId",
        "title",
        "excerpt",
        "slug",
        "tags",
        "coverUrl",
        "language",
        "canonicalUrl",
        "status",
        "publishAt",
        "createdAt",
        "updatedAt",
        "publishedAt",
        "version",
    ];
}

impl From<PostSummary> for PostListItem {
    fn from(post: PostSummary) -> Self {
        let PostSummary { id, author_id, title, slug, details, status, publish_at, created_at, updated_at, published_at, version } = post;
        Self { post_id: id, author_id, title, slug, details, status, publish_at, created_at, updated_at, published_at, version }
    }
}

/// A version of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionView {
    /// What lists show.
    #[serde(flatten)]
    pub listed: RevisionListItem,
    /// Markdown.
    pub content: Content,
}

/// A version of a post in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionListItem {
    /// Names the post.
    pub post_id: PostId,
    /// Which version it is.
    pub version: u64,
    /// Who wrote the post.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// What the post was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Excerpt>,
    /// What it was listed under.
    pub tags: Tags,
    /// What it was written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// When this version was made.
    pub updated_at: Timestamp,
}

impl From<Revision> for RevisionView {
    fn from(revision: Revision) -> Self {
        Self { listed: revision.summary.into(), content: revision.content }
    }
}

impl From<RevisionSummary> for RevisionListItem {
    fn from(summary: RevisionSummary) -> Self {
        let RevisionSummary { post_id, version, author_id, title, excerpt, tags, language, updated_at } = summary;
        Self { post_id, version, author_id, title, excerpt, tags, language, updated_at }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use quire_domain::policy::{Principal, Role};
    use quire_domain::{details::WebAddress, post::Draft};
    use serde_json::Value;

    use super::*;

    fn names(view: &impl Serialize) -> BTreeSet<String> {
        let Value::Object(members) = serde_json::to_value(view).unwrap() else { panic!("an object") };
        members.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn the_names_of_fields_are_those_of_views() {
        let now = Timestamp::from_millis(0);
        let address = WebAddress::parse("https://example.com").ok();
        let (excerpt, language) = (Excerpt::parse("E").ok(), Language::parse("en").ok());
        let details = Details { excerpt, tags: Tags::default(), cover_url: address.clone(), language, canonical_url: address };
        let draft = Draft { title: Title::parse("T").unwrap(), content: Content::default(), slug: None, details };
        let author = Principal::user(UserId::generate(now), [Role::Author].into());
        let (post, _) = Post::draft(&author, draft, PostId::generate(now), now).unwrap();
        let post = Post { publish_at: Some(now), published_at: Some(now), ..post };
        let all = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(names(&PostListItem::from(post.summary())), all(PostListItem::FIELDS));
        let view = PostView { content_html: Some(String::new()), ..PostView::new(post, &PostCounts::default()) };
        assert_eq!(names(&view), all(PostView::FIELDS));
    }
}

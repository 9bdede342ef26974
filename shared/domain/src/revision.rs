//! Earlier versions of posts.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    details::{Details, Language, Tags},
    id::{InvalidId, PostId, UserId},
    post::Post,
    text::{Content, Excerpt, Title},
};

/// The version of a post, as a path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevisionNumber(pub u64);

impl FromStr for RevisionNumber {
    type Err = InvalidId;

    /// Takes the one canonical form only, so that two texts never name one thing.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let number: u64 = text.parse().map_err(|_| InvalidId)?;
        if number.to_string() == text { Ok(Self(number)) } else { Err(InvalidId) }
    }
}

/// What a version of a post said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// What lists show.
    #[serde(flatten)]
    pub summary: RevisionSummary,
    /// Markdown.
    pub content: Content,
}

/// A version of a post as lists show it: without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSummary {
    /// Names the post.
    pub post_id: PostId,
    /// Which version it is.
    pub version: u64,
    /// Who wrote the post.
    pub author_id: UserId,
    /// One line.
    pub title: Title,
    /// What the post was about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub excerpt: Option<Excerpt>,
    /// What it was listed under.
    pub tags: Tags,
    /// What it was written in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<Language>,
    /// When this version was made.
    pub updated_at: Timestamp,
}

impl RevisionSummary {
    /// Its number.
    pub fn number(&self) -> RevisionNumber {
        RevisionNumber(self.version)
    }
}

impl Revision {
    /// What the present version of a post says.
    pub fn of(post: &Post) -> Self {
        let Details { excerpt, tags, cover_url: _, language, canonical_url: _ } = post.details.clone();
        let summary = RevisionSummary {
            post_id: post.id,
            version: post.version,
            author_id: post.author_id,
            title: post.title.clone(),
            excerpt,
            tags,
            language,
            updated_at: post.updated_at,
        };
        Self { summary, content: post.content.clone() }
    }

    /// What `before` said, if `after` says something else.
    pub fn of_change(before: &Post, after: &Post) -> Option<Self> {
        let said = |post: &Post| {
            let Self { summary: RevisionSummary { post_id: _, version: _, author_id: _, title, excerpt, tags, language, updated_at: _ }, content } =
                Self::of(post);
            (title, content, excerpt, tags, language)
        };
        (said(before) != said(after)).then(|| Self::of(before))
    }
}

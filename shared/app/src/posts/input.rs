//! What clients send to write posts.

use quire_domain::{
    Timestamp,
    details::{Details, Language, Tag, Tags, WebAddress},
    post::{Draft, PostPatch, Status},
    slug::Slug,
    text::{Content, Excerpt, Title},
};

use crate::input::{Fields, Input};

/// All that a post says, instead of what it said before: an absent slug or status stays as it is, whatever else is absent is removed.
#[derive(Debug, Clone)]
pub struct PostReplacement(pub PostPatch);

impl Input for Draft {
    fn read(fields: &mut Fields) -> Option<Self> {
        let title = fields.required("title", Title::parse);
        let content = fields.optional("content", Content::parse);
        let slug = fields.optional("slug", Slug::parse);
        let excerpt = fields.optional("excerpt", Excerpt::parse);
        let tags = tags(fields);
        let cover_url = fields.optional("coverUrl", WebAddress::parse);
        let language = fields.optional("language", Language::parse);
        let canonical_url = fields.optional("canonicalUrl", WebAddress::parse);
        let details = Details { excerpt: excerpt?, tags: tags?, cover_url: cover_url?, language: language?, canonical_url: canonical_url? };
        Some(Self { title: title?, content: content?.unwrap_or_default(), slug: slug?, details })
    }
}

/// A JSON Merge Patch (RFC 7396).
impl Input for PostPatch {
    fn read(fields: &mut Fields) -> Option<Self> {
        let title = fields.replaced("title", Title::parse);
        let content = fields.replaced("content", Content::parse);
        let slug = fields.replaced("slug", Slug::parse);
        let excerpt = fields.change("excerpt", Excerpt::parse);
        let tags = replaced_tags(fields);
        let cover_url = fields.change("coverUrl", WebAddress::parse);
        let language = fields.change("language", Language::parse);
        let canonical_url = fields.change("canonicalUrl", WebAddress::parse);
        let status = fields.replaced("status", Status::parse);
        let publish_at = fields.replaced("publishAt", time);
        Some(Self {
            title: title?,
            content: content?,
            slug: slug?,
            excerpt: excerpt?,
            tags: tags?,
            cover_url: cover_url?,
            language: language?,
            canonical_url: canonical_url?,
            status: status?,
            publish_at: publish_at?,
        })
    }
}

impl Input for PostReplacement {
    fn read(fields: &mut Fields) -> Option<Self> {
        let draft = Draft::read(fields);
        let status = fields.optional("status", Status::parse);
        let publish_at = fields.optional("publishAt", time);
        let Draft { title, content, slug, details: Details { excerpt, tags, cover_url, language, canonical_url } } = draft?;
        Some(Self(PostPatch {
            title: Some(title),
            content: Some(content),
            slug,
            excerpt: excerpt.into(),
            tags: Some(tags),
            cover_url: cover_url.into(),
            language: language.into(),
            canonical_url: canonical_url.into(),
            status: status?,
            publish_at: publish_at?,
        }))
    }
}

/// All tags of a post.
fn tags(fields: &mut Fields) -> Option<Tags> {
    match Tags::parse(fields.list("tags", Tag::parse)?) {
        Ok(tags) => Some(tags),
        Err(error) => fields.refuse("tags", &error.to_string()),
    }
}

/// The change of the tags; null empties them.
fn replaced_tags(fields: &mut Fields) -> Option<Option<Tags>> {
    match fields.replaced_list("tags", Tag::parse)?.map(Tags::parse).transpose() {
        Ok(tags) => Some(tags),
        Err(error) => fields.refuse("tags", &error.to_string()),
    }
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "must be a time such as 2026-12-24T18:00:00Z")
}

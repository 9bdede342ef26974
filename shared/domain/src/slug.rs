//! Slugs: the readable part of a post's address.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{id::PostId, limits, text::Title};

/// Why a text is not a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {} of a to z, 0 to 9 and single hyphens between them", limits::SLUG_CHARS)]
pub struct InvalidSlug;

/// Lower-case words of `a`–`z` and `0`–`9`, joined by single hyphens. Never the text of an id, so that a path segment names either.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// Parses a slug that a person chose.
    pub fn parse(text: &str) -> Result<Self, InvalidSlug> {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let is_slug = text.len() <= limits::SLUG_CHARS && text.split('-').all(word);
        if is_slug && text.parse::<PostId>().is_err() { Ok(Self(text.to_owned())) } else { Err(InvalidSlug) }
    }

    /// The slug for a title. It ends in a part of the post's id, so that two posts with one title do not collide.
    pub fn for_post(title: &Title, id: PostId) -> Self {
        let simple = id.uuid().simple().to_string();
        let suffix = &simple[simple.len() - 8..];
        let mut slug = String::with_capacity(limits::SLUG_CHARS);
        for character in title.as_str().nfkd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase) {
            if character.is_ascii_alphanumeric() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() == limits::SLUG_CHARS - suffix.len() - 1 {
                break;
            }
        }
        let words = slug.trim_end_matches('-');
        Self(if words.is_empty() { format!("post-{suffix}") } else { format!("{words}-{suffix}") })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, InvalidSlug> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;

    fn slug(title: &str) -> String {
        let id = PostId::generate(Timestamp::from_millis(0));
        let slug = Slug::for_post(&Title::parse(title).unwrap(), id);
        let (words, suffix) = slug.as_str().rsplit_once('-').unwrap();
        assert!(id.to_string().ends_with(suffix));
        words.to_owned()
    }

    #[test]
    fn titles_become_words() {
        for (title, words) in
            [("Hello, World!", "hello-world"), ("  Café — crème ", "cafe-creme"), ("日本", "post"), ("a--b", "a-b"), ("½ ﬁsh", "1-2-fish")]
        {
            assert_eq!(slug(title), words, "{title}");
        }
    }

    #[test]
    fn an_id_is_no_slug() {
        assert!(Slug::parse(&PostId::generate(Timestamp::from_millis(0)).to_string()).is_err());
        for text in ["", "-a", "a-", "a--b", "A", "a_b", &"a".repeat(81)] {
            assert!(Slug::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_title_has_a_valid_slug(text in "\\PC{1,200}") {
            if let Ok(title) = Title::parse(&text) {
                let slug = Slug::for_post(&title, PostId::generate(Timestamp::from_millis(0)));
                prop_assert_eq!(Slug::parse(slug.as_str()), Ok(slug));
            }
        }
    }
}

//! What a post says of itself besides its title and its content.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    limits,
    text::{Excerpt, InvalidText, texts},
};

/// What a post says of itself besides its title and its content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub excerpt: Option<Excerpt>,
    /// What it is listed under.
    #[serde(default)]
    pub tags: Tags,
    /// A picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cover_url: Option<WebAddress>,
    /// What it is written in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub language: Option<Language>,
    /// The original, where the post appeared elsewhere first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub canonical_url: Option<WebAddress>,
}

texts! {
    /// A tag: 1 to 32 of `a`–`z`, `0`–`9` and `-`.
    Tag,
    /// A language tag of the form of BCP 47 (RFC 5646), in its canonical case.
    Language,
    /// The http or https address of something on the web, as somebody wrote it.
    WebAddress,
}

impl Tag {
    /// Parses a tag.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > limits::TAG_CHARS || !text.bytes().all(allowed) {
            return Err(InvalidText::new(format!("must have 1 to {} of a to z, 0 to 9 and hyphens", limits::TAG_CHARS)));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Language {
    /// Parses a tag by its form; whether its parts are registered is not looked at. Case is made canonical (RFC 5646, section 2.1.1).
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let invalid = || InvalidText::new("must be a language tag such as en or pt-BR");
        let mut parts = text.split('-');
        let first = parts.next().unwrap_or_default();
        if text.len() > limits::LANGUAGE_CHARS || !(2..=8).contains(&first.len()) || !first.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(invalid());
        }
        let mut tag = first.to_ascii_lowercase();
        let mut after_singleton = false;
        for part in parts {
            if !(1..=8).contains(&part.len()) || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(invalid());
            }
            let mut part = part.to_ascii_lowercase();
            match part.len() {
                2 if !after_singleton => part.make_ascii_uppercase(),
                4 if !after_singleton => part[..1].make_ascii_uppercase(),
                _ => {}
            }
            after_singleton |= part.len() == 1;
            tag.push('-');
            tag.push_str(&part);
        }
        Ok(Self(tag))
    }
}

impl WebAddress {
    /// Parses an address with a host and without a user or password, which serve to deceive.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        if text.chars().count() > limits::WEB_ADDRESS_CHARS {
            return Err(InvalidText::new(format!("must have at most {} characters", limits::WEB_ADDRESS_CHARS)));
        }
        // The parser of URLs forgives much: characters that no URI has, and slashes that are others, missing or too many.
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_plain = rest.is_some_and(|rest| !rest.starts_with('/') && is_uri(rest));
        let url = Url::parse(text).ok().filter(|url| is_plain && url.has_host() && url.username().is_empty() && url.password().is_none());
        url.map(|_| Self(text.to_owned())).ok_or_else(|| InvalidText::new("must be an http or https address"))
    }
}

/// Whether what follows the scheme has the characters of a URI only, where they may stand (RFC 3986, section 2 and appendix A).
fn is_uri(rest: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let is_escape = |after: &str| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    let beyond_host = rest.split_once(['/', '?', '#']).map_or("", |(_, beyond)| beyond);
    rest.bytes().all(is_allowed) && rest.split('%').skip(1).all(is_escape) && !beyond_host.contains(['[', ']']) && rest.matches('#').count() <= 1
}

/// The tags of a post, each once, in the order that somebody gave them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Tag>", into = "Vec<Tag>")]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// Makes a set of tags.
    pub fn parse(tags: Vec<Tag>) -> Result<Self, InvalidText> {
        if tags.len() > limits::TAGS {
            return Err(InvalidText::new(format!("must have at most {} items", limits::TAGS)));
        }
        if tags.iter().enumerate().any(|(index, tag)| tags[..index].contains(tag)) {
            return Err(InvalidText::new("must not have an item twice"));
        }
        Ok(Self(tags))
    }

    /// Whether `tag` is one of them.
    pub fn contains(&self, tag: &Tag) -> bool {
        self.0.contains(tag)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }
}

impl TryFrom<Vec<Tag>> for Tags {
    type Error = InvalidText;

    fn try_from(tags: Vec<Tag>) -> Result<Self, InvalidText> {
        Self::parse(tags)
    }
}

impl From<Tags> for Vec<Tag> {
    fn from(tags: Tags) -> Self {
        tags.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn languages_have_one_case() {
        for (text, canonical) in [
            ("EN", "en"),
            ("pt-br", "pt-BR"),
            ("ZH-hant-tw", "zh-Hant-TW"),
            ("sl-ROZAJ-biske-1994", "sl-rozaj-biske-1994"),
            ("en-CA-X-CA", "en-CA-x-ca"),
            ("az-arab-x-AZE-derbend", "az-Arab-x-aze-derbend"),
            ("es-419", "es-419"),
        ] {
            assert_eq!(Language::parse(text).unwrap().as_str(), canonical);
        }
        for text in ["", "e", "en-", "-en", "en_GB", "en--GB", "123", "deutschland", "en-toolongsubtag", "ёё", &format!("en{}", "-abc".repeat(9))] {
            assert!(Language::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_leads_to_the_web_and_nowhere_else() {
        for text in ["https://example.com", "http://example.com:8080/a?b=c#d", "https://xn--mller-kva.example/%C3%A4", "https://[::1]/"] {
            assert_eq!(WebAddress::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "example.com",
            "//example.com/",
            "javascript:alert(1)",
            "data:text/html,hi",
            "ftp://example.com/",
            "https:example.com",
            "https:/example.com",
            "https://",
            "https:///path",
            "https://example.com/a b",
            " https://example.com",
            "https://example.com\n",
            "https://exa\tmple.com",
            "https:\\\\example.com",
            "https://user@example.com/",
            "https://user:secret@example.com/",
            "https://example.com:99999/",
            "https://exa%00mple.com/",
            "https://müller.example/",
            "https://example.com/ä",
            "https://example.com/%zz",
            "https://example.com/[a]",
            "https://example.com/#a#b",
            &format!("https://example.com/{}", "a".repeat(1_981)),
        ] {
            assert!(WebAddress::parse(text).is_err(), "{text:?}");
        }
        assert!(WebAddress::parse(&format!("https://example.com/{}", "a".repeat(1_980))).is_ok());
    }

    #[test]
    fn a_tag_stands_once_and_there_are_few() {
        let tag = |text: &str| Tag::parse(text).unwrap();
        assert!(Tags::parse(vec![tag("a"), tag("b"), tag("a")]).is_err());
        assert!(Tags::parse((0..10).map(|number| tag(&format!("t{number}"))).collect()).is_ok());
        assert!(Tags::parse((0..11).map(|number| tag(&format!("t{number}"))).collect()).is_err());
        for text in ["", "A", "a b", "ä", "a_b", "#a", &"a".repeat(33)] {
            assert!(Tag::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_parses_again_to_itself(text in "\\PC{0,40}", tag in "[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8}){0,3}") {
            for text in [text.as_str(), &tag, &format!("https://{text}")] {
                if let Ok(address) = WebAddress::parse(text) {
                    prop_assert_eq!(WebAddress::parse(address.as_str()).unwrap(), address);
                }
                if let Ok(language) = Language::parse(text) {
                    prop_assert_eq!(Language::parse(language.as_str()).unwrap(), language);
                }
            }
        }
    }
}

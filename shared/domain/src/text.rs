//! Texts that a person writes, parsed once: a value that exists is valid.

use std::{fmt, str::FromStr};

use email_address::{EmailAddress, Options};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// Why a text was refused, as the end of a sentence about the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(String);

impl InvalidText {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, InvalidText> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )*};
}

pub(crate) use texts;

texts! {
    /// A name for signing in and for links: 3 to 30 of `a`–`z`, `0`–`9`, `_` and `-`, beginning with a letter.
    /// ASCII only, so that no two usernames look alike in another script.
    Username,
    /// An e-mail address, in lower case: one mailbox has one account.
    Email,
    /// SHA-256 of an e-mail address, in hex: finds its account, and is no address to write to.
    EmailHash,
    /// How an account wants to be called: one line.
    DisplayName,
    /// What an account says of itself: plain text.
    Bio,
    /// The title of a post: one line.
    Title,
    /// The Markdown of a post.
    Content,
    /// What a post is about.
    Excerpt,
    /// The text of a comment.
    CommentText,
    /// What an API token is for, for its owner: one line.
    TokenName,
}

impl Username {
    /// Parses a username; upper case is folded.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let name = text.to_ascii_lowercase();
        let length = name.chars().count();
        if !(limits::USERNAME_MIN..=limits::USERNAME_MAX).contains(&length) {
            return Err(InvalidText::new(format!("must have {} to {} characters", limits::USERNAME_MIN, limits::USERNAME_MAX)));
        }
        let allowed = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '_' | '-');
        if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.chars().all(allowed) {
            return Err(InvalidText::new("must begin with a letter and hold only the letters a to z, digits, _ and -"));
        }
        Ok(Self(name))
    }

    /// What all names that look like this one have in common: no two accounts may share it. The look-alikes inside ASCII lower case
    /// of UTS 39, section 4 (`0` and `o`, `1` and `l`, `rn` and `m`), and `_` and `-`, which a reader does not remember apart.
    pub fn skeleton(&self) -> String {
        self.0.replace('m', "rn").replace('0', "o").replace('1', "l").replace('_', "-")
    }
}

impl Username {
    /// A username like what somebody is called elsewhere, such as an e-mail address; the number tells apart names that look alike.
    pub fn suggested(text: &str, number: Option<u16>) -> Self {
        const MOST: usize = limits::USERNAME_MAX - "-ffff".len();
        let name = text.split('@').next().unwrap_or_default().to_ascii_lowercase();
        let allowed = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
        let words: Vec<_> = name.split(|character| !allowed(character)).filter(|word| !word.is_empty()).collect();
        let name = words.join("-");
        let name: String = name.trim_start_matches(|first: char| !first.is_ascii_lowercase()).chars().take(MOST).collect();
        let name = name.trim_end_matches('-');
        let name = if name.len() < limits::USERNAME_MIN { "user" } else { name };
        Self(number.map_or_else(|| name.to_owned(), |number| format!("{name}-{number:04x}")))
    }
}

impl EmailHash {
    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidText::new("must be the hash of an address"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl DisplayName {
    /// Parses a display name: trimmed, not empty, one line.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        line(text, limits::DISPLAY_NAME_CHARS).map(Self)
    }
}

impl TokenName {
    /// Parses the name of an API token: trimmed, not empty, one line.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        line(text, limits::API_TOKEN_NAME_CHARS).map(Self)
    }
}

impl Bio {
    /// Parses what an account says of itself: trimmed, not empty.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let bio = text.trim();
        if bio.is_empty() || bio.chars().count() > limits::BIO_CHARS {
            return Err(InvalidText::new(format!("must have 1 to {} characters", limits::BIO_CHARS)));
        }
        printable(bio).map(Self)
    }
}

impl Email {
    /// Parses an address (RFC 5321) with a dotted domain, no display name and no quotes; case is folded. ASCII only, so that no
    /// mailbox has two spellings: an internationalised domain is written in its `xn--` form.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        if !text.is_ascii() || text.contains('"') || text.len() > limits::EMAIL_BYTES || EmailAddress::parse_with_options(text, options).is_err() {
            return Err(InvalidText::new("must be an e-mail address in ASCII characters"));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl Title {
    /// Parses a title: trimmed, not empty, one line.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        line(text, limits::TITLE_CHARS).map(Self)
    }
}

/// The empty text.
impl Default for Content {
    fn default() -> Self {
        Self(String::new())
    }
}

impl Content {
    /// Parses the Markdown of a post; it may be empty.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        if text.len() > limits::POST_BYTES {
            return Err(InvalidText::new(format!("must have at most {} bytes", limits::POST_BYTES)));
        }
        printable(text).map(Self)
    }
}

impl Excerpt {
    /// Parses an excerpt: trimmed, not empty.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let excerpt = text.trim();
        if excerpt.is_empty() || excerpt.chars().count() > limits::EXCERPT_CHARS {
            return Err(InvalidText::new(format!("must have 1 to {} characters", limits::EXCERPT_CHARS)));
        }
        printable(excerpt).map(Self)
    }
}

impl CommentText {
    /// Parses a comment: trimmed, not empty.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let comment = text.trim();
        if comment.is_empty() || comment.chars().count() > limits::COMMENT_CHARS {
            return Err(InvalidText::new(format!("must have 1 to {} characters", limits::COMMENT_CHARS)));
        }
        printable(comment).map(Self)
    }
}

/// One trimmed line that is not empty.
pub(crate) fn line(text: &str, most: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most {
        return Err(InvalidText::new(format!("must have 1 to {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidText::new("must be one line without control characters"));
    }
    printable(text)
}

/// Refuses what XML 1.0 (section 2.2) cannot hold, so that every stored text can be shown in every format.
fn printable(text: &str) -> Result<String, InvalidText> {
    let illegal =
        |character: char| (character.is_control() && !matches!(character, '\n' | '\r' | '\t')) || matches!(character, '\u{fffe}' | '\u{ffff}');
    if text.contains(illegal) {
        return Err(InvalidText::new("must not hold control characters"));
    }
    Ok(text.to_owned())
}

/// A password as somebody chose or typed it, in NFC. It is never printed or serialised.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Parses a new password: 10 to 256 characters, any characters.
    pub fn parse(text: &SecretString) -> Result<Self, InvalidText> {
        let password = Self::typed(text);
        let length = password.0.expose_secret().chars().count();
        if !(limits::PASSWORD_MIN..=limits::PASSWORD_MAX).contains(&length) {
            return Err(InvalidText::new(format!("must have {} to {} characters", limits::PASSWORD_MIN, limits::PASSWORD_MAX)));
        }
        Ok(password)
    }

    /// A password typed to sign in: whatever its length, it is compared and not judged.
    pub fn typed(text: &SecretString) -> Self {
        Self(text.expose_secret().nfc().collect::<String>().into())
    }

    /// The characters to hash.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usernames_are_folded_and_look_alikes_refused() {
        assert_eq!(Username::parse("Ada-1815").unwrap().as_str(), "ada-1815");
        for text in ["", "ab", "1ada", "аda", "ada lovelace", "ada\u{200b}", &"a".repeat(31), "-ada"] {
            assert!(Username::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_username_is_made_of_any_name_that_somebody_has_elsewhere() {
        let cases = [
            ("Ada.Lovelace@example.com", "ada-lovelace"),
            ("ada+news@example.com", "ada-news"),
            ("007bond", "bond"),
            ("-_-", "user"),
            ("日本", "user"),
            ("al", "user"),
            ("", "user"),
        ];
        for (text, expected) in cases {
            assert_eq!(Username::suggested(text, None).as_str(), expected, "{text}");
        }
        for text in ["a".repeat(100), "ab-".repeat(30), "1@".to_owned()] {
            for number in [None, Some(0), Some(u16::MAX)] {
                let name = Username::suggested(&text, number);
                assert_eq!(Username::parse(name.as_str()), Ok(name.clone()), "{text}");
            }
        }
    }

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        let skeleton = |name: &str| Username::parse(name).unwrap().skeleton();
        for (name, alike) in [("ada_1815", "ada-l8l5"), ("bob", "b0b"), ("Paul", "pau1"), ("mort", "rnort"), ("a_-b", "a-_b"), ("ADA", "ada")] {
            assert_eq!(skeleton(name), skeleton(alike), "{name} {alike}");
        }
        for (name, other) in [("ada-1", "ada1"), ("bob", "bod"), ("ann", "anm"), ("eli", "ell"), ("user2", "userz"), ("a-b", "a--b")] {
            assert_ne!(skeleton(name), skeleton(other), "{name} {other}");
        }
    }

    #[test]
    fn what_an_account_says_of_itself_is_short_and_its_name_is_one_line() {
        assert_eq!(DisplayName::parse(" Ada Lovelace ").unwrap().as_str(), "Ada Lovelace");
        assert_eq!(Bio::parse("Writes.\nAbout engines.\n").unwrap().as_str(), "Writes.\nAbout engines.");
        for text in ["", " ", "a\nb", "a\0b", &"é".repeat(81)] {
            assert!(DisplayName::parse(text).is_err(), "{text:?}");
        }
        assert!(DisplayName::parse(&"é".repeat(80)).is_ok() && Bio::parse(&"é".repeat(500)).is_ok());
        for text in ["", " \n", "a\0b", &"é".repeat(501)] {
            assert!(Bio::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_are_folded_and_must_have_a_dotted_domain() {
        assert_eq!(Email::parse("Ada@Example.COM").unwrap().as_str(), "ada@example.com");
        for text in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "Ada <ada@example.com>",
            "a b@example.com",
            "ada@[127.0.0.1]",
            "ａ@example.com",
            "a@exämple.com",
            "\"a b\"@example.com",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(250))).is_err());
    }

    #[test]
    fn a_password_is_the_same_however_its_accents_were_typed() {
        let composed = Password::parse(&"caf\u{e9} caf\u{e9} 12".into()).unwrap();
        let decomposed = Password::parse(&"cafe\u{301} cafe\u{301} 12".into()).unwrap();
        assert_eq!(composed.expose(), decomposed.expose());
        assert!(Password::parse(&"ninechars".into()).is_err());
        assert!(Password::parse(&"x".repeat(257).into()).is_err());
        assert_eq!(format!("{composed:?}").find("caf"), None);
    }

    #[test]
    fn texts_hold_nothing_that_xml_cannot() {
        for text in ["a\0b", "a\u{1b}b", "a\u{ffff}b"] {
            assert!(Title::parse(text).is_err() && Content::parse(text).is_err() && CommentText::parse(text).is_err(), "{text:?}");
        }
        assert!(Content::parse("line\n\tline\r\n").is_ok());
        assert!(Title::parse("line\nline").is_err());
    }

    proptest! {
        #[test]
        fn what_parses_parses_again_to_itself(text in "\\PC{0,40}") {
            if let Ok(title) = Title::parse(&text) {
                prop_assert_eq!(Title::parse(title.as_str()).unwrap(), title);
            }
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(Username::parse(name.as_str()).unwrap(), name);
            }
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()).unwrap(), email);
            }
        }
    }
}

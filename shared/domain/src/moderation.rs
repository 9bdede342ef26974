//! The rules that approve a comment or hold it for a person.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::{comment::Comment, limits, text::CommentText};

/// Why a comment is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// It has more links than [`limits::COMMENT_LINKS`].
    Links,
    /// It has a blocked word.
    BlockedWord,
    /// Its author said the same before on this post.
    Repeated,
}

/// What the rules say of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Approved,
    /// A person should look at it.
    Held(Vec<Reason>),
}

/// Words that hold a comment, compared without regard to case and to the form of their letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockedWords(Vec<String>);

impl BlockedWords {
    /// From words separated by commas.
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').map(|word| fold(word.trim())).filter(|word| !word.is_empty()).collect())
    }
}

/// Judges a comment, given the others of its post that came before it.
pub fn judge<'a>(comment: &Comment, earlier: impl IntoIterator<Item = &'a Comment>, blocked: &BlockedWords) -> Verdict {
    let said = |comment: &Comment| fold(comment.content.as_ref().map_or("", CommentText::as_str));
    let text = said(comment);
    let mut reasons = Vec::new();
    if links(comment) > limits::COMMENT_LINKS {
        reasons.push(Reason::Links);
    }
    let padded = format!(" {} ", words(&text));
    if blocked.0.iter().any(|word| padded.contains(&format!(" {} ", words(word)))) {
        reasons.push(Reason::BlockedWord);
    }
    let repeats = |other: &Comment| other.id < comment.id && other.author_id == comment.author_id && words(&said(other)) == words(&text);
    if earlier.into_iter().any(repeats) {
        reasons.push(Reason::Repeated);
    }
    if reasons.is_empty() { Verdict::Approved } else { Verdict::Held(reasons) }
}

fn links(comment: &Comment) -> usize {
    let lower = comment.content.as_ref().map_or("", CommentText::as_str).to_lowercase();
    lower.matches("http://").count() + lower.matches("https://").count() + lower.split_whitespace().filter(|word| word.starts_with("www.")).count()
}

/// One form for all the ways to write the same letters.
fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

/// The words alone, single spaces between them.
fn words(text: &str) -> String {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Timestamp,
        comment::Status,
        id::{CommentId, PostId, UserId},
    };

    fn comment(millis: i64, author_id: UserId, text: &str) -> Comment {
        let at = Timestamp::from_millis(millis);
        Comment {
            id: CommentId::generate(at),
            post_id: PostId::generate(at),
            author_id,
            parent_id: None,
            depth: 0,
            content: Some(CommentText::parse(text).unwrap()),
            status: Status::Pending,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    #[test]
    fn links_and_blocked_words_hold_a_comment() {
        let author = UserId::generate(Timestamp::from_millis(0));
        let blocked = BlockedWords::parse(" Spam, cheap pills,,");
        let cases: [(&str, &[Reason]); 8] = [
            ("Well said", &[]),
            ("See https://a.example and http://b.example", &[]),
            ("https://a https://b www.c.example", &[Reason::Links]),
            ("This is SPAM!", &[Reason::BlockedWord]),
            ("ｓｐａｍ", &[Reason::BlockedWord]),
            ("spammers are not spam-free? spamalot", &[Reason::BlockedWord]),
            ("spamalot", &[]),
            ("Cheap   pills at https://a https://b https://c", &[Reason::Links, Reason::BlockedWord]),
        ];
        for (text, reasons) in cases {
            let expected = if reasons.is_empty() { Verdict::Approved } else { Verdict::Held(reasons.to_vec()) };
            assert_eq!(judge(&comment(1, author, text), [], &blocked), expected, "{text}");
        }
    }

    #[test]
    fn saying_the_same_again_holds_the_second_and_not_the_first() {
        let (me, other) = (UserId::generate(Timestamp::from_millis(0)), UserId::generate(Timestamp::from_millis(1)));
        let (first, second) = (comment(1, me, "Buy now!"), comment(2, me, "buy  NOW"));
        let all = [first.clone(), second.clone(), comment(0, other, "Buy now!")];
        assert_eq!(judge(&second, &all, &BlockedWords::default()), Verdict::Held(vec![Reason::Repeated]));
        assert_eq!(judge(&first, &all, &BlockedWords::default()), Verdict::Approved);
    }
}

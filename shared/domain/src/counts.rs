//! What readers did with a post, in numbers.

use serde::{Deserialize, Serialize};

/// The counts of one post: an item of its own, so that counting meets no change of the post. What nobody has counted yet is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostCounts {
    /// Approved comments.
    pub comment_count: u64,
    /// Reactions of each kind.
    pub like: u64,
    /// Reactions of this kind.
    pub love: u64,
    /// Reactions of this kind.
    pub laugh: u64,
    /// Reactions of this kind.
    pub insightful: u64,
    /// Reactions of this kind.
    pub sad: u64,
    /// Counts changes of these counts: part of what tells two representations of a post apart.
    pub changes: u64,
}

/// How often one kind of reaction was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionCount {
    /// `like`, `love`, `laugh`, `insightful` or `sad`.
    pub kind: String,
    /// From 1.
    pub count: u64,
}

impl PostCounts {
    /// The kinds that somebody gave.
    pub fn reactions(&self) -> Vec<ReactionCount> {
        let Self { comment_count: _, like, love, laugh, insightful, sad, changes: _ } = self;
        let kinds = [("like", like), ("love", love), ("laugh", laugh), ("insightful", insightful), ("sad", sad)];
        let given = kinds.into_iter().filter(|(_, count)| **count > 0);
        given.map(|(kind, count)| ReactionCount { kind: kind.to_owned(), count: *count }).collect()
    }
}

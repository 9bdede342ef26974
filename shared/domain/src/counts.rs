//! What readers did with a post, in numbers.

use serde::{Deserialize, Serialize};

use crate::reaction::Kind;

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
    /// How.
    pub kind: Kind,
    /// From 1.
    pub count: u64,
}

impl PostCounts {
    /// The kinds that somebody gave.
    pub fn reactions(&self) -> Vec<ReactionCount> {
        let count = |kind| match kind {
            Kind::Like => self.like,
            Kind::Love => self.love,
            Kind::Laugh => self.laugh,
            Kind::Insightful => self.insightful,
            Kind::Sad => self.sad,
        };
        Kind::ALL.into_iter().map(|kind| ReactionCount { kind, count: count(kind) }).filter(|given| given.count > 0).collect()
    }
}

//! What readers did with a post, in numbers.

use serde::{Deserialize, Serialize};

use crate::reaction::Kind;

/// One thing that is counted of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Counter {
    /// Approved comments.
    CommentCount,
    /// Reactions of one kind.
    #[serde(untagged)]
    Reaction(Kind),
}

impl Counter {
    /// The counter's name in events and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::CommentCount => "commentCount",
            Self::Reaction(kind) => kind.name(),
        }
    }
}

/// The counts of one post: an item of its own, so that counting meets no change of the post. What nobody has counted yet is zero.
///
/// Changes are added in any order, so a number may be below zero for a moment: what went is then counted before what came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostCounts {
    comment_count: i64,
    like: i64,
    love: i64,
    laugh: i64,
    insightful: i64,
    sad: i64,
    /// Grows whenever one of these counts changes: part of what tells two representations of a post apart.
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
    /// What a counter shows; never less than none.
    pub fn shown(&self, counter: Counter) -> u64 {
        let count = match counter {
            Counter::CommentCount => self.comment_count,
            Counter::Reaction(Kind::Like) => self.like,
            Counter::Reaction(Kind::Love) => self.love,
            Counter::Reaction(Kind::Laugh) => self.laugh,
            Counter::Reaction(Kind::Insightful) => self.insightful,
            Counter::Reaction(Kind::Sad) => self.sad,
        };
        u64::try_from(count).unwrap_or(0)
    }

    /// The kinds that somebody gave.
    pub fn reactions(&self) -> Vec<ReactionCount> {
        let given = Kind::ALL.into_iter().map(|kind| ReactionCount { kind, count: self.shown(Counter::Reaction(kind)) });
        given.filter(|given| given.count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_counter_has_one_name_everywhere() {
        for counter in [Counter::CommentCount].into_iter().chain(Kind::ALL.map(Counter::Reaction)) {
            assert_eq!(serde_json::to_value(counter).unwrap(), counter.name());
            assert_eq!(serde_json::from_value::<Counter>(json!(counter.name())).unwrap(), counter);
            let counts: PostCounts = serde_json::from_value(json!({counter.name(): 3})).unwrap();
            assert_eq!(counts.shown(counter), 3);
        }
        assert!(serde_json::from_value::<Counter>(json!("changes")).is_err());
    }

    #[test]
    fn what_is_below_zero_is_shown_as_none() {
        let counts: PostCounts = serde_json::from_value(json!({"commentCount": -1, "like": -2, "sad": 1, "changes": 3})).unwrap();
        assert_eq!((counts.shown(Counter::CommentCount), counts.changes), (0, 3));
        assert_eq!(counts.reactions(), [ReactionCount { kind: Kind::Sad, count: 1 }]);
    }
}

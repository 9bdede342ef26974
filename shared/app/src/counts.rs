//! What is counted of a post, in one item beside it.

/// Comments that are approved.
pub(crate) const COMMENTS: &str = "commentCount";
/// Grows whenever anything counted changes.
const CHANGES: &str = "changes";

/// The change of one counter by `delta`; nothing at all by 0.
pub(crate) fn counted(counter: &str, delta: i64) -> [(&str, i64); 2] {
    [(counter, delta), (CHANGES, i64::from(delta != 0))]
}

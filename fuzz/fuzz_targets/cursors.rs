//! Whatever is sent as a cursor: it never panics, and what is taken has one text and stays in its list.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quire_domain::{
    cursor::{Followed, Position, Published, Reacted},
    details::Tag,
    id::{CommentId, PostId, SessionId, UserId},
    revision::RevisionNumber,
};

fn check<P: Position>(text: &str) {
    if let Ok(position) = P::parse(text) {
        assert_eq!(position.cursor(), text);
        let key = position.sort_key();
        assert_eq!(P::from_sort_key(&key).map(|again| again.sort_key()), Some(key));
    }
    // As a sort key, which is what a forged cursor may hold.
    if let Some(position) = P::from_sort_key(text) {
        let cursor = position.cursor();
        assert_eq!(P::parse(&cursor).map(|again| again.cursor()), Ok(cursor));
    }
}

fuzz_target!(|text: &str| {
    check::<Published>(text);
    check::<Followed>(text);
    check::<Reacted>(text);
    check::<CommentId>(text);
    check::<PostId>(text);
    check::<SessionId>(text);
    check::<UserId>(text);
    check::<RevisionNumber>(text);
    check::<Tag>(text);
});

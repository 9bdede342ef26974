//! Which media type a client accepts, for routes whose replies have forms of their own.

use axum::http::HeaderMap;

use crate::format::{quality, ranges};

/// The type that the client likes best, of those that it likes alike the first. Whoever does not say accepts all.
pub fn chosen<'a>(headers: &HeaderMap, media_types: &[&'a str]) -> Option<&'a str> {
    let Some(ranges) = ranges(headers) else { return media_types.first().copied() };
    let best = media_types.iter().copied().rev().max_by_key(|media_type| quality(&ranges, media_type));
    best.filter(|best| quality(&ranges, best) > 0)
}

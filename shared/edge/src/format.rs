//! The three forms of a document, and which of them a request has and wants.

use axum::http::{HeaderMap, header};

/// How a document is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 8259.
    Json,
    /// XML 1.0.
    Xml,
    /// Protocol Buffers, binary; the messages are those of `proto/quire/v1`.
    Protobuf,
}

impl Format {
    /// In the order that we prefer, where a client has no preference.
    const ALL: [Self; 3] = [Self::Json, Self::Xml, Self::Protobuf];

    /// Media types that mean this form. The first is the one that replies have; the others count where a client names them.
    fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json", "application/problem+json"],
            Self::Xml => &["application/xml", "text/xml", "application/problem+xml"],
            Self::Protobuf => &["application/x-protobuf", "application/protobuf"],
        }
    }

    /// The form of a body, by its `Content-Type`.
    pub(crate) fn of_body(headers: &HeaderMap) -> Option<Self> {
        let media_type = media_type(headers);
        Self::ALL.into_iter().find(|format| format.media_types().contains(&media_type.as_str()))
    }

    /// The form that `Accept` prefers (RFC 9110, section 12.5.1), or `None` if it refuses all.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let Some(ranges) = ranges(headers) else { return Some(Self::Json) };
        let quality = |format: &Self| {
            let (first, others) = format.media_types().split_first().unwrap_or((&"", &[]));
            let named = |name: &&str| ranges.iter().find(|range| range.media_type == **name).map_or(0, |range| range.quality);
            others.iter().map(named).fold(quality(&ranges, first), u16::max)
        };
        // The last of equals is the greatest for `max_by_key`, and our preference is for the first.
        Self::ALL.into_iter().rev().max_by_key(quality).filter(|best| quality(best) > 0)
    }

    /// `Content-Type` of a document.
    pub(crate) fn content_type(self, is_problem: bool) -> &'static str {
        match (self, is_problem) {
            (Self::Json, true) => "application/problem+json",
            (Self::Xml, true) => "application/problem+xml",
            (format, _) => format.media_types()[0],
        }
    }

    /// What tells the tags of one version's forms apart (RFC 9110, section 8.8.3.3).
    pub(crate) fn tag_suffix(self) -> &'static str {
        match self {
            Self::Json => "",
            Self::Xml => "-xml",
            Self::Protobuf => "-protobuf",
        }
    }
}

/// `Content-Type` without its parameters, in lower case; empty if there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The media ranges of `Accept`, unless nothing stands there.
pub(crate) fn ranges(headers: &HeaderMap) -> Option<Vec<Range>> {
    let ranges: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).collect();
    if ranges.iter().all(|range| range.trim().is_empty()) {
        return None;
    }
    Some(ranges.into_iter().filter_map(Range::parse).collect())
}

/// A media range of `Accept` and its quality in thousandths.
pub(crate) struct Range {
    media_type: String,
    quality: u16,
}

impl Range {
    /// A range that cannot be read is as if it were absent.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().filter(|media_type| media_type.contains('/'))?.to_ascii_lowercase();
        let weight = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let quality = weight.map_or(Some(1000), |(_, text)| thousandths(text.trim()))?;
        Some(Self { media_type, quality })
    }

    /// How closely this range means a media type: 3 itself, 2 by its type, 1 as anything, 0 not at all.
    fn closeness(&self, media_type: &str) -> u8 {
        let top = media_type.split('/').next().unwrap_or_default();
        match self.media_type.strip_suffix("/*") {
            _ if self.media_type == media_type => 3,
            Some("*") => 1,
            Some(range) if range == top => 2,
            _ => 0,
        }
    }
}

/// The quality of a media type is that of the closest range.
pub(crate) fn quality(ranges: &[Range], media_type: &str) -> u16 {
    let closest = ranges.iter().filter(|range| range.closeness(media_type) > 0).max_by_key(|range| range.closeness(media_type));
    closest.map_or(0, |range| range.quality)
}

/// A weight of RFC 9110, section 12.4.2: 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_weight = matches!(whole, "0" | "1") && decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let value = format!("{whole}{decimals:0<3}").parse().ok().filter(|_| is_weight)?;
    (value <= 1000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &str) -> Option<Format> {
        Format::accepted(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]))
    }

    #[test]
    fn the_form_with_the_highest_quality_is_chosen() {
        for (accept, format) in [
            ("", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("application/*", Some(Format::Json)),
            ("application/xml", Some(Format::Xml)),
            ("text/xml, text/html", Some(Format::Xml)),
            ("application/protobuf", Some(Format::Protobuf)),
            ("application/json;q=0.5, application/xml;q=0.9", Some(Format::Xml)),
            ("application/json;q=0.001, */*;q=0.5", Some(Format::Xml)),
            ("application/json;q=0, */*", Some(Format::Xml)),
            ("application/problem+json, application/x-protobuf;q=0.4", Some(Format::Json)),
            ("APPLICATION/XML; Q=1.0", Some(Format::Xml)),
            ("application/xml;q=2, application/json;q=0.1", Some(Format::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("*/*;q=0", None),
            ("nonsense", None),
        ] {
            assert_eq!(accepted(accept), format, "{accept}");
        }
        assert_eq!(Format::accepted(&HeaderMap::new()), Some(Format::Json));
    }
}

//! Logs: one JSON line an event, readable lines where a person watches a terminal; and the ids that tie them together.
//!
//! A line never holds a body, a token, an address or a name. Secrets sit in `secrecy` types, which print nothing.

use std::{env, error::Error, fmt::Write, io::IsTerminal};

use quire_domain::{Timestamp, event::Trace, limits};
use tracing::{Span, level_filters::LevelFilter};
use uuid::Uuid;

/// Starts logging, at the level of the variable `LOG_LEVEL` (`error`, `warn`, `info`, `debug`), or else `info`.
pub fn init() {
    let level = env::var("LOG_LEVEL").ok().and_then(|level| level.parse::<LevelFilter>().ok()).unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt().with_max_level(level).with_target(false);
    // A second start keeps the first logger.
    if std::io::stdout().is_terminal() {
        _ = lines.compact().try_init();
    } else {
        _ = lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init();
    }
}

/// The span of one request or record: every line in it carries these ids.
pub fn span(request_id: &str, trace: &Trace) -> Span {
    tracing::info_span!("request", requestId = request_id, correlationId = trace.correlation_id, traceparent = trace.traceparent)
}

/// Logs a measurement in the form that CloudWatch makes a metric of (embedded metric format): a line of its own, because `_aws` must be a
/// member of the document and no text in it. Namespace, name and unit are words of ours.
pub fn metric(namespace: &str, name: &str, unit: &str, value: i64, now: Timestamp) {
    let at = now.millis();
    println!(
        r#"{{"_aws":{{"Timestamp":{at},"CloudWatchMetrics":[{{"Namespace":"{namespace}","Dimensions":[[]],"Metrics":[{{"Name":"{name}","Unit":"{unit}"}}]}}]}},"{name}":{value}}}"#
    );
}

/// An error with all its causes, in one line for the operator.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a string does not fail.
        _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// A trace that continues what the client sent, where that is well-formed, and begins anew otherwise.
pub fn trace(correlation_id: Option<&str>, traceparent: Option<&str>) -> Trace {
    let correlation_id = correlation_id.filter(|id| is_correlation_id(id)).map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let traceparent = traceparent
        .filter(|text| is_traceparent(text))
        .map_or_else(|| format!("00-{}-{}-01", Uuid::new_v4().simple(), &Uuid::new_v4().simple().to_string()[..16]), str::to_owned);
    Trace { correlation_id, traceparent }
}

fn is_correlation_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=limits::CORRELATION_ID_CHARS).contains(&text.len()) && text.bytes().all(allowed)
}

/// W3C Trace Context, section 3.2.2, version 00.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let some = |part: &str| part.bytes().any(|byte| byte != b'0');
    let parts: Vec<_> = text.split('-').collect();
    matches!(parts[..], ["00", trace, parent, flags] if hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_well_formed_trace_is_continued_and_another_begun_anew() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let continued = trace(Some("order-7"), Some(parent));
        assert_eq!((continued.correlation_id.as_str(), continued.traceparent.as_str()), ("order-7", parent));
        for (id, parent) in [("", ""), ("a b", "00-x"), ("a\nb", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"), (&"a".repeat(65), "é")]
        {
            let begun = trace(Some(id), Some(parent));
            assert_ne!(begun.correlation_id, id);
            assert!(is_traceparent(&begun.traceparent), "{}", begun.traceparent);
        }
    }
}

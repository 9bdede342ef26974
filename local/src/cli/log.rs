//! The functions' lines on standard output: as they are for a program, readable for a person.

use std::{io::IsTerminal, sync::Arc};

use quire_local::functions::{LogLine, LogSink};
use serde_json::Value;

/// Facts that stand in every line, or at its head.
const KNOWN: [&str; 7] = ["timestamp", "level", "message", "span", "requestId", "correlationId", "traceparent"];

pub(super) fn to_stdout() -> LogSink {
    let is_terminal = std::io::stdout().is_terminal();
    Arc::new(move |LogLine { function, text, .. }| match is_terminal {
        true => println!("{function:<16} {}", readable(&text).unwrap_or(text)),
        false => println!("{text}"),
    })
}

/// `INFO  The request was answered  status=200 millis=3`, if the line is one of our JSON lines.
fn readable(text: &str) -> Option<String> {
    let Value::Object(line) = serde_json::from_str(text).ok()? else { return None };
    let mut readable = format!("{:<5} {}", line.get("level")?.as_str()?, line.get("message")?.as_str()?);
    for (name, value) in line.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        readable.push_str(&format!("  {name}={value}"));
    }
    Some(readable)
}

//! What a document is, before it is parsed.

use quire_domain::limits;

/// What a document has too much of, if anything.
pub(crate) fn excess(document: &str) -> Option<String> {
    if document.len() > limits::GRAPHQL_BYTES {
        return Some(format!("Document exceeds the limit of {} bytes", limits::GRAPHQL_BYTES));
    }
    (aliases(document) > limits::GRAPHQL_ALIASES).then(|| format!("Document exceeds the limit of {} aliases", limits::GRAPHQL_ALIASES))
}

/// How many selections of a document have aliases: colons outside of parentheses, texts and comments.
fn aliases(document: &str) -> usize {
    let bytes = document.as_bytes();
    let (mut aliases, mut parentheses, mut at) = (0, 0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => text(&bytes[at..]),
            b'#' => bytes[at..].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
            _ => 1,
        };
        match byte {
            b'(' => parentheses += 1,
            b')' => parentheses = parentheses.saturating_sub(1),
            b':' if parentheses == 0 => aliases += 1,
            _ => {}
        }
    }
    aliases
}

/// The length of the text that begins here.
fn text(bytes: &[u8]) -> usize {
    const BLOCK: &[u8] = b"\"\"\"";
    if let Some(block) = bytes.strip_prefix(BLOCK) {
        // An escaped end is three quotes after a backslash.
        let ends = (0..block.len()).find(|at| block[*at..].starts_with(BLOCK) && !block[..*at].ends_with(b"\\"));
        return ends.map_or(bytes.len(), |at| at + 2 * BLOCK.len());
    }
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\n' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aliases_are_counted() {
        for (document, expected) in [
            ("{ a b { c } }", 0),
            ("{ x: a y: b { z: c } }", 3),
            ("query ($i: ID!) { a(b: 1, c: \":)\") # d: e\n f: g(h: {i: 1}) }", 1),
            ("{ a(b: \"\"\" \\\"\"\" : \"\"\") c: d }", 1),
            ("{ a(b: \"\\\":\") c: d }", 1),
            ("\"", 0),
            ("\"\"\"", 0),
            ("\"\\", 0),
        ] {
            assert_eq!(aliases(document), expected, "{document}");
        }
    }

    /// CPU time of this thread so far, in nanoseconds.
    fn cpu() -> u64 {
        let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts");
        statistics.split(' ').next().and_then(|time| time.parse().ok()).expect("a number")
    }

    /// A document that means harm: the kind and the size follow from `seed`.
    fn hostile(seed: usize) -> String {
        let size = 1 + seed / 10;
        // As deep as so many bytes can be, and deeper.
        let deep = size * 50;
        match seed % 10 {
            // Fragments that each spread the next one twice.
            0 => {
                let fragments = (0..size).map(|level| format!("fragment F{level} on User {{ ...F{0} a: id ...F{0} }} ", level + 1));
                format!("{{ me {{ ...F0 }} }} {} fragment F{size} on User {{ id }}", fragments.collect::<String>())
            }
            // Fragments in a circle.
            1 => {
                let fragments = (0..size).map(|level| format!("fragment F{level} on User {{ id ...F{} }} ", (level + 1) % size));
                format!("{{ me {{ ...F0 }} }} {}", fragments.collect::<String>())
            }
            2 => format!("{{ {} }}", (0..size * 25).map(|number| format!("a{number}: me {{ id }} ")).collect::<String>()),
            3 => format!("{{ me {{ {} }} }}", "id ".repeat(size * 25)),
            4 => format!("{{ posts(tag: {}{}) {{ nodes {{ id }} }} }}", "[".repeat(deep), "]".repeat(deep)),
            5 => format!("{{ posts(tag: {}1{}) {{ nodes {{ id }} }} }}", "{a: ".repeat(deep), "}".repeat(deep)),
            6 => format!("{{ posts(tag: \"{}\") {{ nodes {{ id }} }} }}", "x".repeat(size * 100)),
            7 => format!("{{ posts(first: {}) {{ nodes {{ id }} }} }}", "9".repeat(size * 100)),
            8 => format!("{{ me {} {{ id }} {} }}", "{ posts { author ".repeat(deep), "} }".repeat(deep)),
            // Pairs of fields that could be in conflict.
            _ => format!("{{ {} }}", (0..size).map(|number| format!("me {{ x: id posts {{ y{number}: id y: title }} }} ")).collect::<String>()),
        }
    }

    #[test]
    fn no_hostile_document_takes_long() {
        let schema = crate::schema::schema(true);
        // What is made once is not a document's.
        _ = juniper::ValidatedOperation::new("{ me { id } }", None, &schema).is_ok();
        let mut slow = Vec::new();
        for seed in 0..2_000 {
            let document = hostile(seed);
            let started = cpu();
            let is_taken = excess(&document).is_none() && juniper::ValidatedOperation::new(&document, None, &schema).is_ok();
            let millis = (cpu() - started) / 1_000_000;
            // The last of each kind is far too much, such as 5,000 aliases.
            assert!(seed < 1_990 || !is_taken, "{seed}");
            if millis >= 50 {
                slow.push((seed, document.len(), is_taken, millis));
            }
        }
        assert!(slow.is_empty(), "{} of them, such as {:?}", slow.len(), slow.first());
    }
}

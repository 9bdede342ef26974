//! Patterns of IAM: `*` is any text, `?` any one character.

/// Whether the whole of `text` matches `pattern`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at_pattern, mut at_text) = (0, 0);
    // After the last star: where the pattern goes on, and the first character of the text that the star has not swallowed.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match (pattern.get(at_pattern), star) {
            (Some('*'), _) => {
                at_pattern += 1;
                star = Some((at_pattern, at_text));
            }
            (Some(&character), _) if character == '?' || character == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            // Only the last star has to swallow more: whatever an earlier one could, the last one can too.
            (_, Some((after_star, swallowed))) => {
                star = Some((after_star, swallowed + 1));
                (at_pattern, at_text) = (after_star, swallowed + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[at_pattern..].iter().all(|&character| character == '*')
}

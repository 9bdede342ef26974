//! Markdown as HTML that is safe to show. A crate of its own, so that only functions that show HTML link what it takes.

use std::collections::HashMap;

use pulldown_cmark::{Options, Parser, html};

/// Elements within elements, most. Sanitising takes time by the square of the depth, and nobody writes so deep.
const DEPTH: usize = 500;

/// CommonMark with tables, strikethrough and footnotes, as HTML without scripts, styles, forms, frames, or addresses that are none of the
/// web or mail. HTML in the Markdown is treated alike. Links say nothing of where they stand (`rel="noopener noreferrer"`).
/// What is nested too deep is shown as the text that it is.
pub fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut unsafe_html = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut unsafe_html, Parser::new_ext(markdown, options));
    if is_deep(&unsafe_html) {
        return format!("<pre>{}</pre>", ammonia::clean_text(markdown));
    }
    let mut cleaner = ammonia::Builder::default();
    cleaner.url_schemes(["http", "https", "mailto"].into()).clean(&unsafe_html).to_string()
}

/// Whether elements may stand in each other deeper than allowed. Ends count for elements of their own name only, as in a browser.
fn is_deep(html: &str) -> bool {
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut depth = 0_usize;
    for tag in html.split('<').skip(1) {
        let (is_end, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).take(20).collect::<String>().to_ascii_lowercase();
        if name.is_empty() || matches!(name.as_str(), "br" | "hr" | "img") {
            continue;
        }
        let count = open.entry(name).or_default();
        if !is_end {
            *count += 1;
            depth += 1;
        } else if *count > 0 {
            *count -= 1;
            depth -= 1;
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_html() {
        let html = to_html("# Notes\n\nOn *notes* and ~~lists~~.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```rust\nlet a = 1 < 2;\n```\n");
        for part in ["<h1>Notes</h1>", "<em>notes</em>", "<del>lists</del>", "<td>1</td>", "let a = 1 &lt; 2;"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let html = to_html("[home](https://example.com) ![cat](https://example.com/cat.png)");
        assert_eq!(
            html.trim(),
            r#"<p><a href="https://example.com" rel="noopener noreferrer">home</a> <img src="https://example.com/cat.png" alt="cat"></p>"#
        );
    }

    #[test]
    fn nothing_in_it_runs() {
        for markdown in [
            "<script>alert(1)</script>",
            "<ScRiPt src=//evil.example></sCrIpT>",
            "<scr<script>ipt>alert(1)</scr</script>ipt>",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](java\tscript:alert(1))",
            "[a](&#106;avascript:alert(1))",
            "[a]: javascript:alert(1)\n\n[a]",
            "[a](vbscript:alert(1))",
            "[a](data:text/html;base64,PHNjcmlwdD4=)",
            "![a](javascript:alert(1))",
            "<javascript:alert(1)>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"https://example.com\" onclick=\"alert(1)\">a</a>",
            "<p style=\"background:url(javascript:alert(1))\">a</p>",
            "<svg onload=alert(1)><use href=\"data:image/svg+xml,x\"/></svg>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<form action=\"https://evil.example\"><input name=a></form>",
            "<object data=\"x\"></object><embed src=\"x\">",
            "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
            "<base href=\"https://evil.example\">",
            "<style>*{display:none}</style>",
            "![\"onerror=\"alert(1)](x)",
            "`<script>`\n\n</p><script>alert(1)</script>",
            "<!--><script>alert(1)</script>-->",
        ] {
            let html = to_html(markdown).to_lowercase();
            // Text may say anything, but stands escaped; what is left are tags and their attributes.
            let tags: String = html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
            for bad in [
                "script",
                "javascript:",
                "vbscript:",
                "data:",
                "onerror=alert",
                "onclick",
                "onload",
                "style",
                "iframe",
                "form",
                "input",
                "object",
                "embed",
                "meta",
                "base",
                "svg",
                "math",
            ] {
                assert!(!tags.contains(bad), "{markdown} gives {html}");
            }
        }
    }

    #[test]
    fn deep_nesting_is_shown_as_text() {
        for deep in ["> ", "<div>", "<div></x>", "<b><i></b>"] {
            let html = to_html(&deep.repeat(50_000));
            assert!(html.starts_with("<pre>") && html.matches('<').count() == 2, "{deep}");
        }
        for flat in ["[", "*a ", "- ", "a\n\n", "<div></div>\n\n", "<br>", "<p>a</p>\n"] {
            assert!(!to_html(&flat.repeat(5_000)).starts_with("<pre>"), "{flat}");
        }
    }
}

//! Markdown as HTML that is safe to show. A crate of its own, so that only functions that show HTML link what it takes.

use pulldown_cmark::{Options, Parser, html};

/// CommonMark with tables, strikethrough and footnotes, as HTML without scripts, styles, forms, frames, or addresses that are none of the
/// web or mail. HTML in the Markdown is treated alike. Links say nothing of where they stand (`rel="noopener noreferrer"`).
pub fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES;
    let mut unsafe_html = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut unsafe_html, Parser::new_ext(markdown, options));
    let mut cleaner = ammonia::Builder::default();
    cleaner.url_schemes(["http", "https", "mailto"].into()).clean(&unsafe_html).to_string()
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
    fn deep_nesting_ends() {
        for markdown in ["> ".repeat(20_000), "[".repeat(20_000), "*a ".repeat(20_000), "<div>".repeat(20_000), "- ".repeat(20_000)] {
            assert!(to_html(&markdown).len() < 3_000_000);
        }
    }
}

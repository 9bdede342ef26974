//! `openapi.yaml`, made when the crate is built into what functions serve.

/// The contract as JSON (OpenAPI 3.1).
pub const JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// A strong entity tag of [`JSON`].
pub const JSON_TAG: &str = include_str!(concat!(env!("OUT_DIR"), "/json-tag.txt"));

/// The contract as one HTML page that needs nothing besides itself.
pub const PAGE: &str = include_str!(concat!(env!("OUT_DIR"), "/page.html"));

/// A strong entity tag of [`PAGE`].
pub const PAGE_TAG: &str = include_str!(concat!(env!("OUT_DIR"), "/page-tag.txt"));

/// `Content-Security-Policy` of the page: its own style, and nothing else.
pub const PAGE_POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/policy.txt"));

/// Each path of the contract with its methods, sorted; `GET` brings `HEAD`, and all have `OPTIONS`.
pub const ROUTES: &[(&str, &[&str])] = include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// The methods of an address.
pub fn methods(path: &str) -> Option<&'static [&'static str]> {
    find(path).map(|(_, methods)| methods)
}

/// The path of the contract that an address is an instance of.
pub fn template(path: &str) -> Option<&'static str> {
    find(path).map(|(template, _)| template)
}

/// Paths without parameters come first, as at the gateway.
fn find(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    let matching = ROUTES.iter().filter(|(template, _)| matches(template, path));
    matching.min_by_key(|(template, _)| template.matches('{').count()).copied()
}

fn matches(template: &str, path: &str) -> bool {
    let (mut parts, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(text)) if part == text || (part.starts_with('{') && !text.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_methods_of_its_route() {
        assert_eq!(methods("/api/v1/users"), Some(&["GET", "HEAD", "OPTIONS", "POST"][..]));
        assert_eq!(methods("/api/v1/users/1"), Some(&["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"][..]));
        assert_eq!(methods("/health/live"), Some(&["GET", "HEAD", "OPTIONS"][..]));
        for path in ["", "/", "/api/v1/users/", "/api/v1/users/1/2/3", "/api/v1"] {
            assert_eq!(methods(path), None, "{path}");
        }
    }

    #[test]
    fn the_page_names_every_route_and_needs_no_other_host() {
        for (path, _) in ROUTES {
            assert!(PAGE.contains(&path.replace('/', "&#x2f;")) || PAGE.contains(path), "{path}");
        }
        for outside in ["src=", "@import", "url(", "<script", "<link"] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
    }
}

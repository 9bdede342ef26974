//! Which route a request takes.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::stack::{Route, Stack};

/// The routes of an API, the most specific first.
pub(super) struct Routes(Vec<Candidate>);

struct Candidate {
    function: String,
    key: String,
    /// `None` for any method.
    method: Option<String>,
    /// `None` for `$default`, which matches every path.
    segments: Option<Vec<Segment>>,
}

/// A part of a path between slashes. The order of the variants is that of precedence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Parameter(String),
    Greedy(String),
}

/// The route that a request takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    pub(super) function: &'a str,
    /// Such as `GET /posts/{postId}`.
    pub(super) key: &'a str,
    pub(super) parameters: BTreeMap<&'a str, String>,
    /// The path of the request, decoded.
    pub(super) path: &'a str,
}

impl Routes {
    pub(super) fn new(stack: &Stack) -> Self {
        let routes = stack.functions.values().flat_map(|it| it.routes.iter().map(|route| Candidate::new(&it.logical_id, route)));
        let mut routes: Vec<_> = routes.collect();
        routes.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Self(routes)
    }

    /// Finds the best route for a method and a decoded path: the path decides first, part by part, then the method against `ANY`, and
    /// `$default` takes what is left.
    pub(super) fn find<'a>(&'a self, method: &str, path: &'a str) -> Option<Match<'a>> {
        let of_method = self.0.iter().filter(|it| it.method.as_ref().is_none_or(|own| own == method));
        of_method.filter_map(|it| it.matches(path)).next()
    }
}

impl Candidate {
    fn new(function: &str, Route { method, path }: &Route) -> Self {
        let method = (method != "ANY").then(|| method.clone());
        let default = path == "$default";
        let key = if default { path.clone() } else { format!("{} {path}", method.as_deref().unwrap_or("ANY")) };
        let segments = (!default).then(|| split(path).map(Segment::parse).collect());
        Self { function: function.to_owned(), key, method, segments }
    }

    fn rank(&self) -> impl Ord + '_ {
        let kinds = self.segments.as_ref().map(|segments| segments.iter().map(Segment::rank).collect::<Vec<_>>());
        (kinds.is_none(), kinds, self.method.is_none())
    }

    fn matches<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let mut parameters = BTreeMap::new();
        if let Some(segments) = &self.segments {
            let mut rest = path.strip_prefix('/');
            for segment in segments {
                let (part, tail) = match rest?.split_once('/') {
                    Some((part, tail)) => (part, Some(tail)),
                    None => (rest?, None),
                };
                match segment {
                    Segment::Literal(text) if text == part => rest = tail,
                    Segment::Parameter(name) if !part.is_empty() => {
                        parameters.insert(name.as_str(), part.to_owned());
                        rest = tail;
                    }
                    Segment::Greedy(name) if rest != Some("") => {
                        parameters.insert(name.as_str(), rest.take()?.to_owned());
                    }
                    _ => return None,
                }
            }
            if rest.is_some() {
                return None;
            }
        }
        Some(Match { function: &self.function, key: &self.key, parameters, path })
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Self::Greedy(name.to_owned()),
                None => Self::Parameter(name.to_owned()),
            },
            None => Self::Literal(text.to_owned()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// Decodes the percent-encoding of a path; `None` if it is broken or not UTF-8.
pub(super) fn decode(path: &str) -> Option<String> {
    let mut escapes = path.split('%').skip(1);
    if escapes.any(|text| !text.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))) {
        return None;
    }
    percent_decode_str(path).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(keys: &[&str]) -> Routes {
        let candidate = |key: &&str| {
            let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
            Candidate::new("F", &Route { method: method.to_owned(), path: path.to_owned() })
        };
        let mut routes: Vec<_> = keys.iter().map(candidate).collect();
        routes.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Routes(routes)
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let mut keys = [
            "$default",
            "ANY /{proxy+}",
            "GET /pets/{proxy+}",
            "GET /pets/dog/{id}",
            "GET /pets/dog/1",
            "ANY /pets/dog/2",
            "GET /pets/{kind}/{id}",
            "POST /pets/{kind}/{id}",
            "GET /",
        ];
        let table = [
            ("GET /pets/dog/1", "GET /pets/dog/1"),
            ("GET /pets/dog/2", "ANY /pets/dog/2"),
            ("GET /pets/dog/3", "GET /pets/dog/{id}"),
            ("GET /pets/cat/3", "GET /pets/{kind}/{id}"),
            ("POST /pets/dog/1", "POST /pets/{kind}/{id}"),
            ("GET /pets/cat/3/4", "GET /pets/{proxy+}"),
            ("HEAD /pets/dog/1", "ANY /{proxy+}"),
            ("PUT /test/5", "ANY /{proxy+}"),
            ("GET /", "GET /"),
            ("PUT /", "$default"),
        ];
        for _ in 0..2 {
            keys.reverse();
            let routes = routes(&keys);
            for (request, expected) in table {
                let (method, path) = request.split_once(' ').unwrap();
                assert_eq!(routes.find(method, path).map(|found| found.key), Some(expected), "{request}");
            }
        }
    }

    #[test]
    fn a_request_that_matches_no_route_finds_none() {
        let routes = routes(&["GET /posts", "GET /posts/{postId}"]);
        for request in ["HEAD /posts", "POST /posts", "GET /", "GET /posts/", "GET /posts/1/", "GET /posts/1/2", "GET /post"] {
            let (method, path) = request.split_once(' ').unwrap();
            assert_eq!(routes.find(method, path), None, "{request}");
        }
    }

    #[test]
    fn parameters_hold_their_parts_of_the_path() {
        let routes = routes(&["GET /a/{b}/c/{d+}"]);
        let parameters = routes.find("GET", "/a/1 2/c/x/y/").unwrap().parameters;
        assert_eq!(parameters, BTreeMap::from([("b", "1 2".to_owned()), ("d", "x/y/".to_owned())]));
    }

    #[test]
    fn a_broken_percent_encoding_is_refused() {
        assert_eq!(decode("/a%20b%C3%A9"), Some("/a bé".to_owned()));
        for path in ["/%", "/%2", "/%zz", "/%+1", "/a%2/b", "/%ff"] {
            assert_eq!(decode(path), None, "{path}");
        }
    }
}

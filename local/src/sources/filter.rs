//! Filter patterns of event source mappings: the EventBridge pattern language as far as Lambda documents it.

use serde_json::{Map, Value};

/// Filters of a mapping. With none, everything passes.
pub(super) struct Filters(Vec<Pattern>);

/// One pattern: all its fields and one of its alternatives must match.
pub(super) struct Pattern {
    fields: Vec<(String, Node)>,
    alternatives: Vec<Pattern>,
}

enum Node {
    Inside(Pattern),
    /// One of these must match.
    Leaf(Vec<Test>),
}

enum Test {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Value>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

type Comparison = fn(&f64, &f64) -> bool;

impl Filters {
    /// Reads the patterns of a mapping; the error says what is wrong with one.
    pub(super) fn parse(patterns: &[Value]) -> Result<Self, String> {
        let parse = |pattern: &Value| Pattern::parse(pattern).map_err(|error| format!("filter {pattern}: {error}"));
        Ok(Self(patterns.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Whether one of the patterns matches; `document` gives what a pattern is to be compared with.
    pub(super) fn pass<'a>(&self, document: impl Fn(&Pattern) -> &'a Value) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(document(pattern)))
    }
}

impl Pattern {
    /// Whether the pattern looks inside of a field, rather than at the field as a whole.
    pub(super) fn looks_inside(&self, field: &str) -> bool {
        let inside = self.fields.iter().any(|(name, node)| name == field && matches!(node, Node::Inside(_)));
        inside || self.alternatives.iter().any(|alternative| alternative.looks_inside(field))
    }

    fn parse(pattern: &Value) -> Result<Self, String> {
        let object = pattern.as_object().filter(|object| !object.is_empty()).ok_or("a pattern is a JSON object with at least one field")?;
        Self::parse_object(object)
    }

    fn parse_object(object: &Map<String, Value>) -> Result<Self, String> {
        let (mut fields, mut alternatives) = (vec![], vec![]);
        for (name, value) in object {
            match value {
                Value::Array(list) if name == "$or" => {
                    if list.len() < 2 {
                        return Err("$or needs at least two alternatives".to_owned());
                    }
                    alternatives = list.iter().map(Self::parse).collect::<Result<_, _>>()?;
                }
                Value::Object(_) => fields.push((name.clone(), Node::Inside(Self::parse(value)?))),
                Value::Array(list) if !list.is_empty() => {
                    let tests = list.iter().map(Test::parse).collect::<Result<_, _>>();
                    fields.push((name.clone(), Node::Leaf(tests.map_err(|error: String| format!("{name}: {error}"))?)));
                }
                _ => return Err(format!("{name} must be a list of values or an object")),
            }
        }
        Ok(Self { fields, alternatives })
    }

    fn matches(&self, value: &Value) -> bool {
        match value {
            Value::Array(values) => values.iter().any(|value| self.matches(value)),
            value => {
                let fields = self.fields.iter().all(|(name, node)| match node {
                    Node::Inside(pattern) => pattern.matches(value.get(name).unwrap_or(&Value::Null)),
                    Node::Leaf(tests) => tests.iter().any(|test| test.matches(value.get(name))),
                });
                fields && (self.alternatives.is_empty() || self.alternatives.iter().any(|pattern| pattern.matches(value)))
            }
        }
    }
}

impl Test {
    fn parse(test: &Value) -> Result<Self, String> {
        let Value::Object(operator) = test else {
            return if test.is_array() { Err("a list inside of a list".to_owned()) } else { Ok(Self::Equals(test.clone())) };
        };
        let mut entries = operator.iter();
        let (Some((name, operand)), None) = (entries.next(), entries.next()) else {
            return Err(format!("{test} must have exactly one operator"));
        };
        let text = || operand.as_str().map(str::to_owned).ok_or_else(|| format!("{name} takes a text"));
        match name.as_str() {
            "prefix" => text().map(Self::Prefix),
            "suffix" => text().map(Self::Suffix),
            "equals-ignore-case" => text().map(|text| Self::EqualsIgnoreCase(text.to_lowercase())),
            "exists" => operand.as_bool().map(Self::Exists).ok_or_else(|| "exists takes true or false".to_owned()),
            "anything-but" => {
                let values = operand.as_array().cloned().unwrap_or_else(|| vec![operand.clone()]);
                let plain = !values.is_empty() && values.iter().all(|value| value.is_string() || value.is_number());
                if plain { Ok(Self::AnythingBut(values)) } else { Err("anything-but takes texts or numbers".to_owned()) }
            }
            "numeric" => {
                numeric(operand).map(Self::Numeric).ok_or_else(|| r#"numeric takes ["=", n] or a range such as [">", n, "<=", m]"#.to_owned())
            }
            _ => Err(format!("the local cloud does not support the operator {name}")),
        }
    }

    /// `None` is a field that is absent. Of a list, one element must match; an object is no value at all.
    fn matches(&self, value: Option<&Value>) -> bool {
        let values = match value {
            None | Some(Value::Object(_)) => &[],
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
        };
        match self {
            Self::Exists(wanted) => *wanted != values.is_empty(),
            _ => values.iter().any(|value| self.matches_one(value)),
        }
    }

    fn matches_one(&self, value: &Value) -> bool {
        let text = |test: &dyn Fn(&str) -> bool| value.as_str().is_some_and(test);
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::EqualsIgnoreCase(wanted) => text(&|text| text.to_lowercase() == *wanted),
            Self::Prefix(prefix) => text(&|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text(&|text| text.ends_with(suffix)),
            Self::AnythingBut(unwanted) => !unwanted.contains(value),
            Self::Numeric(bounds) => value.as_f64().is_some_and(|value| bounds.iter().all(|(compare, bound)| compare(&value, bound))),
            Self::Exists(wanted) => *wanted,
        }
    }
}

fn numeric(operand: &Value) -> Option<Vec<(Comparison, f64)>> {
    let operand = operand.as_array().filter(|operand| matches!(operand.len(), 2 | 4))?;
    let bound = |pair: &[Value]| {
        let compare: Comparison = match (pair[0].as_str()?, operand.len()) {
            ("=", 2) => f64::eq,
            ("<", _) => f64::lt,
            ("<=", _) => f64::le,
            (">", _) => f64::gt,
            (">=", _) => f64::ge,
            _ => return None,
        };
        Some((compare, pair[1].as_f64()?))
    };
    operand.chunks(2).map(bound).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &Value, document: &Value) -> bool {
        Filters::parse(std::slice::from_ref(pattern)).unwrap().pass(|_| document)
    }

    #[test]
    fn patterns_match_as_lambda_documents_them() {
        let document = json!({
            "name": "Alice", "city": "", "nothing": null, "age": 42, "price": 10.5, "tags": ["red", "green"], "none": [],
            "deep": {"er": {"value": "POST#1"}}, "items": [{"kind": "a", "n": 1}, {"kind": "b", "n": 2}], "flag": true,
        });
        let cases = [
            (json!({"name": ["Alice"]}), true),
            (json!({"name": ["alice"]}), false),
            (json!({"name": ["Bob", "Alice"]}), true),
            (json!({"city": [""]}), true),
            (json!({"nothing": [null]}), true),
            (json!({"absent": [null]}), false),
            (json!({"age": [42]}), true),
            (json!({"age": ["42"]}), false),
            (json!({"flag": [true]}), true),
            (json!({"name": ["Alice"], "age": [41]}), false),
            (json!({"tags": ["green", "blue"]}), true),
            (json!({"tags": ["blue"]}), false),
            (json!({"deep": {"er": {"value": [{"prefix": "POST#"}]}}}), true),
            (json!({"deep": {"er": {"value": [{"prefix": "USER#"}]}}}), false),
            (json!({"deep": {"absent": {"value": ["x"]}}}), false),
            (json!({"name": [{"suffix": "ice"}]}), true),
            (json!({"name": [{"suffix": "ICE"}]}), false),
            (json!({"age": [{"prefix": "4"}]}), false),
            (json!({"name": [{"equals-ignore-case": "aLICE"}]}), true),
            (json!({"name": [{"anything-but": "Bob"}]}), true),
            (json!({"name": [{"anything-but": ["Bob", "Alice"]}]}), false),
            (json!({"absent": [{"anything-but": "Bob"}]}), false),
            (json!({"age": [{"anything-but": [42]}]}), false),
            (json!({"age": [{"numeric": ["=", 42]}]}), true),
            (json!({"age": [{"numeric": [">", 41, "<=", 42]}]}), true),
            (json!({"age": [{"numeric": [">=", 42.5]}]}), false),
            (json!({"price": [{"numeric": ["<", 11]}]}), true),
            (json!({"name": [{"numeric": ["<", 11]}]}), false),
            (json!({"name": [{"exists": true}]}), true),
            (json!({"name": [{"exists": false}]}), false),
            (json!({"absent": [{"exists": false}]}), true),
            (json!({"absent": {"deeper": [{"exists": false}]}}), true),
            (json!({"none": [{"exists": true}]}), false),
            (json!({"deep": [{"exists": true}]}), false),
            (json!({"name": ["Bob", {"prefix": "Al"}]}), true),
            (json!({"items": {"kind": ["b"], "n": [2]}}), true),
            (json!({"items": {"kind": ["b"], "n": [1]}}), false),
            (json!({"$or": [{"name": ["Bob"]}, {"age": [42]}]}), true),
            (json!({"$or": [{"name": ["Bob"]}, {"age": [41]}]}), false),
            (json!({"flag": [false], "$or": [{"name": ["Alice"]}, {"age": [42]}]}), false),
            (json!({"deep": {"er": {"$or": [{"value": ["x"]}, {"value": [{"suffix": "#1"}]}]}}}), true),
        ];
        for (pattern, expected) in cases {
            assert_eq!(matches(&pattern, &document), expected, "{pattern}");
        }
    }

    #[test]
    fn one_of_several_filters_is_enough_and_none_lets_all_pass() {
        let document = json!({"a": 2});
        assert!(Filters::parse(&[json!({"a": [1]}), json!({"a": [2]})]).unwrap().pass(|_| &document));
        assert!(!Filters::parse(&[json!({"a": [1]}), json!({"a": [3]})]).unwrap().pass(|_| &document));
        assert!(Filters::parse(&[]).unwrap().pass(|_| &document));
    }

    #[test]
    fn what_is_wrong_or_unknown_is_an_error() {
        let patterns = [
            json!({}),
            json!([]),
            json!("text"),
            json!({"a": []}),
            json!({"a": "text"}),
            json!({"a": {}}),
            json!({"a": [["b"]]}),
            json!({"a": [{}]}),
            json!({"a": [{"prefix": "x", "suffix": "y"}]}),
            json!({"a": [{"prefix": 1}]}),
            json!({"a": [{"wildcard": "x*"}]}),
            json!({"a": [{"exists": "yes"}]}),
            json!({"a": [{"anything-but": {"prefix": "x"}}]}),
            json!({"a": [{"anything-but": []}]}),
            json!({"a": [{"numeric": ["!=", 1]}]}),
            json!({"a": [{"numeric": [">", "1"]}]}),
            json!({"a": [{"numeric": ["=", 1, "=", 2]}]}),
            json!({"$or": [{"a": [1]}]}),
        ];
        for pattern in patterns {
            assert!(Filters::parse(std::slice::from_ref(&pattern)).is_err(), "{pattern}");
        }
    }
}

//! IAM: what a call needs allowed, and whether the statements of a role allow it.

mod access;
#[cfg(test)]
mod tests;
mod wildcard;

use std::collections::BTreeMap;

pub use access::accesses;

use crate::stack::Statement;

/// Condition keys that calls are given; the template may use no other.
pub const CONDITION_KEYS: [&str; 1] = [LEADING_KEYS];

/// The partition key values that a DynamoDB call touches.
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// One thing that a call needs allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Action, such as `dynamodb:GetItem`.
    pub action: String,
    /// ARN, or `*` for an action that is not about one resource.
    pub resource: String,
    /// Values of condition keys.
    pub context: BTreeMap<String, Vec<String>>,
}

/// A call that the role does not allow, in the words of IAM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not authorized to perform: {action} on resource: {resource} {}", reason(*.explicit))]
pub struct Denied {
    /// Action that is not allowed.
    pub action: String,
    /// Resource that it is not allowed on.
    pub resource: String,
    /// Whether a statement denies it, instead of none allowing it.
    pub explicit: bool,
}

fn reason(explicit: bool) -> &'static str {
    if explicit { "with an explicit deny in an identity-based policy" } else { "because no identity-based policy allows the action" }
}

/// Whether every access is allowed. A statement that denies wins over all that allow.
pub fn authorize(statements: &[Statement], accesses: &[Access]) -> Result<(), Denied> {
    for access in accesses {
        let matching: Vec<&Statement> = statements.iter().filter(|statement| applies(statement, access)).collect();
        let explicit = matching.iter().any(|statement| !statement.allow);
        if explicit || matching.is_empty() {
            return Err(Denied { action: access.action.clone(), resource: access.resource.clone(), explicit });
        }
    }
    Ok(())
}

/// Whether [`authorize`] knows a condition operator. Statements must have no other.
pub fn is_operator(name: &str) -> bool {
    Operator::parse(name).is_some()
}

fn applies(statement: &Statement, access: &Access) -> bool {
    let action = access.action.to_ascii_lowercase();
    statement.actions.iter().any(|pattern| wildcard::matches(&pattern.to_ascii_lowercase(), &action))
        && statement.resources.iter().any(|pattern| wildcard::matches(pattern, &access.resource))
        && statement.conditions.iter().all(|(operator, keys)| {
            let operator = Operator::parse(operator);
            keys.iter().all(|(key, expected)| operator.as_ref().is_some_and(|operator| operator.holds(expected, values(access, key))))
        })
}

/// The values of a condition key, whose name has no case; none if the call has no such key.
fn values<'a>(access: &'a Access, key: &str) -> &'a [String] {
    access.context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map_or(&[], |(_, values)| values)
}

enum Quantifier {
    All,
    Any,
    /// No prefix: meant for keys with one value.
    One,
}

struct Operator {
    quantifier: Quantifier,
    negated: bool,
    wildcards: bool,
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = match name.split_once(':') {
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(_) => return None,
            None => (Quantifier::One, name),
        };
        let (negated, wildcards) = match name {
            "StringEquals" => (false, false),
            "StringNotEquals" => (true, false),
            "StringLike" => (false, true),
            "StringNotLike" => (true, true),
            _ => return None,
        };
        Some(Self { quantifier, negated, wildcards })
    }

    fn holds(&self, expected: &[String], actual: &[String]) -> bool {
        let is_expected =
            |value: &String| expected.iter().any(|pattern| if self.wildcards { wildcard::matches(pattern, value) } else { pattern == value });
        let holds = |value: &String| is_expected(value) != self.negated;
        match self.quantifier {
            // True for no values at all, as in AWS.
            Quantifier::All => actual.iter().all(holds),
            Quantifier::Any => actual.iter().any(holds),
            // A key that is not there is unlike everything.
            Quantifier::One if actual.is_empty() => self.negated,
            Quantifier::One => actual.iter().all(holds),
        }
    }
}

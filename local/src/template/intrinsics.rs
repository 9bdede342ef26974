//! Intrinsic functions, pseudo parameters and conditions.

use std::collections::BTreeMap;

use super::{
    Source, TemplateError,
    names::Physical,
    node::{Kind, Node, is_function},
    parameters::Value,
};

/// What is known of the resources.
pub(super) enum Resources {
    /// Nothing yet: their names are being made.
    Unnamed,
    /// Every resource by logical id; `None` for one that its condition leaves out.
    Named(BTreeMap<String, Option<Physical>>),
}

/// Replaces intrinsic functions by their values.
pub(super) struct Resolver<'a> {
    pub(super) source: &'a Source,
    parameters: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    pub(super) resources: Resources,
}

impl<'a> Resolver<'a> {
    /// A resolver that knows the parameters and conditions of a template.
    pub(super) fn new(source: &'a Source, parameters: BTreeMap<String, Value>, conditions: Option<&Node>) -> Result<Self, TemplateError> {
        let mut resolver = Self { source, parameters, conditions: BTreeMap::new(), resources: Resources::Unnamed };
        let definitions = conditions.map_or(Ok(&[][..]), Node::map)?;
        for (name, node) in definitions {
            let value = resolver.evaluate(node, definitions, &mut vec![name])?;
            resolver.conditions.insert(name.clone(), value);
        }
        Ok(resolver)
    }

    /// The value of the condition that `node` names.
    pub(super) fn condition(&self, node: &Node) -> Result<bool, TemplateError> {
        let name = node.text()?;
        self.conditions.get(name).copied().ok_or_else(|| node.error(format!("there is no condition `{name}`")))
    }

    /// `node` without intrinsic functions; `None` for `AWS::NoValue`.
    pub(super) fn resolve(&self, node: &Node) -> Result<Option<Node>, TemplateError> {
        if let Some((function, argument)) = node.function() {
            return self.call(node, function, argument);
        }
        let kind = match &node.kind {
            Kind::Text(text) => Kind::Text(text.clone()),
            Kind::List(items) => Kind::List(items.iter().filter_map(|item| self.resolve(item).transpose()).collect::<Result<_, _>>()?),
            Kind::Map(entries) => {
                if let Some((_, value)) = entries.iter().find(|(key, _)| is_function(key)) {
                    return Err(value.error("a function must be the only key of its mapping"));
                }
                let resolved = entries.iter().filter_map(|(key, value)| Some(self.resolve(value).transpose()?.map(|value| (key.clone(), value))));
                Kind::Map(resolved.collect::<Result<_, _>>()?)
            }
        };
        Ok(Some(node.with(kind)))
    }

    /// The resolved value of a node that must have one.
    pub(super) fn value(&self, node: &Node) -> Result<Node, TemplateError> {
        self.resolve(node)?.ok_or_else(|| node.error("a value is needed here, not AWS::NoValue"))
    }

    fn call(&self, node: &Node, function: &str, argument: &Node) -> Result<Option<Node>, TemplateError> {
        let kind = match function {
            "Ref" => match argument.text()? {
                "AWS::NoValue" => return Ok(None),
                name => self.reference(argument, name)?,
            },
            "Fn::If" => {
                let [condition, then, otherwise] = arguments(argument)?;
                let chosen = if self.condition(condition)? { then } else { otherwise };
                return self.resolve(chosen);
            }
            "Fn::GetAtt" => match self.value(argument)?.text_or_texts()?.join(".").split_once('.') {
                Some((resource, attribute)) => Kind::Text(self.attribute(argument, resource, attribute)?),
                None => return Err(argument.error("must be a resource and an attribute, such as Table.Arn")),
            },
            "Fn::Sub" => Kind::Text(self.substitute(argument)?),
            "Fn::Join" => {
                let [delimiter, items] = arguments(argument)?;
                Kind::Text(self.value(items)?.texts()?.join(delimiter.text()?))
            }
            "Fn::Split" => {
                let [delimiter, text] = arguments(argument)?;
                let text = self.value(text)?;
                Kind::List(text.text()?.split(delimiter.text()?).map(|part| node.with(Kind::Text(part.to_owned()))).collect())
            }
            "Fn::Select" => {
                let [index, items] = arguments(argument)?;
                let items = self.value(items)?;
                let index = self.value(index)?.integer(0..=usize::MAX)?;
                let item = items.list()?.get(index).ok_or_else(|| argument.error(format!("the list has no item {index}")))?;
                item.kind.clone()
            }
            _ => return Err(argument.error(format!("{function} is not supported here"))),
        };
        Ok(Some(node.with(kind)))
    }

    fn reference(&self, node: &Node, name: &str) -> Result<Kind, TemplateError> {
        let pseudo = match name {
            "AWS::Region" => Some(self.source.region.as_str()),
            "AWS::AccountId" => Some(self.source.account.as_str()),
            "AWS::StackName" => Some(self.source.stack_name.as_str()),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            _ => None,
        };
        Ok(match (pseudo, self.parameters.get(name)) {
            (Some(text), _) => Kind::Text(text.to_owned()),
            (None, Some(Value::Text(text))) => Kind::Text(text.clone()),
            (None, Some(Value::List(items))) => Kind::List(items.iter().map(|item| node.with(Kind::Text(item.clone()))).collect()),
            (None, None) => Kind::Text(self.resource(node, name)?.reference.clone()),
        })
    }

    fn attribute(&self, node: &Node, resource: &str, attribute: &str) -> Result<String, TemplateError> {
        let attributes = &self.resource(node, resource)?.attributes;
        attributes.get(attribute).cloned().ok_or_else(|| node.error(format!("`{resource}` has no attribute `{attribute}`")))
    }

    fn resource(&self, node: &Node, name: &str) -> Result<&Physical, TemplateError> {
        match &self.resources {
            Resources::Unnamed => Err(node.error(format!("there is no parameter `{name}`; names and conditions refer to parameters only"))),
            Resources::Named(resources) => match resources.get(name) {
                Some(Some(physical)) => Ok(physical),
                Some(None) => Err(node.error(format!("`{name}` is left out by its condition"))),
                None => Err(node.error(format!("there is no parameter or resource `{name}`"))),
            },
        }
    }

    fn substitute(&self, argument: &Node) -> Result<String, TemplateError> {
        let (template, variables) = match &argument.kind {
            Kind::List(_) => {
                let [template, variables] = arguments(argument)?;
                (template, self.value(variables)?)
            }
            Kind::Text(_) | Kind::Map(_) => (argument, argument.with(Kind::Map(Vec::new()))),
        };
        let variables = variables.map()?;
        let mut result = String::new();
        let mut rest = template.text()?;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| template.error("`${` has no `}`"))?;
            result.push_str(before);
            match (name.strip_prefix('!'), variables.iter().find(|(variable, _)| variable == name), name.split_once('.')) {
                (Some(literal), ..) => result.push_str(&format!("${{{literal}}}")),
                (None, Some((_, value)), _) => result.push_str(value.text()?),
                (None, None, Some((resource, attribute))) => result.push_str(&self.attribute(template, resource, attribute)?),
                (None, None, None) => match self.reference(template, name)? {
                    Kind::Text(text) => result.push_str(&text),
                    Kind::List(_) | Kind::Map(_) => return Err(template.error(format!("`{name}` is a list and cannot stand in text"))),
                },
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(result)
    }

    /// Evaluates a condition; `names` are the conditions on the way to it.
    fn evaluate<'n>(&self, node: &'n Node, definitions: &'n [(String, Node)], names: &mut Vec<&'n str>) -> Result<bool, TemplateError> {
        let [(function, argument)] = node.map()? else {
            return Err(node.error("must be one condition function"));
        };
        let mut each =
            |operands: &'n [Node]| operands.iter().map(|operand| self.evaluate(operand, definitions, names)).collect::<Result<Vec<_>, _>>();
        match function.as_str() {
            "Fn::Equals" => {
                let [left, right] = arguments(argument)?;
                Ok(self.value(left)?.text()? == self.value(right)?.text()?)
            }
            "Fn::And" => Ok(!each(argument.list()?)?.contains(&false)),
            "Fn::Or" => Ok(each(argument.list()?)?.contains(&true)),
            "Fn::Not" => {
                let [_]: &[Node; 1] = arguments(argument)?;
                Ok(each(argument.list()?)? == [false])
            }
            "Condition" => {
                let name = argument.text()?;
                if names.contains(&name) {
                    return Err(argument.error(format!("the condition `{name}` depends on itself")));
                }
                let definition = definitions.iter().find(|(other, _)| other == name);
                let (_, definition) = definition.ok_or_else(|| argument.error(format!("there is no condition `{name}`")))?;
                names.push(name);
                let value = self.evaluate(definition, definitions, names)?;
                names.pop();
                Ok(value)
            }
            _ => Err(argument.error(format!("{function} is not a condition function"))),
        }
    }
}

/// The fixed number of arguments of a function.
fn arguments<const N: usize>(node: &Node) -> Result<&[Node; N], TemplateError> {
    node.list()?.try_into().map_err(|_| node.error(format!("must be a list of {N}")))
}

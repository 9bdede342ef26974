//! The document as a tree whose nodes know their line and their path, read from the parser's events.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::TemplateError;

/// One value of the document.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Line of the key that holds it, or of its own start in a list.
    pub(super) line: usize,
    /// Path in the document, such as `Resources.Table.Properties`.
    pub(super) path: String,
    pub(super) kind: Kind,
}

/// A scalar is always text, because CloudFormation converts freely between text, numbers and booleans.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// An error at this node.
    pub(super) fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::new(self.line, self.path.clone(), message)
    }

    /// A node at this place with another content.
    pub(super) fn with(&self, kind: Kind) -> Self {
        Self { line: self.line, path: self.path.clone(), kind }
    }

    /// The function and its argument, if this is an intrinsic function such as `{Ref: Table}`.
    pub(super) fn function(&self) -> Option<(&str, &Node)> {
        match &self.kind {
            Kind::Map(entries) => match entries.as_slice() {
                [(key, argument)] if is_function(key) => Some((key, argument)),
                _ => None,
            },
            Kind::Text(_) | Kind::List(_) => None,
        }
    }
}

/// Whether a key is the long form of an intrinsic function. `Condition` is one in conditions only, so it is not here.
pub(super) fn is_function(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::")
}

/// Reads a document; the short forms of intrinsic functions become the long ones.
pub(super) fn read(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader { parser: Parser::new_from_str(text) };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd => return Err(TemplateError::new(1, String::new(), "the document is empty")),
            event => {
                let line = span.start.line();
                let root = reader.node(event, span, String::new(), line)?;
                return reader.finish().map(|()| root);
            }
        }
    }
}

struct Reader<'input> {
    parser: Parser<'input, StrInput<'input>>,
}

impl<'input> Reader<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Span), TemplateError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(TemplateError::new(error.marker().line(), String::new(), error.info())),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn finish(&mut self) -> Result<(), TemplateError> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), span) => {
                    return Err(TemplateError::new(span.start.line(), String::new(), "a template is one document"));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'input>, span: Span, path: String, line: usize) -> Result<Node, TemplateError> {
        let (kind, tag) = match event {
            Event::Scalar(text, style, _, tag) => {
                let text = scalar(&text, style).map_err(|message| TemplateError::new(line, path.clone(), message))?;
                (Kind::Text(text), tag)
            }
            Event::SequenceStart(_, tag) => (self.list(&path)?, tag),
            Event::MappingStart(_, tag) => (self.map(&path)?, tag),
            Event::Alias(_) => return Err(TemplateError::new(span.start.line(), path, "CloudFormation knows no YAML aliases")),
            _ => return Err(TemplateError::new(span.start.line(), path, "unexpected end of the document")),
        };
        let node = Node { line, path, kind };
        match tag {
            None => Ok(node),
            Some(tag) => tagged(&tag, node),
        }
    }

    fn list(&mut self, path: &str) -> Result<Kind, TemplateError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::List(items)),
                (event, span) => items.push(self.node(event, span, format!("{path}[{}]", items.len()), span.start.line())?),
            }
        }
    }

    fn map(&mut self, path: &str) -> Result<Kind, TemplateError> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let key = match event {
                Event::MappingEnd => return Ok(Kind::Map(entries)),
                Event::Scalar(key, _, _, None) => key.into_owned(),
                _ => return Err(TemplateError::new(line, path.to_owned(), "a key must be plain text")),
            };
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if entries.iter().any(|(other, _)| *other == key) {
                return Err(TemplateError::new(line, path, "this key is there twice"));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, path, line)?;
            entries.push((key, value));
        }
    }
}

fn tagged(tag: &Tag, node: Node) -> Result<Node, TemplateError> {
    let key = match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("!", "Ref" | "Condition") => tag.suffix.clone(),
        ("!", suffix) if !suffix.is_empty() => format!("Fn::{suffix}"),
        _ => return Err(node.error(format!("the tag `{tag}` is not supported"))),
    };
    let outer = node.with(Kind::Map(Vec::new()));
    Ok(Node { kind: Kind::Map(vec![(key, node)]), ..outer })
}

/// The text of a scalar as CloudFormation takes it.
fn scalar(text: &str, style: ScalarStyle) -> Result<String, String> {
    if style != ScalarStyle::Plain {
        return Ok(text.to_owned());
    }
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => Err("CloudFormation refuses an empty value; write \"\" for empty text".to_owned()),
        "true" => Ok("true".to_owned()),
        "false" => Ok("false".to_owned()),
        // YAML 1.1, which CloudFormation reads, says boolean, and YAML 1.2 says text.
        "yes" | "no" | "on" | "off" => Err(format!("write true, false or \"{text}\"; a plain `{text}` is ambiguous")),
        _ => Ok(text.to_owned()),
    }
}

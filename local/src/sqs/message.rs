//! What a message carries besides its body: its attributes, their limits, size and digest.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{Result, invalid, refused, unsupported};

pub(super) type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// The value of one attribute, in the API's own JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct MessageAttribute {
    pub(super) data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) string_value: Option<String>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    #[serde(default, skip_serializing)]
    string_list_values: Vec<Value>,
    #[serde(default, skip_serializing)]
    binary_list_values: Vec<Value>,
}

impl MessageAttribute {
    fn is_binary(&self) -> bool {
        self.base_type() == "Binary"
    }

    /// `Number` of `Number.java.lang.Integer`.
    fn base_type(&self) -> &str {
        self.data_type.split('.').next().unwrap_or_default()
    }

    fn value(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(binary)) => STANDARD.decode(binary).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }

    fn check(&self, name: &str) -> Result<()> {
        if !self.string_list_values.is_empty() || !self.binary_list_values.is_empty() {
            return Err(unsupported("Message attribute list values in SendMessage operation are not supported."));
        }
        if !matches!(self.base_type(), "String" | "Number" | "Binary") || self.data_type.len() > 256 {
            return Err(invalid(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            )));
        }
        let (field, right, wrong) = if self.is_binary() {
            ("BinaryValue", &self.binary_value, &self.string_value)
        } else {
            ("StringValue", &self.string_value, &self.binary_value)
        };
        let data_type = &self.data_type;
        if wrong.is_some() {
            return Err(invalid(format!("The message attribute '{name}' with type '{data_type}' must use field '{field}'.")));
        }
        if right.as_ref().is_none_or(String::is_empty) {
            return Err(invalid(format!("The message attribute '{name}' must contain a non-empty value for type '{data_type}'.")));
        }
        if self.binary_value.as_ref().is_some_and(|binary| STANDARD.decode(binary).is_err()) {
            return Err(refused("SerializationException", format!("The message attribute '{name}' is not valid base64.")));
        }
        if let Some(text) = &self.string_value {
            check_text(text)?;
            if self.base_type() == "Number" && !is_number(text) {
                return Err(invalid(format!("Can't cast the value of message attribute '{name}' to a number.")));
            }
        }
        Ok(())
    }
}

/// A decimal number within the precision of the service: 38 digits.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) && text.chars().filter(char::is_ascii_digit).count() <= 38
}

/// Checks names, types and values.
pub(super) fn check_attributes(attributes: &MessageAttributes) -> Result<()> {
    if attributes.len() > 10 {
        return Err(invalid(format!("Number of message attributes [{}] exceeds the allowed maximum [10].", attributes.len())));
    }
    for (name, attribute) in attributes {
        let lower = name.to_ascii_lowercase();
        let plain = !name.is_empty() && name.len() <= 256 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if !plain || name.starts_with('.') || name.ends_with('.') || name.contains("..") || lower.starts_with("aws.") || lower.starts_with("amazon.")
        {
            return Err(invalid(format!("The message attribute name '{name}' is invalid.")));
        }
        attribute.check(name)?;
    }
    Ok(())
}

/// Takes out the one system attribute that a sender may set.
pub(super) fn trace_header(attributes: &MessageAttributes) -> Result<Option<&str>> {
    for (name, attribute) in attributes {
        if name != "AWSTraceHeader" {
            return Err(invalid(format!("Message system attribute name '{name}' is invalid.")));
        }
        attribute.check(name)?;
        if attribute.data_type != "String" {
            return Err(invalid("The message system attribute 'AWSTraceHeader' must be of type 'String'."));
        }
    }
    Ok(attributes.get("AWSTraceHeader").and_then(|attribute| attribute.string_value.as_deref()))
}

/// A message may hold only what XML 1.0 allows.
pub(super) fn check_text(text: &str) -> Result<()> {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}');
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(c) => Err(refused(
            "InvalidMessageContents",
            format!(
                "Invalid binary character '#x{:X}' was found in the message body, the set of allowed characters is \
                 #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
                u32::from(c)
            ),
        )),
    }
}

/// Bytes that the size limits count: the body and the attributes' names, types and values.
pub(super) fn size(body: &str, attributes: &MessageAttributes) -> usize {
    body.len() + attributes.iter().map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.value().len()).sum::<usize>()
}

pub(super) fn md5(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Md5::digest(bytes))
}

/// The digest that SDKs verify: of each attribute in order of its name, the name, the type, a byte for the kind of value, and the value, each with its length.
pub(super) fn md5_of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut push = |part: &[u8], kind: Option<u8>| {
        bytes.extend(kind);
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    for (name, attribute) in attributes {
        push(name.as_bytes(), None);
        push(attribute.data_type.as_bytes(), None);
        push(&attribute.value(), Some(if attribute.is_binary() { 2 } else { 1 }));
    }
    Some(md5(bytes))
}

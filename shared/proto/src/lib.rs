//! The API's documents as Protocol Buffers messages ([`v1`], made of `proto/quire/v1` by the build), and the way between the two.
//!
//! The JSON mapping of a message (ProtoJSON) is the API's JSON document, with these rules:
//!
//! - A field that is absent, and an `optional` one that is set, whatever its value, come back as they were.
//! - A string or number that is not `optional` and is empty or zero, and a list without items, come back absent. So an absent list is
//!   an empty one, and a required field that is empty is one that is missing.
//! - Numbers have 32 bits and stay JSON numbers; ProtoJSON would write 64-bit ones as strings.
//! - Times are strings, and come back to the letter: ProtoJSON's own timestamps lose decimals that are zero.
//! - `null` is read as absent.

use buffa::DecodeOptions;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;

pub use buffa::Message;

#[cfg(test)]
mod tests;

/// Levels of messages and unknown groups in one another that are read; ours have two.
const DEPTH: u32 = 16;
/// Bytes of memory that the items of a message's lists may take: two bytes on the wire can be an empty item of hundreds. A page of a
/// hundred posts takes 50 KB.
const LIST_BYTES: usize = 1024 * 1024;

/// The messages of version 1.
#[allow(
    missing_docs,
    reason = "the generator's own items have no documentation; messages and fields have the comments of their sources, as a test holds"
)]
#[allow(clippy::match_single_binding, reason = "the generator writes a match for a message without fields too")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/quire.v1.rs"));
}

/// Details of errors, as clients of RPC know them: `third_party/proto/google/rpc`.
#[allow(missing_docs, reason = "the generator's own items have no documentation")]
pub mod google {
    include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
}

/// Why a document cannot become bytes, or bytes a document.
#[derive(Debug, Error)]
pub enum Error {
    /// A value of the document is not of the type that its field has in the message. The source may quote the value.
    #[error("the document is not of the message's form")]
    Document(#[source] serde_json::Error),
    /// The bytes are no Protocol Buffers, are of another message, or go beyond the limits. The source quotes no values.
    #[error("the bytes are not of the message's form")]
    Bytes(#[source] buffa::DecodeError),
    /// The message has 2 GiB or more.
    #[error("the message is too large")]
    Size(#[source] buffa::EncodeError),
}

/// A JSON document as the bytes of the message `M`. Fields that `M` does not have are left out.
///
/// # Errors
/// [`Error::Document`], [`Error::Size`].
pub fn encode<M: Message + DeserializeOwned>(document: Value) -> Result<Vec<u8>, Error> {
    let message: M = serde_json::from_value(document).map_err(Error::Document)?;
    message.try_encode_to_vec().map_err(Error::Size)
}

/// The bytes of a message `M` as a JSON document. Fields that `M` does not have are left out; those that are unset are absent, and so are
/// empty ones that are not `optional`.
///
/// The caller limits the number of bytes; depth, and the memory of lists, are limited here.
///
/// # Errors
/// [`Error::Bytes`].
pub fn decode<M: Message + Serialize>(bytes: &[u8]) -> Result<Value, Error> {
    let options = DecodeOptions::new().with_recursion_limit(DEPTH).with_element_memory_limit(LIST_BYTES);
    let message: M = options.decode_from_slice(bytes).map_err(Error::Bytes)?;
    serde_json::to_value(message).map_err(Error::Document)
}

/// The JSON form of a message `M` (ProtoJSON) as a document. Members that `M` does not have are left out, as [`decode`] does.
///
/// # Errors
/// [`Error::Document`].
pub fn read_json<M: Message + Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<Value, Error> {
    let message: M = serde_json::from_slice(bytes).map_err(Error::Document)?;
    serde_json::to_value(message).map_err(Error::Document)
}

//! The API's documents as Protocol Buffers messages, and the way between the two.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Messages.
#[allow(missing_docs, clippy::all, reason = "generated")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/quire.v1.rs"));
}

/// What a message can do.
pub trait Document: buffa::Message + Serialize + DeserializeOwned {}
impl<M: buffa::Message + Serialize + DeserializeOwned> Document for M {}

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// JSON.
    #[error("json")]
    Json(#[from] serde_json::Error),
    /// Bytes.
    #[error("bytes")]
    Bytes(#[from] buffa::DecodeError),
}

/// JSON to bytes.
pub fn encode<M: Document>(json: Value) -> Result<Vec<u8>, Error> {
    Ok(serde_json::from_value::<M>(json)?.encode_to_vec())
}

/// Bytes to JSON.
pub fn decode<M: Document>(bytes: &[u8]) -> Result<Value, Error> {
    Ok(serde_json::to_value(M::decode_from_slice(bytes)?)?)
}

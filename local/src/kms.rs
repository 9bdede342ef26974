//! A little KMS: data key pairs, encryption and decryption, under AES-256-GCM master keys that lie in one file with the local data.
//!
//! The blob of a ciphertext is `version | key id | 0 | nonce (12 bytes) | ciphertext and tag`. All of it and the encryption
//! context are authenticated.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, Generate, Key as AeadKey, KeyInit, Payload, consts::U12},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, ready};
use http::Response;
use p256::{
    SecretKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    service::{Service, ServiceError, reply},
    stack,
};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const VERSION: u8 = 1;
const NONCE: usize = 12;
/// Most bytes that `Encrypt` takes under a symmetric key.
const PLAINTEXT_BYTES: usize = 4096;

/// Why the keys could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be read or written.
    #[error("cannot read or write the KMS keys in {path}")]
    Io {
        /// The key file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is not one that this program wrote.
    #[error("{path} does not hold KMS keys: {reason}; start with --fresh to make new ones")]
    Corrupt {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The key management service.
pub struct Kms {
    keys: BTreeMap<String, MasterKey>,
    /// Every name that a request may use for a key (id, ARN, alias, ARN of an alias) → key id.
    names: BTreeMap<String, String>,
}

struct MasterKey {
    arn: String,
    cipher: Aes256Gcm,
}

impl Kms {
    /// Opens the key file at `path` and adds a new master key to it for each of `keys` that it lacks.
    pub fn open(path: &Path, keys: &BTreeMap<String, stack::Key>) -> Result<Self, OpenError> {
        let mut stored = read_keys(path)?;
        let known = stored.len();
        for key in keys.values() {
            stored.entry(key.id.clone()).or_insert_with(|| STANDARD.encode(AeadKey::<Aes256Gcm>::generate()));
        }
        if stored.len() > known {
            write_keys(path, &stored).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        }
        let mut kms = Self { keys: BTreeMap::new(), names: BTreeMap::new() };
        for key in keys.values() {
            let cipher = cipher(&stored[&key.id]).map_err(|reason| OpenError::Corrupt { path: path.to_owned(), reason })?;
            kms.keys.insert(key.id.clone(), MasterKey { arn: key.arn.clone(), cipher });
            let account = key.arn.strip_suffix(&format!("key/{}", key.id));
            for alias in &key.aliases {
                kms.names.insert(alias.clone(), key.id.clone());
                kms.names.extend(account.map(|account| (format!("{account}{alias}"), key.id.clone())));
            }
            kms.names.extend([key.id.clone(), key.arn.clone()].map(|name| (name, key.id.clone())));
        }
        Ok(kms)
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, ServiceError> {
        match operation {
            "GenerateDataKeyPairWithoutPlaintext" => self.generate(parse(body)?),
            "Encrypt" => self.encrypt(parse(body)?),
            "Decrypt" => self.decrypt(parse(body)?),
            _ => Err(unsupported(format!("The local KMS does not support {operation}."))),
        }
    }

    fn generate(&self, request: GenerateRequest) -> Result<Value, ServiceError> {
        if request.key_pair_spec != "ECC_NIST_P256" {
            return Err(unsupported(format!("The local KMS does not support KeyPairSpec {}.", request.key_pair_spec)));
        }
        let (id, key) = self.find(&request.key_id)?;
        let secret = SecretKey::generate();
        let public = secret.public_key().to_public_key_der().map_err(internal)?;
        let private = secret.to_pkcs8_der().map_err(internal)?;
        let blob = seal(id, key, private.as_bytes(), &request.encryption_context)?;
        Ok(json!({
            "KeyId": key.arn,
            "KeyPairSpec": request.key_pair_spec,
            "PublicKey": STANDARD.encode(public.as_bytes()),
            "PrivateKeyCiphertextBlob": STANDARD.encode(blob),
        }))
    }

    fn encrypt(&self, request: EncryptRequest) -> Result<Value, ServiceError> {
        symmetric(request.encryption_algorithm.as_deref())?;
        let (id, key) = self.find(&request.key_id)?;
        let plaintext = STANDARD.decode(&request.plaintext).map_err(|_| serialization("Plaintext is not base64."))?;
        if !(1..=PLAINTEXT_BYTES).contains(&plaintext.len()) {
            let message = format!("1 validation error detected: Plaintext must have 1 to {PLAINTEXT_BYTES} bytes.");
            return Err(ServiceError::client("ValidationException", message));
        }
        let blob = seal(id, key, &plaintext, &request.encryption_context)?;
        Ok(json!({"KeyId": key.arn, "CiphertextBlob": STANDARD.encode(blob), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
    }

    fn decrypt(&self, request: DecryptRequest) -> Result<Value, ServiceError> {
        symmetric(request.encryption_algorithm.as_deref())?;
        let requested = request.key_id.as_deref().map(|name| self.find(name)).transpose()?;
        let blob = STANDARD.decode(&request.ciphertext_blob).map_err(|_| serialization("CiphertextBlob is not base64."))?;
        let Blob { id, head, nonce, sealed } = split(&blob).ok_or_else(invalid_ciphertext)?;
        let key = self.keys.get(id).ok_or_else(|| {
            // The text of the real service for a key that is gone or not ours.
            let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
            ServiceError::client("AccessDeniedException", message)
        })?;
        if requested.is_some_and(|(requested, _)| requested != id) {
            let message = "The key ID in the request does not identify a CMK that can perform this operation.";
            return Err(ServiceError::client("IncorrectKeyException", message));
        }
        let aad = associated_data(head, &request.encryption_context);
        let plaintext = key.cipher.decrypt(nonce, Payload { msg: sealed, aad: &aad }).map_err(|_| invalid_ciphertext())?;
        Ok(json!({"KeyId": key.arn, "Plaintext": STANDARD.encode(plaintext), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
    }

    fn find(&self, name: &str) -> Result<(&str, &MasterKey), ServiceError> {
        let found = self.names.get(name).and_then(|id| self.keys.get_key_value(id));
        let (id, key) = found.ok_or_else(|| ServiceError::client("NotFoundException", format!("Key '{name}' does not exist")))?;
        Ok((id, key))
    }
}

impl Service for Kms {
    fn call<'a>(&'a self, operation: &'a str, body: Bytes) -> BoxFuture<'a, Response<Bytes>> {
        ready(reply(self.answer(operation, &body), CONTENT_TYPE)).boxed()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GenerateRequest {
    key_id: String,
    key_pair_spec: String,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EncryptRequest {
    key_id: String,
    plaintext: String,
    encryption_algorithm: Option<String>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DecryptRequest {
    ciphertext_blob: String,
    key_id: Option<String>,
    encryption_algorithm: Option<String>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ServiceError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| serialization(error.to_string()))?;
    T::deserialize(value).map_err(|error| ServiceError::client("ValidationException", error.to_string()))
}

/// The keys are symmetric, and so have one algorithm.
fn symmetric(algorithm: Option<&str>) -> Result<(), ServiceError> {
    match algorithm {
        None | Some("SYMMETRIC_DEFAULT") => Ok(()),
        Some(_) => Err(ServiceError::client("InvalidKeyUsageException", "The key has the encryption algorithm SYMMETRIC_DEFAULT.")),
    }
}

/// The blob of a plaintext.
fn seal(id: &str, key: &MasterKey, plaintext: &[u8], context: &BTreeMap<String, String>) -> Result<Vec<u8>, ServiceError> {
    let mut blob = header(id);
    let nonce = Nonce::generate();
    let aad = associated_data(&blob, context);
    let sealed = key.cipher.encrypt(&nonce, Payload { msg: plaintext, aad: &aad }).map_err(internal)?;
    blob.extend_from_slice(&nonce);
    blob.extend_from_slice(&sealed);
    Ok(blob)
}

fn header(id: &str) -> Vec<u8> {
    [&[VERSION], id.as_bytes(), &[0]].concat()
}

/// The parts of a blob; `head` is the version, the id and the 0.
struct Blob<'a> {
    id: &'a str,
    head: &'a [u8],
    nonce: &'a Nonce<U12>,
    sealed: &'a [u8],
}

fn split(blob: &[u8]) -> Option<Blob<'_>> {
    let end = blob.iter().position(|&byte| byte == 0)?;
    let (head, rest) = blob.split_at(end + 1);
    let (nonce, sealed) = rest.split_at_checked(NONCE)?;
    let (&version, id) = head[..end].split_first()?;
    let blob = Blob { id: std::str::from_utf8(id).ok()?, head, nonce: nonce.try_into().ok()?, sealed };
    (version == VERSION).then_some(blob)
}

/// The header, then the encryption context with sorted keys, as JSON so that no two contexts have the same bytes.
fn associated_data(head: &[u8], context: &BTreeMap<String, String>) -> Vec<u8> {
    let mut data = head.to_vec();
    data.extend_from_slice(json!(context).to_string().as_bytes());
    data
}

fn read_keys(path: &Path) -> Result<BTreeMap<String, String>, OpenError> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| OpenError::Corrupt { path: path.to_owned(), reason: error.to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(source) => Err(OpenError::Io { path: path.to_owned(), source }),
    }
}

/// Replaces the file as a whole: a crash leaves the old keys or the new ones, and nobody else may read either.
fn write_keys(path: &Path, keys: &BTreeMap<String, String>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = path.with_extension("new");
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(keys)?)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

fn cipher(encoded: &str) -> Result<Aes256Gcm, String> {
    let bytes = STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    Aes256Gcm::new_from_slice(&bytes).map_err(|_| "a key is not 32 bytes long".to_owned())
}

fn unsupported(message: String) -> ServiceError {
    ServiceError::client("UnsupportedOperationException", message)
}

fn serialization(message: impl Into<String>) -> ServiceError {
    ServiceError::client("SerializationException", message)
}

fn invalid_ciphertext() -> ServiceError {
    // The real service gives no text here, so that it tells nothing about the cause.
    ServiceError::client("InvalidCiphertextException", "")
}

fn internal(error: impl std::fmt::Display) -> ServiceError {
    ServiceError { code: "KMSInternalException", ..ServiceError::internal(error.to_string()) }
}

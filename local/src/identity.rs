//! Who calls an emulated service: each function has an access key of its own, each of its processes a session token of its own.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::stack::Stack;

/// Access key of a person at this machine, who may do everything. The secret is not checked.
pub const DEVELOPER_ACCESS_KEY: &str = "quire";

/// Credentials for one process of a function, as the three standard environment variables hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`: names the function.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`: names the process.
    pub session_token: String,
}

/// The author of a call to an emulated service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A process of a function, bound by the statements of its role.
    Function {
        /// Logical id of the function.
        logical_id: String,
        /// Id of the process, as `Functions` gave it.
        instance: String,
    },
    /// A person at this machine.
    Developer,
}

/// Issues and recognises credentials.
#[derive(Debug)]
pub struct Identities {
    stack: String,
    functions: BTreeMap<String, String>,
}

impl Identities {
    /// Identities for every function of a stack.
    pub fn new(stack: &Stack) -> Self {
        let functions = stack.functions.keys().map(|id| (access_key(&stack.name, id), id.clone())).collect();
        Self { stack: stack.name.clone(), functions }
    }

    /// Credentials for the process `instance` of a function of this stack.
    pub fn issue(stack: &Stack, logical_id: &str, instance: &str) -> Credentials {
        Credentials {
            access_key_id: access_key(&stack.name, logical_id),
            secret_access_key: secret_key(&stack.name, logical_id),
            session_token: instance.to_owned(),
        }
    }

    /// What a function signs with.
    pub fn secret(&self, logical_id: &str) -> String {
        secret_key(&self.stack, logical_id)
    }

    /// The caller behind an access key, or `None` if this stack never issued it.
    pub fn caller(&self, access_key_id: &str, session_token: Option<&str>) -> Option<Caller> {
        if access_key_id == DEVELOPER_ACCESS_KEY {
            return Some(Caller::Developer);
        }
        let logical_id = self.functions.get(access_key_id)?.clone();
        Some(Caller::Function { logical_id, instance: session_token.unwrap_or_default().to_owned() })
    }
}

fn secret_key(stack: &str, logical_id: &str) -> String {
    hex::encode(Sha256::digest(format!("secret/{stack}/{logical_id}")))
}

fn access_key(stack: &str, logical_id: &str) -> String {
    let digest = hex::encode_upper(Sha256::digest(format!("access/{stack}/{logical_id}")));
    format!("ASIA{}", &digest[..16])
}

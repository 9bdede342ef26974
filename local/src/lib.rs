//! The local cloud: runs `template.yaml` on this machine, with the real function binaries.

pub mod cargo;
pub mod cloud;
pub mod dynamodb;
pub mod endpoint;
pub mod faults;
pub mod functions;
pub mod gateway;
pub mod iam;
pub mod identity;
pub mod kms;
pub mod s3;
pub mod service;
pub mod ses;
pub mod sources;
pub mod sqs;
pub mod stack;
pub mod template;

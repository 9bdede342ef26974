//! Requests with an idempotency key: their outcome is recorded in the transaction that makes it true, and replayed.
//!
//! There is no state between "not done" and "done and recorded", so there is no lock to expire. The record is looked for only when
//! the commit or the decision before it fails, so a first request costs no read.

use quire_domain::{Error, Result};
use quire_store::{Commit, CommitError, IdempotencyScope, Store};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::Call;

/// Runs `decide`, commits what it gives, and returns its view; a repeated request gets the view of the first.
///
/// `input` is what the client sent without its secrets: its serialised form decides whether two requests are the same.
pub(crate) async fn commit_once<V, I>(
    store: &Store,
    call: &Call,
    operation: &str,
    input: &I,
    decide: impl Future<Output = Result<(V, Commit)>>,
) -> Result<V>
where
    V: Serialize + DeserializeOwned,
    I: Serialize,
{
    let Some(key) = &call.idempotency_key else {
        let (view, commit) = decide.await?;
        store.commit(commit).await?;
        return Ok(view);
    };
    let scope = IdempotencyScope { caller: call.principal.user_id(), operation, key: key.as_str() };
    let fingerprint = fingerprint(input)?;
    let error = match decide.await {
        Ok((view, commit)) => {
            let outcome = serde_json::to_string(&view).map_err(|error| Error::internal("recording an outcome", error))?;
            match store.commit(commit.record(&scope, fingerprint.clone(), outcome)).await {
                Ok(()) => return Ok(view),
                // The first request was faster, whatever else stands against this one.
                Err(CommitError::AlreadyRecorded) => Error::Contended,
                Err(error) => error.into(),
            }
        }
        Err(error) => error,
    };
    if !may_be_a_repetition(&error) {
        return Err(error);
    }
    match store.recorded(&scope, call.now).await? {
        None => Err(error),
        Some(recorded) if recorded.fingerprint != fingerprint => Err(Error::IdempotencyKeyReused),
        Some(recorded) => serde_json::from_str(&recorded.outcome).map_err(|error| Error::internal("replaying an outcome", error)),
    }
}

fn fingerprint(input: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(input).map_err(|error| Error::internal("fingerprinting a request", error))?;
    Ok(hex::encode(Sha256::digest(text)))
}

/// Whether the first request could have succeeded where this one fails: the world may have moved on since.
fn may_be_a_repetition(error: &Error) -> bool {
    match error {
        // What a body says for itself was right; what it names may be gone.
        Error::Invalid(_)
        | Error::NotFound(_)
        | Error::UsernameTaken
        | Error::EmailTaken
        | Error::LastAdmin
        | Error::BeingErased
        | Error::SlugTaken
        | Error::AccountExists
        | Error::IdentityTaken
        | Error::LastSignInMethod
        | Error::IllegalMove { .. }
        | Error::VersionMismatch
        | Error::TooManyExports { .. }
        | Error::Contended => true,
        Error::Unauthenticated(_)
        | Error::TooManyAttempts(_)
        | Error::Forbidden(_)
        | Error::EmailUnverified
        | Error::InsufficientScope(_)
        | Error::IdempotencyKeyReused
        | Error::TooManyApiTokens
        | Error::TooManyWebhooks
        | Error::SecondFactorEnabled
        | Error::TooManyTries { .. }
        | Error::SignInInvalid
        | Error::SignInRefused(_)
        | Error::ProviderEmailUnverified
        | Error::ProviderUnavailable { .. }
        | Error::EditWindowClosed
        | Error::CommentDeleted
        | Error::Unavailable(_)
        | Error::Internal { .. } => false,
    }
}

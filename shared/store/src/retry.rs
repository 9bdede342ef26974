//! Which failures pass by themselves, and how long to wait for them.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use uuid::Uuid;

/// Attempts at one commit that meets others on the same items. A hundred commits that count on one item at once, each of which holds it
/// for 20 ms, are all made within four seconds; with half the attempts and half the wait, a third of them would be given up.
pub(crate) const ATTEMPTS: u32 = 16;

/// Whether the same call may succeed later. The SDK has retried already.
pub(crate) fn is_passing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(service) => matches!(
            service.err().code(),
            Some(
                "InternalServerError"
                    | "ProvisionedThroughputExceededException"
                    | "RequestLimitExceeded"
                    | "ServiceUnavailable"
                    | "ThrottlingException"
                    | "TransactionInProgressException"
            )
        ),
        _ => false,
    }
}

/// The wait before attempt `attempt` (from 1): full jitter under 10 ms × 2^attempt, at most 640 ms.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let ceiling = 10_u64 << attempt.min(6);
    let random = u64::from(Uuid::new_v4().as_bytes()[0]);
    Duration::from_millis(ceiling * random / 255)
}

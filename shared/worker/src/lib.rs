//! The queue side: records parsed one by one, panics caught for each, partial batch failures, trace context.
//!
//! A record that cannot be read is a failure and not a success: it must reach the dead-letter queue.

mod batch;
mod queue;
mod schedule;
mod stream;

pub use queue::{Consume, ConsumeBatch, run_queue, run_queue_batches};
pub use schedule::{Tick, run_schedule};
pub use stream::{Relay, run_stream};

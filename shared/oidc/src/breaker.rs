//! A circuit breaker: who does not answer is left alone for a while, so that requests fail at once and not after a timeout each.
//!
//! Each process has its own. That is enough: what it saves is time of this process and connections that it would open.

use quire_domain::Timestamp;

/// Failures in a row after which nothing is asked.
const FAILURES: u32 = 3;
/// Seconds until somebody may try again.
const OPEN_SECONDS: i64 = 30;

/// What is known of somebody's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// They answer, but for so many failures in a row.
    Closed { failures: u32 },
    /// They did not, and are left alone until then.
    Open { until: Timestamp },
    /// One request tries whether they answer again, the others wait until then.
    HalfOpen { until: Timestamp },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Lets a request pass, or tells in how many seconds one may.
    pub(crate) fn admit(&mut self, now: Timestamp) -> Result<(), u32> {
        match *self {
            Self::Closed { .. } => Ok(()),
            Self::Open { until } | Self::HalfOpen { until } if now < until => {
                Err(u32::try_from((until.millis() - now.millis()).div_euclid(1000) + 1).unwrap_or(u32::MAX))
            }
            Self::Open { .. } | Self::HalfOpen { .. } => {
                *self = Self::HalfOpen { until: now.plus_seconds(OPEN_SECONDS) };
                Ok(())
            }
        }
    }

    /// They answered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// They did not.
    pub(crate) fn failed(&mut self, now: Timestamp) {
        *self = match *self {
            Self::Closed { failures } if failures + 1 < FAILURES => Self::Closed { failures: failures + 1 },
            Self::Closed { .. } | Self::Open { .. } | Self::HalfOpen { .. } => Self::Open { until: now.plus_seconds(OPEN_SECONDS) },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_one_success_closes_it() {
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            breaker.failed(at(0));
            breaker.failed(at(0));
            breaker.succeeded();
        }
        for failure in 0..3 {
            assert_eq!(breaker.admit(at(failure)), Ok(()));
            breaker.failed(at(failure));
        }
        assert_eq!(breaker.admit(at(3)), Err(30));
        assert_eq!(breaker.admit(at(31)), Err(2));
        assert_eq!(breaker.admit(at(32)), Ok(()), "one tries");
        assert_eq!(breaker.admit(at(33)), Err(30), "the others wait");
        breaker.failed(at(34));
        assert_eq!(breaker.admit(at(63)), Err(2));
        assert_eq!(breaker.admit(at(64)), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_trial_that_never_ends_does_not_keep_it_open() {
        let mut breaker = Breaker::Open { until: at(1) };
        assert_eq!(breaker.admit(at(1)), Ok(()));
        assert_eq!(breaker.admit(at(31)), Ok(()));
    }
}

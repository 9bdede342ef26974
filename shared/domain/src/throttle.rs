//! How long the next try at signing in must wait. Failures are counted for the name that was typed, whether or not an account has it, and
//! for the address that they come from. The wait grows and never ends anybody's way in: a name is slowed down for everybody but those
//! addresses from which its owner has signed in, and those have a count of their own.

use crate::{Timestamp, limits};

/// After how many failures tries must wait, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Failures that cost nothing.
    free: u64,
}

/// A count of failures as the table holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many there were. A try counts as one until it has succeeded.
    pub count: u64,
    /// When the last one was let through.
    pub last: Timestamp,
}

/// From so many failures on, so many seconds between two tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Failures.
    pub count: u64,
    /// Seconds.
    pub wait: i64,
}

impl Policy {
    /// For a name, and for an address from which its owner has signed in.
    pub const NAME: Self = Self { free: limits::SIGN_IN_FAILURES };
    /// For all names that are tried from one address.
    pub const ADDRESS: Self = Self { free: limits::SIGN_IN_ADDRESS_FAILURES };

    /// Every wait there is, shortest first: a second after the last free failure, twice as long after each one more, up to the longest.
    pub fn steps(self) -> impl Iterator<Item = Step> {
        let doubled = (0..).map(|step| (step, 1_i64 << step)).take_while(|(_, wait)| *wait < limits::SIGN_IN_WAIT_SECONDS);
        let longest = doubled.clone().count() as u64;
        doubled.chain([(longest, limits::SIGN_IN_WAIT_SECONDS)]).map(move |(step, wait)| Step { count: self.free + step, wait })
    }

    /// Seconds until the next try, rounded up; none if it may be made now.
    pub fn wait(self, failures: Failures, now: Timestamp) -> Option<i64> {
        let step = self.steps().take_while(|step| step.count <= failures.count).last()?;
        let left = failures.last.plus_seconds(step.wait).millis() - now.millis();
        (left > 0).then(|| (left + 999) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn waits_begin_at_a_second_and_double_up_to_a_quarter_of_an_hour() {
        let steps: Vec<_> = Policy::NAME.steps().map(|Step { count, wait }| (count, wait)).collect();
        assert_eq!(steps, [(5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 32), (11, 64), (12, 128), (13, 256), (14, 512), (15, 900)]);
        assert_eq!(Policy::ADDRESS.steps().next(), Some(Step { count: 20, wait: 1 }));
    }

    #[test]
    fn a_try_waits_for_as_long_as_there_were_failures() {
        let wait = |count, millis| Policy::NAME.wait(Failures { count, last: at(0) }, at(millis));
        for count in 0..5 {
            assert_eq!(wait(count, 0), None);
        }
        assert_eq!([wait(5, 0), wait(5, 1), wait(5, 999), wait(5, 1000)], [Some(1), Some(1), Some(1), None]);
        assert_eq!([wait(7, 500), wait(7, 3999), wait(7, 4000)], [Some(4), Some(1), None]);
        assert_eq!([wait(1000, 0), wait(1000, 899_999), wait(1000, 900_000)], [Some(900), Some(1), None]);
        // Another process has a clock that is behind.
        assert_eq!(wait(5, -200), Some(2));
    }
}

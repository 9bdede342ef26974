//! How many writes a caller may make: so many in each window of a minute.

use std::net::IpAddr;

use crate::{Timestamp, id::UserId, limits};

/// Whose writes are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A signed-in account, wherever it is.
    Account(UserId),
    /// Everybody at one address or, as one customer has so many, in one IPv6 network of 64 bits.
    Address(IpAddr),
}

impl Caller {
    /// Whoever calls from `address` and is not signed in.
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(six) => match six.to_ipv4_mapped() {
                Some(four) => four.into(),
                None => std::net::Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
            },
        })
    }
}

/// What a caller has used of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Writes in a window.
    pub quota: u32,
    /// Writes that are left in this window.
    pub remaining: u32,
    /// Seconds until the next window, at least 1.
    pub resets_in: i64,
    /// Whether this was one write too many.
    pub is_exceeded: bool,
}

/// When the window of `now` began, in epoch seconds.
pub fn window(now: Timestamp) -> i64 {
    now.seconds() - now.seconds().rem_euclid(limits::RATE_SECONDS)
}

/// The usage at the `count`th write of a window.
pub fn usage(quota: u32, count: u64, now: Timestamp) -> Usage {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let resets_in = window(now) + limits::RATE_SECONDS - now.seconds();
    Usage { quota, remaining: quota.saturating_sub(count), resets_in, is_exceeded: count > quota }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_holds_for_a_window_and_not_longer() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000 + 999);
        assert_eq!(usage(2, 1, at(60)), Usage { quota: 2, remaining: 1, resets_in: 60, is_exceeded: false });
        assert_eq!(usage(2, 2, at(119)), Usage { quota: 2, remaining: 0, resets_in: 1, is_exceeded: false });
        assert_eq!(usage(2, 3, at(90)), Usage { quota: 2, remaining: 0, resets_in: 30, is_exceeded: true });
        assert_eq!((window(at(119)), window(at(120))), (60, 120));
    }

    #[test]
    fn addresses_of_one_network_are_one_caller() {
        let at = |text: &str| Caller::at(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }
}

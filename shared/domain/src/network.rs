//! Which addresses may be asked on behalf of somebody: those of the public internet, and what an operator allows besides.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses, such as `10.1.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    length: u32,
    is_v4: bool,
}

/// The text names no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a network such as 10.1.0.0/16")]
pub struct InvalidNetwork;

impl Network {
    /// Parses an address and the length of its prefix.
    ///
    /// # Errors
    /// [`InvalidNetwork`].
    pub fn parse(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, length) = text.trim().split_once('/').ok_or(InvalidNetwork)?;
        let (address, length): (IpAddr, u32) = (address.parse().map_err(|_| InvalidNetwork)?, length.parse().map_err(|_| InvalidNetwork)?);
        let (bits, most) = bits(address);
        if length > most { Err(InvalidNetwork) } else { Ok(Self { address: bits, length, is_v4: address.is_ipv4() }) }
    }

    /// Whether an address lies in it. A mapped IPv4 address is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (bits, most) = bits(address);
        let shift = most - self.length;
        let prefix = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
        address.is_ipv4() == self.is_v4 && prefix(bits) == prefix(self.address)
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// Whether an address belongs to the public internet: none of the blocks of IANA's registries of special addresses, in which stand
/// loopback, private and link-local networks with the metadata services of clouds, and the ways to write an IPv4 address in IPv6.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // This host, private, loopback, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224.., ..) => false,
        // Shared by carriers, link-local and metadata, private.
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => false,
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => false,
        _ => true,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3; of it not the protocol assignments with Teredo (2001::/23), documentation and 6to4, which hold IPv4
    // addresses or lead nowhere.
    a & 0xe000 == 0x2000 && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8)) && a != 0x2002 && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for text in ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.9.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    /// Addresses of IPv4 with the numbers that special blocks begin with as often as others.
    fn addresses() -> impl Strategy<Value = Ipv4Addr> {
        let number = |special: &'static [u8]| prop_oneof![select(special), any::<u8>()];
        let numbers =
            (number(&[0, 10, 100, 127, 169, 172, 192, 198, 203, 224]), number(&[0, 16, 18, 51, 64, 88, 168, 254]), number(&[0, 2, 99, 100, 113]));
        (numbers, any::<u8>()).prop_map(|((a, b, c), d)| Ipv4Addr::new(a, b, c, d))
    }

    proptest! {
        #[test]
        fn no_address_that_the_standard_library_knows_as_special_is_public(address in addresses()) {
            let is_special = address.is_unspecified() || address.is_loopback() || address.is_private() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_documentation();
            prop_assert!(!(is_special && is_public(address.into())), "{}", address);
        }

        #[test]
        fn an_address_is_as_public_in_ipv6_as_it_is(address in addresses(), high in any::<[u16; 5]>()) {
            let mapped = IpAddr::V6(address.to_ipv6_mapped());
            prop_assert_eq!(is_public(mapped), is_public(address.into()));
            // Whatever else stands before it, an address that cannot be reached is not reached by the ways to write it in IPv6.
            let [a, b] = [address.to_bits() >> 16, address.to_bits() & 0xffff].map(|half| half as u16);
            let [h, i, j, k, l] = high;
            for ways in [[0x2002, a, b, h, i, j, k, l], [0x0064, 0xff9b, 0, 0, 0, 0, a, b], [0x2001, 0, h, i, j, k, !a, !b], [0, 0, 0, 0, 0, 0, a, b]] {
                prop_assert!(!is_public(Ipv6Addr::from(ways).into()));
            }
        }

        #[test]
        fn a_network_holds_exactly_the_addresses_with_its_prefix(address in any::<u32>(), other in any::<u32>(), length in 0..=32_u32) {
            let network = Network::parse(&format!("{}/{length}", Ipv4Addr::from(address))).unwrap();
            prop_assert_eq!(network.contains(Ipv4Addr::from(other).into()), length == 0 || (address ^ other).leading_zeros() >= length);
            prop_assert!(network.contains(Ipv4Addr::from(address).into()));
        }
    }

    #[test]
    fn a_network_holds_the_addresses_with_its_prefix() {
        let network = Network::parse("127.0.0.0/8").unwrap();
        for (address, expected) in [("127.0.0.1", true), ("127.255.0.1", true), ("128.0.0.1", false), ("::ffff:127.0.0.1", true), ("::1", false)] {
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{address}");
        }
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(Network::parse("fd00::/8").unwrap().contains("fd12::1".parse().unwrap()));
        for text in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "ten/8"] {
            assert_eq!(Network::parse(text), Err(InvalidNetwork), "{text}");
        }
    }
}

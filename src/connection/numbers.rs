//! Conversion between packet numbers on the wire and in the connection.

use super::Peer;
use crate::Seq;

impl Peer {
    /// The wire form of `number`.
    pub(super) const fn to_wire(self, number: Seq) -> Seq {
        Seq::new(number.value() & self.last_number())
    }

    /// The number closest to `expected` whose wire form is `wire`; `None` if this peer has no such number.
    pub(super) const fn expand(self, wire: Seq, expected: Seq) -> Option<Seq> {
        let last = self.last_number();
        if last == u32::MAX {
            return Some(wire);
        }
        if wire.value() > last {
            return None;
        }
        // The distance ahead of `expected`, modulo the number of wire values. Distances in the upper half lie behind
        // `expected`.
        let ahead = wire.distance_from(expected) & last;
        Some(if ahead <= last / 2 { expected.add(ahead) } else { expected.sub((last - ahead).wrapping_add(1)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_bit_numbers_are_unchanged() {
        for number in [0, 1, 1 << 31, u32::MAX] {
            let number = Seq::new(number);
            assert_eq!(Peer::RdtProto.to_wire(number), number);
            assert_eq!(Peer::RdtProto.expand(number, Seq::new(77)), Some(number));
        }
    }

    #[test]
    fn sixteen_bit_numbers_expand_around_the_expected_one() {
        let peer = Peer::RostovStopAndWait;
        for expected in [0_u32, 5, 0xFFFE, 0xFFFF, 0x1_0000, 0x1_0003, 0xFFFF_FFFF] {
            for near in [-3_i32, -1, 0, 1, 3, 1_000, -1_000] {
                let expected = Seq::new(expected);
                let number = Seq::new(expected.value().wrapping_add_signed(near));
                assert_eq!(peer.expand(peer.to_wire(number), expected), Some(number), "{near} from {expected}");
            }
        }
    }

    #[test]
    fn a_number_outside_the_peers_range_is_none() {
        assert_eq!(Peer::RostovStopAndWait.expand(Seq::new(0x1_0000), Seq::new(0x1_0000)), None);
    }
}

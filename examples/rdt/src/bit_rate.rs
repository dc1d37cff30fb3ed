//! The maximum rate of `--rate`.

/// A rate in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BitRate(u64);

/// The least rate, in bits per second. Below it a packet of the usual size takes longer than a second, and timers that
/// wait for it would expire.
const LEAST: u64 = 16_000;

impl BitRate {
    /// Parses bits per second, with `k`, `M` or `G` for powers of 1000: `20M` or `1.5M`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (digits, digits_of_unit) = match text.char_indices().last() {
            Some((end, 'k' | 'K')) => (&text[..end], 3),
            Some((end, 'm' | 'M')) => (&text[..end], 6),
            Some((end, 'g' | 'G')) => (&text[..end], 9),
            _ => (text, 0),
        };
        let invalid = || "not a number of bits per second, such as 20M or 1.5M".to_owned();
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(part) || digits.ends_with('.') {
            return Err(invalid());
        }
        // Parts of a bit are no rate: "1.5" is not one, "1.5k" is.
        let zeros = usize::checked_sub(digits_of_unit, part.len()).ok_or_else(invalid)?;
        let bits: Option<u64> = format!("{whole}{part}{}", "0".repeat(zeros)).parse().ok();
        let bits = bits.ok_or("too large a rate")?;
        if bits < LEAST { Err("less than 16k, which is the least rate".into()) } else { Ok(Self(bits / 8)) }
    }

    pub(crate) const fn bytes_per_second(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1000_as_those_of_networks() {
        let parsed = |text| BitRate::parse(text).map(BitRate::bytes_per_second);
        assert_eq!(parsed("20M"), Ok(2_500_000));
        assert_eq!([parsed("1.5m"), parsed("64k"), parsed("1G")], [187_500, 8_000, 125_000_000].map(Ok));
        assert_eq!(parsed("16000"), Ok(2_000));
        for wrong in ["", "M", "20 M", "20Mbit", "-1", "1.", ".5M", "1.5", "1.2345k", "1e6", "٣M"] {
            assert!(parsed(wrong).is_err_and(|why| why.contains("not a number")), "{wrong}");
        }
        assert!(parsed("15999").is_err() && parsed("0").is_err());
        assert_eq!(parsed("99999999999G"), Err("too large a rate".into()));
    }
}

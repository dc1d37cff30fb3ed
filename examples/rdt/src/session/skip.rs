//! Which files are not transferred because both sides have them.

use rdt_proto::files::{Digest, FileKind, Metadata};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// None.
    Nothing,
    /// Those with the same length and time of modification.
    SameTime,
    /// Those with the same content.
    SameContent,
}

/// What the options of a command say about each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileOptions {
    pub(crate) skip: Skip,
    /// Whether files get their times and permissions.
    pub(crate) preserves: bool,
}

impl Skip {
    /// At least those with the same length and time.
    pub(crate) fn or_same_time(self) -> Self {
        match self {
            Self::Nothing | Self::SameTime => Self::SameTime,
            Self::SameContent => Self::SameContent,
        }
    }
}

/// What a side knows about a file.
pub(crate) type About = (FileKind, u64, Metadata, Option<Digest>);

/// Whether the file need not be transferred.
pub(crate) fn is_same(skip: Skip, one: About, other: About) -> bool {
    let is_alike = one.0 == FileKind::File && other.0 == FileKind::File && one.1 == other.1;
    match skip {
        Skip::Nothing => false,
        Skip::SameTime => is_alike && is_same_time(one.2, other.2),
        Skip::SameContent => is_alike && one.3.is_some() && one.3 == other.3,
    }
}

/// The units in which file systems keep times, in nanoseconds: a second, the 10 ms of exFAT, and what others keep at least.
const TIME_UNITS: [i64; 3] = [1_000_000_000, 10_000_000, 1_000];

/// Times are compared by the largest unit in which one of them may be kept.
pub(super) fn is_same_time(one: Metadata, other: Metadata) -> bool {
    let (Some(one), Some(other)) = (one.modified, other.modified) else { return false };
    let may_be_kept = |unit: &i64| one.rem_euclid(*unit) == 0 || other.rem_euclid(*unit) == 0;
    let unit = TIME_UNITS.into_iter().find(may_be_kept).unwrap_or(TIME_UNITS[2]);
    one.div_euclid(unit) == other.div_euclid(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_only_as_far_as_both_sides_know() {
        let at = |modified| Metadata { modified, mode: None };
        let file = (FileKind::File, 5, at(Some(1_999_999_999)), Some(Digest([1; 32])));
        let cases = [
            (file, [false, true, true]),
            ((FileKind::File, 6, file.2, file.3), [false, false, false]),
            ((FileKind::Link, 5, file.2, file.3), [false, false, false]),
            ((FileKind::File, 5, at(Some(1_000_000_000)), None), [false, true, false]),
            ((FileKind::File, 5, at(Some(1_999_999_100)), None), [false, true, false]),
            ((FileKind::File, 5, at(Some(1_990_000_000)), None), [false, true, false]),
            // Regression: a file that was changed within a second was left out.
            ((FileKind::File, 5, at(Some(1_512_345_678)), None), [false, false, false]),
            ((FileKind::File, 5, at(Some(2_000_000_000)), file.3), [false, false, true]),
            ((FileKind::File, 5, at(None), Some(Digest([2; 32]))), [false, false, false]),
        ];
        for (other, expected) in cases {
            let found = [Skip::Nothing, Skip::SameTime, Skip::SameContent].map(|skip| is_same(skip, file, other));
            assert_eq!(found, expected, "{other:?}");
        }
    }
}

//! How many files, folders and patterns.

use crate::messages::counted;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// What one outcome is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum One {
    /// Also a path of which nothing is known.
    File,
    Folder,
    Pattern,
}

/// A number of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) files: u64,
    pub(crate) folders: u64,
    pub(crate) patterns: u64,
}

impl Count {
    pub(crate) fn of_files(files: u64) -> Self {
        Self { files, ..Self::default() }
    }

    pub(crate) fn of_folders(folders: u64) -> Self {
        Self { folders, ..Self::default() }
    }

    pub(crate) fn total(self) -> u64 {
        self.files + self.folders + self.patterns
    }

    /// The files alone, whose folders the user knows of; or the folders, if there are only these.
    pub(crate) fn files_or_folders(self) -> String {
        if self.files > 0 { counted(self.files, "file") } else { counted(self.folders, "folder") }
    }

    /// How many of `all` these are: "1 of 3 files and 2 of 2 folders".
    pub(crate) fn of(self, all: Self) -> String {
        self.text(|at, noun| format!("{} of {}", self.of_each()[at], counted(all.of_each()[at], noun)))
    }

    fn of_each(self) -> [u64; 3] {
        [self.files, self.folders, self.patterns]
    }

    /// The parts of which there is one or more.
    fn text(self, part: impl Fn(usize, &str) -> String) -> String {
        let nouns = ["file", "folder", "pattern"].into_iter().enumerate();
        let parts: Vec<_> = nouns.filter(|(at, _)| self.of_each()[*at] > 0).map(|(at, noun)| part(at, noun)).collect();
        match parts.as_slice() {
            [] => counted(0, "file"),
            [one] => one.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}

/// "3 files and 1 folder"
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(|at, noun| counted(self.of_each()[at], noun)))
    }
}

impl From<One> for Count {
    fn from(one: One) -> Self {
        match one {
            One::File => Self::of_files(1),
            One::Folder => Self::of_folders(1),
            One::Pattern => Self { patterns: 1, ..Self::default() },
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            folders: self.folders + other.folders,
            patterns: self.patterns + other.patterns,
        }
    }
}

impl<C: Into<Self>> AddAssign<C> for Count {
    fn add_assign(&mut self, other: C) {
        *self = *self + other.into();
    }
}

impl<C: Into<Self>> Sum<C> for Count {
    fn sum<I: Iterator<Item = C>>(counts: I) -> Self {
        counts.map(Into::into).fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns_are_no_files() {
        let count = |files, folders, patterns| Count { files, folders, patterns };
        let text = |files, folders, patterns| count(files, folders, patterns).to_string();
        assert_eq!([text(0, 0, 0), text(1, 0, 0), text(0, 2, 0)], ["0 files", "1 file", "2 folders"]);
        assert_eq!([text(2, 1, 0), text(1, 2, 0)], ["2 files and 1 folder", "1 file and 2 folders"]);
        assert_eq!([text(2, 1, 1), text(0, 0, 2)], ["2 files, 1 folder and 1 pattern", "2 patterns"]);
        let of = |files, folders, patterns| count(files, folders, patterns).of(count(3, 1, 2));
        assert_eq!([of(1, 0, 0), of(0, 1, 0)], ["1 of 3 files", "1 of 1 folder"]);
        assert_eq!(of(2, 1, 0), "2 of 3 files and 1 of 1 folder");
        assert_eq!(of(2, 1, 1), "2 of 3 files, 1 of 1 folder and 1 of 2 patterns");
        assert_eq!([One::File, One::Pattern, One::File].into_iter().sum::<Count>(), count(2, 0, 1));
    }
}

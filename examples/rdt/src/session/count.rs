//! How many files and folders.

use crate::messages::counted;
use std::fmt;
use std::ops::{Add, AddAssign};

/// A number of files, and one of folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) files: u64,
    pub(crate) folders: u64,
}

impl Count {
    pub(crate) const FILE: Self = Self { files: 1, folders: 0 };
    pub(crate) const FOLDER: Self = Self { files: 0, folders: 1 };

    pub(crate) fn total(self) -> u64 {
        self.files + self.folders
    }

    /// The files alone, whose folders the user knows of; or the folders, if there are only these.
    pub(crate) fn files_or_folders(self) -> String {
        if self.files > 0 { counted(self.files, "file") } else { counted(self.folders, "folder") }
    }

    /// How many of `all` these are: "1 of 3 files and 2 of 2 folders".
    pub(crate) fn of(self, all: Self) -> String {
        let parts = [(self.files, counted(all.files, "file")), (self.folders, counted(all.folders, "folder"))];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, all)| format!("{count} of {all}"));
        parts.collect::<Vec<_>>().join(" and ")
    }
}

/// "3 files and 1 folder"
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { folders: 0, .. } | Self { files: 0, .. } => f.write_str(&self.files_or_folders()),
            Self { files, folders } => write!(f, "{} and {}", counted(*files, "file"), counted(*folders, "folder")),
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { files: self.files + other.files, folders: self.folders + other.folders }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_no_files() {
        let text = |files, folders| Count { files, folders }.to_string();
        assert_eq!([text(0, 0), text(1, 0), text(0, 2)], ["0 folders", "1 file", "2 folders"]);
        assert_eq!([text(2, 1), text(1, 2)], ["2 files and 1 folder", "1 file and 2 folders"]);
        let of = |files, folders| Count { files, folders }.of(Count { files: 3, folders: 1 });
        assert_eq!([of(1, 0), of(0, 1), of(2, 1)], ["1 of 3 files", "1 of 1 folder", "2 of 3 files and 1 of 1 folder"]);
    }
}

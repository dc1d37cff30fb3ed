//! Causes that many files share, such as a disk that is full. The first file has a line with an advice, and all others
//! have one line together at the end.

use super::count::{Count, One};
use rdt_proto::ftp::{ErrorCode, StorageError};

/// A cause that lies in none of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SharedCause {
    /// The server refuses files, for this reason.
    Server(ErrorCode),
    /// This machine cannot store files, for this reason.
    Here(StorageError),
}

impl SharedCause {
    /// The cause of a refusal, unless it may lie in the file: then the user needs each name.
    pub(super) fn of_refusal(code: ErrorCode) -> Option<Self> {
        match code {
            ErrorCode::NoSpace | ErrorCode::Busy | ErrorCode::NoReplace | ErrorCode::Unavailable => {
                Some(Self::Server(code))
            }
            // They name no file, so that all have the same line.
            ErrorCode::NoUploads | ErrorCode::NoDownloads | ErrorCode::NoFolders => None,
            ErrorCode::Malformed
            | ErrorCode::NoSuchFile
            | ErrorCode::TooLarge
            | ErrorCode::NameNotAllowed
            | ErrorCode::StorageFailed
            | ErrorCode::NotPermitted
            | ErrorCode::Exists
            | ErrorCode::Cancelled
            | ErrorCode::DigestMismatch
            | ErrorCode::PrefixGone
            | ErrorCode::TakenOver
            | ErrorCode::Other(_) => None,
        }
    }

    /// The cause of a failure of this machine, unless it may lie in the file.
    pub(super) fn of_storage(error: StorageError) -> Option<Self> {
        matches!(error, StorageError::NoSpace).then_some(Self::Here(error))
    }

    fn text(self) -> String {
        match self {
            Self::Server(code) => format!("refused by the server ({code})"),
            Self::Here(error) => format!("not written on this machine ({error})"),
        }
    }
}

/// What has failed for causes that others share.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedCauses(Vec<Shared>);

#[derive(Clone, Debug)]
struct Shared {
    cause: SharedCause,
    /// What has failed after the first.
    more: Count,
    /// Some of these names.
    names: Vec<String>,
}

impl SharedCauses {
    /// Counts a failure. Returns whether it is the first with this cause, which has a line of its own.
    pub(super) fn add(&mut self, cause: SharedCause, one: One, name: &str) -> bool {
        /// The number of names in the line.
        const NAMES: usize = 3;
        let Some(shared) = self.0.iter_mut().find(|shared| shared.cause == cause) else {
            self.0.push(Shared { cause, more: Count::default(), names: Vec::new() });
            return true;
        };
        shared.more += one;
        if shared.names.len() < NAMES {
            shared.names.push(name.to_owned());
        }
        false
    }

    /// The lines about all other failures.
    pub(super) fn rest(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().filter(|shared| shared.more.total() > 0).map(|Shared { cause, more, names }| {
            let names = match more.total() - names.len() as u64 {
                0 => names.join(", "),
                unnamed => format!("{} and {unnamed} more", names.join(", ")),
            };
            format!("also {}: {more} ({names})", cause.text())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_of_a_cause_has_a_line_and_the_others_one() {
        let [full, kept] =
            [ErrorCode::NoSpace, ErrorCode::NoReplace].map(|code| SharedCause::of_refusal(code).unwrap());
        let mut causes = SharedCauses::default();
        assert!(causes.add(full, One::File, "\"a\"") && causes.add(kept, One::File, "\"b\""));
        assert_eq!(causes.rest().count(), 0);
        for name in ["\"c\"", "\"d\"", "\"e\"", "\"f\""] {
            assert!(!causes.add(full, One::File, name));
        }
        assert!(!causes.add(kept, One::Folder, "\"g\""));
        let expected = [
            "also refused by the server (no space left): 4 files (\"c\", \"d\", \"e\" and 1 more)",
            "also refused by the server (already exists, and no file is replaced): 1 folder (\"g\")",
        ];
        assert_eq!(causes.rest().collect::<Vec<_>>(), expected);
    }

    /// Regression: of twelve files that a server could not read, eight had no name.
    #[test]
    fn what_may_lie_in_a_file_is_not_shared() {
        for code in [ErrorCode::NotPermitted, ErrorCode::StorageFailed, ErrorCode::TakenOver, ErrorCode::TooLarge] {
            assert_eq!(SharedCause::of_refusal(code), None, "{code}");
        }
        assert_eq!(SharedCause::of_storage(StorageError::NotPermitted), None);
        assert!(SharedCause::of_storage(StorageError::NoSpace).is_some());
    }
}

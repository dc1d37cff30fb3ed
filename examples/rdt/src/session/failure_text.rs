//! Why a file of a server was not fetched, and what the user can do.

use super::answer::NotReceived;
use super::destinations::Destination;
use crate::destination::advice;
use crate::files::{Blocker, LinkTarget};
use crate::local_failure;
use crate::path_pattern::PathPattern;
use crate::shell_words::word;
use rdt_proto::files::{FileKind, FilePath};
use rdt_proto::ftp::StorageError;
use std::net::SocketAddr;

/// This side cannot store it.
pub(super) fn cannot_write(destination: &Destination, why: &str, error: StorageError) -> String {
    local_failure::cannot_write(&destination.text(), why, advice(error))
}

/// This side has something else in the place of a folder, which it names.
pub(super) fn not_a_folder(local: &str, blocker: Blocker) -> String {
    let why = match blocker {
        Blocker::File => "it is a file, and no folder takes its place",
        Blocker::Link(LinkTarget::Outside) => "it is a link that leads out of the folder, and is not followed",
        Blocker::Link(LinkTarget::Nothing) => "it is a link that leads to nothing, and is not followed",
        Blocker::Link(LinkTarget::Hidden) => "it is a link to a folder of this program, and is not followed",
    };
    local_failure::cannot_write(&local, why, "give another --output")
}

/// The server has something there that is not fetched.
pub(super) fn not_a_file(server: SocketAddr, path: &str, kind: FileKind) -> String {
    let why = match kind {
        FileKind::Unreadable => {
            "cannot be read there, since its permissions forbid it or its name is not UTF-8: ask its operator"
        }
        FileKind::Link | FileKind::File | FileKind::Folder | FileKind::Nothing | FileKind::Other(_) => {
            "is a link to a folder, to nothing, or out of its root: get follows links to files only: get what it leads to, \
             by its own path"
        }
    };
    format!("\"{path}\" at {server} {why}")
}

/// A pattern of the user names nothing.
pub(super) fn nothing_matches(server: SocketAddr, pattern: &PathPattern) -> String {
    let folder = pattern.folder().map_or(String::new(), |folder| format!("/{}", folder.as_path()));
    let place = format!("{server}{folder}");
    format!("nothing at {server} matches \"{}\": to see what is there, write rdt ls {}", pattern.text(), word(&place))
}

/// The file did not arrive whole, or is not stored.
pub(super) fn not_received(
    server: SocketAddr,
    path: FilePath<'_>,
    destination: &Destination,
    failure: NotReceived,
) -> String {
    let local = destination.text();
    match (failure, destination) {
        (NotReceived::Storage(_, why), Destination::StandardOutput) => local_failure::cannot_write_output(&why),
        (NotReceived::Storage(error, why), Destination::File { .. }) => cannot_write(destination, &why, error),
        (NotReceived::Uncertain(why), _) => {
            format!("{local} is stored, but the disk did not confirm it ({why}): fetch it again")
        }
        (NotReceived::Server(code), _) => {
            let state = match destination {
                Destination::StandardOutput => "The standard output is incomplete; try again",
                Destination::File { .. } => "Try again",
            };
            format!("{server} ended the transfer of \"{path}\" ({code}): did the file change there? {state}")
        }
        (NotReceived::Invalid, Destination::StandardOutput) => {
            format!("\"{path}\" did not arrive as it was sent: the standard output is wrong; try again")
        }
        (NotReceived::Invalid, Destination::File { .. }) => {
            format!("\"{path}\" did not arrive as it was sent: {local} is unchanged; try again")
        }
        (NotReceived::Ended, Destination::StandardOutput) => {
            format!("\"{path}\" did not arrive: the standard output is incomplete; try again")
        }
        (NotReceived::Ended, Destination::File { .. }) => {
            format!("\"{path}\" did not arrive whole: get it again; above 1 MiB, each whole MiB that arrived is kept")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdt_proto::ftp::ErrorCode;

    /// Regression: after a change at the server, nothing was said of it.
    #[test]
    fn each_failure_of_the_standard_output_says_what_it_holds() {
        let (server, path) = ("192.0.2.1:7".parse().unwrap(), FilePath::new("a").unwrap());
        for failure in [
            NotReceived::Storage(StorageError::NoSpace, "no space left on device".into()),
            NotReceived::Server(ErrorCode::StorageFailed),
            NotReceived::Invalid,
            NotReceived::Ended,
        ] {
            let said = not_received(server, path, &Destination::StandardOutput, failure);
            assert!(said.contains("incomplete") || said.contains("the standard output is wrong"), "{said}");
        }
    }
}

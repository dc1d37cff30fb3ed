//! Failures of this machine: what happened, where, and what the user can do.

use crate::messages::error_text;
use std::io::{self, ErrorKind};
use std::path::Path;

/// A file or a folder that the user named cannot be read.
pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> String {
    if let Ok(target) = path.read_link()
        && error.kind() == ErrorKind::NotFound
    {
        let target = target.display();
        return cannot_read_as(
            path,
            &format!("it is a link to {target}, which leads to nothing"),
            "mend or remove the link",
        );
    }
    let advice = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "check the path",
        ErrorKind::PermissionDenied => "check its permissions",
        _ => "try again, or copy it elsewhere first",
    };
    cannot_read_as(path, &error_text(error), advice)
}

/// The same for another reason.
pub(crate) fn cannot_read_as(path: &Path, why: &str, advice: &str) -> String {
    format!("cannot read {} on this machine: {why}: {advice}", path.display())
}

/// A system call on a socket has failed for good.
#[allow(clippy::needless_pass_by_value, reason = "it is the function of a map_err")]
pub(crate) fn of_network(error: io::Error) -> String {
    format!("the network failed: {}: try again", error_text(&error))
}

/// The system refuses a thread, a file or a signal that the program needs.
#[allow(clippy::needless_pass_by_value, reason = "it is the function of a map_err")]
pub(crate) fn at_start(error: io::Error) -> String {
    format!("cannot start: {}: try again, or raise the limits of this machine (ulimit)", error_text(&error))
}

//! Failures of this machine: what happened, where, and what the user can do.

use crate::messages::error_text;
use std::fmt::Display;
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

/// The same for a path as the user wrote it. A shell leaves a pattern without a match as it is.
pub(crate) fn cannot_read_argument(path: &Path, error: &io::Error) -> String {
    let is_pattern = path.file_name().is_some_and(|name| name.to_string_lossy().contains(['*', '?', '[']));
    let has_folder = path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    if error.kind() == ErrorKind::NotFound && is_pattern && has_folder && !path.is_symlink() {
        return format!("nothing on this machine matches \"{}\": check the path", path.display());
    }
    cannot_read(path, error)
}

/// The same for another reason.
pub(crate) fn cannot_read_as(path: &Path, why: &str, advice: &str) -> String {
    format!("cannot read {} on this machine: {why}: {advice}", path.display())
}

/// What is said of a file that became shorter while it was sent.
pub(crate) const SHRUNK: &str = "the file became shorter while it was read";
/// What the user can do about a file that was not sent.
pub(crate) const SEND_AGAIN: &str = "send it again";

/// A file, or the standard input, could not be read to its end.
pub(crate) fn cannot_send(local: &dyn Display, why: &str, advice: &str) -> String {
    format!("cannot read {local} on this machine: {why}: it is not stored; {advice}")
}

/// A file or a folder cannot be written.
pub(crate) fn cannot_write(local: &dyn Display, why: &str, advice: &str) -> String {
    format!("cannot write {local} on this machine: {why}: {advice}")
}

pub(crate) fn cannot_write_output(why: &str) -> String {
    format!("cannot write to the standard output: {why}: it is incomplete")
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

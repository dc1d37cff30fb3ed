//! The log file of a server: one line for each request, with its time.
//!
//! A thread of [`output`] writes it. No failure stops the server: lines that cannot be written are dropped and counted,
//! and one line on the standard error output says so until it works again. SIGHUP opens the file again, so that another
//! program may move it away first.

use crate::messages::{error_text, to_stderr, to_stdout};
use crate::output::{self, Stream};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

static LOG: Mutex<Option<Log>> = Mutex::new(None);
/// Whether the file is to be opened again.
static REOPEN: AtomicBool = AtomicBool::new(false);

struct Log {
    path: PathBuf,
    /// The folder, which stays open: the program is restricted to the folders that it had at its start.
    folder: Dir,
    name: OsString,
    file: Option<File>,
    /// Whether the last line was written in part.
    is_cut: bool,
    /// Whether the last attempt failed. It was reported.
    has_failed: bool,
}

/// Opens the log file at `path`, for [`write()`]. Returns its folder, or `None` if there is none: lines then go to the
/// standard output, and the standard error output says so.
///
/// # Errors
///
/// The path is no file, or in the folder `root`, where clients may read and replace it.
pub(crate) fn open(path: &Path, root: &Path) -> Result<Option<Dir>, String> {
    // The restriction follows no link, and so the file that a link leads to is the log.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().ok_or_else(|| format!("--log {}: it is no file: give one", path.display()))?.to_owned();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let (Ok(parent), Ok(root)) = (parent.canonicalize(), root.canonicalize())
        && parent.starts_with(&root)
    {
        return Err(format!(
            "--log {}: clients could read and replace it in {}: give another folder",
            path.display(),
            root.display()
        ));
    }
    let opened =
        Dir::open_ambient_dir(parent, ambient_authority()).and_then(|folder| Ok((folder.try_clone()?, folder)));
    match opened {
        Ok((shared, folder)) => {
            let mut log = Log { path, folder, name, file: None, is_cut: false, has_failed: false };
            // A failure is reported, and the next line tries again.
            let _ = log.write(b"");
            *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
            Ok(Some(shared))
        }
        Err(error) => {
            let (path, why) = (path.display(), error_text(&error));
            to_stderr(format_args!("cannot write the log {path}: {why}; its lines go to the standard output"));
            Ok(None)
        }
    }
}

/// Prints a line to the log, or to the standard output if there is none.
pub(crate) fn to_log(line: impl Display) {
    if output::has_log() {
        output::print(Stream::Log, &format!("{} {line}", now_text()));
    } else {
        to_stdout(line);
    }
}

/// Prints an object to the log, or to the standard output if there is none.
pub(crate) fn object_to_log(object: &str) {
    output::print_object(if output::has_log() { Stream::Log } else { Stream::Stdout }, object);
}

/// The time of day in UTC (RFC 3339), with milliseconds: many small files are stored within a second.
pub(crate) fn now_text() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// Opens the file again, soon.
pub(crate) fn reopen() {
    REOPEN.store(true, Ordering::SeqCst);
    output::wake_log();
}

/// Appends whole lines to the file. Only the thread for the log calls this, because it waits for the disk.
pub(crate) fn write(lines: &[u8]) -> io::Result<()> {
    match &mut *LOG.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(log) => log.write(lines),
        None => Ok(()),
    }
}

impl Log {
    /// Appends whole lines, or only opens the file if there are none.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let result = self.open_if_due().and_then(|()| self.append(lines));
        match &result {
            // Without lines nothing shows that it works again.
            Ok(()) if lines.is_empty() => {}
            Ok(()) => self.has_failed = false,
            Err(error) => self.report(error),
        }
        result
    }

    fn report(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.has_failed, true) {
            let (path, why) = (self.path.display(), error_text(error));
            to_stderr(format_args!("cannot write the log {path}: {why}; transfers go on, its lines are lost"));
        }
    }

    fn open_if_due(&mut self) -> io::Result<()> {
        if !REOPEN.swap(false, Ordering::SeqCst) && self.file.is_some() {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        match self.folder.open_with(&self.name, options.append(true).create(true)) {
            Ok(file) => (self.file, self.is_cut) = (Some(file.into_std()), false),
            Err(error) if self.file.is_none() => return Err(error),
            // The lines go on into the old file, wherever it is now.
            Err(error) => self.report(&error),
        }
        Ok(())
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.is_cut && !lines.is_empty() {
            file.write_all(b"\n")?;
            self.is_cut = false;
        }
        let mut rest = lines;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_cut = rest.len() < lines.len();
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_after_one_that_was_written_in_part_begins_anew() {
        let place = tempfile::tempdir().unwrap();
        let folder = Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap();
        let path = place.path().join("log");
        let mut log =
            Log { path: path.clone(), folder, name: "log".into(), file: None, is_cut: false, has_failed: false };
        log.write(b"one\ntw").unwrap();
        log.is_cut = true;
        log.write(b"").unwrap();
        log.write(b"three\n").unwrap();
        log.write(b"four\n").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one\ntw\nthree\nfour\n");
    }
}

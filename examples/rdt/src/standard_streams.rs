//! The standard input and output, with the errors that the standard library hides.
//!
//! Its streams take a descriptor that is not open for reading as one at its end, and one that is not open for writing as
//! one that takes everything. A file that was replaced by such an input would be lost.

use crate::local_failure::cannot_read_as;
use crate::messages::error_text;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// The standard input.
pub(crate) struct Input(File);

/// The standard output.
pub(crate) struct Output(File);

impl Input {
    /// Fails with a message if nothing can be read from it.
    pub(crate) fn open() -> Result<Self, String> {
        let cannot = |why: &str, advice: &str| cannot_read_as(Path::new("the standard input"), why, advice);
        let file = duplicate(&io::stdin()).map_err(|error| cannot(&error_text(&error), PIPE))?;
        match file.metadata() {
            Ok(metadata) if metadata.is_dir() => Err(cannot("it is a folder", "give its name instead of -")),
            Ok(metadata) => match closed(&file, &metadata) {
                Some(why) => Err(cannot(why, PIPE)),
                None => Ok(Self(file)),
            },
            Err(error) => Err(cannot(&error_text(&error), PIPE)),
        }
    }
}

/// What to read from.
const PIPE: &str = "give a file with <, or a pipe";

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buf) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another process may have made it so.
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&self.0, Until::Readable)?,
                read => return read,
            }
        }
    }
}

impl Output {
    pub(crate) fn open() -> io::Result<Self> {
        duplicate(&io::stdout()).map(Self)
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&self.0, Until::Writable)?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
fn duplicate(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn duplicate(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    Ok(stream.as_handle().try_clone_to_owned()?.into())
}

/// Why nothing can be read from a standard input that is there.
///
/// If there was none when the program started, the standard library has opened `/dev/null` in its place before `main`, for
/// reading and writing.
#[cfg(unix)]
fn closed(file: &File, metadata: &std::fs::Metadata) -> Option<&'static str> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::MetadataExt;
    let is_null = || std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev());
    match rustix::fs::fcntl_getfl(file).ok()? & OFlags::RWMODE {
        OFlags::WRONLY => Some("it is open for writing only"),
        OFlags::RDWR if is_null() => Some("it is closed"),
        _ => None,
    }
}

#[cfg(not(unix))]
fn closed(_file: &File, _metadata: &std::fs::Metadata) -> Option<&'static str> {
    None
}

enum Until {
    Readable,
    Writable,
}

/// Waits for a stream that does not wait by itself.
#[cfg(unix)]
fn wait(file: &File, until: Until) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    let events = match until {
        Until::Readable => PollFlags::IN,
        Until::Writable => PollFlags::OUT,
    };
    match poll(&mut [PollFd::new(file, events)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn wait(_file: &File, _until: Until) -> io::Result<()> {
    Err(ErrorKind::WouldBlock.into())
}

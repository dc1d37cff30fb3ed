//! The standard input and output, with the errors that the standard library hides.
//!
//! Its streams take a descriptor that is not open for reading as one at its end, and one that is not open for writing as
//! one that takes everything. A file that was replaced by such an input would be lost.

use crate::local_failure::cannot_read_as;
use crate::messages::error_text;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// What a stream is used through. A console of Windows takes text only from the standard library.
#[cfg(unix)]
type InputStream = std::fs::File;
#[cfg(unix)]
type OutputStream = std::fs::File;
#[cfg(not(unix))]
type InputStream = io::Stdin;
#[cfg(not(unix))]
type OutputStream = io::Stdout;

/// The standard input.
pub(crate) struct Input(InputStream);

/// The standard output. Nothing waits in it.
pub(crate) struct Output(OutputStream);

impl Input {
    /// Fails with a message if nothing can be read from it.
    pub(crate) fn open() -> Result<Self, String> {
        let cannot = |why: &str, advice: &str| cannot_read_as(Path::new("the standard input"), why, advice);
        let stream = input().map_err(|error| cannot(&error_text(&error), PIPE))?;
        match unusable(&stream) {
            Ok(None) => Ok(Self(stream)),
            Ok(Some(why)) => Err(cannot(why, PIPE)),
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
        output().map(Self)
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&self.0, Until::Writable)?,
                written => return self.0.flush().and(written),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
fn duplicate(stream: &impl std::os::fd::AsFd) -> io::Result<std::fs::File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

#[cfg(unix)]
fn input() -> io::Result<InputStream> {
    duplicate(&io::stdin())
}

#[cfg(unix)]
fn output() -> io::Result<OutputStream> {
    duplicate(&io::stdout())
}

#[cfg(not(unix))]
fn input() -> io::Result<InputStream> {
    Ok(io::stdin())
}

#[cfg(not(unix))]
fn output() -> io::Result<OutputStream> {
    Ok(io::stdout())
}

/// Why nothing can be read from the standard input.
///
/// If there was none when the program started, the standard library has opened `/dev/null` in its place before `main`, for
/// reading and writing.
#[cfg(unix)]
fn unusable(file: &InputStream) -> io::Result<Option<&'static str>> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Ok(Some("it is a folder"));
    }
    let is_null = || std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev());
    Ok(match rustix::fs::fcntl_getfl(file)? & OFlags::RWMODE {
        OFlags::WRONLY => Some("it is open for writing only"),
        OFlags::RDWR if is_null() => Some("it is closed"),
        _ => None,
    })
}

#[cfg(not(unix))]
fn unusable(_stream: &InputStream) -> io::Result<Option<&'static str>> {
    Ok(None)
}

enum Until {
    Readable,
    Writable,
}

/// Waits for a stream that does not wait by itself.
#[cfg(unix)]
fn wait(file: &std::fs::File, until: Until) -> io::Result<()> {
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
fn wait<T>(_stream: &T, _until: Until) -> io::Result<()> {
    Err(ErrorKind::WouldBlock.into())
}

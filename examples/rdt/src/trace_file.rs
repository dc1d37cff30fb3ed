//! The file of `--trace`: what the connections of the program do, as [qlog].
//!
//! A thread writes it, so that no connection waits for the disk. If that cannot keep up, records are left out and
//! counted. A full disk ends the trace, not the transfers.

use crate::messages::{counted, error_text, to_stderr, was_or_were};
use crate::qlog::{self, Event, Header, RECORD_SEPARATOR, VantagePoint};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The number of records that wait. They have some 200 bytes: 13 MB.
const RECORDS: usize = 64 << 10;
/// How long a record may stay in memory.
const FLUSH_AFTER: Duration = Duration::from_millis(200);
/// The maximum time that the end of the program waits for the disk.
const END_LIMIT: Duration = Duration::from_secs(5);

static TRACE: OnceLock<Trace> = OnceLock::new();
/// Whether the file failed, so that the trace has ended.
static HAS_ENDED: AtomicBool = AtomicBool::new(false);
/// The number of records that were left out.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

struct Trace {
    start: Instant,
    entries: SyncSender<Entry>,
}

enum Entry {
    Record(Vec<u8>),
    /// Everything before is written when this sender is dropped.
    End(Sender<()>),
}

/// A file that was created. A server is restricted before its first thread, which [`start`](Self::start) starts.
pub(crate) struct TraceFile {
    path: PathBuf,
    file: File,
}

impl TraceFile {
    /// Creates the file, or empties that of an earlier trace. Clients may read and replace what is in the folder
    /// `served`.
    ///
    /// # Errors
    ///
    /// A line for the user. A file that is no trace is not replaced.
    pub(crate) fn create(path: &Path, served: Option<&Path>) -> Result<Self, String> {
        let fail = |why: &str| format!("cannot write the trace {} on this machine: {why}", path.display());
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Some(served) = served
            && let (Ok(parent), Ok(root)) = (parent.canonicalize(), served.canonicalize())
            && parent.starts_with(root)
        {
            let why = format!("clients could read and replace it in {}: give another folder", served.display());
            return Err(fail(&why));
        }
        match open(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(fail("it exists and is no trace: give another --trace, or remove it"))
            }
            Err(error) => Err(fail(&format!("{}: give another --trace", error_text(&error)))),
        }
    }

    /// Starts the thread that writes the file. From now on connections are traced.
    pub(crate) fn start(self, side: VantagePoint) -> io::Result<()> {
        let (entries, waiting) = sync_channel(RECORDS);
        let header = qlog::record(&Header::new(side, SystemTime::now()));
        let trace = Trace { start: Instant::now(), entries };
        thread::Builder::new().name("trace".into()).spawn(move || self.write_all(header, &waiting))?;
        // A program starts one trace.
        let _ = TRACE.set(trace);
        Ok(())
    }

    fn write_all(self, header: Vec<u8>, waiting: &Receiver<Entry>) {
        let mut file = BufWriter::new(self.file);
        let mut result = file.write_all(&header);
        loop {
            match waiting.recv_timeout(FLUSH_AFTER) {
                Ok(Entry::Record(record)) => result = result.and_then(|()| file.write_all(&record)),
                Ok(Entry::End(end)) => {
                    result = result.and_then(|()| file.flush());
                    report(&self.path, &mut result);
                    drop(end);
                }
                Err(RecvTimeoutError::Timeout) => result = result.and_then(|()| file.flush()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            report(&self.path, &mut result);
            if HAS_ENDED.load(Ordering::Relaxed) {
                // What could not be written must not be written when the buffer is dropped.
                let _ = file.into_parts();
                return;
            }
        }
    }
}

/// Reports that the file failed, once.
fn report(path: &Path, result: &mut io::Result<()>) {
    if let Err(error) = std::mem::replace(result, Ok(()))
        && !HAS_ENDED.swap(true, Ordering::Relaxed)
    {
        let (path, why) = (path.display(), error_text(&error));
        to_stderr(format_args!("cannot write the trace {path}: {why}; it ends here, transfers go on"));
    }
}

/// Opens a file that does not exist, is empty, or is a trace. Other files than regular ones are opened as they are.
fn open(path: &Path) -> io::Result<File> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        created => return created,
    }
    if !path.metadata()?.is_file() {
        return OpenOptions::new().write(true).open(path);
    }
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut first = [0];
    if file.read(&mut first)? > 0 && first != [RECORD_SEPARATOR] {
        return Err(ErrorKind::AlreadyExists.into());
    }
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    Ok(file)
}

/// Whether connections are traced.
pub(crate) fn is_on() -> bool {
    TRACE.get().is_some() && !HAS_ENDED.load(Ordering::Relaxed)
}

/// The time since the start of the trace.
pub(crate) fn elapsed() -> Duration {
    TRACE.get().map(|trace| trace.start.elapsed()).unwrap_or_default()
}

/// Writes an event, soon.
pub(crate) fn write(event: &Event<'_>) {
    if let Some(trace) = TRACE.get().filter(|_| is_on())
        && trace.entries.try_send(Entry::Record(qlog::record(event))).is_err()
    {
        LEFT_OUT.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until all is written, but not for ever. To be called at the end of the program.
pub(crate) fn finish() {
    let Some(trace) = TRACE.get() else { return };
    let (end, ended) = channel();
    let (mut entry, limit) = (Entry::End(end), Instant::now() + END_LIMIT);
    while let Err(TrySendError::Full(back)) = trace.entries.try_send(entry) {
        if Instant::now() >= limit {
            break;
        }
        entry = back;
        thread::sleep(Duration::from_millis(5));
    }
    // An error means that the thread dropped the sender, so everything is written, or that the limit has passed.
    if ended.recv_timeout(limit.saturating_duration_since(Instant::now())) == Err(RecvTimeoutError::Timeout) {
        to_stderr("the trace is incomplete: its disk is too slow");
    }
    let left_out = LEFT_OUT.load(Ordering::Relaxed);
    if left_out > 0 && !HAS_ENDED.load(Ordering::Relaxed) {
        to_stderr(format_args!(
            "the trace is incomplete: {} {} left out, its disk was too slow",
            counted(left_out, "record"),
            was_or_were(left_out)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_an_earlier_trace_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("trace.sqlog");
        let create = || TraceFile::create(&path, None).map(|_| fs::read(&path).unwrap());
        assert_eq!(create(), Ok(Vec::new()), "it did not exist");
        fs::write(&path, "\u{1e}{}\n").unwrap();
        assert_eq!(create(), Ok(Vec::new()), "a trace");
        fs::write(&path, "content").unwrap();
        assert!(create().is_err_and(|why| why.contains("it exists and is no trace")));
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }

    #[test]
    fn a_folder_that_clients_use_takes_no_trace() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("trace.sqlog");
        let why = TraceFile::create(&path, Some(place.path())).err().unwrap();
        assert!(why.contains("clients could read and replace it") && !path.exists(), "{why}");
    }
}

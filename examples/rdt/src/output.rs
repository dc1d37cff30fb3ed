//! Output that does not wait for its reader.
//!
//! A client prints directly. A server has many clients, and none of them may wait because the reader of a pipe stalls
//! or a disk is slow or full. So a server [starts](start) a thread for each stream. Lines wait in a bounded queue. A
//! line that finds the queue full, or that cannot be written, is dropped. The number of dropped lines is printed as
//! soon as lines can be printed again.
//!
//! A failed write to the standard output is remembered, and [`failure`] returns it: a client whose result nothing has
//! read, and a listener whose message is lost, do not end with success. The result of a server is not its log.
//!
//! A listener prints [messages](print_message) in the same way. Their queue is also bounded by the bytes that wait, and
//! the listener reports a message that finds no room.

use crate::escape::escape;
use crate::messages::{counted, error_text, was_or_were};
use crate::progress;
use crate::standard_streams::Output;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// The number of lines that wait for each stream. Lines of `-vv` have some 100 bytes: 1.6 MB.
const LINES: usize = 16 << 10;
/// The number of bytes of messages that wait. A longer message waits alone.
const MESSAGE_BYTES: usize = 32 << 20;
/// The maximum time that the end of the program waits for the reader of its output.
const END_LIMIT: Duration = Duration::from_millis(500);
/// The interval between attempts to use a full queue at the end of the program.
const RETRY: Duration = Duration::from_millis(5);

/// A stream of the program's output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
    /// The [log file](crate::log) of a server.
    Log,
}

/// The queues of a server.
static QUEUES: OnceLock<[Queue; 2]> = OnceLock::new();
/// The queue of the log file, if there is one.
static LOG: OnceLock<Queue> = OnceLock::new();

/// The first error of the standard output.
static FAILURE: OnceLock<String> = OnceLock::new();
/// Whether it failed because its reader has gone.
static NO_READER: AtomicBool = AtomicBool::new(false);

/// Prints text as one line. An error, such as a closed output, does not stop the program.
pub(crate) fn print(stream: Stream, line: &str) {
    print_raw(stream, format!("{}\n", escape(line)));
}

/// Prints an object, which is one line of printable characters.
pub(crate) fn print_object(stream: Stream, object: &str) {
    print_raw(stream, format!("{object}\n"));
}

fn print_raw(stream: Stream, line: String) {
    let queue = match (stream, QUEUES.get()) {
        (Stream::Stdout, Some([stdout, _])) => Some(stdout),
        (Stream::Stderr, Some([_, stderr])) => Some(stderr),
        (Stream::Log, _) => LOG.get(),
        (Stream::Stdout | Stream::Stderr, None) => None,
    };
    match queue {
        Some(queue) => queue.push(line),
        None => {
            let written = progress::without_line(|| stream.write(line.as_bytes()));
            if matches!(stream, Stream::Stdout) {
                note_failure(written);
            }
        }
    }
}

/// Remembers that the standard output failed.
pub(crate) fn note_failure(written: io::Result<()>) {
    if let Err(error) = written {
        NO_READER.fetch_or(error.kind() == io::ErrorKind::BrokenPipe, Ordering::Relaxed);
        FAILURE.get_or_init(|| error_text(&error));
    }
}

/// Why the standard output failed, if it did.
pub(crate) fn failure() -> Option<&'static str> {
    FAILURE.get().map(String::as_str)
}

/// Whether the reader of the standard output has gone.
pub(crate) fn has_no_reader() -> bool {
    NO_READER.load(Ordering::Relaxed)
}

/// Prints `announcement` to the standard error output, and then `message` to the standard output.
///
/// Returns `false` if so much waits that there is no room for the message, or if it could not be printed at once.
pub(crate) fn print_message(mut announcement: String, message: Vec<u8>) -> bool {
    announcement.push('\n');
    match QUEUES.get() {
        Some([stdout, _]) => stdout.push_message(announcement, message),
        None => write_message(&announcement, &message).is_ok(),
    }
}

/// Writes both, so that a terminal shows the announcement before its message.
fn write_message(announcement: &str, message: &[u8]) -> io::Result<()> {
    // A message is printed even if nothing takes its announcement.
    let _ = Stream::Stderr.write(announcement.as_bytes());
    Stream::Stdout.write(message)
}

/// Starts the threads that print. Lines no longer wait for their reader.
pub(crate) fn start() -> io::Result<()> {
    let queues = [Queue::start(Stream::Stdout)?, Queue::start(Stream::Stderr)?];
    // A second start changes nothing.
    let _ = QUEUES.set(queues);
    Ok(())
}

/// Starts the thread that writes the log file.
pub(crate) fn start_log() -> io::Result<()> {
    // A second start changes nothing.
    let _ = LOG.set(Queue::start(Stream::Log)?);
    Ok(())
}

/// Whether there is a log file.
pub(crate) fn has_log() -> bool {
    LOG.get().is_some()
}

/// Lets the thread of the log file look for something to do, even without a line.
pub(crate) fn wake_log() {
    if let Some(queue) = LOG.get() {
        // If the queue is full, a line wakes the thread.
        let _ = queue.entries.try_send(Entry::Line(String::new()));
    }
}

/// Waits until all lines are printed, but not long. To be called at the end of the program.
pub(crate) fn finish() {
    // The log comes first, because its failure is a line on the standard error output.
    for queue in LOG.get().into_iter().chain(QUEUES.get().into_iter().flatten()) {
        queue.finish(Instant::now() + END_LIMIT);
        if matches!(queue.stream, Stream::Stdout) {
            // That stream did not take the report either.
            match queue.dropped.swap(0, Ordering::Relaxed) {
                0 => {}
                count => print(Stream::Stderr, &format!("rdt: {}", dropped_text(count))),
            }
        }
        let bytes = queue.message_bytes.load(Ordering::Relaxed);
        if bytes > 0 {
            print(Stream::Stderr, &format!("rdt: messages of {bytes} B were not printed: nothing read them"));
        }
    }
}

impl Stream {
    fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => Output::open()?.write_all(bytes),
            Self::Stderr => io::stderr().lock().write_all(bytes),
            Self::Log => crate::log::write(bytes),
        }
    }
}

enum Entry {
    Line(String),
    Message {
        announcement: String,
        message: Vec<u8>,
    },
    /// Everything before is printed when this sender is dropped.
    End(Sender<()>),
}

struct Queue {
    stream: Stream,
    entries: SyncSender<Entry>,
    /// The number of lines dropped since the last report.
    dropped: &'static AtomicU64,
    /// The bytes of the messages that wait, or are being written.
    message_bytes: &'static AtomicUsize,
}

impl Queue {
    fn start(stream: Stream) -> io::Result<Self> {
        static DROPPED: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
        static MESSAGE_BYTES: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
        let index = match stream {
            Stream::Stdout => 0,
            Stream::Stderr => 1,
            Stream::Log => 2,
        };
        let (dropped, message_bytes) = (&DROPPED[index], &MESSAGE_BYTES[index]);
        let (entries, waiting) = sync_channel(LINES);
        let print = move || print_all(stream, &waiting, dropped, message_bytes);
        thread::Builder::new().name("output".into()).spawn(print)?;
        Ok(Self { stream, entries, dropped, message_bytes })
    }

    fn push(&self, line: String) {
        if self.entries.try_send(Entry::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn push_message(&self, announcement: String, message: Vec<u8>) -> bool {
        let len = message.len();
        let waiting = self.message_bytes.fetch_add(len, Ordering::Relaxed);
        let has_room = waiting == 0 || waiting.saturating_add(len) <= MESSAGE_BYTES;
        let is_pushed = has_room && self.entries.try_send(Entry::Message { announcement, message }).is_ok();
        if !is_pushed {
            self.message_bytes.fetch_sub(len, Ordering::Relaxed);
        }
        is_pushed
    }

    fn finish(&self, limit: Instant) {
        let (end, ended) = channel();
        let mut entry = Entry::End(end);
        while let Err(TrySendError::Full(back)) = self.entries.try_send(entry) {
            if Instant::now() >= limit {
                return;
            }
            entry = back;
            thread::sleep(RETRY);
        }
        // An error means that the thread dropped the sender, so everything is printed, or that the limit has passed.
        let _ = ended.recv_timeout(limit.saturating_duration_since(Instant::now()));
    }
}

/// Prints the entries of a queue. Lines that wait together are written together.
fn print_all(stream: Stream, waiting: &Receiver<Entry>, dropped: &AtomicU64, message_bytes: &AtomicUsize) {
    /// The number of bytes that are written together.
    const TOGETHER: usize = 32 << 10;
    let mut text = String::new();
    while let Ok(first) = waiting.recv() {
        let (mut lines, mut ends) = (0, Vec::new());
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => {
                    lines += u64::from(!line.is_empty());
                    text += &line;
                }
                Entry::Message { announcement, message } => {
                    if let Err(error) = write_message(&announcement, &message) {
                        let line = format!("rdt: cannot print the message: {}", error_text(&error));
                        note_failure(Err(error));
                        print(Stream::Stderr, &line);
                    }
                    message_bytes.fetch_sub(message.len(), Ordering::Relaxed);
                }
                Entry::End(end) => ends.push(end),
            }
            next = if text.len() < TOGETHER { waiting.try_recv().ok() } else { None };
        }
        let has_work = !text.is_empty() || matches!(stream, Stream::Log);
        if has_work && progress::without_line(|| stream.write(text.as_bytes())).is_err() {
            dropped.fetch_add(lines, Ordering::Relaxed);
        } else {
            report_dropped(stream, dropped);
        }
        text.clear();
        drop(ends);
    }
}

fn report_dropped(stream: Stream, dropped: &AtomicU64) {
    let count = dropped.swap(0, Ordering::Relaxed);
    if count > 0 {
        let line = format!("rdt: {}\n", dropped_text(count));
        if stream.write(line.as_bytes()).is_err() {
            dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

fn dropped_text(count: u64) -> String {
    let (lines, were) = (counted(count, "line"), was_or_were(count));
    format!("{lines} of output {were} dropped: nothing read the output, or it could not be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_messages_that_wait_are_bounded() {
        static DROPPED: AtomicU64 = AtomicU64::new(0);
        static BYTES: AtomicUsize = AtomicUsize::new(0);
        let (entries, waiting) = sync_channel(3);
        let queue = Queue { stream: Stream::Stdout, entries, dropped: &DROPPED, message_bytes: &BYTES };
        let push = |len| queue.push_message(String::new(), vec![0; len]);
        assert!(push(MESSAGE_BYTES - 1));
        assert!(!push(2));
        assert!(push(1));
        assert_eq!(BYTES.load(Ordering::Relaxed), MESSAGE_BYTES);
        while waiting.try_recv().is_ok() {}
        BYTES.store(0, Ordering::Relaxed);
        // A message longer than the limit waits alone.
        assert!(push(MESSAGE_BYTES + 1));
        assert!(!push(1));
    }
}

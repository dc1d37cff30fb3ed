//! Output that does not wait for its reader.
//!
//! A client prints directly. A server has many clients, and none of them may wait because the reader of a pipe stalls
//! or a disk is slow or full. So a server [starts](start) a thread for each stream. Lines wait in a bounded queue. A
//! line that finds the queue full, or that cannot be written, is dropped. The number of dropped lines is printed as
//! soon as lines can be printed again.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// The number of lines that wait for each stream. Lines of `--verbose` have some 100 bytes: 1.6 MB.
const LINES: usize = 16 << 10;
/// The maximum time that the end of the program waits for the reader of its output.
const END_LIMIT: Duration = Duration::from_millis(500);
/// The interval between attempts to use a full queue at the end of the program.
const RETRY: Duration = Duration::from_millis(5);

/// A stream of the program's output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The queues of a server.
static QUEUES: OnceLock<[Queue; 2]> = OnceLock::new();

/// Prints a line. An error, such as a closed output, is ignored.
pub(crate) fn print(stream: Stream, mut line: String) {
    line.push('\n');
    match QUEUES.get() {
        Some([stdout, stderr]) => match stream {
            Stream::Stdout => stdout.push(line),
            Stream::Stderr => stderr.push(line),
        },
        None => {
            let _ = stream.write(line.as_bytes());
        }
    }
}

/// Starts the threads that print. Lines no longer wait for their reader.
pub(crate) fn start() -> io::Result<()> {
    let queues = [Queue::start(Stream::Stdout)?, Queue::start(Stream::Stderr)?];
    // A second start changes nothing.
    let _ = QUEUES.set(queues);
    Ok(())
}

/// Waits until all lines are printed, but not long. To be called at the end of the program.
pub(crate) fn finish() {
    let limit = Instant::now() + END_LIMIT;
    for queue in QUEUES.get().into_iter().flatten() {
        queue.finish(limit);
    }
}

impl Stream {
    fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush())
            }
            Self::Stderr => io::stderr().lock().write_all(bytes),
        }
    }
}

enum Entry {
    Line(String),
    /// Everything before is printed when this sender is dropped.
    End(Sender<()>),
}

struct Queue {
    entries: SyncSender<Entry>,
    /// The number of lines dropped since the last report.
    dropped: &'static AtomicU64,
}

impl Queue {
    fn start(stream: Stream) -> io::Result<Self> {
        static DROPPED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
        let dropped = match stream {
            Stream::Stdout => &DROPPED[0],
            Stream::Stderr => &DROPPED[1],
        };
        let (entries, waiting) = sync_channel(LINES);
        thread::Builder::new().name("output".into()).spawn(move || print_all(stream, &waiting, dropped))?;
        Ok(Self { entries, dropped })
    }

    fn push(&self, line: String) {
        if self.entries.try_send(Entry::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
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

/// Prints the lines of a queue. Lines that wait together are written together.
fn print_all(stream: Stream, waiting: &Receiver<Entry>, dropped: &AtomicU64) {
    /// The number of bytes that are written together.
    const TOGETHER: usize = 32 << 10;
    let mut text = String::new();
    while let Ok(first) = waiting.recv() {
        let (mut lines, mut ends) = (0, Vec::new());
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => {
                    text += &line;
                    lines += 1;
                }
                Entry::End(end) => ends.push(end),
            }
            next = if text.len() < TOGETHER { waiting.try_recv().ok() } else { None };
        }
        if !text.is_empty() && stream.write(text.as_bytes()).is_err() {
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
        let line = format!("rdt: {count} lines of output were dropped: they were not read, or could not be written\n");
        if stream.write(line.as_bytes()).is_err() {
            dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

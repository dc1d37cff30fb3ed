//! The file program of the public implementation.

use rdt_proto::{Duration, Instant};
use std::collections::VecDeque;

/// The largest body that it sends, in bytes.
const BODY: usize = 62_000;
/// How long it takes to read the next body from its file.
const READ: Duration = Duration::from_millis(5);

/// What the user of the program sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The file is stored, or was sent.
    Done,
    /// A download with this content.
    Received(Vec<u8>),
    /// ERROR with this code.
    Refused(u8),
    /// A call of the transport raised: the other side has closed both directions.
    Raised,
}

/// What the program does.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Upload,
    Download,
    /// Serves this file under [`NAME`], and stores uploads of at most `most` bytes.
    Serve {
        file: Option<Vec<u8>>,
        most: u64,
    },
    /// Sends some bodies, and closes at a given time.
    Talk,
}

/// The name of the file of each exchange.
pub(crate) const NAME: &[u8] = b"hello.txt";

/// One run of the program.
pub(crate) struct Program {
    task: Task,
    /// How long it takes between two calls of the transport.
    reaction: Duration,
    unsent: VecDeque<Vec<u8>>,
    /// When the next body is ready.
    write_at: Instant,
    unread: Vec<u8>,
    /// A server has read the request: for an upload, its header.
    has_answered: bool,
    pub(crate) seen: Option<Seen>,
    /// The content that a server has stored.
    pub(crate) stored: Option<Vec<u8>>,
    /// When it closes; `None` before it has nothing more to do.
    close_at: Option<Instant>,
    /// The stream of the other side has ended.
    is_over: bool,
}

impl Program {
    pub(crate) fn new(task: Task, reaction: Duration) -> Self {
        Self {
            task,
            reaction,
            unsent: VecDeque::new(),
            write_at: Instant::ZERO,
            unread: Vec::new(),
            has_answered: false,
            seen: None,
            stored: None,
            close_at: None,
            is_over: false,
        }
    }

    /// A client that uploads `content`.
    pub(crate) fn upload(content: &[u8], reaction: Duration) -> Self {
        let mut program = Self::new(Task::Upload, reaction);
        let length = content.len() as u64;
        program.write(&[&[0], &length.to_le_bytes()[..], &name_field(NAME)].concat());
        content.chunks(BODY).for_each(|body| program.write(body));
        program
    }

    /// A client that downloads the file `name`.
    pub(crate) fn download(name: &[u8], reaction: Duration) -> Self {
        let mut program = Self::new(Task::Download, reaction);
        program.write(&[&[1], &name_field(name)[..]].concat());
        program
    }

    /// A program that sends `count` bodies, and closes at `close_at` or once they have arrived.
    pub(crate) fn talk(count: u32, close_at: Instant) -> Self {
        let mut program = Self { close_at: Some(close_at), ..Self::new(Task::Talk, Duration::ZERO) };
        (0..count).for_each(|_| program.write(b"i"));
        program
    }

    fn write(&mut self, body: &[u8]) {
        self.unsent.push_back(body.to_vec());
    }

    /// Whether it has a body to send.
    pub(crate) fn wants_to_send(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Takes the next body that it sends `now`.
    pub(crate) fn writes(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.write_at > now {
            return None;
        }
        let body = self.unsent.pop_front()?;
        self.write_at = now + READ;
        Some(body)
    }

    /// When it sends the next body, if it has one.
    pub(crate) fn write_at(&self) -> Option<Instant> {
        (!self.unsent.is_empty()).then_some(self.write_at)
    }

    /// The transport delivers this body.
    pub(crate) fn reads(&mut self, body: &[u8]) {
        self.unread.extend(body);
        if let Task::Serve { file, most } = self.task.clone()
            && !self.has_answered
        {
            self.serve(file, most);
        }
    }

    /// A call of the transport raises. The program ends without a result.
    pub(crate) fn raises(&mut self) {
        self.unsent.clear();
        self.seen.get_or_insert(Seen::Raised);
    }

    /// The stream of the other side ends.
    pub(crate) fn ends(&mut self) {
        self.is_over = true;
    }

    /// Whether it closes now. Without `all_arrived` it waits in a call of the transport, and reads no answer.
    pub(crate) fn closes(&mut self, now: Instant, all_arrived: bool) -> bool {
        if !all_arrived || !self.unsent.is_empty() {
            return false;
        }
        if self.close_at.is_none() {
            self.read_answer();
            if self.seen.is_some() || self.is_over {
                self.close_at = Some(now + self.reaction);
            }
        }
        self.close_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn close_at(&self) -> Option<Instant> {
        self.close_at
    }

    /// A client reads what has arrived of its answer.
    fn read_answer(&mut self) {
        let seen = match (&self.task, self.unread.as_slice()) {
            (Task::Upload, [3, ..]) => Seen::Done,
            (Task::Upload | Task::Download, [4, code, ..]) => Seen::Refused(*code),
            (Task::Download, [2, rest @ ..]) if rest.len() >= 8 => {
                let (length, content) = rest.split_first_chunk().unwrap();
                if (content.len() as u64) < u64::from_le_bytes(*length) {
                    return;
                }
                Seen::Received(content.to_vec())
            }
            (Task::Serve { .. } | Task::Talk | Task::Upload | Task::Download, _) => return,
        };
        self.seen.get_or_insert(seen);
    }

    /// A server answers the request, once there is enough of it.
    fn serve(&mut self, file: Option<Vec<u8>>, most: u64) {
        let Some((&request, fields)) = self.unread.split_first() else { return };
        let answer = match request {
            0 => {
                let Some((length, rest)) = fields.split_first_chunk() else { return };
                let length = u64::from_le_bytes(*length);
                if length > most {
                    // It decides before it reads the name.
                    Err(2)
                } else {
                    let Some(content) = after_name(rest).filter(|content| content.len() as u64 >= length) else {
                        return;
                    };
                    self.stored = Some(content.to_vec());
                    Ok(vec![vec![3]])
                }
            }
            1 => match (after_name(fields), file) {
                (None, _) => return,
                (Some(_), None) => Err(1),
                (Some(_), Some(content)) => {
                    let header = [&[2], &(content.len() as u64).to_le_bytes()[..]].concat();
                    Ok([vec![header], content.chunks(BODY).map(<[u8]>::to_vec).collect()].concat())
                }
            },
            _ => Err(0),
        };
        self.has_answered = true;
        self.seen = Some(answer.as_ref().err().map_or(Seen::Done, |&code| Seen::Refused(code)));
        self.unsent.extend(answer.unwrap_or_else(|code| vec![vec![4, code]]));
    }
}

/// The length of a name, and the name.
fn name_field(name: &[u8]) -> Vec<u8> {
    [&u16::try_from(name.len()).unwrap().to_le_bytes()[..], name].concat()
}

/// What follows the name; `None` while a part of it is missing.
fn after_name(field: &[u8]) -> Option<&[u8]> {
    let (length, rest) = field.split_first_chunk()?;
    rest.get(u16::from_le_bytes(*length).into()..)
}

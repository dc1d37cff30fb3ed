//! The half that sends.

use super::task::Task;
use super::{FileServer, Peer};
use crate::files::message::{FileKind, Flags, SessionMessage};
use crate::files::outgoing::Outgoing;
use crate::files::request::SendAnswer;
use crate::ftp::{ErrorCode, Unasked};

impl FileServer {
    pub(super) fn start_read(&mut self, flags: Flags, is_allowed: bool) {
        self.reader.take(&mut self.read);
        self.read_number = self.next_number();
        self.sending = if let Some(code) = self.leaving.code() {
            Task::Refuse(code)
        } else if !self.config.access.may_read() {
            Task::Refuse(ErrorCode::NoDownloads)
        } else if !is_allowed {
            Task::Refuse(ErrorCode::NameNotAllowed)
        } else if flags.is_beyond_this_version() {
            Task::Refuse(ErrorCode::Malformed)
        } else {
            Task::Ask
        };
    }

    /// Answers a request of the sending half.
    pub(super) fn answer(&mut self, message: &SessionMessage<'_>, next: Task) {
        if self.peer == Peer::Lost {
            self.sending = Task::Idle;
        } else {
            self.writer.put(message);
            self.sending = next;
        }
    }

    pub(super) fn handle_sent(&mut self, answer: &SendAnswer<'_>) -> Result<(), Unasked> {
        let (number, request) = (self.read_number, self.read.message().ok().flatten());
        let (message, next) = match (&mut self.sending, request, *answer) {
            (Task::Asked, Some(SessionMessage::Get { .. }), SendAnswer::Opened { kind: FileKind::Folder, .. }) => {
                (SessionMessage::Error { number, code: ErrorCode::NoSuchFile }, Task::Idle)
            }
            (
                Task::Asked,
                Some(SessionMessage::Get { have, .. }),
                SendAnswer::Opened { kind, metadata, length, offset },
            ) => {
                // What the client or the file does not have cannot be left out.
                let is_here = have.has_border(offset) && length.is_none_or(|length| offset <= length);
                let offset = if is_here { offset } else { 0 };
                (
                    SessionMessage::File { number, kind, metadata, length, offset },
                    Task::Send(Outgoing::new(offset, length)),
                )
            }
            (Task::Asked, Some(SessionMessage::Stat { .. }), SendAnswer::Status(status)) => {
                (SessionMessage::Status { number, status }, Task::Idle)
            }
            (Task::Asked, Some(SessionMessage::List { .. }), SendAnswer::Listing) => {
                self.sending = if self.peer == Peer::Lost { Task::Idle } else { Task::NextEntry };
                return Ok(());
            }
            (Task::EntryAsked, _, SendAnswer::Entry(entry)) => {
                (SessionMessage::Entry { number, entry }, Task::NextEntry)
            }
            (Task::EntryAsked, _, SendAnswer::NoEntry { has_more }) => {
                (SessionMessage::Listed { number, has_more }, Task::Idle)
            }
            (Task::Asked | Task::EntryAsked, _, SendAnswer::Failed(error)) => {
                (SessionMessage::Error { number, code: error.into() }, Task::Idle)
            }
            (Task::Send(outgoing), _, _) => {
                outgoing.answer(answer)?;
                if self.peer == Peer::Lost {
                    self.sending = Task::Idle;
                }
                return Ok(());
            }
            (Task::Idle | Task::Ask | Task::Asked | Task::NextEntry | Task::EntryAsked | Task::Refuse(_), _, _) => {
                return Err(Unasked);
            }
        };
        self.answer(&message, next);
        Ok(())
    }
}

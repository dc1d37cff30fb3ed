//! The requests of a client.

use super::open::Slot;
use super::{FileClient, Put, State};
use crate::files::message::{FileKind, Flags, Metadata, Peaks, SessionMessage};
use crate::files::outgoing::Outgoing;
use crate::files::path::FilePath;
use crate::ftp::{ErrorCode, TooLate};

/// What a PUT stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PutRequest<'a> {
    /// The path.
    pub path: FilePath<'a>,
    /// The kind. A folder has no content.
    pub kind: FileKind,
    /// The metadata.
    pub metadata: Metadata,
    /// The length in bytes; `None` if it is not known yet.
    pub length: Option<u64>,
    /// The position at which the content begins: 0, or a border of the peaks in a [`Status`](crate::files::Status) with
    /// which the file begins. If the server no longer has what is before it, the PUT is refused as
    /// [`ErrorCode::PrefixGone`]: repeat it at 0.
    pub offset: u64,
    /// [`Flags::REPLACE`] and [`Flags::KEEP`].
    pub flags: Flags,
}

impl FileClient {
    /// Starts to send what storage has opened. Returns the number of the request.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn put(&mut self, request: &PutRequest<'_>) -> Result<u32, TooLate> {
        let &PutRequest { path, kind, metadata, length, offset, flags } = request;
        let message = SessionMessage::Put { flags, kind, metadata, length, offset, path: path.into() };
        let number = self.start(Slot::Put { failed: None }, &message)?;
        if kind != FileKind::Folder {
            self.sending = Some(Put { number, outgoing: Outgoing::new(offset, length) });
        }
        Ok(number)
    }

    /// Cuts the content short that leaves. The server answers its PUT by ERROR with this code.
    ///
    /// It comes too late for content that has left with its digest: the server may confirm it.
    pub fn cancel_put(&mut self, code: ErrorCode) {
        if let Some(put) = &mut self.sending {
            put.outgoing.stop(code);
        }
    }

    /// Asks for a file. `have` is what storage has of it. Returns the number of the request.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn get(&mut self, path: FilePath<'_>, have: Peaks<'_>) -> Result<u32, TooLate> {
        let message = SessionMessage::Get { flags: Flags::empty(), path: path.into(), have };
        self.start(Slot::Get { have_blocks: have.blocks() }, &message)
    }

    /// Asks what is under a path. Returns the number of the request.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn stat(&mut self, path: FilePath<'_>, flags: Flags) -> Result<u32, TooLate> {
        self.start(Slot::Stat, &SessionMessage::Stat { flags, path: path.into() })
    }

    /// Asks for the entries of a folder, behind the entry `after` of an earlier list; `None` for the outermost folder
    /// and for its first entry. Returns the number of the request.
    ///
    /// # Errors
    /// [`TooLate`] if the client is not [ready](Self::is_ready).
    pub fn list(
        &mut self,
        folder: Option<FilePath<'_>>,
        after: Option<FilePath<'_>>,
        flags: Flags,
    ) -> Result<u32, TooLate> {
        let (folder, after) = (folder.map(Into::into), after.map(Into::into));
        self.start(Slot::List, &SessionMessage::List { flags, folder, after })
    }

    /// Tells the server that this side works, and will go on: it hashes a file, or waits for a pipe.
    ///
    /// A server may end a connection without [progress](crate::connection::ProgressLimits). Call this two to four times
    /// in its span while this side is the one that works. It counts as 1 KiB of progress, up to
    /// [`max_working`](crate::files::FileServerConfig::max_working) times in a row.
    ///
    /// # Errors
    /// [`TooLate`] while another message leaves, while storage reads content, and once no request may follow.
    pub fn keep_place(&mut self) -> Result<(), TooLate> {
        let is_reading = self.sending.as_ref().is_some_and(|put| put.outgoing.is_asked());
        if is_reading || !self.writer.is_ready() || self.state != State::Open {
            return Err(TooLate);
        }
        self.writer.put(&SessionMessage::Working);
        Ok(())
    }

    fn start(&mut self, slot: Slot, message: &SessionMessage<'_>) -> Result<u32, TooLate> {
        if !self.is_ready() {
            return Err(TooLate);
        }
        let number = self.open.push(slot).ok_or(TooLate)?;
        self.writer.put(message);
        Ok(number)
    }
}

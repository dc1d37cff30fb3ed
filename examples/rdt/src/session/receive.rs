//! The half of a session that receives content.

use super::content::NotStored;
use super::ended::{Failure, Kind, Success};
use super::exchange::{About, Queued, ReceiveTask, Receiving, SessionExchange};
use super::place::Place;
use super::receiving::{Create, RecvFile};
use super::unread::Unread;
use crate::files::{Detail, storage_error};
use rdt_proto::Instant;
use rdt_proto::files::{Cause, Committed, FilePathBox, FileSession, ReceiveAnswer, ReceiveRequest};
use rdt_proto::ftp::StorageError;
use std::io;

/// The bytes of files that are complete, but not yet durable. Beyond them the next one waits in the stream.
const MOST_QUEUED_BYTES: u64 = 4 << 20;

impl<S: FileSession, P: Place> SessionExchange<S, P> {
    /// Executes a request of the half that receives. Returns whether it was answered.
    pub(super) fn receive(&mut self, now: Instant, mut unread: Unread<'_>) -> bool {
        if self.receive_task.is_none() {
            match self.session.poll_receive() {
                None => return false,
                Some(ReceiveRequest::Create(target)) => {
                    let path = target.path.map(FilePathBox::from);
                    let number = target.path.is_none().then_some(target.number);
                    let (offset, length) = (target.offset, target.length);
                    let about = About { number, path, offset, length, ..About::new(now) };
                    let created = self.place.create(&target);
                    let most = self.place.max_length();
                    let created =
                        if target.length.is_some_and(|length| length > most) { Err(too_large()) } else { created };
                    let rest = target.length.map(|length| length.saturating_sub(target.offset));
                    return self.start_file(about, created, rest);
                }
                Some(ReceiveRequest::Write { len, .. }) => self.receive_task = Some(ReceiveTask::Write { len }),
                Some(ReceiveRequest::Commit { digest }) => self.receive_task = Some(ReceiveTask::Commit { digest }),
                Some(ReceiveRequest::Discard(cause)) => return self.discard(cause),
                Some(_) => return self.answer_receive(ReceiveAnswer::Failed(StorageError::Failed)),
            }
        }
        let (Some(task), Some(receiving)) = (self.receive_task, &mut self.receiving) else {
            self.receive_task = None;
            return self.answer_receive(ReceiveAnswer::Failed(StorageError::Failed));
        };
        let answer = match task {
            ReceiveTask::Write { len } => {
                let bytes = unread.first(len).len() as u64;
                if receiving.file.taken().saturating_add(bytes) > receiving.most {
                    Err(too_large())
                } else {
                    let giver = unread.giver(len).filter(|_| !self.intake.is_limited());
                    match giver.and_then(|connection| receiving.file.swap(connection)) {
                        Some(Ok(len)) => return self.answer_swapped(len),
                        Some(Err(error)) => Err(error),
                        None => match receiving.file.write(unread.first(len)) {
                            None => return false,
                            Some(written) => written.map(ReceiveAnswer::Written),
                        },
                    }
                }
            }
            ReceiveTask::Commit { digest } => {
                let has_most = self.queued_bytes > MOST_QUEUED_BYTES || self.committer.is_full();
                if has_most && !self.queued.is_empty() {
                    return false;
                }
                let (about, bytes) = (receiving.about.clone(), receiving.file.taken());
                let Some(completed) = receiving.file.complete(digest, &self.committer) else { return false };
                completed.map(|call| {
                    self.queued_bytes += bytes;
                    self.queued.push_back(Queued { call, about, bytes });
                    self.receiving = None;
                    ReceiveAnswer::Queued
                })
            }
        };
        self.receive_task = None;
        let answer = answer.unwrap_or_else(|error| {
            let (kind, detail) = (storage_error(&error), Detail::of(&error));
            if let Some(receiving) = &mut self.receiving {
                receiving.failure.get_or_insert(Failure::Storage(kind, detail));
            }
            ReceiveAnswer::Failed(kind)
        });
        self.answer_receive(answer)
    }

    fn start_file(&mut self, about: About, created: io::Result<Create>, rest: Option<u64>) -> bool {
        match created {
            Ok(create) => {
                let file = RecvFile::new(self.disk.clone(), create, rest).behind(about.offset);
                let most = self.place.max_length();
                self.receiving = Some(Receiving { file, about, failure: None, most });
                self.answer_receive(ReceiveAnswer::Created)
            }
            Err(error) => {
                let kind = storage_error(&error);
                self.end(Kind::Received, about, Err(Failure::Storage(kind, Detail::of(&error))), 0);
                self.answer_receive(ReceiveAnswer::Failed(kind))
            }
        }
    }

    fn discard(&mut self, cause: Cause) -> bool {
        if let Some(mut receiving) = self.receiving.take() {
            let bytes = receiving.file.taken();
            receiving.file.discard(cause);
            let failure = receiving.failure.unwrap_or(match cause {
                Cause::Invalid => Failure::Length,
                Cause::Interrupted | Cause::Storage => Failure::Interrupted,
            });
            self.end(Kind::Received, receiving.about, Err(failure), bytes);
        }
        self.answer_receive(ReceiveAnswer::Discarded)
    }

    /// Answers a write whose bytes have left the connection, and so the input of the session.
    fn answer_swapped(&mut self, len: usize) -> bool {
        self.receive_task = None;
        let answered = self.answer_receive(ReceiveAnswer::Written(len));
        if let Some(Receiving { file, .. }) = &mut self.receiving {
            let read = self.session.handle_input(file.newest());
            debug_assert_eq!(read, len, "content that is written is consumed");
            self.moved += read as u64;
            file.write_full();
        }
        answered
    }

    /// The session accepts the answer, because its type fits the request.
    fn answer_receive(&mut self, answer: ReceiveAnswer) -> bool {
        self.session.answer_receive(answer).is_ok()
    }

    /// Reports the files that are durable, in their order. Returns whether there was one.
    pub(super) fn report_committed(&mut self) -> bool {
        let Some(queued) = self.queued.front_mut() else { return false };
        let Some(result) = queued.call.take() else { return false };
        let Some(Queued { about, bytes, .. }) = self.queued.pop_front() else { return false };
        self.queued_bytes -= bytes;
        let (committed, result) = match result.unwrap_or_else(|error| Err(NotStored::Failed(error))) {
            Ok(stored_as) => (Committed::Durable, Ok(Success::Stored(stored_as))),
            Err(NotStored::Failed(error)) => {
                let kind = storage_error(&error);
                (Committed::Failed(kind), Err(Failure::Storage(kind, Detail::of(&error))))
            }
            Err(NotStored::Uncertain(error)) => {
                let kind = storage_error(&error);
                (Committed::Uncertain(kind), Err(Failure::Uncertain(kind, Detail::of(&error))))
            }
            Err(NotStored::DigestMismatch) => {
                (Committed::Failed(StorageError::DigestMismatch), Err(Failure::DigestMismatch))
            }
        };
        self.end(Kind::Received, about, result, bytes);
        self.session.handle_committed(committed).is_ok()
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "--max-size")
}

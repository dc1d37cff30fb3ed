//! File sessions with many requests: any bytes of the peer, any calls, any answers of storage.
#![allow(clippy::panic, reason = "a law that does not hold must fail")]

mod client;
mod sample;

pub use client::client;

use arbitrary::{Arbitrary, Unstructured};
use rdt_proto::files::{
    Committed, Digest, Encoded, FileKind, FileOutput, FileServer, FileServerConfig, FileSession, MESSAGE_HEADER,
    Metadata, ReceiveAnswer, ReceiveRequest, SendAnswer, SendRequest, SessionMessage,
};
use rdt_proto::ftp::ErrorCode;
use sample::{Reply, Sample, SentSample, entry, message, status};

/// A call on a session.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Input(&'a [u8]),
    /// The bytes of a valid message, and content.
    Message(Sample, u8),
    Closed,
    Lost,
    Receive,
    AnswerReceive(Reply<ReceiveAnswer>),
    Send(u16),
    AnswerSend(Reply<SentSample>),
    Committed(Committed),
    Output(u8),
    /// A call on a client or a server only.
    Own(Own),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Own {
    Put { flags: u8, kind: FileKind, length: Option<u8>, offset: u8 },
    Get,
    Resume,
    Stat,
    List,
    Cancel,
    Finish,
    Event,
    Leave,
    KeepPlace,
}

/// The request that storage has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiving {
    Create { offset: u64 },
    Write { offset: u64, len: usize },
    Commit,
    Discard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    Read(u32),
    Digest,
    Stat,
    List,
    Entry,
}

/// A session, and what storage holds for it.
struct Host<S> {
    session: S,
    /// Input that the session has not consumed.
    input: Vec<u8>,
    receiving: Option<Receiving>,
    sending: Option<Sending>,
    /// The length of the unfinished file that storage holds.
    part: Option<u64>,
    queued: u32,
    /// The bytes that storage has not sent of the open file. One of unknown length ends, too.
    unread: u64,
    /// The output that is not decoded yet.
    sent: Vec<u8>,
    /// The session has ended its direction.
    is_over: bool,
}

impl<S: FileSession> Host<S> {
    fn new(session: S) -> Self {
        Self {
            session,
            input: Vec::new(),
            receiving: None,
            sending: None,
            part: None,
            queued: 0,
            unread: 0,
            sent: Vec::new(),
            is_over: false,
        }
    }

    fn read(&mut self) {
        let taken = self.session.handle_input(&self.input);
        assert!(taken <= self.input.len());
        if let Some(Receiving::Write { len, .. }) = self.receiving {
            assert!(taken == 0 && len <= self.input.len(), "the bytes of a write stay");
        }
        self.input.drain(..taken);
    }

    fn call(&mut self, call: &Call<'_>) {
        match *call {
            Call::Input(bytes) => {
                self.input.extend_from_slice(bytes);
                self.read();
            }
            Call::Message(sample, len) => {
                self.input.extend(message(sample, len));
                if matches!(sample, Sample::Data) {
                    self.input.resize(self.input.len() + usize::from(len), 5);
                }
                self.read();
            }
            Call::Closed => self.session.handle_peer_closed(),
            Call::Lost => {
                self.session.handle_lost(None);
                self.is_over = true;
            }
            Call::Receive => self.receive(),
            Call::AnswerReceive(reply) => self.answer_receive(reply),
            Call::Send(room) => self.send(room.into()),
            Call::AnswerSend(reply) => self.answer_send(reply),
            Call::Committed(result) => {
                let is_asked = self.session.handle_committed(result).is_ok();
                assert_eq!(is_asked, self.queued > 0);
                self.queued = self.queued.saturating_sub(1);
            }
            Call::Output(most) => self.write(most.into()),
            Call::Own(_) => {}
        }
    }

    fn write(&mut self, most: usize) {
        let len = match self.session.poll_output() {
            None => return,
            Some(FileOutput::Message(bytes)) => {
                assert!(!self.is_over, "a message after the end");
                let bytes = bytes.get(..most).unwrap_or(bytes);
                self.sent.extend_from_slice(bytes);
                bytes.len()
            }
            Some(FileOutput::Close | FileOutput::Abort(_)) => {
                assert!(!self.is_over, "a second end");
                self.is_over = true;
                return;
            }
        };
        assert_eq!(self.session.output_sent(len), Ok(()));
        assert!(self.session.output_sent(usize::MAX).is_err());
    }

    fn receive(&mut self) {
        let Some(request) = self.session.poll_receive() else { return };
        assert_eq!(self.receiving, None, "a second request: {request:?}");
        self.receiving = Some(match request {
            ReceiveRequest::Create(target) => {
                assert_eq!(self.part, None, "two unfinished files");
                Receiving::Create { offset: target.offset }
            }
            ReceiveRequest::Write { offset, len } => {
                assert!(len > 0 && len <= self.input.len() && self.part == Some(offset), "{offset}, {:?}", self.part);
                Receiving::Write { offset, len }
            }
            ReceiveRequest::Commit { .. } => Receiving::Commit,
            ReceiveRequest::Discard(_) => Receiving::Discard,
            other => panic!("{other:?}"),
        });
        assert!(self.part.is_some() || matches!(self.receiving, Some(Receiving::Create { .. })));
    }

    fn answer_receive(&mut self, reply: Reply<ReceiveAnswer>) {
        let fitting = match self.receiving {
            None | Some(Receiving::Commit) => ReceiveAnswer::Queued,
            Some(Receiving::Create { .. }) => ReceiveAnswer::Created,
            Some(Receiving::Write { len, .. }) => ReceiveAnswer::Written(len),
            Some(Receiving::Discard) => ReceiveAnswer::Discarded,
        };
        let answer = match reply {
            Reply::Fits => fitting,
            Reply::Fails(error) => ReceiveAnswer::Failed(error),
            Reply::Any(answer) => answer,
        };
        let fits = match (self.receiving, answer) {
            (None, _) => false,
            (Some(_), ReceiveAnswer::Failed(_))
            | (Some(Receiving::Create { .. }), ReceiveAnswer::Created)
            | (Some(Receiving::Commit), ReceiveAnswer::Queued)
            | (Some(Receiving::Discard), ReceiveAnswer::Discarded) => true,
            (Some(Receiving::Write { len, .. }), ReceiveAnswer::Written(count)) => count <= len,
            (Some(_), _) => false,
        };
        assert_eq!(self.session.answer_receive(answer).is_ok(), fits, "{:?}, {answer:?}", self.receiving);
        if !fits {
            return;
        }
        match (self.receiving.take(), answer) {
            (Some(Receiving::Create { offset }), ReceiveAnswer::Created) => self.part = Some(offset),
            (Some(Receiving::Write { offset, .. }), ReceiveAnswer::Written(count)) => {
                self.part = Some(offset + count as u64);
            }
            (Some(Receiving::Commit), ReceiveAnswer::Queued) => {
                self.part = None;
                self.queued += 1;
            }
            (Some(Receiving::Discard), _) => self.part = None,
            _ => {}
        }
    }

    fn send(&mut self, room: usize) {
        let Some(request) = self.session.poll_send(room) else { return };
        assert_eq!(self.sending, None, "a second request: {request:?}");
        self.sending = Some(match request {
            SendRequest::Open { .. } => Sending::Open,
            SendRequest::Read { len, .. } => {
                assert!(len > 0 && len as usize + MESSAGE_HEADER <= room);
                Sending::Read(len)
            }
            SendRequest::Digest => Sending::Digest,
            SendRequest::Stat { .. } => Sending::Stat,
            SendRequest::List { .. } => Sending::List,
            SendRequest::NextEntry => Sending::Entry,
            other => panic!("{other:?}"),
        });
    }

    fn answer_send(&mut self, reply: Reply<SentSample>) {
        let sample = match (reply, self.sending) {
            (Reply::Any(sample), _) => sample,
            (Reply::Fits | Reply::Fails(_), None | Some(Sending::Open)) => {
                SentSample::Opened { length: Some(9), offset: 0 }
            }
            (_, Some(Sending::Read(len))) => {
                let most = self.unread.min(len.into()).min(5);
                SentSample::Read(u16::try_from(most).unwrap_or(5))
            }
            (_, Some(Sending::Digest)) => SentSample::Digest(Digest::default()),
            (_, Some(Sending::Stat)) => SentSample::Status,
            (_, Some(Sending::List)) => SentSample::Listing,
            (_, Some(Sending::Entry)) => SentSample::NoEntry(false),
        };
        let answer = match (reply, sample) {
            (Reply::Fails(error), _) => SendAnswer::Failed(error),
            (_, SentSample::Opened { length, offset }) => {
                let (metadata, length) = (Metadata::default(), length.map(Into::into));
                SendAnswer::Opened { kind: FileKind::File, metadata, length, offset: offset.into() }
            }
            (_, SentSample::Read(len)) => SendAnswer::Read(len.into()),
            (_, SentSample::Digest(digest)) => SendAnswer::Digest(digest),
            (_, SentSample::Status) => SendAnswer::Status(status()),
            (_, SentSample::Listing) => SendAnswer::Listing,
            (_, SentSample::Entry) => SendAnswer::Entry(entry()),
            (_, SentSample::NoEntry(has_more)) => SendAnswer::NoEntry { has_more },
        };
        let fits = match (self.sending, answer) {
            (None, _) => false,
            (Some(_), SendAnswer::Failed(_))
            | (Some(Sending::Open), SendAnswer::Opened { .. })
            | (Some(Sending::Digest), SendAnswer::Digest(_))
            | (Some(Sending::Stat), SendAnswer::Status(_))
            | (Some(Sending::List), SendAnswer::Listing)
            | (Some(Sending::Entry), SendAnswer::Entry(_) | SendAnswer::NoEntry { .. }) => true,
            (Some(Sending::Read(asked)), SendAnswer::Read(len)) => len <= asked,
            (Some(_), _) => false,
        };
        assert_eq!(self.session.answer_send(answer).is_ok(), fits, "{:?}, {answer:?}", self.sending);
        if !fits {
            return;
        }
        self.sending = None;
        match answer {
            SendAnswer::Opened { length, offset, .. } => self.unread = length.unwrap_or(100).saturating_sub(offset),
            SendAnswer::Read(len @ 1..) => {
                self.unread = self.unread.saturating_sub(len.into());
                self.sent.extend(rdt_proto::files::data_header(len));
                self.sent.resize(self.sent.len() + len as usize, 7);
            }
            _ => {}
        }
    }

    /// Makes rounds in which storage answers everything, until nothing changes.
    fn run(&mut self) {
        loop {
            let before = (self.input.len(), self.sent.len(), self.queued, self.is_over);
            self.read();
            self.receive();
            self.send(100);
            let is_asked = self.receiving.is_some() || self.sending.is_some();
            if self.receiving.is_some() {
                self.answer_receive(Reply::Fits);
            }
            if self.sending.is_some() {
                self.answer_send(Reply::Fits);
            }
            if self.queued > 0 {
                self.call(&Call::Committed(Committed::Durable));
            }
            self.write(usize::MAX);
            if before == (self.input.len(), self.sent.len(), self.queued, self.is_over) && !is_asked {
                return;
            }
        }
    }

    /// The peer closes, and storage answers everything.
    fn close(&mut self) {
        self.run();
        self.session.handle_peer_closed();
        self.run();
    }

    /// After the connection is lost and storage has answered everything, nothing is left. All output is messages.
    fn end(&mut self) {
        self.session.handle_lost(None);
        self.is_over = true;
        self.run();
        assert_eq!((self.part, self.receiving, self.sending), (None, None, None), "an unfinished file is left");
        let (mut rest, mut message) = (&self.sent[..], Encoded::new());
        while !rest.is_empty() {
            let taken = message.push(rest);
            rest = rest.get(taken..).unwrap_or_default();
            match message.message() {
                Ok(Some(SessionMessage::Data { len })) => rest = rest.get(len as usize..).unwrap_or_default(),
                Ok(Some(_)) => {}
                // The last one was cut off.
                Ok(None) => assert!(rest.is_empty()),
                Err(error) => panic!("{error}: {:?}", self.sent),
            }
            message.clear();
        }
    }
}

/// Makes any calls on a server.
///
/// # Panics
///
/// If a law does not hold.
pub fn server(bytes: &[u8]) {
    let Ok(calls) = Vec::<Call<'_>>::arbitrary_take_rest(Unstructured::new(bytes)) else { return };
    let mut host = Host::new(FileServer::new(FileServerConfig {
        max_length: 200,
        drain_limit: 300,
        max_working: 2,
        ..FileServerConfig::default()
    }));
    host.call(&Call::Message(Sample::Version, 0));
    for call in &calls {
        match *call {
            Call::Own(Own::Leave) => host.session.leave(ErrorCode::Busy),
            Call::Own(_) => {}
            _ => host.call(call),
        }
    }
    host.close();
    assert!(host.is_over && host.session.is_done(), "a closed session has not ended: {:?}", host.session);
    host.end();
}

//! Answers of storage that come late: nothing overtakes or replaces a message that has not left whole.

use rdt_proto::files::{
    BLOCK_BYTES, Committed, Digest, Encoded, FileClient, FileKind, FileOutput, FilePath, FileServer, FileServerConfig,
    FileSession, Flags, Metadata, Peaks, PutRequest, RawPath, ReceiveAnswer, ReceiveRequest, SESSION_VERSION,
    SendAnswer, SendRequest, SessionEnd, SessionEvent, SessionMessage, Status, data_header,
};
use rdt_proto::ftp::ErrorCode;

const VERSION: SessionMessage<'_> = SessionMessage::Version { version: SESSION_VERSION };
const DIGEST: Digest = Digest([7; 32]);
const END: SessionMessage<'_> = SessionMessage::End { digest: DIGEST };

fn path() -> RawPath<'static> {
    FilePath::new("a").unwrap().into()
}

fn put_from(offset: u64, length: Option<u64>) -> SessionMessage<'static> {
    let (kind, metadata, flags) = (FileKind::File, Metadata::default(), Flags::REPLACE);
    SessionMessage::Put { flags, kind, metadata, length, offset, path: path() }
}

fn get(have: Peaks<'_>) -> SessionMessage<'_> {
    SessionMessage::Get { flags: Flags::empty(), path: path(), have }
}

fn file(length: u64, offset: u64) -> SessionMessage<'static> {
    let (number, kind, metadata) = (0, FileKind::File, Metadata::default());
    SessionMessage::File { number, kind, metadata, length: Some(length), offset }
}

fn bytes(messages: &[SessionMessage<'_>]) -> Vec<u8> {
    messages.iter().flat_map(|message| Encoded::encode(message).as_bytes().to_vec()).collect()
}

/// Gives the session input that it consumes whole.
fn input(session: &mut impl FileSession, messages: &[SessionMessage<'_>]) {
    let bytes = bytes(messages);
    assert_eq!(session.handle_input(&bytes), bytes.len());
}

/// Takes at most `most` bytes of output.
fn output(session: &mut impl FileSession, most: usize) -> Vec<u8> {
    let Some(FileOutput::Message(bytes)) = session.poll_output() else { return Vec::new() };
    let bytes = bytes[..most.min(bytes.len())].to_vec();
    session.output_sent(bytes.len()).unwrap();
    bytes
}

/// A server that has received VERSION, and has sent its own.
fn server() -> FileServer {
    let mut server = FileServer::new(FileServerConfig { max_length: 100, ..FileServerConfig::default() });
    input(&mut server, &[VERSION]);
    assert_eq!(output(&mut server, usize::MAX), bytes(&[VERSION]));
    server
}

/// The server queues an empty file.
fn queue(server: &mut FileServer) {
    input(server, &[put_from(0, Some(0))]);
    assert!(matches!(server.poll_receive(), Some(ReceiveRequest::Create(_))));
    server.answer_receive(ReceiveAnswer::Created).unwrap();
    input(server, &[END]);
    assert_eq!(server.poll_receive(), Some(ReceiveRequest::Commit { digest: Some(DIGEST) }));
    server.answer_receive(ReceiveAnswer::Queued).unwrap();
}

/// Regression: STATUS replaced a CONFIRM of which the stream had taken a part, or nothing.
#[test]
fn an_answer_does_not_replace_a_confirm() {
    let mut server = server();
    queue(&mut server);
    input(&mut server, &[SessionMessage::Stat { flags: Flags::empty(), path: path() }]);
    assert!(matches!(server.poll_send(100), Some(SendRequest::Stat { .. })));
    server.handle_committed(Committed::Durable).unwrap();
    let mut sent = output(&mut server, 4);
    let (kind, metadata) = (FileKind::File, Metadata::default());
    let status = Status { kind, metadata, length: 3, digest: None, peaks: Peaks::NONE };
    server.answer_send(SendAnswer::Status(status)).unwrap();
    for _ in 0..30 {
        sent.extend(output(&mut server, 40));
    }
    let confirm = SessionMessage::Confirm { number: 0 };
    assert_eq!(sent, bytes(&[SessionMessage::Status { number: 1, status }, confirm]));
}

/// Regression: content came into the middle of ERROR.
#[test]
fn content_does_not_come_into_a_message() {
    let mut server = server();
    input(&mut server, &[get(Peaks::NONE)]);
    assert!(matches!(server.poll_send(100), Some(SendRequest::Open { .. })));
    let (kind, metadata) = (FileKind::File, Metadata::default());
    server.answer_send(SendAnswer::Opened { kind, metadata, length: Some(9), offset: 0 }).unwrap();
    let mut sent = output(&mut server, usize::MAX);
    assert_eq!(server.poll_send(100), Some(SendRequest::Read { offset: 0, len: 9 }));
    input(&mut server, &[put_from(0, Some(101))]);
    sent.extend(output(&mut server, 3));
    server.answer_send(SendAnswer::Read(5)).unwrap();
    sent.extend(data_header(5));
    sent.extend(b"hello");
    sent.extend(output(&mut server, usize::MAX));
    let error = SessionMessage::Error { number: 1, code: ErrorCode::TooLarge };
    assert_eq!(
        sent,
        [bytes(&[file(9, 0), SessionMessage::Data { len: 5 }]), b"hello".to_vec(), bytes(&[error])].concat()
    );
}

/// Answers that are due come between two reads, even if storage always works when the driver asks for output.
#[test]
fn a_long_file_does_not_delay_a_confirm() {
    let mut server = server();
    queue(&mut server);
    input(&mut server, &[get(Peaks::NONE)]);
    assert!(server.poll_send(100).is_some());
    let (kind, metadata) = (FileKind::File, Metadata::default());
    server.answer_send(SendAnswer::Opened { kind, metadata, length: None, offset: 0 }).unwrap();
    output(&mut server, usize::MAX);
    assert!(server.poll_send(100).is_some());
    server.handle_committed(Committed::Durable).unwrap();
    assert_eq!(server.poll_output(), None, "storage reads into the stream");
    server.answer_send(SendAnswer::Read(5)).unwrap();
    assert_eq!(server.poll_send(100), None);
    assert_eq!(output(&mut server, usize::MAX), bytes(&[SessionMessage::Confirm { number: 0 }]));
    assert!(server.poll_send(100).is_some());
}

/// Regression: the server waited for the rest of the message for ever.
#[test]
fn a_client_that_closes_within_a_message_ends_the_session() {
    for begun in [&bytes(&[END])[..1], &[200, 9, 0, 0, 0, 1]] {
        let mut server = server();
        input(&mut server, &[put_from(0, None)]);
        assert!(matches!(server.poll_receive(), Some(ReceiveRequest::Create(_))));
        server.answer_receive(ReceiveAnswer::Created).unwrap();
        assert_eq!(server.handle_input(begun), begun.len());
        server.handle_peer_closed();
        assert!(matches!(server.poll_receive(), Some(ReceiveRequest::Discard(_))), "{begun:?}");
        server.answer_receive(ReceiveAnswer::Discarded).unwrap();
        let error = SessionMessage::Error { number: 0, code: ErrorCode::Cancelled };
        assert_eq!(output(&mut server, usize::MAX), bytes(&[error]));
        assert_eq!(server.poll_output(), Some(FileOutput::Close));
        assert!(server.is_done());
        input(&mut server, &[put_from(0, None)]);
        assert!(server.is_done(), "nothing begins after the end");
    }
}

/// Regression: content after the end of the stream stayed unconsumed, and the session never ended.
#[test]
fn content_after_the_end_of_the_stream_is_dropped() {
    let mut server = server();
    input(&mut server, &[put_from(0, None)]);
    assert!(matches!(server.poll_receive(), Some(ReceiveRequest::Create(_))));
    server.answer_receive(ReceiveAnswer::Created).unwrap();
    let header = data_header(100);
    assert_eq!(server.handle_input(&header), header.len());
    server.handle_peer_closed();
    assert!(matches!(server.poll_receive(), Some(ReceiveRequest::Discard(_))));
    server.answer_receive(ReceiveAnswer::Discarded).unwrap();
    assert_eq!(server.handle_input(&[5; 100]), 100);
    let error = SessionMessage::Error { number: 0, code: ErrorCode::Cancelled };
    assert_eq!(output(&mut server, usize::MAX), bytes(&[error]));
    assert_eq!(server.poll_output(), Some(FileOutput::Close));
    assert!(server.is_done());
}

/// Regression: the file was discarded, since its END waited for storage when the stream ended.
#[test]
fn a_file_that_is_whole_when_the_stream_ends_is_received() {
    for is_lost in [false, true] {
        let mut client = FileClient::new();
        output(&mut client, usize::MAX);
        client.get(FilePath::new("a").unwrap(), Peaks::NONE).unwrap();
        output(&mut client, usize::MAX);
        client.finish();
        input(&mut client, &[VERSION, file(0, 0), END]);
        if is_lost {
            client.handle_lost(None);
        } else {
            client.handle_peer_closed();
        }
        assert_eq!(client.poll_event(), None);
        assert!(matches!(client.poll_receive(), Some(ReceiveRequest::Create(_))));
        client.answer_receive(ReceiveAnswer::Created).unwrap();
        assert_eq!(client.handle_input(&[]), 0);
        assert_eq!(client.poll_receive(), Some(ReceiveRequest::Commit { digest: Some(DIGEST) }));
        client.answer_receive(ReceiveAnswer::Queued).unwrap();
        client.handle_committed(Committed::Durable).unwrap();
        while client.poll_output().is_some() {}
        assert_eq!(client.poll_event(), Some(SessionEvent::Received { number: 0 }), "{is_lost}");
        let end = if is_lost { SessionEnd::Lost(None) } else { SessionEnd::Closed };
        assert_eq!(client.poll_event(), Some(SessionEvent::Ended { unanswered: 0, end }));
        assert!(client.is_done());
    }
}

/// Regression: the connection closed before content that storage was reading into the stream.
#[test]
fn content_that_storage_reads_leaves_before_the_close() {
    let mut client = FileClient::new();
    output(&mut client, usize::MAX);
    let (path, kind, metadata) = (FilePath::new("a").unwrap(), FileKind::File, Metadata::default());
    client.put(&PutRequest { path, kind, metadata, length: Some(5), offset: 0, flags: Flags::REPLACE }).unwrap();
    output(&mut client, usize::MAX);
    assert_eq!(client.poll_send(100), Some(SendRequest::Read { offset: 0, len: 5 }));
    client.handle_peer_closed();
    assert_eq!(client.poll_output(), None);
    client.answer_send(SendAnswer::Read(5)).unwrap();
    assert_eq!(client.poll_output(), Some(FileOutput::Close));
}

/// Regression: requests behind a long GET kept the input from draining, and the server waited for a stream that takes
/// nothing.
#[test]
fn a_server_hears_of_a_lost_connection_at_once() {
    let mut server = server();
    let requests = bytes(&[get(Peaks::NONE), get(Peaks::NONE), get(Peaks::NONE)]);
    let taken = server.handle_input(&requests);
    assert!(taken < requests.len(), "the others wait");
    assert!(matches!(server.poll_send(100), Some(SendRequest::Open { .. })));
    let (kind, metadata) = (FileKind::File, Metadata::default());
    server.answer_send(SendAnswer::Opened { kind, metadata, length: Some(1 << 30), offset: 0 }).unwrap();
    server.handle_lost(None);
    assert_eq!(server.handle_input(&requests[taken..]), requests.len() - taken);
    assert_eq!(server.poll_send(0), None);
    assert_eq!(server.poll_output(), None);
    assert!(server.is_done());
}

/// Regression: FILE said that the content begins behind the end of the file, and the client aborted.
#[test]
fn a_file_that_became_shorter_begins_at_its_start() {
    let mut server = server();
    input(&mut server, &[get(Peaks::new(1, &[1; 32]).unwrap())]);
    assert!(server.poll_send(100).is_some());
    let (kind, metadata) = (FileKind::File, Metadata::default());
    server.answer_send(SendAnswer::Opened { kind, metadata, length: Some(5), offset: BLOCK_BYTES }).unwrap();
    assert_eq!(output(&mut server, usize::MAX), bytes(&[file(5, 0)]));
}

#[test]
fn a_folder_is_not_sent() {
    let mut server = server();
    input(&mut server, &[get(Peaks::NONE)]);
    assert!(server.poll_send(100).is_some());
    let (kind, metadata) = (FileKind::Folder, Metadata::default());
    server.answer_send(SendAnswer::Opened { kind, metadata, length: None, offset: 0 }).unwrap();
    let error = SessionMessage::Error { number: 0, code: ErrorCode::NoSuchFile };
    assert_eq!(output(&mut server, usize::MAX), bytes(&[error]));
}

/// Regression: the limit counted only what arrived.
#[test]
fn content_that_begins_behind_the_limit_is_refused() {
    let mut server = server();
    input(&mut server, &[put_from(101, None)]);
    let error = SessionMessage::Error { number: 0, code: ErrorCode::TooLarge };
    assert_eq!(output(&mut server, usize::MAX), bytes(&[error]));
    assert_eq!(server.poll_receive(), None);
}

/// Regression: any position in front of the end of what the client has was believed.
#[test]
fn a_file_begins_at_a_border_of_what_the_client_has() {
    for (offset, is_border) in [(0, true), (1, false), (2, true), (3, true), (4, false)] {
        let mut client = FileClient::new();
        output(&mut client, usize::MAX);
        client.get(FilePath::new("a").unwrap(), Peaks::new(3, &[1; 64]).unwrap()).unwrap();
        output(&mut client, usize::MAX);
        let length = 9 * BLOCK_BYTES;
        input(&mut client, &[VERSION, file(length, offset * BLOCK_BYTES)]);
        assert_eq!(client.poll_output() == Some(FileOutput::Abort(ErrorCode::Malformed)), !is_border, "{offset}");
    }
}

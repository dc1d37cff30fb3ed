//! Any calls on a file session, in any order and at any time, leave its storage requests consistent.

use proptest::prelude::*;
use rdt_proto::Instant;
use rdt_proto::ftp::{
    Answer, Client, ClientConfig, ErrorCode, FileEvent, Name, Output, Request, Server, ServerConfig, Session,
    StorageError,
};

#[derive(Clone, Debug)]
enum Call {
    Input(Vec<u8>),
    PeerClosed,
    Aborted(u8),
    Lost,
    Timeout(u64),
    Answer(Answer),
    Request(usize),
    Output,
    HeaderSent(usize),
    Event,
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (0..20_u64).prop_map(|length| Answer::Opened { length }),
        Just(Answer::Created),
        (0..20_usize).prop_map(Answer::Read),
        (0..20_usize).prop_map(Answer::Written),
        Just(Answer::Committed),
        Just(Answer::Discarded),
        Just(Answer::Failed(StorageError::Failed)),
        Just(Answer::NotDurable(StorageError::Failed)),
    ]
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\0\x05\0\0\0\0\0\0\0\x01\0a".to_vec()),
        Just(b"\0\0\0\0\0\0\0\0\0\x01\0ahello".to_vec()),
        Just(b"\x01\x01\0a".to_vec()),
        Just(b"\x02\x05\0\0\0\0\0\0\0hello".to_vec()),
        Just(b"\x03".to_vec()),
        Just(b"\x04\x01".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => input().prop_map(Call::Input),
        1 => Just(Call::PeerClosed),
        1 => any::<u8>().prop_map(Call::Aborted),
        1 => Just(Call::Lost),
        1 => (0..20_000_000_u64).prop_map(Call::Timeout),
        8 => answer().prop_map(Call::Answer),
        6 => (0..20_usize).prop_map(Call::Request),
        4 => Just(Call::Output),
        4 => (0..20_usize).prop_map(Call::HeaderSent),
        2 => Just(Call::Event),
    ]
}

/// What an observer knows of the storage requests, and of the end of the session.
#[derive(Default)]
struct Seen {
    pending: bool,
    creating: bool,
    created: bool,
    closed: bool,
    aborted: bool,
    done: bool,
}

impl Seen {
    fn request(&mut self, request: Request<'_>) {
        assert!(!self.pending && !self.done);
        self.pending = true;
        match request {
            Request::Create { .. } => {
                assert!(!self.created);
                self.creating = true;
            }
            Request::Write { len, .. } => assert!(self.created && len > 0),
            Request::Discard => {
                assert!(std::mem::take(&mut self.created), "only a created file is discarded, and only once");
            }
            Request::Open { .. } => {}
            Request::Read { len, .. } => assert!(len > 0),
            other => assert!(other == Request::Commit && self.created, "{other:?}"),
        }
    }

    fn answered(&mut self, answer: Answer) {
        assert!(std::mem::take(&mut self.pending), "an answer without a request was accepted");
        self.created |= self.creating && answer == Answer::Created;
        self.creating = false;
        if matches!(answer, Answer::Committed | Answer::NotDurable(_)) {
            self.created = false;
        }
    }
}

fn apply<S: Session + Clone + PartialEq + std::fmt::Debug>(session: &mut S, seen: &mut Seen, call: Call) {
    let before = session.clone();
    match call {
        Call::Input(bytes) => assert!(session.handle_input(Instant::ZERO, &bytes) <= bytes.len()),
        Call::PeerClosed => session.handle_peer_closed(),
        Call::Aborted(code) => session.handle_aborted(ErrorCode::from(code)),
        Call::Lost => session.handle_lost(),
        Call::Timeout(micros) => {
            session.handle_timeout(Instant::from_micros(micros));
            assert!(session.poll_timeout().is_none_or(|deadline| deadline > Instant::from_micros(micros)));
        }
        Call::Answer(answer) => match session.handle_answer(Instant::ZERO, answer) {
            Ok(()) => seen.answered(answer),
            Err(_) => assert_eq!(*session, before),
        },
        Call::Request(room) => {
            if let Some(request) = session.poll_request(room) {
                assert!(!matches!(request, Request::Read { len, .. } if len > room));
                seen.request(request);
            }
        }
        Call::Output => match session.poll_output() {
            None => {}
            Some(Output::Header(header)) => assert!(!header.is_empty() && !seen.aborted),
            Some(Output::Close) => assert!(!std::mem::replace(&mut seen.closed, true) && !seen.aborted),
            Some(Output::Abort(_)) => assert!(!std::mem::replace(&mut seen.aborted, true)),
        },
        Call::HeaderSent(len) => {
            if session.header_sent(len).is_err() {
                assert_eq!(*session, before);
            }
        }
        Call::Event => {
            if let Some(FileEvent::Done(_)) = session.poll_event() {
                assert!(!std::mem::replace(&mut seen.done, true));
            }
        }
    }
    assert!(session.outcome().is_none() || !seen.pending && !seen.created, "the session is done before storage is");
}

/// Asserts that the session ends once the connection is lost and storage has answered.
fn end<S: Session + Clone + PartialEq + std::fmt::Debug>(mut session: S, mut seen: Seen) {
    session.handle_lost();
    for _ in 0..8 {
        apply(&mut session, &mut seen, Call::Answer(Answer::Failed(StorageError::Failed)));
        apply(&mut session, &mut seen, Call::Request(9));
    }
    assert!(session.outcome().is_some(), "{session:?}");
    assert_eq!(session.poll_output(), None);
    assert_eq!(session.poll_timeout(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_server_session_stays_consistent(calls in prop::collection::vec(call(), 0..60)) {
        let (mut session, mut seen) = (Server::new(ServerConfig::default()), Seen::default());
        for call in calls {
            apply(&mut session, &mut seen, call);
        }
        end(session, seen);
    }

    #[test]
    fn a_client_session_stays_consistent(upload: Option<u8>, calls in prop::collection::vec(call(), 0..60)) {
        let (config, name) = (ClientConfig::default(), Name::new("a").unwrap());
        let mut session = match upload {
            Some(length) => Client::upload(config, name, length.into()),
            None => Client::download(config, name),
        };
        let mut seen = Seen::default();
        for call in calls {
            apply(&mut session, &mut seen, call);
        }
        end(session, seen);
    }
}

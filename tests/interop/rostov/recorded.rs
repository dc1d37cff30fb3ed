//! The model repeats the recorded sessions of the implementation (`tests/vectors`), in both roles.

use super::program::{NAME, Program, Seen, Task};
use super::transport::Rostov;
use rdt_proto::connection::{Method, Role};
use rdt_proto::sim::SimAddress;
use rdt_proto::{Duration, Instant};

const FILE: &[u8] = b"hello over lossy datagrams\n";

/// The program in a session: at once, or slower than the other side.
const QUICK: Duration = Duration::ZERO;
const SLOW: Duration = Duration::from_secs(100);

/// Runs the model on the recorded datagrams of the other side. Asserts that it sends those of its own side.
fn repeats(recording: &str, method: Method, role: Role, program: Program, fin_on_fin: bool) -> Rostov {
    let mut peer = Rostov::new(method, role, SimAddress::new(0, 0), program, fin_on_fin);
    let theirs = if role == Role::Client { "C>S" } else { "S>C" };
    let (mut now, mut sent, mut expected) = (Instant::ZERO, Vec::new(), Vec::new());
    for line in recording.lines() {
        let (from, hex) = line.split_once(' ').unwrap();
        if from == theirs {
            expected.push(hex.to_owned());
        } else {
            let bytes: Vec<u8> =
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
            peer.receives(now, &bytes);
        }
        // Stop-and-wait reads a packet each 0.1 s.
        now = now + Duration::from_millis(100);
        peer.advance(now);
        while let Some(bytes) = peer.take_sent() {
            sent.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
    assert_eq!(sent, expected, "{method:?} {role:?}");
    peer
}

#[test]
fn the_model_repeats_the_recorded_upload() {
    let recording = include_str!("../../vectors/note_sr_upload.txt");
    let client = Program::upload(FILE, QUICK);
    let client = repeats(recording, Method::SelectiveRepeat, Role::Client, client, false);
    assert_eq!(client.program.seen, Some(Seen::Done));
    let server = Program::new(Task::Serve { file: None, most: u64::MAX }, SLOW);
    let server = repeats(recording, Method::SelectiveRepeat, Role::Server, server, true);
    assert_eq!((server.program.seen, server.program.stored.as_deref()), (Some(Seen::Done), Some(FILE)));
}

#[test]
fn the_model_repeats_the_recorded_downloads() {
    for (recording, method) in [
        (include_str!("../../vectors/note_sr_download.txt"), Method::SelectiveRepeat),
        (include_str!("../../vectors/note_saw_download.txt"), Method::StopAndWait),
    ] {
        let client = repeats(recording, method, Role::Client, Program::download(NAME, SLOW), false);
        assert_eq!(client.program.seen, Some(Seen::Received(FILE.to_vec())));
        let server = Program::new(Task::Serve { file: Some(FILE.to_vec()), most: 0 }, QUICK);
        let server = repeats(recording, method, Role::Server, server, false);
        assert_eq!(server.program.seen, Some(Seen::Done));
    }
}

#[test]
fn the_model_repeats_the_recorded_refusal() {
    let recording = include_str!("../../vectors/note_sr_missing_file.txt");
    let client = Program::download(b"nothere.txt", SLOW);
    let client = repeats(recording, Method::SelectiveRepeat, Role::Client, client, false);
    assert_eq!(client.program.seen, Some(Seen::Refused(1)));
    let server = Program::new(Task::Serve { file: None, most: 0 }, QUICK);
    let server = repeats(recording, Method::SelectiveRepeat, Role::Server, server, false);
    assert_eq!(server.program.seen, Some(Seen::Refused(1)));
}

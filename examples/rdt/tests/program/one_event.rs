//! One event does not stop a server: errors of system calls, a stalled reader of its output, a slow or full disk, and
//! files that change while they are served.

use crate::faults::{Faults, SystemCall};
use crate::runner::{Place, Running, Server, content};
use std::time::{Duration, Instant};

/// The errors that may pass, or that concern one peer.
const ERRORS: [i32; 12] = [
    libc::ENOMEM,
    libc::ENOBUFS,
    libc::EIO,
    libc::EPERM,
    libc::ENETDOWN,
    libc::ENETUNREACH,
    libc::EHOSTDOWN,
    libc::EHOSTUNREACH,
    libc::EPROTO,
    libc::EMSGSIZE,
    libc::ECONNREFUSED,
    libc::EINTR,
];

/// Stores a file of `length` bytes, and compares. Returns the client, which still closes its connection.
fn expect_stored(place: &Place, server: &Server, name: &str, length: usize) -> Running {
    let (file, bytes) = (place.client(name), content(length));
    std::fs::write(&file, &bytes).unwrap();
    let mut client = place.put(&file, &server.address, &[]);
    client.expect("stored");
    assert!(std::fs::read(place.server(name)).unwrap() == bytes);
    client
}

#[test]
fn no_error_of_a_system_call_ends_transfers() {
    let (place, faults) = (Place::new(), Faults::new());
    let server = place.serve_with_faults(&faults, &[]);
    let mut clients = Vec::new();
    for call in [SystemCall::Recvmmsg, SystemCall::Sendmsg, SystemCall::EpollWait, SystemCall::EpollCtl] {
        for (index, error) in ERRORS.into_iter().enumerate() {
            faults.fail(call, error, 3);
            clients.push(expect_stored(&place, &server, &format!("{call:?}{index}"), 200 << 10));
            let ran_out = faults.left(call) == 0;
            // The poller is changed only while the socket is full, which may not happen.
            assert!(ran_out || matches!(call, SystemCall::EpollCtl), "{call:?} with {error} was not called");
        }
    }
    clients.into_iter().for_each(|client| client.expect_end(0, "stored"));
    server.running.interrupt();
    let (_, said) = server.running.end();
    assert_eq!(said.matches("transfers go on").count(), 1, "one line a minute:\n{said}");
    assert!(said.contains("network errors"), "{said}");
}

#[test]
fn an_error_that_persists_does_not_spin() {
    let (place, faults) = (Place::new(), Faults::new());
    let mut server = place.serve_with_faults(&faults, &[]);
    expect_stored(&place, &server, "before", 1_000).expect_end(0, "stored");
    for call in [SystemCall::Recvmmsg, SystemCall::EpollWait] {
        faults.fail(call, libc::ENOMEM, -1);
        // The server sleeps until a datagram arrives.
        std::fs::write(place.client("during"), "during").unwrap();
        let client = place.put(&place.client("during"), &server.address, &[]);
        let (before, start) = (faults.seen(call), Instant::now());
        std::thread::sleep(Duration::from_secs(2));
        let (calls, took) = (faults.seen(call) - before, start.elapsed());
        assert!(u128::from(calls.unsigned_abs()) < 20 + took.as_millis() / 20, "{call:?}: {calls} calls in {took:?}");
        faults.fail(call, 0, 0);
        client.expect_end(0, "stored");
    }
    server.running.expect("transfers go on");
}

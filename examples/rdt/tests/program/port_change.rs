//! A client whose port changes during a transfer over real sockets.
//!
//! This happens when a NAT drops its mapping of the client.

use crate::runner::{Place, Server, content};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A NAT between a client and a server. After some datagrams of the client it uses another port towards the server.
struct Nat {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Nat {
    fn new(server: SocketAddr, changes_after: usize) -> Self {
        let inside = socket();
        let (address, ends) = (inside.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let (mut outside, mut client, mut passed) = (socket(), None, 0);
            let mut buf = [0; 2_048];
            while !seen.load(Ordering::Relaxed) {
                while let Ok((len, from)) = inside.recv_from(&mut buf) {
                    client = Some(from);
                    passed += 1;
                    if passed == changes_after {
                        outside = socket();
                    }
                    let _ = outside.send_to(&buf[..len], server);
                }
                while let (Ok(len), Some(client)) = (outside.recv(&mut buf), client) {
                    let _ = inside.send_to(&buf[..len], client);
                }
                std::thread::yield_now();
            }
        });
        Self { address, ends, thread: Some(thread) }
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // A short timeout, because one thread serves both directions in turn.
    socket.set_read_timeout(Some(Duration::from_micros(100))).unwrap();
    socket
}

fn expect_moved(server: Server) {
    server.running.interrupt();
    server.running.expect_end(0, " 1 moved");
}

#[test]
fn an_upload_survives_a_change_of_the_clients_port() {
    let (place, bytes) = (Place::new(), content(3 << 20));
    let server = place.serve(&[]);
    let nat = Nat::new(server.address.parse().unwrap(), 500);
    std::fs::write(place.client("sent"), &bytes).unwrap();
    place.put(&place.client("sent"), &nat.address.to_string(), &[]).expect_end(0, "stored");
    assert!(std::fs::read(place.server("sent")).unwrap() == bytes);
    expect_moved(server);
}

#[test]
fn a_download_survives_a_change_of_the_clients_port() {
    let (place, bytes) = (Place::new(), content(3 << 20));
    let server = place.serve(&[]);
    let nat = Nat::new(server.address.parse().unwrap(), 30);
    std::fs::write(place.server("kept"), &bytes).unwrap();
    place.get("kept", &nat.address.to_string(), &[]).expect_end(0, "received");
    assert!(std::fs::read(place.client("kept")).unwrap() == bytes);
    expect_moved(server);
}

//! Addresses of servers, in a URL, and several for one name. The names are those of the library `faults.c`.

use crate::runner::{Place, Running, Server, content, run, wait_until, write_large};
use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The type of a RESET, after the tag of 8 bytes.
const RESET: u8 = 8;

fn bind(address: &str) -> UdpSocket {
    UdpSocket::bind(address).unwrap()
}

fn port(socket: &UdpSocket) -> u16 {
    socket.local_addr().unwrap().port()
}

/// A socket that never answers.
fn silent(address: &str) -> UdpSocket {
    let socket = bind(address);
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Waits until `count` more datagrams have arrived.
fn expect_datagrams(socket: &UdpSocket, count: usize) {
    let seen = Cell::new(0);
    wait_until(|| {
        seen.set(seen.get() + std::iter::from_fn(|| socket.recv(&mut [0; 2_048]).ok()).count());
        seen.get() >= count
    });
}

/// A server on `address` for the files of `place`.
fn serve(place: &Place, address: &str, port: u16) -> Server {
    place.serve(&["--bind", &format!("{address}:{port}")])
}

fn put(place: &Place, addresses: &str, port: u16, options: &[&str]) -> Running {
    std::fs::write(place.client("sent"), content(100_000)).unwrap();
    place.put_to_name(&place.client("sent"), addresses, port, options)
}

fn expect_stored(place: &Place) {
    assert!(std::fs::read(place.server("sent")).unwrap() == content(100_000));
}

/// Asserts that a server has served `count` requests and has no other client.
fn expect_served(server: Server, count: usize) {
    server.running.interrupt();
    let (code, said) = server.running.end();
    assert_eq!(code, 0);
    // Regression: there were "1 requests".
    let requests = if count == 1 { "request" } else { "requests" };
    assert!(said.contains(&format!("0 clients, 0 waiting; {count} {requests} served")), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("request:")).count(), 0, "{said}");
}

/// A relay to a server. It holds all datagrams until it is opened.
struct Relay {
    port: u16,
    open: Arc<AtomicBool>,
    /// The datagrams of the client that were passed on.
    passed: Arc<Mutex<Vec<Vec<u8>>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn to(server: &Server) -> Self {
        let (inside, outside) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
        outside.connect(server.address.parse::<SocketAddr>().unwrap()).unwrap();
        for socket in [&inside, &outside] {
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        }
        let (port, open, ends, passed) = (port(&inside), Arc::default(), Arc::default(), Arc::default());
        let mut relay = Self { port, open, passed, ends, thread: None };
        let (open, ends, passed) = (relay.open.clone(), relay.ends.clone(), relay.passed.clone());
        relay.thread = Some(thread::spawn(move || {
            let (mut buf, mut client) = ([0; 2_048], None);
            while !ends.load(Ordering::Relaxed) {
                if !open.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                while let Ok((len, from)) = inside.recv_from(&mut buf) {
                    client = Some(from);
                    passed.lock().unwrap().push(buf[..len].to_vec());
                    let _ = outside.send(&buf[..len]);
                }
                while let (Ok(len), Some(client)) = (outside.recv(&mut buf), client) {
                    let _ = inside.send_to(&buf[..len], client);
                }
            }
        }));
        relay
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn a_silent_address_does_not_hold_up_the_next() {
    let (place, first) = (Place::new(), silent("127.0.0.1:0"));
    let server = serve(&place, "127.0.0.2", port(&first));
    put(&place, "127.0.0.1 127.0.0.2", port(&first), &["--timeout", "600"]).expect_end(0, "stored");
    expect_stored(&place);
    expect_datagrams(&first, 1);
    expect_served(server, 1);
}

#[test]
fn families_of_addresses_take_turns_on_one_socket() {
    let (place, first) = (Place::new(), silent("127.0.0.1:0"));
    let Ok(_second) = UdpSocket::bind(("127.0.0.2", port(&first))) else { return };
    if UdpSocket::bind(("::1", port(&first))).is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let server = serve(&place, "[::1]", port(&first));
    put(&place, "127.0.0.1 127.0.0.2 ::1", port(&first), &[]).expect_end(0, "on [::1]:");
    expect_stored(&place);
    expect_served(server, 1);
}

#[test]
fn a_slow_first_address_is_not_given_up_for_a_dead_one() {
    let place = Place::new();
    let server = place.serve(&[]);
    let relay = Relay::to(&server);
    let second = silent(&format!("127.0.0.2:{}", relay.port));
    let client = put(&place, "127.0.0.1 127.0.0.2", relay.port, &[]);
    // CONNECT is repeated at growing intervals: the sixth leaves some four seconds after the first.
    expect_datagrams(&second, 6);
    relay.open.store(true, Ordering::Relaxed);
    client.expect_end(0, "stored");
    expect_stored(&place);
    expect_served(server, 1);
}

#[test]
fn only_one_of_two_servers_gets_the_request() {
    let (place, other) = (Place::new(), Place::new());
    let server = place.serve(&[]);
    let relay = Relay::to(&server);
    let fast = serve(&other, "127.0.0.2", relay.port);
    write_large(&place.client("large"));
    let mut client = place.put_to_name(&place.client("large"), "127.0.0.1 127.0.0.2", relay.port, &[]);
    client.expect_progress();
    // Only now the first server gets the CONNECT, and answers.
    relay.open.store(true, Ordering::Relaxed);
    wait_until(|| relay.passed.lock().unwrap().iter().any(|datagram| datagram.get(8) == Some(&RESET)));
    client.interrupt();
    client.expect_end(130, "stopped");
    expect_served(server, 0);
    expect_served(fast, 1);
    for place in [place, other] {
        assert!(Place::names(&place.server("")).is_empty());
    }
}

#[test]
fn a_second_address_is_left_alone_if_the_first_answers() {
    let (place, other) = (Place::new(), Place::new());
    let server = place.serve(&[]);
    let port = server.address.parse::<SocketAddr>().unwrap().port();
    let second = serve(&other, "127.0.0.2", port);
    put(&place, "127.0.0.1 127.0.0.2", port, &[]).expect_end(0, "stored");
    expect_stored(&place);
    expect_served(server, 1);
    expect_served(second, 0);
    assert!(Place::names(&other.server("")).is_empty());
}

#[test]
fn one_line_says_that_all_addresses_failed() {
    let (place, first) = (Place::new(), silent("127.0.0.1:0"));
    let port = port(&first);
    let second = silent(&format!("127.0.0.2:{port}"));
    let all_silent = put(&place, "127.0.0.1 127.0.0.2", port, &["--timeout", "1"]);
    let (code, said) = all_silent.end();
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.contains(&format!("no answer from 127.0.0.1:{port}, 127.0.0.2:{port}")), "{said}");
    drop(second);
    let (code, said) = put(&place, "127.0.0.1 127.0.0.2", port, &["--timeout", "3"]).end();
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    let expected = format!("nothing listens on 127.0.0.2:{port}: start the server there, or give its port");
    assert!(said.contains(&format!("{expected} (also tried: 127.0.0.1:{port})")), "{said}");
}

#[test]
fn ctrl_c_ends_all_attempts() {
    let (place, first) = (Place::new(), silent("127.0.0.1:0"));
    let second = silent(&format!("127.0.0.2:{}", port(&first)));
    let client = put(&place, "127.0.0.1 127.0.0.2", port(&first), &["--timeout", "600"]);
    expect_datagrams(&second, 1);
    client.interrupt();
    client.expect_end(130, "stopped: nothing of \"sent\" was transferred");
}

#[test]
fn a_closed_port_starts_the_next_attempt() {
    let (place, first) = (Place::new(), silent("127.0.0.1:0"));
    let port = port(&first);
    let server = serve(&place, "127.0.0.2", port);
    drop(first);
    put(&place, "127.0.0.1 127.0.0.2", port, &[]).expect_end(0, "on 127.0.0.2:");
    expect_stored(&place);
    expect_served(server, 1);
}

#[test]
fn a_url_names_the_server_and_the_file() {
    let place = Place::new();
    let server = place.serve(&[]);
    let url = format!("rdt://{}", server.address);
    std::fs::write(place.client("sent"), "content").unwrap();
    place.put(&place.client("sent"), &url, &[]).expect_end(0, "stored \"sent\"");
    place.put(&place.client("sent"), &format!("{url}/a%20b"), &[]).expect_end(0, "stored \"a b\"");
    place.put(&place.client("sent"), &url, &["--name", "named"]).expect_end(0, "stored \"named\"");
    assert_eq!(Place::names(&place.server("")), ["a b", "named", "sent"]);
    let folder = place.client("got");
    std::fs::create_dir(&folder).unwrap();
    let output = folder.to_str().unwrap();
    run(&["get", &format!("{url}/a%20b"), "--output", output]).expect_end(0, "received \"a b\"");
    run(&["get", "named", &url, "--output", output]).expect_end(0, "received \"named\"");
    assert_eq!(Place::names(&folder), ["a b", "named"]);
}

#[test]
fn an_ipv6_zone_is_understood_by_both_sides() {
    let place = Place::new();
    // Loopback is the interface 1.
    let bind = ["serve", "--bind", "[::1%1]:0", "--root", place.server("").to_str().unwrap()].map(str::to_owned);
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let mut server = run(&bind.each_ref().map(String::as_str));
    let port = server.expect("serving ").rsplit(':').next().unwrap().to_owned();
    std::fs::write(place.client("sent"), "content").unwrap();
    place.put(&place.client("sent"), &format!("[::1%1]:{port}"), &[]).expect_end(0, "stored \"sent\"");
    place.put(&place.client("sent"), &format!("rdt://[::1%251]:{port}/b"), &[]).expect_end(0, "stored \"b\"");
}

//! Tests of the program `rdt`: it transfers files over real sockets, completely or not at all.

use crate::runner::{Place, SEED, SLOW, content, run, write_large};
use std::thread;

/// The lengths of the files in bytes: empty, one byte, a full packet, and many packets.
const SIZES: [usize; 4] = [0, 1, 1_200, 300 << 10];

/// Sends and fetches files of all `SIZES`. Each transfer has its own server, so that only the seeds determine the
/// losses.
fn send_and_fetch(loss: &'static str) {
    let transfer = |size: usize| {
        let place = Place::new();
        let (sent, bytes) = (place.client("sent"), content(size));
        std::fs::write(&sent, &bytes).unwrap();
        let options = ["--segment", "1432", "--loss", loss, "--seed", SEED];
        let mut server = place.serve(&options);

        place
            .put(&sent, &server.address, &[&options[..], &["--name", "kept"]].concat())
            .expect_end(0, "stored \"kept\"");
        server.running.expect("put \"kept\": stored");
        assert!(std::fs::read(place.server("kept")).unwrap() == bytes);
        assert_eq!(Place::names(&place.server("")), ["kept"]);

        drop(server);
        let mut server = place.serve(&options);
        place.get("kept", &server.address, &options).expect_end(0, "received \"kept\"");
        server.running.expect("get \"kept\": sent");
        assert!(std::fs::read(place.client("kept")).unwrap() == bytes);
        assert_eq!(Place::names(&place.client("")), ["kept", "sent"]);
    };
    let all = SIZES.map(|size| thread::spawn(move || transfer(size)));
    for one in all {
        one.join().unwrap();
    }
}

#[test]
fn files_arrive_when_the_memory_of_the_server_is_spent() {
    let place = Place::new();
    let (sent, bytes) = (place.client("sent"), content(1 << 20));
    std::fs::write(&sent, &bytes).unwrap();
    let server = place.serve(&["--segment", "1432", "--memory", "0", "--loss", "5", "--seed", SEED]);
    place.put(&sent, &server.address, &["--name", "kept"]).expect_end(0, "stored \"kept\"");
    place.get("kept", &server.address, &[]).expect_end(0, "received \"kept\"");
    assert!(
        std::fs::read(place.server("kept")).unwrap() == bytes && std::fs::read(place.client("kept")).unwrap() == bytes
    );
}

#[test]
fn files_are_sent_and_fetched() {
    send_and_fetch("0");
}

#[test]
fn files_are_sent_and_fetched_through_5_percent_loss() {
    send_and_fetch("5");
}

#[test]
fn files_are_sent_and_fetched_through_20_percent_loss() {
    send_and_fetch("20");
}

/// The client writes its header and content before it learns that the server takes only small bodies.
#[test]
fn a_default_client_adapts_to_a_server_with_small_bodies() {
    for segment in ["500", "128"] {
        let place = Place::new();
        let (sent, bytes) = (place.client("sent"), content(100_000));
        std::fs::write(&sent, &bytes).unwrap();
        let server = place.serve(&["--segment", segment]);
        place.put(&sent, &server.address, &["--name", "kept"]).expect_end(0, "stored \"kept\"");
        assert!(std::fs::read(place.server("kept")).unwrap() == bytes);
        place.get("kept", &server.address, &[]).expect_end(0, "received \"kept\"");
        assert!(std::fs::read(place.client("kept")).unwrap() == bytes);
    }
}

#[test]
fn twice_verbose_prints_each_packet_and_state() {
    let place = Place::new();
    let (sent, server) = (place.client("sent"), place.serve(&[]));
    std::fs::write(&sent, b"content").unwrap();
    let mut client = place.put(&sent, &server.address, &["-vv"]);
    client.expect("> CONNECT, version 1, tag ");
    client.expect("< CONNACK, version 1, tag ");
    client.expect("state: established");
    client.expect("> #0 INFO 0, length ");
    client.expect("state: ended, both sides closed");
}

#[test]
fn several_clients_are_served_at_once() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    let names = ["a", "b", "c"];
    let bytes = content(3 << 20);
    for (index, name) in names.iter().enumerate() {
        std::fs::write(place.client(name), &bytes[index..]).unwrap();
    }
    // Content of the slow client is in flight during the other uploads.
    let slow = place.client("slow");
    write_large(&slow);
    let mut slow = place.put(&slow, &server.address, &SLOW);
    slow.expect_progress();
    let clients = names.map(|name| place.put(&place.client(name), &server.address, &[]));
    for client in clients {
        client.expect_end(0, "stored");
    }
    for (index, name) in names.iter().enumerate() {
        assert!(std::fs::read(place.server(name)).unwrap() == bytes[index..]);
    }
    assert_eq!(Place::names(&place.server("")), names, "a file must have no name before it is complete");
    slow.kill();
    let clients = names.map(|name| place.get(name, &server.address, &[]));
    for client in clients {
        client.expect_end(0, "received");
    }
    server.running.expect("get");
}

#[test]
fn a_file_replaces_an_older_one() {
    let place = Place::new();
    let server = place.serve(&[]);
    for text in ["one", "two"] {
        std::fs::write(place.client("from"), text).unwrap();
        place.put(&place.client("from"), &server.address, &["--name", "to"]).expect_end(0, "stored");
        place.get("to", &server.address, &[]).expect_end(0, "received");
        assert_eq!(std::fs::read_to_string(place.client("to")).unwrap(), text);
    }
    assert_eq!(Place::names(&place.server("")), ["to"]);
    assert_eq!(Place::names(&place.client("")), ["from", "to"]);
}

#[test]
fn a_wildcard_server_answers_from_the_requested_address() {
    let place = Place::new();
    let server = place.serve(&["--bind", "0.0.0.0:0"]);
    std::fs::write(place.server("a"), "content").unwrap();
    let port = server.address.rsplit(':').next().unwrap();
    // On Linux all addresses of 127.0.0.0/8 belong to this host.
    let requested = if cfg!(target_os = "linux") { "127.0.0.2" } else { "127.0.0.1" };
    place.get("a", &format!("{requested}:{port}"), &[]).expect_end(0, "received");
}

#[test]
fn the_rostov_profile_carries_files_both_ways() {
    let transfer = |method| {
        let place = Place::new();
        let options = ["--profile", "rostov", "--peer-method", method];
        let server = place.serve(&options);
        std::fs::write(place.client("a"), content(5_000)).unwrap();
        std::fs::write(place.server("b"), content(6_000)).unwrap();
        let put = place.put(&place.client("a"), &server.address, &options);
        place.get("b", &server.address, &options).expect_end(0, "received");
        put.expect_end(0, "stored");
        assert!(std::fs::read(place.server("a")).unwrap() == content(5_000));
        assert!(std::fs::read(place.client("b")).unwrap() == content(6_000));
    };
    let both = ["selective-repeat", "stop-and-wait"].map(|method| thread::spawn(move || transfer(method)));
    for one in both {
        one.join().unwrap();
    }
}

/// Regression: many bodies of 1,200 bytes were in flight. That peer reads one packet each 0.1 s, and acknowledges what
/// it drops.
#[cfg(target_os = "linux")]
#[test]
fn a_stop_and_wait_peer_gets_one_large_packet_at_a_time() {
    let place = Place::new();
    let options = ["--profile", "rostov", "--peer-method", "stop-and-wait", "-vv"];
    let server = place.serve(&options);
    std::fs::write(place.client("a"), content(150_000)).unwrap();
    for mechanism in [&[][..], &["--arq", "selective-repeat", "--window", "64"]] {
        let put = place.put(&place.client("a"), &server.address, &[&options[..], mechanism].concat());
        let (code, seen) = put.end();
        assert!(code == 0 && std::fs::read(place.server("a")).unwrap() == content(150_000), "{code}: {seen}");
        assert!(seen.contains("length 62000"), "{seen}");
        let mut next = 0;
        for line in seen.lines() {
            if let Some(number) = number_after(line, "> INFO ") {
                assert!(number <= next, "INFO {number} before ACK {next}: {seen}");
            } else if let Some(number) = number_after(line, "< ACK ") {
                next = next.max(number + 1);
            }
        }
    }
}

/// The number that follows `packet` in a line of the packet log.
#[cfg(target_os = "linux")]
fn number_after(line: &str, packet: &str) -> Option<u32> {
    let (_, rest) = line.split_once(packet)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn the_demo_verifies_both_copies() {
    let [generated, given] = [run(&["demo"]), run(&["demo", "--loss", "0", "Cargo.toml"])];
    for demo in [generated, given] {
        let (code, seen) = demo.end();
        assert!(code == 0 && seen.contains("verified"), "{code}: {seen}");
        assert!(seen.contains("up: 100 % of") && seen.contains("down: 100 % of"), "{seen}");
    }
}

#[test]
fn quiet_prints_failures_only() {
    let place = Place::new();
    let server = place.serve(&["--quiet"]);
    std::fs::write(place.client("a"), "content").unwrap();
    let put = place.put(&place.client("a"), &server.address, &["--quiet"]);
    let (code, seen) = place.get("none", &server.address, &["--quiet"]).end();
    assert!(code == 1 && seen.lines().count() == 1, "{seen}");
    assert_eq!(put.end(), (0, String::new()));
    #[cfg(unix)]
    {
        server.running.interrupt();
        let (_, seen) = server.running.end();
        assert_eq!(seen.lines().count(), 1, "{seen}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_loses_special_bits_has_a_line() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let server = place.serve(&[]);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    for name in ["a", "b", "c"] {
        let bits = if name == "c" { 0o755 } else { 0o4755 };
        std::fs::write(place.client(name), name).unwrap();
        std::fs::set_permissions(place.client(name), std::fs::Permissions::from_mode(bits)).unwrap();
    }
    let one = format!("{} on this machine loses its set-user-ID", place.client("a").display());
    let put =
        |options: &[&str]| place.put(&place.client(""), &server.address, &[&["--name", "x"], options].concat()).end();
    let (code, said) = put(&[]);
    assert!(code == 0 && said.contains(&one) && said.contains("1 more file loses the set-user-ID"), "{code}: {said}");
    assert_eq!(["x/a", "x/c"].map(|name| mode(&place.server(name))), [0o755, 0o755]);
    for option in ["--no-preserve", "--quiet"] {
        let (code, said) = put(&[option]);
        assert!(code == 0 && !said.contains("loses"), "{option}: {said}");
    }
    // Regression: refused files lost them as well.
    let server = place.serve(&["--no-replace"]);
    let (code, said) = place.put(&place.client(""), &server.address, &["--name", "x"]).end();
    assert!(code == 1 && !said.contains("loses"), "{code}: {said}");
}

//! The server of the program `rdt` with many clients, at its limits, and with several threads.

use crate::runner::{Place, Running, SLOW, content, run, write_large};

/// Starts a server with `options`. All clients put a file at once, and then get their files at once.
///
/// Returns the server, which still runs.
fn put_and_get_at_once(clients: usize, options: &[&str]) -> Running {
    let place = Place::new();
    let server = place.serve(options);
    let (sent, bytes) = (place.client("sent"), content(100 << 10));
    std::fs::write(&sent, &bytes).unwrap();
    let names: Vec<_> = (0..clients).map(|client| format!("file{client}")).collect();
    let running: Vec<_> = names.iter().map(|name| place.put(&sent, &server.address, &["--name", name])).collect();
    running.into_iter().for_each(|client| client.expect_end(0, "stored"));
    let running: Vec<_> = names.iter().map(|name| place.get(name, &server.address, &[])).collect();
    running.into_iter().for_each(|client| client.expect_end(0, "received"));
    for name in &names {
        assert!(std::fs::read(place.client(name)).unwrap() == bytes);
    }
    server.running
}

#[test]
fn clients_above_the_limit_wait_until_others_end() {
    put_and_get_at_once(6, &["--max-peers", "2"]);
}

#[test]
#[cfg(unix)]
fn clients_with_a_validated_address_are_served_and_counted() {
    let server = put_and_get_at_once(3, &["--retry", "always"]);
    server.interrupt();
    server.expect_end(0, "6 requests served");
}

#[test]
#[cfg(target_os = "linux")]
fn several_threads_serve_on_one_port() {
    let server = put_and_get_at_once(8, &["--threads", "2"]);
    server.interrupt();
    let (code, said) = server.end();
    assert_eq!(code, 0);
    let served = |thread: &str| {
        let line = said.lines().find(|line| line.contains(thread)).unwrap();
        let count = line.split(" requests served").next().unwrap().rsplit(' ').next().unwrap();
        count.parse::<u32>().unwrap()
    };
    assert_eq!(served("thread 1:") + served("thread 2:"), 16, "{said}");
    // The ports of 16 clients all lead to one thread once in 32,768 times.
    assert!(served("thread 1:") > 0 && served("thread 2:") > 0, "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn two_servers_never_share_a_port() {
    let place = Place::new();
    let root = place.server("");
    for threads in ["1", "2"] {
        let first = place.serve(&["--threads", threads]);
        for other in ["1", "2"] {
            let options = ["serve", "--bind", &first.address, "--threads", other, "--root", root.to_str().unwrap()];
            run(&options).expect_end(1, "cannot listen on");
        }
        let options = ["serve", "--bind", &first.address.replace("127.0.0.1", "0.0.0.0"), "--threads", "2"];
        run(&[&options[..], &["--root", root.to_str().unwrap()]].concat()).expect_end(1, "cannot listen on");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn of_servers_that_start_at_once_only_one_gets_the_port() {
    let place = Place::new();
    let root = place.server("");
    for _ in 0..5 {
        let address = place.serve(&[]).address;
        let start = || run(&["serve", "--bind", &address, "--threads", "2", "--root", root.to_str().unwrap()]);
        let mut servers: Vec<_> = (0..4).map(|_| start()).collect();
        let said = servers.iter_mut().map(|server| server.expect_any(&["serving", "cannot listen"]));
        let said: Vec<_> = said.collect();
        assert_eq!(said.iter().filter(|line| line.contains("serving")).count(), 1, "{said:?}");
    }
}

/// The server itself opens a file outside its folder. Nothing but Landlock forbids that.
#[test]
#[cfg(target_os = "linux")]
fn the_kernel_restricts_a_server_if_it_has_landlock() {
    let place = Place::new();
    let outside = place.client("outside");
    std::fs::write(&outside, "outside").unwrap();
    for (options, may) in [(&[][..], "read and write files"), (&["--read-only"], "read files")] {
        let mut server = place.serve_that_opens(&outside, options);
        // The standard error output may be read after the line with the address.
        let said = server.running.expect_seen("Landlock");
        let opened = server.running.expect_seen("outside: ");
        let (error, landlock) = opened.strip_prefix("outside: ").unwrap().split_once(", landlock: ").unwrap();
        if landlock.parse::<i32>().unwrap() > 0 {
            let root = place.server("");
            let expected = format!("the kernel lets this server only {may} in {}", root.display());
            assert!(said.contains(&expected), "{said}");
            assert_eq!(error, libc::EACCES.to_string());
        } else {
            assert!(said.contains("only the program itself keeps clients to the folder"), "{said}");
            assert_eq!(error, "0");
        }
    }
}

/// Regression: the name had two pairs of quotation marks, and a number of files had some as well.
#[test]
fn a_host_has_no_more_connections_than_its_limit() {
    let place = Place::new();
    let server = place.serve(&["--per-host", "1", "--timeout", "60"]);
    // The first client fills the limit of its host, so the second is told.
    write_large(&place.client("large"));
    let mut first = place.put(&place.client("large"), &server.address, &SLOW);
    first.expect_progress();
    let others = ["small", "other"].map(|name| place.client(name).to_str().unwrap().to_owned());
    others.iter().for_each(|path| std::fs::write(path, "small").unwrap());
    let third = run(&["put", &others[0], &others[1], &server.address, "--timeout", "3"]);
    let mut second = place.put(&place.client("small"), &server.address, &["--timeout", "3"]);
    second.expect("is busy: trying again");
    second.expect_end(1, " refused \"small\": it is busy or is ending; try again later");
    third.expect_end(1, " refused 2 files: it is busy or is ending; try again later");
    first.kill();
}

/// Clients that come at once are accepted together, and all but one are turned away with the first packet of their
/// request.
#[test]
fn clients_that_are_turned_away_after_the_handshake_try_again() {
    let place = Place::new();
    let server = place.serve(&["--per-host", "1"]);
    let names = ["a", "b", "c", "d"];
    names.iter().for_each(|name| std::fs::write(place.client(name), name).unwrap());
    let clients = names.map(|name| place.put(&place.client(name), &server.address, &["--timeout", "60"]));
    clients.into_iter().for_each(|client| client.expect_end(0, "stored"));
    assert_eq!(Place::names(&place.server("")), names);
}

/// Regression: each attempt reported the same files again.
#[test]
#[cfg(unix)]
fn a_client_that_tries_again_reports_each_failure_once() {
    let place = Place::new();
    let server = place.serve(&["--per-host", "1"]);
    std::fs::create_dir(place.client("tree")).unwrap();
    std::fs::write(place.client("tree/a"), "a").unwrap();
    std::os::unix::fs::symlink("nowhere", place.client("tree/broken")).unwrap();
    let clients = [(); 4].map(|()| place.put(&place.client("tree"), &server.address, &["--timeout", "60"]));
    for client in clients {
        let (code, said) = client.end();
        assert_eq!((code, said.matches("tree/broken on this machine").count()), (1, 1), "{said}");
        assert!(said.contains("1 of 2 files was not transferred"), "{said}");
    }
}

#[test]
fn a_load_test_verifies_the_content() {
    let place = Place::new();
    let server = place.serve(&["--segment", "1432", "--loss", "2"]);
    let load = run(&["load", &server.address, "--clients", "20", "--size", "100K", "--loss", "2"]);
    load.expect_end(0, "20 of 20 clients got back what they had sent");
}

/// Regression: each client stayed for a second to linger, which counted into the rate.
#[test]
fn the_rate_of_a_load_test_has_no_linger() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (code, said) = run(&["load", &server.address, "--clients", "1", "--size", "1"]).end();
    // Two lingers take 2 s.
    assert!(code == 0 && said.contains("in all 2 B in ") && said.contains(" ms\n"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_load_test_hears_of_a_closed_port() {
    let load = run(&["load", "127.0.0.1:1", "--clients", "2", "--timeout", "600"]);
    load.expect_end(1, ": nothing listens on 127.0.0.1:1");
}

/// Regression: thousands of lines said that the server was busy.
#[test]
fn a_cause_that_many_clients_of_a_load_test_share_has_one_line() {
    let place = Place::new();
    let server = place.serve(&["--read-only"]);
    let (code, said) = run(&["load", &server.address, "--clients", "30", "--size", "1"]).end();
    assert!(code == 1 && said.lines().count() <= 5, "{said}");
    assert!(said.contains("29 more clients failed as client "), "{said}");
}

/// Regression: how much had been sent was a part of the cause, so that each lost upload had a line of its own.
#[test]
#[cfg(unix)]
fn lost_uploads_of_a_load_test_have_one_line() {
    let place = Place::new();
    let server = place.serve(&[]);
    let load = run(&[
        "load",
        &server.address,
        "--clients",
        "12",
        "--size",
        "2M",
        "--rate",
        "2M",
        "--loss",
        "30",
        "--timeout",
        "5",
    ]);
    // By then all uploads have begun, and none of them has ended.
    std::thread::sleep(std::time::Duration::from_secs(2));
    server.running.kill();
    let (code, said) = load.end();
    assert!(code == 1 && said.lines().count() <= 4, "{said}");
    assert!(said.contains("11 more clients failed as client "), "{said}");
}

#[test]
fn clients_of_a_load_test_wait_while_the_server_is_busy() {
    let place = Place::new();
    let server = place.serve(&["--per-host", "1"]);
    let load = run(&["load", &server.address, "--clients", "3", "--size", "1K", "--timeout", "60"]);
    load.expect_end(0, "3 of 3 clients got back what they had sent");
}

#[test]
fn a_load_test_reports_failed_clients() {
    let place = Place::new();
    let server = place.serve(&["--per-host", "1", "--timeout", "60"]);
    // This client has the only place of its host.
    write_large(&place.client("large"));
    let mut first = place.put(&place.client("large"), &server.address, &SLOW);
    first.expect_progress();
    let load = run(&["load", &server.address, "--clients", "2", "--size", "1K", "--timeout", "2"]);
    let (code, said) = load.end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("0 of 2 clients got back") && said.contains("2 of 2 clients failed"), "{said}");
    assert!(
        said.contains("it is busy or is ending; try again later") && said.contains("1 more client failed as client "),
        "{said}"
    );
    first.kill();
}

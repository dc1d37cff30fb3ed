//! Measurements from memory to memory, and what a server allows them.

use crate::runner::{Place, run};

/// The number behind `key` in a JSON object, after `start`.
fn number(json: &str, start: &str, key: &str) -> f64 {
    let rest = &json[json.find(start).unwrap()..];
    let rest = rest.split_once(&format!("\"{key}\":")).unwrap().1;
    rest[..rest.find([',', '}']).unwrap()].parse().unwrap()
}

#[test]
fn a_measurement_has_rates_and_times_and_touches_no_disk() {
    let place = Place::new();
    let mut server = place.serve(&["--bench"]);
    let (code, said) = run(&["bench", &server.address, "--seconds", "1", "--json"]).end();
    assert!(code == 0 && !said.contains("measuring"), "{said}");
    let json = said.lines().find(|line| line.starts_with('{')).unwrap();
    for key in ["up_bits_per_second", "down_bits_per_second"] {
        // Even a busy machine moves a megabyte in the time.
        assert!(number(json, "{", key) > 8e6, "{json}");
    }
    for part in ["\"idle\"", "\"beside_up\"", "\"beside_down\""] {
        let [count, median, late, most] =
            ["count", "median", "percentile_99", "most"].map(|key| number(json, part, key));
        assert!(count > 3.0 && 0.0 < median && median <= late && late <= most, "{json}");
    }
    let (code, said) = run(&["bench", &server.address, "--seconds", "1"]).end();
    assert!(code == 0 && said.contains("bit/s, down ") && said.contains("beside down  median "), "{said}");
    // Regression: nothing was said for seconds, and the log called each measurement cancelled.
    let parts: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("rdt: measuring small requests ")).collect();
    assert_eq!(parts, ["alone…", "beside an upload…", "beside a download…"]);
    for direction in ["up", "down"].repeat(2) {
        server.running.expect(&format!(" bench {direction}: measured; "));
    }
    assert!(Place::names(&place.server("")).is_empty());
}

#[test]
fn a_server_allows_no_measurement_unless_it_says_so() {
    let place = Place::new();
    let server = place.serve(&[]);
    let expected = format!("{0} allows no measurement: start `rdt serve --bench` there", server.address);
    run(&["bench", &server.address, "--seconds", "1"]).expect_end(1, &expected);
    // No other client stores a file under such a name either.
    std::fs::write(place.client("file"), "file").unwrap();
    for name in [".rdt-bench-1", ".RDT-bench-x"] {
        let put = place.put(&place.client("file"), &server.address, &["--name", name]);
        put.expect_end(1, "its options, or the permissions of its files, do not permit that");
    }
    assert!(Place::names(&place.server("")).is_empty());
}

#[test]
fn a_measurement_gets_no_more_bytes_than_its_limit() {
    let place = Place::new();
    let server = place.serve(&["--bench", "--bench-bytes", "1M"]);
    place.get(".rdt-bench-9999999999", &server.address, &[]).expect_end(0, "received");
    assert_eq!(std::fs::metadata(place.client(".rdt-bench-9999999999")).unwrap().len(), 1 << 20);
    std::fs::write(place.client("file"), vec![0; 20 << 20]).unwrap();
    let put = place.put(&place.client("file"), &server.address, &["--name", ".rdt-bench-9999999999"]);
    put.expect_end(1, "the file is larger than it accepts");
}

#[test]
fn a_measurement_gets_no_more_time_than_its_limit() {
    let place = Place::new();
    let server = place.serve(&["--bench", "--bench-seconds", "1"]);
    // Some seconds at the speed of this client.
    let slow = ["--segment", "1432", "--loss", "20", "--congestion", "fixed", "--window", "2"];
    place.get(".rdt-bench-4294967296", &server.address, &slow).expect_end(1, "ended the transfer");
    assert!(Place::names(&place.client("")).is_empty());
}

#[test]
fn a_server_that_stores_nothing_cannot_be_measured() {
    run(&["serve", "--bench", "--read-only"]).expect_end(2, "--read-only");
}

#[test]
#[cfg(unix)]
fn a_measurement_that_is_interrupted_ends_at_once() {
    let place = Place::new();
    let mut server = place.serve(&["--bench"]);
    let client = run(&["bench", &server.address, "--seconds", "3600"]);
    // The server prints no line for small requests, so nothing shows the beginning.
    std::thread::sleep(std::time::Duration::from_secs(1));
    client.interrupt();
    client.expect_end(130, "stopped");
    server.running.interrupt();
    server.running.expect("requests served");
}

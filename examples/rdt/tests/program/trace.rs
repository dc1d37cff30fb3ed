//! `--trace`, `-v` and `--rate` of real transfers.

use crate::runner::{Place, content};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

/// The records of a trace, parsed as RFC 7464 §2.1 says. Every text is whole: it ends with a line feed.
fn records(path: &Path) -> Vec<Value> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(bytes.first(), Some(&0x1e));
    let texts = bytes[1..].split(|&byte| byte == 0x1e);
    texts
        .map(|text| {
            assert_eq!(text.last(), Some(&b'\n'), "{:?}", String::from_utf8_lossy(text));
            serde_json::from_slice(text).unwrap()
        })
        .collect()
}

/// Checks the header, and what each event must have. Returns the events.
fn events(path: &Path, side: &str) -> Vec<Value> {
    let mut records = records(path);
    let header = records.remove(0);
    assert_eq!((&header["qlog_version"], &header["qlog_format"]), (&"0.3".into(), &"JSON-SEQ".into()));
    assert_eq!(header["trace"]["vantage_point"]["type"], side);
    assert!(header["trace"]["common_fields"]["reference_time"].as_f64().unwrap() > 1e12);
    let mut last = 0.0;
    for event in &records {
        let time = event["time"].as_f64().unwrap();
        assert!(event["group_id"].is_string() && event["data"].is_object(), "{event}");
        // The clock of a loop and that of the trace differ by little.
        assert!(time > last - 50.0 && time < 600_000.0, "{event} after {last}");
        last = time;
    }
    records
}

fn named<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    let named: Vec<_> = events.iter().filter(|event| event["name"] == name).map(|event| &event["data"]).collect();
    assert!(!named.is_empty(), "no {name}");
    named
}

#[test]
fn a_trace_has_a_transfer_in_the_words_of_qlog() {
    let place = Place::new();
    let (file, at_client, at_server) = (place.client("a"), place.client("c.sqlog"), place.client("s.sqlog"));
    std::fs::write(&file, content(300_000)).unwrap();
    let server = place.serve(&["--trace", at_server.to_str().unwrap()]);
    let options = ["--segment", "1432", "--loss", "10", "--trace", at_client.to_str().unwrap()];
    place.put(&file, &server.address, &options).expect_end(0, "stored \"a\"");
    place.get("a", &server.address, &[]).expect_end(0, "received \"a\"");
    server.running.interrupt();
    server.running.end();
    let events_of_client = events(&at_client, "client");
    for name in [
        "connectivity:connection_started",
        "connectivity:connection_state_updated",
        "connectivity:connection_closed",
        "transport:packet_received",
        "recovery:metrics_updated",
    ] {
        named(&events_of_client, name);
    }
    let number = |data: &&Value| data["header"]["packet_number"].as_u64().unwrap();
    let counted = |data: &&Value| data["header"]["packet_type"] == "1RTT";
    let sent: Vec<_> = named(&events_of_client, "transport:packet_sent").into_iter().filter(counted).collect();
    let numbers: HashSet<_> = sent.iter().map(number).collect();
    assert_eq!(numbers.len(), sent.len(), "no packet number is used twice");
    let lost: HashSet<_> = named(&events_of_client, "recovery:packet_lost").iter().map(number).collect();
    assert!(lost.is_subset(&numbers));
    // All content is acknowledged, and every range is of packets that were sent.
    let frames = |name| named(&events_of_client, name).into_iter().flat_map(|data| data["frames"].as_array().unwrap());
    let acks = frames("transport:packet_received").filter(|frame| frame["frame_type"] == "ack");
    let ranges = acks.flat_map(|ack| ack["acked_ranges"].as_array().unwrap());
    let acked: Vec<_> = ranges.flat_map(|range| range[0].as_u64().unwrap()..=range[1].as_u64().unwrap()).collect();
    assert!(acked.iter().all(|number| numbers.contains(number)));
    let streams = frames("transport:packet_sent").filter(|frame| frame["frame_type"] == "stream");
    let end = streams.map(|frame| frame["offset"].as_u64().unwrap_or(0) + frame["length"].as_u64().unwrap()).max();
    assert!(end > Some(300_000));
    // Both connections are in the one file of the server.
    let events_of_server = events(&at_server, "server");
    let groups: HashSet<_> = events_of_server.iter().map(|event| event["group_id"].as_str().unwrap()).collect();
    assert_eq!(groups.len(), 2);
    assert_eq!(named(&events_of_server, "connectivity:connection_closed").len(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_trace_and_not_the_transfer() {
    let place = Place::new();
    let (file, server) = (place.client("a"), place.serve(&[]));
    std::fs::write(&file, content(3_000_000)).unwrap();
    let (code, said) = place.put(&file, &server.address, &["--trace", "/dev/full"]).end();
    assert_eq!(code, 0, "{said}");
    let line = "rdt: cannot write the trace /dev/full: no space left on device; it ends here, transfers go on";
    assert_eq!(said.lines().filter(|printed| printed.starts_with(line)).count(), 1, "{said}");
    assert!(said.contains("stored \"a\""), "{said}");
}

#[test]
fn verbose_explains_a_transfer_in_a_few_lines() {
    let place = Place::new();
    let (file, server) = (place.client("a"), place.serve(&[]));
    std::fs::write(&file, content(3_000_000)).unwrap();
    let (code, said) = place.put(&file, &server.address, &["-v"]).end();
    assert_eq!(code, 0, "{said}");
    for text in [": connecting", ": connected after ", ": the round trip takes ", ": closed after "] {
        assert!(said.contains(text), "{text} in {said}");
    }
    assert!(said.lines().count() < 40, "{said}");
}

/// The time is all that shows a limit of the rate. A busy machine is slower, and never faster.
#[test]
fn no_direction_exceeds_the_rate() {
    let place = Place::new();
    let (file, bytes) = (place.client("a"), content(1_000_000));
    std::fs::write(&file, &bytes).unwrap();
    let server = place.serve(&[]);
    let slow = place.serve(&["--rate", "8M"]);
    let took = |run: &dyn Fn()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let rate = ["--rate", "8M"];
    let put = took(&|| place.put(&file, &server.address, &rate).expect_end(0, "stored \"a\""));
    let get = took(&|| place.get("a", &server.address, &rate).expect_end(0, "received \"a\""));
    let served = took(&|| place.get("a", &slow.address, &[]).expect_end(0, "received \"a\""));
    // One second at the rate, without the first burst.
    for seconds in [put, get, served] {
        assert!(seconds > 0.97, "{put} {get} {served}");
    }
    assert!(std::fs::read(place.client("a")).unwrap() == bytes);
}

//! The disk space that unfinished uploads may take.

use crate::runner::{Place, SLOW};
use std::fs::File;

fn write_empty(place: &Place, name: &str, length: u64) {
    File::create(place.client(name)).unwrap().set_len(length).unwrap();
}

#[test]
fn an_upload_that_does_not_fit_on_the_disk_is_refused_at_once() {
    let place = Place::new();
    let mut server = place.serve(&["--max-size", "16000G"]);
    write_empty(&place, "huge", 15 << 40);
    place.put(&place.client("huge"), &server.address, &[]).expect_end(1, "it has no space left");
    let line = server.running.expect("put \"huge\": refused: no space left (15.00 TiB do not fit:");
    assert!(line.ends_with("free on the disk)"), "nothing was stored: {line}");
    assert!(Place::names(&place.server("")).is_empty());
}

#[test]
fn unfinished_uploads_are_limited_and_give_their_space_back() {
    for limit in ["--max-unfinished", "--max-unfinished-per-host"] {
        let place = Place::new();
        let mut server = place.serve(&[limit, "900M", "--timeout", "1"]);
        write_empty(&place, "first", 600 << 20);
        write_empty(&place, "second", 301 << 20);
        write_empty(&place, "small", 1 << 20);
        let put = |name: &str, options: &[&str]| place.put(&place.client(name), &server.address, options);
        let mut first = put("first", &SLOW);
        first.expect_progress();
        put("second", &[]).expect_end(1, "it has no space left");
        put("small", &[]).expect_end(0, "stored");
        server.running.expect(&format!("(301.00 MiB do not fit: 300.00 MiB left of {limit})"));
        first.kill();
        server.running.expect("put \"first\": the client is gone");
        // The reservation of a stored file has ended. That of a lost upload ends when a thread has closed the file.
        let mut second = put("second", &SLOW);
        while second.expect_any(&["% of", "no space left"]).contains("no space left") {
            second = put("second", &SLOW);
        }
        second.kill();
    }
}

//! Where `rdt get` stores a file, and what it says when it cannot.

use crate::runner::{Place, content, run, write_large};
use std::path::Path;

fn get(server: &str, output: &Path) -> crate::runner::Running {
    run(&["get", "a", server, "--output", output.to_str().unwrap()])
}

#[test]
fn a_folder_gets_the_file_under_its_own_name() {
    let place = Place::new();
    let server = place.serve(&[]);
    std::fs::write(place.server("a"), "content").unwrap();
    for folder in ["plain", "slash/", "dot/."] {
        std::fs::create_dir(place.client(folder.trim_end_matches('.'))).unwrap();
        get(&server.address, &place.client(folder)).expect_end(0, "received");
        assert_eq!(std::fs::read_to_string(place.client(folder).join("a")).unwrap(), "content");
    }
}

/// Regression: the content had arrived before the error. Here nothing listens, and the error is not about that.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_reported_before_the_request() {
    let (code, said) = get("127.0.0.1:1", Path::new("/proc/a")).end();
    assert_eq!(code, 1);
    assert!(said.starts_with("rdt: cannot write /proc/a on this machine: "), "{said}");
}

#[cfg(unix)]
#[test]
fn a_file_larger_than_the_free_space_is_not_received() {
    let place = Place::new();
    let mut server = place.serve(&[]);
    std::fs::File::create(place.server("a")).unwrap().set_len(15 << 40).unwrap();
    let (code, said) = place.get("a", &server.address, &[]).end();
    let path = place.client("a");
    let expected = format!("rdt: cannot write {} on this machine: 15.00 TiB do not fit: ", path.display());
    assert!(code == 1 && said.contains(&expected), "{said}");
    assert!(said.ends_with(" free on the disk: make room, or give an --output on another disk\n"), "{said}");
    server.running.expect("cancelled by the client");
}

#[cfg(target_os = "linux")]
mod standard_output {
    use super::*;
    use crate::runner::{SLOW, run_with_output, run_without_reader};
    use std::io::Read;

    #[test]
    fn the_content_and_nothing_else_goes_to_the_standard_output() {
        let place = Place::new();
        let server = place.serve(&[]);
        for length in [0, 1, 500_000] {
            std::fs::write(place.server("a"), content(length)).unwrap();
            let get = run_with_output(&["get", "a", &server.address, "--output", "-"], &place.client("out"));
            get.expect_end(0, "received \"a\" from");
            assert!(std::fs::read(place.client("out")).unwrap() == content(length));
        }
        assert_eq!(Place::names(&place.client("")), ["out"]);
    }

    #[test]
    fn an_interrupted_transfer_says_that_the_output_is_incomplete() {
        let place = Place::new();
        let server = place.serve(&[]);
        write_large(&place.server("a"));
        let arguments = [&["get", "a", &server.address, "--output", "-", "--timeout", "1"], &SLOW[..]].concat();
        let mut stopped = run_with_output(&arguments, Path::new("/dev/null"));
        stopped.expect_progress();
        stopped.interrupt();
        stopped.expect_end(130, "of 1.00 GiB of \"a\" were transferred: the standard output is incomplete");
        let mut lost = run_with_output(&arguments, Path::new("/dev/null"));
        lost.expect_progress();
        server.running.kill();
        lost.expect_end(1, "the standard output is incomplete; try again");
    }

    #[test]
    fn a_full_output_is_reported() {
        let place = Place::new();
        let server = place.serve(&[]);
        std::fs::write(place.server("a"), content(500_000)).unwrap();
        let arguments = ["get", "a", &server.address, "--output", "-"];
        run_with_output(&arguments, Path::new("/dev/full"))
            .expect_end(1, "rdt: cannot write to the standard output: no space left on device: it is incomplete");
    }

    /// A thread waits for the reader, and the end of the program does not wait for the thread.
    #[test]
    fn a_stalled_reader_does_not_hold_up_the_end() {
        let place = Place::new();
        let server = place.serve(&[]);
        write_large(&place.server("a"));
        let arguments = ["get", "a", &server.address, "--output", "-"];
        let (stalled, mut output) = run_without_reader(&arguments);
        // The first byte is read, and no other.
        output.read_exact(&mut [0]).unwrap();
        stalled.interrupt();
        stalled.expect_end(130, "the standard output is incomplete");
    }
}

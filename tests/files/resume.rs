//! Interrupted transfers that go on where they stopped.

use crate::disk::Disk;
use crate::pair::Pair;
use rdt_proto::files::{Session, Wish};

const CONTENT: [u8; 10_000] = {
    let mut content = [0_u8; 10_000];
    let mut index = 1;
    while index < content.len() {
        content[index] = if index.is_multiple_of(7) { content[index - 1].wrapping_add(3) } else { content[index - 1] };
        index += 1;
    }
    content
};

fn large() -> Disk {
    Disk::with(&[("large", &CONTENT)])
}

const RESUMED: Wish = Wish::REPLACE.union(Wish::RESUME);

/// Puts the file until the server has written `len` bytes of it. Then the connection is lost.
fn interrupted_put(len: usize) -> Disk {
    let mut pair = Pair::new(large(), Disk::with(&[("large", b"old")]));
    pair.put("large", RESUMED);
    let mut written = 0;
    while written < len {
        assert!(pair.turn());
        written = pair.server.disk.log.iter().filter(|request| *request == "write").count() * 997;
    }
    pair.client.lose();
    pair.server.lose();
    pair.run();
    assert!(pair.client.session.is_done() && pair.server.session.is_done());
    assert_eq!(pair.server.disk.files["large"], b"old");
    pair.server.disk
}

#[test]
fn an_interrupted_put_goes_on_where_it_stopped() {
    let server = interrupted_put(5_000);
    let had = server.parts["large"].len();
    assert!((5_000..6_000).contains(&had));
    let mut pair = Pair::new(large(), server);
    pair.server.disk.log.clear();
    pair.put("large", RESUMED);
    pair.finish();
    assert_eq!(pair.events, [format!("resumed at {had} of {had}"), "confirmed".into()]);
    assert_eq!(pair.server.disk.files["large"], CONTENT);
    assert!(pair.server.disk.parts.is_empty());
    assert!(pair.server.disk.log.iter().filter(|request| *request == "write").count() <= 6);
}

#[test]
fn a_file_that_has_changed_meanwhile_starts_again() {
    let server = interrupted_put(5_000);
    let had = server.parts["large"].len();
    let mut changed = CONTENT;
    changed[100] ^= 1;
    let mut pair = Pair::new(Disk::with(&[("large", &changed)]), server);
    pair.put("large", RESUMED);
    pair.finish();
    assert_eq!(pair.events, [format!("resumed at 0 of {had}"), "confirmed".into()]);
    assert_eq!(pair.server.disk.files["large"], changed);
}

#[test]
fn without_a_request_to_resume_nothing_is_kept() {
    let mut pair = Pair::new(large(), Disk::default());
    pair.put("large", Wish::REPLACE);
    for _ in 0..8 {
        pair.turn();
    }
    pair.client.lose();
    pair.server.lose();
    pair.run();
    assert!(pair.server.session.is_done() && pair.server.disk.parts.is_empty());
    pair.server.disk.expect_idle();
}

#[test]
fn a_put_that_is_complete_but_for_its_end_needs_no_content() {
    let mut server = interrupted_put(1_000);
    server.parts.insert("large".into(), CONTENT.to_vec());
    let mut pair = Pair::new(large(), server);
    pair.put("large", RESUMED);
    pair.finish();
    assert_eq!(pair.events, ["resumed at 10000 of 10000", "confirmed"]);
    assert_eq!(pair.server.disk.files["large"], CONTENT);
}

#[test]
fn an_interrupted_get_goes_on_where_it_stopped() {
    for (changes, from) in [(false, "receive from 5000"), (true, "receive from 0")] {
        let mut pair = Pair::new(Disk::default(), large());
        pair.client.disk.parts.insert("large".into(), CONTENT[..5_000].to_vec());
        if changes {
            pair.server.disk.files.get_mut("large").unwrap()[0] ^= 1;
        }
        pair.get("large");
        pair.finish();
        assert_eq!(pair.events, ["received"]);
        assert_eq!(pair.client.disk.log[0], from);
        assert_eq!(pair.client.disk.files, pair.server.disk.files);
    }
}

#[test]
fn what_arrived_of_a_lost_get_is_kept() {
    let mut pair = Pair::new(Disk::default(), large());
    pair.get("large");
    while pair.client.disk.log.len() < 4 {
        assert!(pair.turn());
    }
    pair.client.lose();
    pair.server.lose();
    pair.run();
    assert!(pair.client.session.is_done() && pair.server.session.is_done());
    let kept = pair.client.disk.parts["large"].len();
    assert!(kept > 0 && CONTENT.starts_with(&pair.client.disk.parts["large"]));
    assert_eq!(pair.events, ["not received: Length"]);
}

/// A client that closes early has cancelled. What has arrived is kept for the next time.
#[test]
fn a_client_that_closes_in_the_midst_of_content_leaves_a_part() {
    let mut pair = Pair::new(large(), Disk::default());
    pair.put("large", RESUMED);
    for _ in 0..12 {
        pair.turn();
    }
    pair.server.ended = Some(crate::pair::Ended::Closed);
    let Pair { server, .. } = &mut pair;
    while server.turn(usize::MAX, 1_000, &mut Vec::new()).0 {}
    assert!(server.session.is_done() && !server.disk.parts["large"].is_empty());
}

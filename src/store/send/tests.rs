//! Tests of the slots: writes, releases and cuts.

use super::*;

fn slots(count: usize) -> SendSlots<Vec<u8>> {
    SendSlots::with_slots(count, 4).unwrap()
}

/// Writes by `spare` and `commit`.
fn write(store: &mut SendSlots<Vec<u8>>, limit: usize, data: &[u8]) -> usize {
    let spare = store.spare(limit);
    let count = data.len().min(spare.len());
    spare[..count].copy_from_slice(&data[..count]);
    store.commit(count);
    count
}

#[test]
fn writes_fill_a_body_and_then_the_next() {
    let mut store = slots(2);
    assert_eq!(write(&mut store, 4, b"abc"), 3);
    assert_eq!(write(&mut store, 4, b"def"), 1, "the rest of the open body");
    assert_eq!(write(&mut store, 4, b"ef"), 2);
    assert_eq!((store.body(Seq::ZERO), store.body(Seq::new(1))), (&b"abcd"[..], &b"ef"[..]));
    assert_eq!(store.end(), Seq::new(2));
}

#[test]
fn a_sealed_body_does_not_grow() {
    let mut store = slots(2);
    write(&mut store, 4, b"a");
    store.seal();
    write(&mut store, 4, b"b");
    assert_eq!(store.body(Seq::ZERO), b"a");
    assert_eq!(store.body(Seq::new(1)), b"b");
}

#[test]
fn a_full_store_takes_nothing_until_it_is_released() {
    let mut store = slots(1);
    write(&mut store, 4, b"abcd");
    assert!(!store.has_room(4) && !store.start());
    assert_eq!(write(&mut store, 4, b"e"), 0);
    store.commit(3);
    assert_eq!(store.body(Seq::ZERO), b"abcd");
    store.release(Seq::new(1));
    assert_eq!(write(&mut store, 4, b"e"), 1);
    assert_eq!(store.body(Seq::new(1)), b"e");
    assert_eq!(store.body(Seq::ZERO), b"", "a released body is gone");
}

#[test]
fn a_smaller_limit_splits_earlier() {
    let mut store = slots(3);
    assert_eq!(write(&mut store, 2, b"abcd"), 2);
    assert_eq!(write(&mut store, 2, b"cd"), 2);
    assert_eq!((store.body(Seq::ZERO), store.body(Seq::new(1))), (&b"ab"[..], &b"cd"[..]));
    assert_eq!(store.spare(0), b"");
}

#[test]
fn an_empty_body_takes_a_number() {
    let mut store = slots(1);
    assert!(store.start());
    store.seal();
    assert_eq!(store.end(), Seq::new(1));
    assert_eq!(store.body(Seq::ZERO), b"");
}

#[test]
fn a_release_outside_the_bodies_has_no_effect() {
    let mut store = slots(2);
    write(&mut store, 4, b"a");
    store.release(Seq::new(5));
    store.release(Seq::new(u32::MAX));
    assert_eq!(store.body(Seq::ZERO), b"a");
}

fn bodies(store: &SendSlots<Vec<u8>>) -> Vec<&[u8]> {
    (0..store.end().value()).map(|number| store.body(Seq::new(number))).collect()
}

#[test]
fn a_cut_makes_bodies_smaller_and_keeps_the_stream() {
    let mut store = slots(4);
    write(&mut store, 4, b"a");
    store.seal();
    assert_eq!(store.write(b"bcdefgh", 4), 7);
    assert!(store.cut(Seq::ZERO, 2));
    assert_eq!(bodies(&store), [&b"a"[..], b"bc", b"de", b"f", b"gh"]);
    assert_eq!(store.write(b"ijk", 2), 2, "a later body is within the limit");
    assert_eq!(bodies(&store), [&b"a"[..], b"bc", b"de", b"f", b"gh", b"ij"]);
}

#[test]
fn a_slot_is_free_once_all_its_pieces_are_acknowledged() {
    let mut store = slots(1);
    write(&mut store, 4, b"abcd");
    assert!(store.cut(Seq::ZERO, 2));
    store.release(Seq::new(1));
    assert!(!store.has_free_slot());
    assert_eq!(store.body(Seq::new(1)), b"cd");
    store.release(Seq::new(2));
    assert_eq!((store.end(), store.write(b"efg", 2)), (Seq::new(2), 2));
    assert_eq!(store.body(Seq::new(2)), b"ef");
    store.release(Seq::new(3));
    assert_eq!((store.end(), store.write(b"g", 2)), (Seq::new(3), 1));
}

#[test]
fn a_body_that_is_cut_does_not_grow() {
    let mut store = slots(2);
    write(&mut store, 4, b"abc");
    assert!(store.cut(Seq::ZERO, 2));
    assert_eq!(store.write(b"d", 2), 1);
    assert_eq!(bodies(&store), [&b"a"[..], b"bc", b"d"]);
}

#[test]
fn bodies_can_be_cut_again_until_a_piece_is_sent() {
    let mut store = slots(2);
    assert_eq!(store.write(b"abcdefgh", 4), 8);
    assert!(store.cut(Seq::ZERO, 3) && store.cut(Seq::ZERO, 1));
    assert_eq!(bodies(&store), [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"]);
    store.release(Seq::new(2));
    assert!(!store.cut(Seq::new(2), 1), "pieces before this one were sent");
    store.release(Seq::new(8));
    assert_eq!(store.write(b"ijkl", 4), 4);
    assert!(store.cut(Seq::new(8), 2));
    assert_eq!([8, 9].map(|number| store.body(Seq::new(number))), [b"ij", b"kl"]);
}

#[test]
fn a_later_cut_keeps_the_numbers_of_earlier_bodies() {
    let mut store = slots(3);
    write(&mut store, 4, b"abc");
    store.seal();
    assert_eq!(store.write(b"defgh", 4), 5);
    assert!(store.cut(Seq::ZERO, 2));
    assert_eq!(bodies(&store), [&b"a"[..], b"bc", b"de", b"fg", b"h"]);
    assert!(!store.cut(Seq::new(2), 1), "an older body is cut");
    assert!(!store.cut(Seq::new(3), 1), "number 3 is not the first piece of its body");
    assert!(store.cut(Seq::ZERO, 3));
    assert_eq!(bodies(&store), [&b"abc"[..], b"de", b"fg", b"h"]);
    store.release(Seq::new(1));
    assert!(store.cut(Seq::new(1), 2));
    assert_eq!([1, 2, 3].map(|number| store.body(Seq::new(number))), [&b"de"[..], b"fg", b"h"]);
}

#[test]
fn a_limit_that_all_bodies_fit_changes_nothing() {
    let mut store = slots(2);
    write(&mut store, 4, b"ab");
    let before = store.clone();
    assert!(store.cut(Seq::ZERO, 2));
    assert_eq!(store, before);
    assert!(!store.cut(Seq::ZERO, 0) && !store.cut(Seq::new(5), 1));
    assert!(slots(1).cut(Seq::ZERO, 0) && slots(1).uncut().cut(Seq::ZERO, 1), "no body exceeds the limit");
    assert_eq!(store, before);
}

#[test]
fn an_open_body_does_not_grow_after_its_release() {
    let mut store = slots(2);
    write(&mut store, 4, b"a");
    store.release(Seq::new(1));
    write(&mut store, 4, b"b");
    assert_eq!(store.body(Seq::new(1)), b"b");
}

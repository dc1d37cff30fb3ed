//! The space and the age of interrupted transfers.

use super::*;
use crate::files::SpaceLimits;
use rdt_proto::files::Cause;
use std::net::Ipv4Addr;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn space(blocks: u64) -> Arc<Space> {
    let total = Some(blocks * BLOCK as u64);
    Space::new(SpaceLimits { total, per_host: total })
}

fn interrupt(place: &Place, path: &str, blocks: usize, space: &Arc<Space>) -> io::Result<()> {
    let content = content(blocks * BLOCK);
    let mut incoming = place.tree.create(&want(path, &content), Some((space.clone(), HOST)))?;
    incoming.write(&content[..(blocks - 1) * BLOCK])?;
    incoming.discard(Cause::Interrupted);
    Ok(())
}

#[test]
fn parts_expire() {
    let mut place = Place::new();
    let space = space(9);
    interrupt(&place, "a", 3, &space).unwrap();
    assert_eq!((place.tree.expire(Some(&space)), place.hidden().len()), (0, 2));
    let rules = TreeRules { keep_parts_for: Duration::ZERO, ..TreeRules::default() };
    let in_use = place.begin(&want("b", &content(2 * BLOCK)));
    place.tree = Tree::new(place.tree.folder().clone(), rules);
    assert_eq!((place.tree.expire(None), place.hidden().len()), (1, 2), "another process has one");
    drop(in_use);
    assert_eq!(place.tree.expire(None), 0);
    assert!(!place.path().join(names::HIDDEN).exists());
}

#[test]
fn parts_count_in_the_space_and_the_oldest_give_way() {
    let mut place = Place::new();
    let limits = space(10);
    for path in ["a", "b"] {
        interrupt(&place, path, 4, &limits).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    // Six blocks are kept. After a restart they count again.
    let limits = space(10);
    place.restart();
    place.tree.expire(Some(&limits));
    assert!(interrupt(&place, "c", 11, &limits).is_err());
    assert_eq!(place.hidden().len(), 4, "what does not fit anyway removes nothing");
    interrupt(&place, "c", 5, &limits).unwrap();
    let kept = ["a", "b", "c"].map(|path| place.part(path).is_some());
    assert_eq!(kept, [false, true, true]);
}

#[test]
fn a_part_that_goes_on_needs_only_the_rest() {
    let place = Place::new();
    let limits = space(5);
    interrupt(&place, "a", 5, &limits).unwrap();
    let content = content(5 * BLOCK);
    let want = Wanted { offset: 4 * BLOCK as u64, ..want("a", &content) };
    let incoming = place.tree.create(&want, Some((limits.clone(), HOST))).unwrap();
    assert!(limits.reserve(|| u64::MAX, HOST, 1).is_err());
    incoming.discard(Cause::Invalid);
    limits.reserve(|| u64::MAX, HOST, 5 * BLOCK as u64).unwrap();
}

#[test]
fn content_of_unknown_length_is_limited() {
    let place = Place::new();
    let limits = space(20);
    let want = Wanted { length: None, keep: false, ..want("a", b"") };
    let mut incoming = place.tree.create(&want, Some((limits, HOST))).unwrap();
    incoming.write(&content(3 * BLOCK)).unwrap();
    incoming.write(&content(13 * BLOCK)).unwrap();
    assert_eq!(incoming.write(&content(5 * BLOCK)).unwrap_err().kind(), ErrorKind::StorageFull);
}

//! Times, permissions, folders.

use super::*;
use std::os::unix::fs::PermissionsExt;

const METADATA: Metadata = Metadata { modified: Some(1_000_000_007), mode: Some(0o4640) };

fn mode(place: &Place, path: &str) -> u32 {
    std::fs::metadata(place.path().join(path)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn attributes_are_kept_if_wanted() {
    let large = content(2 * BLOCK);
    for content in [&b"small"[..], &large] {
        let place = Place::with(TreeRules { preserve: true, ..TreeRules::default() });
        place.put(&Wanted { metadata: METADATA, ..want("a", content) }, content).unwrap();
        let status = place.tree.status(file_path("a"), Flags::empty()).unwrap();
        assert_eq!(status.metadata, Metadata { modified: METADATA.modified, mode: Some(0o640) });
        assert_eq!(mode(&place, "a"), 0o640);
    }
}

#[test]
fn a_replaced_file_gives_its_permissions_to_the_new_one() {
    let large = content(2 * BLOCK);
    for content in [&b"small"[..], &large] {
        let place = Place::new();
        place.write("a", b"old");
        std::fs::set_permissions(place.path().join("a"), std::fs::Permissions::from_mode(0o6604)).unwrap();
        place.put(&Wanted { metadata: METADATA, ..want("a", content) }, content).unwrap();
        assert_eq!(mode(&place, "a"), 0o604);
    }
}

#[test]
fn a_new_file_has_the_usual_permissions() {
    let large = content(2 * BLOCK);
    let place = Place::new();
    place.write("usual", b"");
    place.put(&want("small", b"small"), b"small").unwrap();
    place.put(&want("large", &large), &large).unwrap();
    assert_eq!([mode(&place, "small"), mode(&place, "large")], [mode(&place, "usual"); 2]);
}

#[test]
fn folders_are_made_and_may_be_there() {
    let place = Place::with(TreeRules { preserve: true, ..TreeRules::default() });
    let want = Wanted { metadata: METADATA, ..want_kind("a/b", FileKind::Folder) };
    for _ in 0..2 {
        let sealed = place.begin(&want).seal(None).unwrap();
        commit(vec![sealed]).pop().unwrap().unwrap();
        assert_eq!(mode(&place, "a/b"), 0o740);
    }
    place.write("file", b"");
    let sealed = place.begin(&want_kind("file", FileKind::Folder)).seal(None).unwrap();
    assert!(commit(vec![sealed]).pop().unwrap().is_err());
}

//! Many files at once.

use super::*;

#[test]
fn a_batch_of_300_files_is_stored() {
    let place = Place::new();
    let contents: Vec<_> = (0..300).map(|at: usize| (format!("d{}/f{at}", at % 7), content(at * 40))).collect();
    let batch = contents.iter().map(|(path, content)| place.sealed(&want(path, content), content)).collect();
    assert!(commit(batch).iter().all(Result::is_ok));
    for (path, content) in &contents {
        assert!(place.read(path) == *content);
    }
    assert!(place.tree.folders().fresh_on("d1/f1").is_empty());
}

#[test]
fn one_failure_leaves_the_rest_of_a_batch() {
    let place = Place::new();
    let large = content(2 * BLOCK);
    let wants = [("a", &b"a"[..]), ("b", b"b"), ("c", &large), ("d", b"d")];
    let batch = wants.map(|(path, content)| place.sealed(&want(path, content), content));
    std::fs::create_dir(place.path().join("b")).unwrap();
    let results: Vec<_> = commit(batch.into()).iter().map(Result::is_ok).collect();
    assert_eq!(results, [true, false, true, true]);
    assert!(place.read("a") == b"a" && place.read("c") == large);
    assert!(place.hidden().is_empty());
}

#[test]
fn a_taken_name_is_replaced_refused_or_left() {
    let large = content(2 * BLOCK);
    for content in [&b"new"[..], &large] {
        let place = Place::new();
        let want = |if_taken| Wanted { if_taken, ..want("a", content) };
        let sealed = place.sealed(&want(IfTaken::Refuse), content);
        place.write("a", b"old");
        let Some(Err(CommitError::NotStored(error))) = commit(vec![sealed]).pop() else { panic!("it is replaced") };
        assert_eq!(storage_error(&error), StorageError::NoReplace);
        assert_eq!(storage_error_of(place.tree.create(&want(IfTaken::Refuse), None)), StorageError::NoReplace);
        std::fs::create_dir_all(place.path().join("folder")).unwrap();
        let of_folder = Wanted { if_taken: IfTaken::Refuse, ..super::want("folder", content) };
        assert_eq!(storage_error_of(place.tree.create(&of_folder, None)), StorageError::Exists);
        // Regression: a folder that got the name last was called a file that is not replaced.
        let sealed = place.sealed(&Wanted { if_taken: IfTaken::Refuse, ..super::want("late", content) }, content);
        std::fs::create_dir(place.path().join("late")).unwrap();
        let Some(Err(CommitError::NotStored(error))) = commit(vec![sealed]).pop() else { panic!("it is replaced") };
        assert_eq!(storage_error(&error), StorageError::Exists);
        let other = place.put(&want(IfTaken::Rename), content).unwrap().unwrap().into_string().unwrap();
        assert!(place.read("a") == b"old" && place.read(&other) == content);
        place.put(&want(IfTaken::Replace), content).unwrap();
        assert!(place.read("a") == content && place.hidden().is_empty());
    }
}

/// Regression: a link to a folder, to nothing or out of the root was called a file that is not replaced.
#[test]
fn only_a_file_or_a_link_to_one_is_a_file_that_is_not_replaced() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    place.write("folder/file", b"old");
    for (link, target, reason) in [
        ("to-file", "folder/file", StorageError::NoReplace),
        ("to-folder", "folder", StorageError::Exists),
        ("to-nothing", "nowhere", StorageError::Exists),
        ("out", "/dev/null", StorageError::Exists),
    ] {
        symlink(target, place.path().join(link)).unwrap();
        let want = Wanted { if_taken: IfTaken::Refuse, ..want(link, b"new") };
        assert_eq!(storage_error_of(place.tree.create(&want, None)), reason, "{link}");
    }
}

#[test]
fn a_stored_file_makes_its_part_obsolete() {
    let place = Place::new();
    let large = content(3 * BLOCK);
    let mut incoming = place.begin(&want("a", &large));
    incoming.write(&large[..2 * BLOCK]).unwrap();
    drop(incoming);
    assert!(place.part("a").is_some());
    place.put(&want("a", b"small"), b"small").unwrap();
    assert_eq!(place.part("a"), None);
}

#[test]
fn leftovers_in_a_folder_are_removed_before_its_first_file() {
    let place = Place::new();
    let left = "a/.rdt-0123456789abcdef0123456789abcdef.part";
    place.write(left, b"left");
    place.put(&want("a/b", b"new"), b"new").unwrap();
    assert!(!place.path().join(left).exists());
}

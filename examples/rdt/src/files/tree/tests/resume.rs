//! Interrupted transfers.

use super::*;
use rdt_proto::files::Cause;

#[test]
fn a_transfer_goes_on_after_every_interruption() {
    let content = content(5 * BLOCK + 77);
    for (written, border) in [(5, 0), (BLOCK, 1), (3 * BLOCK - 1, 2), (4 * BLOCK, 4), (5 * BLOCK + 76, 5)] {
        for ends_by_kill in [true, false] {
            let mut place = Place::new();
            let mut incoming = place.begin(&want("a/b", &content));
            incoming.write(&content[..written]).unwrap();
            if ends_by_kill {
                incoming.kill();
                place.restart();
            } else {
                incoming.discard(Cause::Interrupted);
            }
            assert_eq!(place.go_on("a/b", &content), border * BLOCK as u64);
            assert_eq!(place.hidden(), [""; 0]);
            assert!(!place.path().join(names::HIDDEN).exists());
        }
    }
}

#[test]
fn a_transfer_goes_on_with_values_of_flushed_blocks() {
    let content = content(66 * BLOCK);
    let mut place = Place::new();
    let mut incoming = place.begin(&want("a", &content));
    for piece in content[..65 * BLOCK].chunks(BLOCK) {
        incoming.write(piece).unwrap();
    }
    incoming.kill();
    place.restart();
    let key = part::Key::of("a");
    let hidden = hidden::open(place.tree.folders().dir()).unwrap();
    let sidecar = hidden::open_file(&hidden, &key.values(), cap_std::fs::OpenOptions::new().read(true)).unwrap();
    assert_eq!(sidecar.metadata().unwrap().len() / 32, 64 + 2, "64 values and two checks");
    assert_eq!(place.go_on("a", &content), 65 * BLOCK as u64);
}

#[test]
fn a_changed_prefix_is_not_gone_on_with() {
    let mut content = content(5 * BLOCK);
    let place = Place::new();
    let mut incoming = place.begin(&want("a", &content));
    incoming.write(&content[..4 * BLOCK]).unwrap();
    incoming.discard(Cause::Interrupted);
    content[3] ^= 1;
    assert_eq!(place.go_on("a", &content), 0);
}

#[test]
fn blocks_that_a_power_failure_took_are_sent_again() {
    let content = content(66 * BLOCK);
    let mut place = Place::new();
    let mut incoming = place.begin(&want("a", &content));
    incoming.write(&content[..65 * BLOCK]).unwrap();
    incoming.kill();
    let data = place.path().join(names::HIDDEN).join(part::Key::of("a").data());
    std::fs::File::options().write(true).open(data).unwrap().set_len(40 * BLOCK as u64 + 9).unwrap();
    place.restart();
    assert_eq!(place.go_on("a", &content), 40 * BLOCK as u64);
}

#[test]
fn a_newer_request_takes_a_part_over() {
    let content = content(4 * BLOCK);
    let place = Place::new();
    let mut old = place.begin(&want("a", &content));
    old.write(&content[..2 * BLOCK + 5]).unwrap();
    let offset = place.common("a", &content);
    assert_eq!(offset, 2 * BLOCK as u64);
    let mut new = place.begin(&Wanted { offset, ..want("a", &content) });
    assert_eq!(storage_error(&old.write(b"foreign").unwrap_err()), StorageError::TakenOver);
    new.write(&content[2 * BLOCK..3 * BLOCK]).unwrap();
    assert!(matches!(old.seal(None), Err(SealError::DigestMismatch)));
    new.write(&content[3 * BLOCK..]).unwrap();
    let sealed = new.seal(Some(digest(&content))).unwrap();
    commit(vec![sealed]).pop().unwrap().unwrap();
    assert!(place.read("a") == content && place.hidden().is_empty());
}

#[test]
fn a_part_that_another_process_has_is_left_alone() {
    let content = content(3 * BLOCK);
    let mut place = Place::new();
    let mut other = place.begin(&want("a", &content));
    other.write(&content[..2 * BLOCK]).unwrap();
    place.restart();
    assert_eq!(place.common("a", &content), 0, "it is of no use here");
    let refused = place.tree.create(&Wanted { offset: 2 * BLOCK as u64, ..want("a", &content) }, None);
    assert_eq!(storage_error_of(refused), StorageError::PrefixGone);
    place.put(&want("a", &content), &content).unwrap();
    other.write(&content[2 * BLOCK..]).unwrap();
    other.seal(Some(digest(&content))).unwrap();
}

#[test]
fn a_complete_part_is_not_taken_over() {
    let [old, new] = [content(3 * BLOCK), vec![7; 3 * BLOCK]];
    let place = Place::with(TreeRules { wait_for_names: Duration::ZERO, ..TreeRules::default() });
    let sealed = place.sealed(&want("a", &old), &old);
    assert_eq!(place.tree.status(file_path("a"), Flags::KEEP).unwrap().kind, FileKind::Nothing);
    let gone = place.tree.create(&Wanted { offset: 2 * BLOCK as u64, ..want("a", &old) }, None);
    assert_eq!(storage_error_of(gone), StorageError::PrefixGone);
    let newer = place.sealed(&want("a", &new), &new);
    commit(vec![sealed]).pop().unwrap().unwrap();
    assert!(place.read("a") == old);
    commit(vec![newer]).pop().unwrap().unwrap();
    assert!(place.read("a") == new && place.hidden().is_empty());
}

#[test]
fn requests_for_one_path_at_once_leave_one_whole_file() {
    let place = Place::new();
    let request = &|byte: u8| {
        let content = vec![byte; 2 * BLOCK + usize::from(byte)];
        for _ in 0..20 {
            let store = || {
                let mut incoming = place.tree.create(&want("a", &content), None)?;
                content.chunks(300_000).try_for_each(|piece| incoming.write(piece))?;
                incoming.seal(Some(digest(&content)))
            };
            match store() {
                Ok(sealed) => _ = commit(vec![sealed]).pop().unwrap().unwrap(),
                Err(SealError::Io(error)) => assert_eq!(storage_error(&error), StorageError::TakenOver),
                Err(SealError::DigestMismatch) => panic!("another request wrote into the part"),
            }
        }
    };
    std::thread::scope(|scope| (1..=4).for_each(|byte| _ = scope.spawn(move || request(byte))));
    let stored = place.read("a");
    assert!(stored == vec![stored[0]; 2 * BLOCK + usize::from(stored[0])]);
    assert!(place.hidden().is_empty());
}

/// Regression: the next attempt went on with a part that was complete by then, and was refused as if its content had not
/// arrived as it was sent.
#[test]
fn content_that_is_complete_meanwhile_is_gone_on_with_once_it_has_its_name() {
    let (content, offset) = (content(6 * BLOCK), 4 * BLOCK as u64);
    let place = Place::new();
    let sealed = place.sealed(&want("a", &content), &content);
    let committing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        commit(vec![sealed]).pop().unwrap().unwrap();
    });
    let mut incoming = place.begin(&Wanted { offset, ..want("a", &content) });
    committing.join().unwrap();
    incoming.write(&content[4 * BLOCK..]).unwrap();
    let sealed = incoming.seal(Some(digest(&content))).unwrap();
    commit(vec![sealed]).pop().unwrap().unwrap();
    assert!(place.read("a") == content);
}

/// Regression: where no more requests may wait for the name, one went on with the file that the complete part was about to
/// replace, and all of it was refused in the end as if it had not arrived as it was sent.
#[test]
fn content_that_has_no_name_in_time_is_gone() {
    let [old, new] = [vec![7; 6 * BLOCK], content(6 * BLOCK)];
    let place = Place::with(TreeRules { wait_for_names: Duration::ZERO, ..TreeRules::default() });
    place.write("a", &old);
    let sealed = place.sealed(&want("a", &new), &new);
    let goes_on = || place.tree.create(&Wanted { offset: 4 * BLOCK as u64, ..want("a", &new) }, None);
    assert_eq!(storage_error_of(goes_on()), StorageError::PrefixGone);
    commit(vec![sealed]).pop().unwrap().unwrap();
    let mut incoming = goes_on().unwrap();
    incoming.write(&new[4 * BLOCK..]).unwrap();
    commit(vec![incoming.seal(Some(digest(&new))).unwrap()]).pop().unwrap().unwrap();
    assert!(place.read("a") == new);
}

#[test]
fn a_file_gives_its_unchanged_blocks_to_the_next_one() {
    let mut content = content(6 * BLOCK);
    let offset = 4 * BLOCK as u64;
    let place = Place::new();
    for keep in [true, false] {
        place.write("a", &content);
        content[5 * BLOCK] ^= 1;
        assert_eq!(place.common("a", &content), offset);
        let mut incoming = place.begin(&Wanted { offset, keep, ..want("a", &content) });
        incoming.write(&content[4 * BLOCK..]).unwrap();
        let sealed = incoming.seal(Some(digest(&content))).unwrap();
        commit(vec![sealed]).pop().unwrap().unwrap();
        assert!(place.read("a") == content);
    }
    std::fs::remove_file(place.path().join("a")).unwrap();
    let gone = place.tree.create(&Wanted { offset: BLOCK as u64, ..want("a", &content) }, None);
    assert_eq!(storage_error_of(gone), StorageError::PrefixGone);
    assert!(place.hidden().is_empty());
}

/// Regression: a file of one block is too short for a part of its own, and could not go on with the one that was there.
#[test]
fn a_file_that_shrank_to_what_is_there_goes_on() {
    let content = content(3 * BLOCK);
    let place = Place::new();
    let mut incoming = place.begin(&want("a", &content));
    incoming.write(&content[..BLOCK + 5]).unwrap();
    incoming.discard(Cause::Interrupted);
    assert_eq!(place.go_on("a", &content[..BLOCK]), BLOCK as u64);
    assert!(place.hidden().is_empty());
}

#[test]
fn content_with_another_digest_is_removed() {
    let content = content(3 * BLOCK);
    let place = Place::new();
    for keep in [true, false] {
        let mut incoming = place.begin(&Wanted { keep, ..want("a", &content) });
        incoming.write(&content).unwrap();
        assert!(matches!(incoming.seal(Some(digest(b"other"))), Err(SealError::DigestMismatch)));
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_small_file_needs_no_part() {
    let content = content(BLOCK);
    let place = Place::new();
    let mut incoming = place.begin(&want("a", &content));
    incoming.write(&content).unwrap();
    assert!(!place.path().join(names::HIDDEN).exists());
    incoming.discard(Cause::Interrupted);
    assert_eq!(place.part("a"), None);
}

#[test]
fn a_get_goes_on_where_it_stopped() {
    let content = content(6 * BLOCK + 9);
    let [server, client] = [Place::new(), Place::new()];
    server.write("x", &content);
    let mut part = client.begin(&want("x", &content));
    part.write(&content[..5 * BLOCK + 1]).unwrap();
    part.discard(Cause::Interrupted);
    let have = client.part("x").unwrap();
    let mut sent = server.tree.open(file_path("x"), have.as_peaks()).unwrap();
    assert_eq!((sent.offset(), sent.length()), (5 * BLOCK as u64, content.len() as u64));
    let mut incoming = client.begin(&Wanted { offset: sent.offset(), ..want("x", &content) });
    let mut piece = Vec::new();
    loop {
        sent.read(300_000, &mut piece).unwrap();
        if piece.is_empty() {
            break;
        }
        incoming.write(&piece).unwrap();
    }
    let sealed = incoming.seal(Some(sent.digest().unwrap())).unwrap();
    commit(vec![sealed]).pop().unwrap().unwrap();
    assert!(client.read("x") == content);
}

#[test]
fn values_of_a_large_file_are_remembered() {
    let content = content(65 * BLOCK + 3);
    let place = Place::new();
    place.put(&want("a", &content), &content).unwrap();
    let file = std::fs::File::open(place.path().join("a")).unwrap();
    let values = place.tree.remembered().get(&file.metadata().unwrap()).unwrap();
    assert_eq!((values.blocks.len(), values.digest), (65, Some(digest(&content))));
    let status = place.tree.status(file_path("a"), Flags::DIGEST).unwrap();
    assert_eq!((status.digest, status.peaks.as_peaks().blocks()), (Some(digest(&content)), 65));
}

/// Regression: the values of a file were lost when its transfer, or the hashing before it, was interrupted.
#[test]
fn values_of_a_file_that_was_read_in_part_are_remembered() {
    let place = Place::new();
    let file = std::fs::File::create(place.path().join("a")).unwrap();
    file.set_len(300 * BLOCK as u64 + 3).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
    // The time of the status must rest as well.
    std::thread::sleep(Duration::from_millis(40));
    let remembered = || {
        let values = place.tree.remembered().get(&file.metadata().unwrap());
        values.map(|values| (values.blocks.len(), values.digest.is_some()))
    };
    let mut zeros = BlockTree::new();
    let mut peaks = |blocks: usize| {
        while zeros.blocks() < blocks as u64 {
            zeros.update(&[0; BLOCK]);
        }
        zeros.peaks()
    };
    // It is read in order.
    let mut sent = place.tree.open(file_path("a"), Peaks::NONE).unwrap();
    for (blocks, saved) in [(63, None), (1, Some((64, false))), (63, Some((64, false))), (1, Some((128, false)))] {
        for _ in 0..blocks {
            sent.read(BLOCK, &mut Vec::new()).unwrap();
        }
        assert_eq!(remembered(), saved);
    }
    drop(sent);
    // It is hashed behind that, up to what the other side has.
    let have = peaks(200);
    assert_eq!(place.tree.open(file_path("a"), have.as_peaks()).unwrap().offset(), 200 * BLOCK as u64);
    assert_eq!(remembered(), Some((192, false)));
    // Another reader begins at the start, and takes no value away.
    let mut sent = place.tree.open(file_path("a"), Peaks::NONE).unwrap();
    (0..100).for_each(|_| sent.read(BLOCK, &mut Vec::new()).unwrap());
    assert_eq!(remembered(), Some((192, false)));
    let status = place.tree.status(file_path("a"), Flags::DIGEST).unwrap();
    assert_eq!((status.peaks.as_peaks().blocks(), remembered()), (300, Some((300, true))));
    peaks(300);
    zeros.update(&[0; 3]);
    assert_eq!(status.digest, Some(zeros.digest()));
}

/// Remembers values of `content` for a file with other bytes.
fn remember_wrong(place: &Place, content: &[u8], changed: std::ops::Range<usize>) {
    let mut bytes = content.to_vec();
    bytes[changed].iter_mut().for_each(|byte| *byte ^= 1);
    place.write("a", &bytes);
    let version = remembered::FileVersion::of(&std::fs::metadata(place.path().join("a")).unwrap()).unwrap();
    let mut tree = BlockTree::new();
    tree.update(content);
    place.tree.remembered().put(version, tree.values(), Some(tree.digest()));
}

#[test]
fn wrong_values_decide_only_where_a_put_begins() {
    let content = content(65 * BLOCK + 3);
    let place = Place::new();
    remember_wrong(&place, &content, 5..6);
    let offset = place.common("a", &content);
    assert_eq!(offset, 65 * BLOCK as u64);
    let mut incoming = place.begin(&Wanted { offset, ..want("a", &content) });
    incoming.write(&content[65 * BLOCK..]).unwrap();
    assert!(matches!(incoming.seal(Some(digest(&content))), Err(SealError::DigestMismatch)));
}

#[test]
fn wrong_values_of_a_file_that_is_sent_are_noticed() {
    let content = content(65 * BLOCK + 3);
    let place = Place::new();
    let mut tree = BlockTree::new();
    tree.update(&content);
    let have = tree.peaks();
    // Other blocks: the samples differ. Another end: the digest differs, and the values are forgotten.
    remember_wrong(&place, &content, 0..content.len());
    assert_eq!(place.tree.open(file_path("a"), have.as_peaks()).unwrap().offset(), 0);
    remember_wrong(&place, &content, 65 * BLOCK..content.len());
    let send = || {
        let mut sent = place.tree.open(file_path("a"), have.as_peaks()).unwrap();
        assert_eq!(sent.offset(), 65 * BLOCK as u64);
        sent.read(BLOCK, &mut Vec::new()).unwrap();
        sent.digest().ok()
    };
    assert_eq!([send(), send()], [None, Some(digest(&place.read("a")))]);
}

#[test]
fn a_file_that_changes_while_it_is_sent_has_no_digest() {
    let place = Place::new();
    for change in [BLOCK, 2 * BLOCK, 3 * BLOCK] {
        place.write("a", &content(2 * BLOCK));
        let mut sent = place.tree.open(file_path("a"), Peaks::NONE).unwrap();
        let file = std::fs::File::options().write(true).open(place.path().join("a")).unwrap();
        let mut piece = Vec::new();
        sent.read(BLOCK, &mut piece).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        // It may be longer then, with other bytes where some were read.
        file.set_len(0).unwrap();
        file.set_len(change as u64).unwrap();
        sent.read(4 * BLOCK, &mut piece).unwrap();
        assert!(sent.digest().is_err());
    }
}

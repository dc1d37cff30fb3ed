//! Files that arrive, with a disk and a tree in a temporary folder.

use super::*;
use crate::disk::Finished;
use crate::files::{Folder, IfTaken, Tree, TreeRules, Wanted};
use mio::{Poll, Token, Waker};
use rdt_proto::files::{FileKind, FilePath, Flags, Metadata};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

const BLOCK: usize = 1 << 20;
const CAUSES: [Cause; 3] = [Cause::Interrupted, Cause::Storage, Cause::Invalid];

struct Setting {
    folder: tempfile::TempDir,
    tree: Tree,
    disk: Disk,
    _finished: (Poll, Finished),
}

fn setting() -> Setting {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new(Folder::open(folder.path()).unwrap(), TreeRules::default());
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    let (disk, finished) = Disk::new(waker, 1);
    Setting { folder, tree, disk, _finished: (poll, finished) }
}

impl Setting {
    /// Creates the file `a` of 4 MiB, which may be kept.
    fn create(&self) -> Create {
        let tree = self.tree.clone();
        let wanted = Wanted {
            path: FilePath::new("a").unwrap().into(),
            kind: FileKind::File,
            metadata: Metadata::default(),
            length: Some(4 * BLOCK as u64),
            offset: 0,
            keep: true,
            if_taken: IfTaken::Replace,
        };
        Box::new(move || tree.create(&wanted, None).map(Taker::File))
    }

    /// The same, once the sender is dropped.
    fn create_later(&self) -> (Create, Sender<()>) {
        let ((release, released), create) = (channel::<()>(), self.create());
        let create = move || {
            let _ = released.recv();
            create()
        };
        (Box::new(create), release)
    }

    fn begin(&self, create: Create) -> RecvFile {
        RecvFile::new(self.disk.clone(), create, Some(4 * BLOCK as u64))
    }

    /// The blocks that another attempt finds, once the disk is done.
    fn blocks(&self) -> u64 {
        let (done, ended) = channel();
        self.disk.run(Work::Write, move || done.send(()).unwrap());
        ended.recv_timeout(Duration::from_secs(60)).unwrap();
        match self.tree.status(FilePath::new("a").unwrap(), Flags::KEEP) {
            Ok(status) => status.peaks.as_peaks().blocks(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                0
            }
        }
    }

    /// The names in the folder.
    fn names(&self) -> Vec<std::ffi::OsString> {
        std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }
}

fn wait<T>(mut poll: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(result) = poll() {
            return result;
        }
        assert!(Instant::now() < limit, "no result comes");
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn write_all(file: &mut RecvFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = wait(|| file.write(bytes))?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Waits until no write runs.
fn settle(file: &mut RecvFile) {
    wait(|| file.advance().map(|()| matches!(file.state, State::Idle(_)).then_some(())).transpose()).unwrap();
}

#[test]
fn content_in_pieces_is_stored_with_its_digest() {
    let setting = setting();
    let bytes: Vec<_> = (0..4 * BLOCK).map(|at| u8::try_from((at ^ (at >> 9)) & 0xff).unwrap()).collect();
    let committer = Committer::default();
    let mut file = setting.begin(setting.create());
    for piece in bytes.chunks(10_007) {
        write_all(&mut file, piece).unwrap();
    }
    assert_eq!(file.taken(), bytes.len() as u64);
    let digest = Digest(*blake3::hash(&bytes).as_bytes());
    let mut call = wait(|| file.complete(Some(digest), &committer)).unwrap();
    assert!(matches!(wait(|| call.take()).unwrap(), Ok(None)));
    assert!(std::fs::read(setting.folder.path().join("a")).unwrap() == bytes);
    assert_eq!(setting.names(), ["a"]);
}

#[test]
fn another_digest_stores_nothing_and_keeps_nothing() {
    let setting = setting();
    let mut file = setting.begin(setting.create());
    write_all(&mut file, &vec![1; 4 * BLOCK]).unwrap();
    let mut call = wait(|| file.complete(Some(Digest([0; 32])), &Committer::default())).unwrap();
    assert!(matches!(wait(|| call.take()).unwrap(), Err(NotStored::DigestMismatch)));
    assert!(setting.names().is_empty());
}

#[test]
fn a_file_that_is_not_created_yet_leaves_nothing() {
    for cause in CAUSES {
        let setting = setting();
        let mut file = RecvFile::new(setting.disk.clone(), setting.create(), Some(100));
        write_all(&mut file, &[1; 100]).unwrap();
        assert!(matches!(file.state, State::New(_)));
        file.discard(cause);
        assert!(setting.blocks() == 0 && setting.names().is_empty(), "{cause:?}");
    }
}

#[test]
fn a_file_between_two_writes_is_kept_unless_it_is_invalid() {
    for cause in CAUSES {
        let setting = setting();
        let mut file = setting.begin(setting.create());
        // What fills the next chunk, at most the largest, is lost after an error of storage. Chunks follow the rate.
        write_all(&mut file, &vec![1; 2 * BLOCK + ChunkSize::LARGEST]).unwrap();
        settle(&mut file);
        file.discard(cause);
        let kept = setting.blocks();
        assert!(if cause == Cause::Invalid { kept == 0 } else { kept >= 2 }, "{cause:?}: {kept}");
        assert_eq!(setting.names().is_empty(), cause == Cause::Invalid, "{cause:?}");
    }
}

/// The last bytes complete a block.
#[test]
fn bytes_that_are_not_written_yet_are_kept_as_well() {
    let setting = setting();
    let mut file = setting.begin(setting.create());
    write_all(&mut file, &vec![1; 2 * BLOCK - 1]).unwrap();
    settle(&mut file);
    write_all(&mut file, &[1]).unwrap();
    drop(file);
    assert_eq!(setting.blocks(), 2);
}

#[test]
fn a_write_that_runs_ends_before_its_file_is_discarded() {
    for cause in CAUSES {
        let setting = setting();
        let (create, release) = setting.create_later();
        let mut file = setting.begin(create);
        // The first chunk is with the disk, and some fill the next one.
        let taken = file.write(&[1; 1_000]).unwrap().unwrap();
        assert!(matches!(file.state, State::Creating(_)) && taken == 1_000);
        file.discard(cause);
        assert_eq!(file.taken(), 0);
        drop(release);
        assert!(setting.blocks() == 0 && setting.names().is_empty(), "{cause:?}: less than a block");
    }
}

#[test]
fn an_error_of_creation_comes_with_the_next_write() {
    let setting = setting();
    let refused = || -> Create { Box::new(|| Err(ErrorKind::StorageFull.into())) };
    let mut file = setting.begin(refused());
    let error = write_all(&mut file, &vec![1; 4 * BLOCK]).unwrap_err();
    assert_eq!((error.kind(), file.taken()), (ErrorKind::StorageFull, 0));
    // The session has the error. Whatever it does next ends.
    assert!(file.write(b"x").unwrap().is_err());
    assert!(file.complete(None, &Committer::default()).unwrap().is_err());
    file.discard(Cause::Storage);

    // A small file is created when it is complete.
    let mut file = RecvFile::new(setting.disk.clone(), refused(), Some(1));
    write_all(&mut file, b"x").unwrap();
    let mut call = file.complete(None, &Committer::default()).unwrap().unwrap();
    let stored = wait(|| call.take()).unwrap();
    assert!(matches!(stored, Err(NotStored::Failed(error)) if error.kind() == ErrorKind::StorageFull));
    assert!(setting.names().is_empty());
}

#[test]
fn a_panic_of_a_write_is_an_error() {
    let setting = setting();
    let mut file = setting.begin(Box::new(|| panic!("expected by this test")));
    assert!(write_all(&mut file, &vec![1; 4 * BLOCK]).is_err());
    file.discard(Cause::Storage);
    assert_eq!(setting.blocks(), 0);
}

/// Otherwise clients that come and go while the disk stalls would fill its queue.
#[test]
fn a_file_that_is_not_needed_any_more_is_not_created() {
    for cause in CAUSES {
        let setting = setting();
        let (block, blocked) = channel::<()>();
        setting.disk.run(Work::Write, move || blocked.recv().unwrap_or_default());
        let (begun, created) = channel::<()>();
        let create = setting.create();
        let mut file = setting.begin(Box::new(move || {
            begun.send(()).unwrap();
            create()
        }));
        file.discard(cause);
        // Its call ends at once, while the disk stalls.
        assert!(created.recv().is_err(), "{cause:?}");
        drop(block);
        assert!(setting.blocks() == 0 && setting.names().is_empty(), "{cause:?}");
    }
}

#[test]
fn a_file_is_created_before_it_is_said_to_be() {
    let setting = setting();
    let (create, release) = setting.create_later();
    let mut file = setting.begin(create);
    assert!(file.created().is_none());
    drop(release);
    wait(|| file.created()).unwrap();
    assert!(matches!(file.state, State::Idle(_)));
    let mut refused = setting.begin(Box::new(|| Err(ErrorKind::StorageFull.into())));
    assert_eq!(wait(|| refused.created()).unwrap_err().kind(), ErrorKind::StorageFull);
}

//! What has arrived of one file: its bytes, and their chaining values, under names in the hidden folder.
//!
//! ```text
//! Parts::take ──→ in use ── release ──→ kept, for the next take
//!                   │  └─── another take: the files go to the newer one
//!                   ├────── remove
//!                   └────── seal ──→ sealed ── the file takes its name, or is removed
//! ```

use super::block_tree::{BlockTree, hash};
use super::failure::taken_over;
use super::hidden;
use super::sidecar::Sidecar;
use blake3::hazmat::ChainingValue;
use cap_std::fs::{Dir, OpenOptions};
use rdt_proto::files::BLOCK_BYTES;
use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The name of a part without its suffix: 64 hexadecimal digits of the digest of the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(String);

impl Key {
    const DATA: &str = ".part";
    const VALUES: &str = ".blocks";

    pub(super) fn of(path: &str) -> Self {
        Self(blake3::hash(path.as_bytes()).to_hex().to_string())
    }

    /// The key of a file in the hidden folder, and whether the file has the bytes.
    pub(super) fn of_name(name: &str) -> Option<(Self, bool)> {
        let (digits, has_bytes) = match name.strip_suffix(Self::DATA) {
            Some(digits) => (digits, true),
            None => (name.strip_suffix(Self::VALUES)?, false),
        };
        blake3::Hash::from_hex(digits).ok().map(|_| (Self(digits.into()), has_bytes))
    }

    pub(super) fn data(&self) -> String {
        format!("{}{}", self.0, Self::DATA)
    }

    pub(super) fn values(&self) -> String {
        format!("{}{}", self.0, Self::VALUES)
    }
}

/// The open files of a part, which are locked.
pub(super) struct PartFiles {
    pub(super) data: File,
    sidecar: Sidecar,
    /// The values that the sidecar had when it was opened, as far as the bytes are there.
    values: Vec<ChainingValue>,
}

impl PartFiles {
    /// Opens the files for writing. Returns `None` if another process has them.
    pub(super) fn open(hidden: &Dir, key: &Key, path: &str) -> io::Result<Option<Self>> {
        const ATTEMPTS: u32 = 16;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        for _ in 0..ATTEMPTS {
            let data = hidden::open_file(hidden, &key.data(), &options)?;
            match super::super::temporary::lock(&data) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                locked => locked?,
            }
            // Between the two calls another process may have removed it.
            if is_named(hidden, key, &data)? {
                let sidecar = hidden::open_file(hidden, &key.values(), &options)?;
                let (sidecar, values) = load(sidecar, &data, path)?;
                return Ok(Some(Self { data, sidecar, values }));
            }
        }
        Err(ErrorKind::ResourceBusy.into())
    }

    /// Prepares the files for content behind the first `offset` bytes. Returns their digest, or `None` if the bytes are
    /// not there.
    pub(super) fn go_on_from(&mut self, offset: u64) -> io::Result<Option<BlockTree>> {
        if !offset.is_multiple_of(BLOCK_BYTES) || self.data.metadata()?.len() < offset {
            return Ok(None);
        }
        let blocks = usize::try_from(offset / BLOCK_BYTES).unwrap_or(usize::MAX);
        let tree = tree_of(&self.data, &self.values, blocks)?;
        self.sidecar.truncate(tree.values())?;
        self.values = Vec::new();
        self.data.set_len(offset)?;
        self.data.seek(SeekFrom::Start(offset))?;
        Ok(Some(tree))
    }

    /// Flushes the bytes to the disk, and then remembers the values of their blocks.
    fn flush(&mut self, tree: &BlockTree) -> io::Result<()> {
        self.data.sync_data()?;
        self.sidecar.append(tree.values())
    }
}

/// Whether the file still has its name.
#[cfg(unix)]
fn is_named(hidden: &Dir, key: &Key, data: &File) -> io::Result<bool> {
    use cap_std::fs::MetadataExt as _;
    use std::os::unix::fs::MetadataExt;
    match hidden.symlink_metadata(key.data()) {
        Ok(there) => Ok(there.ino() == data.metadata()?.ino()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_named(_hidden: &Dir, _key: &Key, _data: &File) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
fn inode(file: &File) -> io::Result<u64> {
    Ok(std::os::unix::fs::MetadataExt::ino(&file.metadata()?))
}

#[cfg(not(unix))]
fn inode(_file: &File) -> io::Result<u64> {
    Ok(0)
}

/// The values of the sidecar, as far as the bytes are there: a file system may have lost some.
fn load(sidecar: File, data: &File, path: &str) -> io::Result<(Sidecar, Vec<ChainingValue>)> {
    let (sidecar, mut values) = Sidecar::load(sidecar, inode(data)?, path)?;
    values.truncate(whole_blocks(data)?);
    Ok((sidecar, values))
}

fn whole_blocks(data: &File) -> io::Result<usize> {
    Ok(usize::try_from(data.metadata()?.len() / BLOCK_BYTES).unwrap_or(usize::MAX))
}

/// The digest of the first `blocks` blocks. Those without a value are read.
fn tree_of(data: &File, values: &[ChainingValue], blocks: usize) -> io::Result<BlockTree> {
    let known = values.get(..blocks).unwrap_or(values);
    let mut tree = BlockTree::behind(known.to_vec(), data)?;
    let rest = (blocks - known.len()) as u64 * BLOCK_BYTES;
    hash(data, tree.len(), rest, |bytes| tree.update(bytes))?;
    Ok(tree)
}

/// Reads what is there of a part, which may be in use. Returns its length and its whole blocks.
pub(super) fn inspect(hidden: &Dir, key: &Key, path: &str) -> io::Result<(u64, BlockTree)> {
    let mut options = OpenOptions::new();
    options.read(true);
    let data = hidden::open_file(hidden, &key.data(), &options)?;
    let values = match hidden::open_file(hidden, &key.values(), &options) {
        Ok(sidecar) => load(sidecar, &data, path)?.1,
        Err(_) => Vec::new(),
    };
    let tree = tree_of(&data, &values, whole_blocks(&data)?)?;
    Ok((tree.len(), tree))
}

/// The files of a part for all that have asked for it. They are gone once a newer one has them.
pub(super) type Shared = Arc<Mutex<Option<PartFiles>>>;

/// A part that is in use.
pub(super) struct Part {
    pub(super) key: Key,
    pub(super) files: Shared,
}

impl Part {
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.with(|files| files.data.write_all(bytes))
    }

    /// Flushes the bytes, and remembers the values of their blocks.
    pub(super) fn flush(&self, tree: &BlockTree) -> io::Result<()> {
        self.with(|files| files.flush(tree))
    }

    /// Runs a call on the files. Fails if a newer request has taken them.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut PartFiles) -> io::Result<T>) -> io::Result<T> {
        match &mut *self.files.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(files) => call(files),
            None => Err(taken_over()),
        }
    }
}

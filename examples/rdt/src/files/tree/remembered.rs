//! The chaining values of large files, so that a later comparison reads nothing.
//!
//! A server remembers them in the hidden folder, a client that sends files in the user's folder for such data. An entry
//! is bound to device, inode, length and both times of a file. A damaged or foreign entry is none: it ends with its
//! BLAKE3, and its folder is writable only for this user. Content is stored only with the digest of what was written,
//! so an entry decides where a transfer begins, and never what is stored here. The sender of a file reads some of its
//! blocks before it leaves any out.
//!
//! Two changes within one tick of the file system's clock have the same time. So only values of a file that rested
//! before it was read are remembered.

use super::hidden;
use blake3::hazmat::ChainingValue;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use rdt_proto::files::{BLOCK_BYTES, Digest};
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// The least length of a file whose values are remembered. A smaller one is read within 50 ms.
pub(super) const LEAST: u64 = 64 << 20;
const SUFFIX: &str = ".hash";
const MAGIC: &[u8] = b"rdt hash 1\n";
/// That of the values of the first blocks, without a digest.
const MAGIC_OF_PART: &[u8] = b"rdt part of hash 1\n";
/// The largest number of entries in one folder, and of their bytes: 32 TiB of files.
const MOST_ENTRIES: usize = 4_096;
const MOST_BYTES: u64 = 1 << 30;

/// Where values are remembered.
#[derive(Clone)]
pub(super) enum Remembered {
    /// In the hidden folder of this folder.
    Hidden(Arc<Dir>),
    /// In a folder of the user.
    User(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// What is known of a file.
pub(super) struct Values {
    /// The values of its first blocks, or of all.
    pub(super) blocks: Vec<ChainingValue>,
    /// The digest, if all of it was read.
    pub(super) digest: Option<Digest>,
}

/// What identifies the content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FileVersion([i64; 7]);

impl FileVersion {
    /// `None` where the system does not tell enough.
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let [device, inode] = [metadata.dev(), metadata.ino()].map(u64::cast_signed);
        let modified = [metadata.mtime(), metadata.mtime_nsec()];
        let changed = [metadata.ctime(), metadata.ctime_nsec()];
        let [modified, changed] = [modified, changed];
        let length = metadata.len().cast_signed();
        Some(Self([device, inode, length, modified[0], modified[1], changed[0], changed[1]]))
    }

    #[cfg(not(unix))]
    pub(super) fn of(_metadata: &Metadata) -> Option<Self> {
        None
    }

    /// The name of the entry: that of an older version of the same file, which it replaces.
    fn name(self) -> String {
        let [device, inode, ..] = self.0;
        let file = [device.to_le_bytes(), inode.to_le_bytes()].concat();
        format!("{}{SUFFIX}", blake3::hash(&file).to_hex())
    }

    fn header(self, is_whole: bool) -> Vec<u8> {
        let mut header = if is_whole { MAGIC } else { MAGIC_OF_PART }.to_vec();
        self.0.iter().for_each(|field| header.extend_from_slice(&field.to_le_bytes()));
        header
    }

    /// Whether the content rested before `time`, so that a later change has another time. A change also sets the time
    /// of the status, which counts only if a foreign process could have changed it.
    pub(super) fn rested_before(self, time: SystemTime, status_counts: bool) -> bool {
        const TICK_NANOS: i128 = 20_000_000;
        const SECOND: i128 = 1_000_000_000;
        let [_, _, _, modified, modified_nanos, changed, changed_nanos] = self.0;
        let Ok(time) = time.duration_since(SystemTime::UNIX_EPOCH) else { return false };
        let time = i128::try_from(time.as_nanos()).unwrap_or_default();
        let rested = |seconds: i64, nanos: i64| {
            // A file system without fractions of seconds may count in twos.
            let tick = if nanos == 0 { 2 * SECOND } else { TICK_NANOS };
            i128::from(seconds) * SECOND + i128::from(nanos) + tick <= time
        };
        rested(modified, modified_nanos) && (!status_counts || rested(changed, changed_nanos))
    }
}

impl Remembered {
    /// The folder of this user for values of files anywhere.
    pub(super) fn of_user() -> Self {
        dirs::cache_dir().map_or(Self::Nowhere, |cache| Self::User(cache.join("rdt").join("values")))
    }

    /// What is known of the file.
    pub(super) fn get(&self, metadata: &Metadata) -> Option<Values> {
        let version = FileVersion::of(metadata).filter(|_| metadata.len() >= LEAST)?;
        let mut options = OpenOptions::new();
        let mut bytes = Vec::new();
        let mut file = hidden::open_file(&self.open().ok()?, &version.name(), options.read(true)).ok()?;
        file.read_to_end(&mut bytes).ok()?;
        parse(&bytes, version, metadata.len())
    }

    /// Remembers the values of a file, or without a digest those of its first blocks. A failure costs time at the next
    /// comparison, and nothing else.
    pub(super) fn put(&self, version: FileVersion, values: &[ChainingValue], digest: Option<Digest>) {
        let mut bytes = version.header(digest.is_some());
        bytes.extend(digest.iter().flat_map(|digest| digest.0));
        bytes.extend_from_slice(values.as_flattened());
        let check = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&check);
        let name = version.name();
        let write = |dir: &Dir| write(dir, &name, &bytes);
        let _ = match self {
            Self::Hidden(outermost) => hidden::create(outermost, write),
            Self::User(_) => self.make().and_then(|dir| write(&dir)),
            Self::Nowhere => Ok(()),
        };
        if let Ok(dir) = self.open() {
            remove_surplus(&dir);
        }
    }

    /// Forgets the values of a file, which are wrong.
    pub(super) fn forget(&self, version: FileVersion) {
        // A failure is met again at the next transfer.
        let _ = self.open().and_then(|dir| dir.remove_file(version.name()));
    }

    fn open(&self) -> io::Result<Dir> {
        match self {
            Self::Hidden(outermost) => hidden::open(outermost),
            Self::User(path) => Dir::open_ambient_dir(path, ambient_authority()),
            Self::Nowhere => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn make(&self) -> io::Result<Dir> {
        if let Self::User(path) = self {
            std::fs::create_dir_all(path)?;
        }
        self.open()
    }
}

fn parse(bytes: &[u8], version: FileVersion, length: u64) -> Option<Values> {
    let (content, check) = bytes.split_last_chunk::<32>()?;
    let (digest, blocks) = match content.strip_prefix(&*version.header(true)) {
        Some(fields) => fields.split_first_chunk().map(|(digest, blocks)| (Some(Digest(*digest)), blocks))?,
        None => (None, content.strip_prefix(&*version.header(false))?),
    };
    let (blocks, rest) = blocks.as_chunks();
    let (count, whole) = (blocks.len() as u64, length / BLOCK_BYTES);
    let fits = rest.is_empty() && if digest.is_some() { count == whole } else { count <= whole };
    let holds = fits && blake3::hash(content) == blake3::Hash::from_bytes(*check);
    holds.then(|| Values { blocks: blocks.to_vec(), digest })
}

/// Writes an entry in one step. It is not flushed: what a power failure leaves of it does not have its digest.
fn write(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = format!("{:016x}{NEW}", u64::from_ne_bytes(crate::entropy::random_bytes()?));
    let mut options = OpenOptions::new();
    let mut file = hidden::open_file(dir, &new, options.write(true).create_new(true))?;
    let written = file.write_all(bytes).and_then(|()| dir.rename(&new, dir, name));
    if written.is_err() {
        dir.remove_file(&new)?;
    }
    written
}

/// The end of the name of an entry that is being written.
const NEW: &str = ".new";

/// Removes the oldest entries of a hidden folder that are too many, and what a killed program has left.
pub(super) fn remove_surplus_of(outermost: &Dir) {
    if let Ok(hidden) = hidden::open(outermost) {
        remove_surplus(&hidden);
    }
}

fn remove_surplus(dir: &Dir) {
    const LEFT_AFTER: std::time::Duration = std::time::Duration::from_secs(3_600);
    let mut entries = Vec::new();
    let now = SystemTime::now();
    for entry in dir.entries().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(text) = name.to_str().filter(|name| name.ends_with(SUFFIX) || name.ends_with(NEW)) else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        let Ok(changed) = metadata.modified().map(cap_std::time::SystemTime::into_std) else { continue };
        if text.ends_with(SUFFIX) {
            entries.push((changed, metadata.len(), name));
        } else if now.duration_since(changed).is_ok_and(|age| age >= LEFT_AFTER) {
            let _ = dir.remove_file(&name);
        }
    }
    entries.sort_unstable_by(|one, other| other.cmp(one));
    let mut bytes = 0_u64;
    for (at, (_, len, name)) in entries.iter().enumerate() {
        bytes = bytes.saturating_add(*len);
        if at >= MOST_ENTRIES || bytes > MOST_BYTES {
            let _ = dir.remove_file(name);
        }
    }
}

/// Remembers the values of a file that was just stored.
///
/// `before` is the time before it took its name: another process may have changed it since. A change would have set a
/// later time of modification than that of its last write.
pub(super) fn remember_stored(
    place: &Remembered,
    file: &File,
    values: &[ChainingValue],
    digest: Digest,
    before: SystemTime,
) {
    let version = file.metadata().ok().as_ref().and_then(FileVersion::of);
    if let Some(version) = version.filter(|version| version.rested_before(before, false)) {
        place.put(version, values, Some(digest));
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn large_file(place: &std::path::Path) -> File {
        let file = File::options().create(true).truncate(true).read(true).write(true).open(place).unwrap();
        file.set_len(LEAST + 5).unwrap();
        file
    }

    #[test]
    fn values_are_bound_to_the_version_of_a_file() {
        let place = tempfile::tempdir().unwrap();
        let file = large_file(&place.path().join("file"));
        let remembered = Remembered::User(place.path().join("cache"));
        let values = vec![[7; 32]; 64];
        let version = || FileVersion::of(&file.metadata().unwrap()).unwrap();
        remembered.put(version(), &values, Some(Digest([8; 32])));
        let found = remembered.get(&file.metadata().unwrap()).unwrap();
        assert_eq!((found.blocks, found.digest), (values.clone(), Some(Digest([8; 32]))));
        remembered.put(version(), &values[..63], None);
        let found = remembered.get(&file.metadata().unwrap()).unwrap();
        assert_eq!((&found.blocks[..], found.digest), (&values[..63], None));
        remembered.put(version(), &values[..63], Some(Digest([8; 32])));
        assert!(remembered.get(&file.metadata().unwrap()).is_none(), "not all have values");
        (&file).write_all(b"x").unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(remembered.get(&file.metadata().unwrap()).is_none());

        let entry = place.path().join("cache").join(version().name());
        remembered.put(version(), &values, Some(Digest([9; 32])));
        assert!(remembered.get(&file.metadata().unwrap()).is_some());
        let mut damaged = std::fs::read(&entry).unwrap();
        damaged[100] ^= 1;
        std::fs::write(&entry, damaged).unwrap();
        assert!(remembered.get(&file.metadata().unwrap()).is_none());
    }

    #[test]
    fn a_file_that_has_just_changed_did_not_rest() {
        let place = tempfile::tempdir().unwrap();
        let file = large_file(&place.path().join("file"));
        let version = || FileVersion::of(&file.metadata().unwrap()).unwrap();
        let soon = SystemTime::now() + Duration::from_secs(3);
        assert!(!version().rested_before(file.metadata().unwrap().modified().unwrap(), true));
        assert!(version().rested_before(soon, true));
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert!(!version().rested_before(SystemTime::now() - Duration::from_secs(30), true));
        assert!(version().rested_before(SystemTime::now() - Duration::from_secs(30), false));
    }
}

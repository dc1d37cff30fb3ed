//! A file that leaves.

use super::super::opening::without_waiting;
use super::block_tree::{BlockTree, block_value, common_border, hash};
use super::remembered::{LEAST, Remembered, Values};
use super::saving::{Saving, changed};
use super::{Tree, attributes};
use crate::local_failure::{SHRUNK, cannot_read, cannot_read_as};
use blake3::hazmat::ChainingValue;
use cap_std::fs::OpenOptions;
use rdt_proto::files::{BLOCK_BYTES, Digest, FileKind, FilePath, Metadata, Peaks};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

/// A file or a link that leaves, in order from an offset on to the length that it had when it was opened. A file may
/// grow meanwhile, as a log does.
pub(crate) struct Outgoing {
    content: Content,
    metadata: Metadata,
    length: u64,
    offset: u64,
    /// The digest of what is before the position.
    hashed: BlockTree,
    has_special_bits: bool,
    has_grown: bool,
}

enum Content {
    File(Box<OpenFile>),
    Link(Vec<u8>),
}

struct OpenFile {
    file: File,
    /// The values of the first blocks, as far as they are known, and the digest of the whole file.
    known: Vec<ChainingValue>,
    known_digest: Option<Digest>,
    saving: Saving,
}

impl Outgoing {
    /// Opens what is under `path`, and begins where `have` ends, as far as both are the same.
    pub(super) fn open(tree: &Tree, path: FilePath<'_>, have: Peaks<'_>) -> io::Result<Self> {
        super::names::check(path)?;
        let dir = tree.folders().dir();
        let entry = dir.symlink_metadata(path.as_str())?;
        if entry.is_symlink() && !tree.follows(path) {
            let target = dir.read_link_contents(path.as_str())?.into_os_string().into_string();
            let target = target.map_err(|_| io::Error::from(ErrorKind::NotFound))?;
            return Ok(Self::link(target, attributes::of_entry(&entry)));
        }
        if entry.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        // Opening a device may have an effect, so the kind is checked before.
        if !entry.is_symlink() && !entry.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        let mut options = OpenOptions::new();
        let file = dir.open_with(path.as_str(), without_waiting(options.read(true)))?.into_std();
        let mut outgoing = Self::new(file, tree.remembered().clone())?;
        outgoing.go_on_from(have)?;
        Ok(outgoing)
    }

    /// Opens a file that the user named. The error is a message for the user.
    pub(crate) fn file(path: &Path) -> Result<Self, String> {
        open_named(path, |file| Self::new(file, Remembered::of_user()))
    }

    /// A symbolic link with this target.
    pub(crate) fn link(target: String, metadata: Metadata) -> Self {
        let length = target.len() as u64;
        let content = Content::Link(target.into_bytes());
        Self {
            content,
            metadata,
            length,
            offset: 0,
            hashed: BlockTree::new(),
            has_special_bits: false,
            has_grown: false,
        }
    }

    pub(super) fn new(file: File, remembered: Remembered) -> io::Result<Self> {
        let opened_at = SystemTime::now();
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ErrorKind::NotFound.into());
        }
        let (known, known_digest) = match remembered.get(&metadata) {
            Some(Values { blocks, digest }) => (blocks, digest),
            None => (Vec::new(), None),
        };
        let known_blocks = if known_digest.is_some() { None } else { Some(known.len() as u64) };
        let saving = Saving::new(remembered, &metadata, opened_at, known_blocks);
        let file = OpenFile { file, known, known_digest, saving };
        Ok(Self {
            content: Content::File(Box::new(file)),
            metadata: attributes::of(&metadata),
            length: metadata.len(),
            offset: 0,
            hashed: BlockTree::new(),
            has_special_bits: attributes::has_special_bits(&metadata),
            has_grown: false,
        })
    }

    pub(crate) fn kind(&self) -> FileKind {
        match &self.content {
            Content::File(_) => FileKind::File,
            Content::Link(_) => FileKind::Link,
        }
    }

    pub(crate) fn metadata(&self) -> Metadata {
        self.metadata
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The position at which the content begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Begins at the last border of `have` up to which both are the same, also if something was read already.
    pub(crate) fn go_on_from(&mut self, have: Peaks<'_>) -> io::Result<u64> {
        let Content::File(file) = &mut self.content else { return Ok(0) };
        if have.blocks() == 0 && self.hashed.len() == 0 {
            return Ok(0);
        }
        let border = file.common(have, self.length / BLOCK_BYTES)?;
        let blocks = usize::try_from(border).unwrap_or(usize::MAX);
        let values = file.known.get(..blocks).unwrap_or(&file.known).to_vec();
        self.hashed = BlockTree::behind(values, &file.file)?;
        self.offset = border * BLOCK_BYTES;
        file.file.seek(SeekFrom::Start(self.offset))?;
        Ok(self.offset)
    }

    /// Whether the file has permission bits that do not come along: set-user-ID, set-group-ID, or the sticky bit.
    pub(crate) fn has_special_bits(&self) -> bool {
        self.has_special_bits
    }

    /// Whether the file was longer at the end than when it was opened. Its content up to that length is the same.
    pub(crate) fn has_grown(&self) -> bool {
        self.has_grown
    }

    /// Whether everything was read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.hashed.len() == self.length
    }

    /// The digest of a file of which nothing was read, from what is remembered or by reading it.
    pub(crate) fn digest_of_all(self) -> io::Result<Digest> {
        self.values().map(|(_, digest)| digest)
    }

    /// Replaces the content of `buf` by the next `len` bytes, or by fewer at the end.
    pub(crate) fn read(&mut self, len: usize, buf: &mut Vec<u8>) -> io::Result<()> {
        let rest = self.length.saturating_sub(self.hashed.len());
        buf.resize(usize::try_from(rest).unwrap_or(len).min(len), 0);
        let count = self.fill(buf)?;
        buf.truncate(count);
        Ok(())
    }

    /// Reads the next bytes, until `buf` is full or nothing follows. Returns their number.
    pub(crate) fn fill(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.length.saturating_sub(self.hashed.len())).unwrap_or(usize::MAX);
        let len = buf.len().min(rest);
        let buf = buf.get_mut(..len).unwrap_or_default();
        let count = match &mut self.content {
            Content::File(file) => fill(&file.file, buf)?,
            Content::Link(target) => {
                let from = usize::try_from(self.hashed.len()).unwrap_or(usize::MAX);
                let rest = target.get(from..).unwrap_or_default();
                let count = rest.len().min(buf.len());
                buf[..count].copy_from_slice(&rest[..count]);
                count
            }
        };
        self.hashed.update(buf.get(..count).unwrap_or_default());
        if let Content::File(file) = &mut self.content {
            file.saving.on_read(&file.file, &self.hashed);
        }
        Ok(count)
    }

    /// The digest of the whole content. Fails unless all of it was read, and if the file changed since it was opened,
    /// other than behind its end. It may read a file that has grown once more.
    pub(crate) fn digest(&mut self) -> io::Result<Digest> {
        if self.hashed.len() != self.length {
            return Err(io::Error::other(SHRUNK));
        }
        let digest = self.hashed.digest();
        if let Content::File(file) = &self.content {
            // The files of /proc have content and no length. What a file gets later is growth.
            let has_content = self.length == 0 && fill(&file.file, &mut [0])? > 0;
            self.has_grown = file.check(&self.hashed, digest, self.offset == 0)?;
            if has_content && !self.has_grown {
                return Err(io::Error::other("its length is given as 0, and it has content"));
            }
        }
        Ok(digest)
    }

    /// The digest, and all whole blocks, of a file of which nothing was read. Reads it unless they are remembered.
    pub(super) fn values(mut self) -> io::Result<(Vec<ChainingValue>, Digest)> {
        let Content::File(file) = &mut self.content else { return Err(ErrorKind::InvalidInput.into()) };
        if let Some(digest) = file.known_digest {
            return Ok((std::mem::take(&mut file.known), digest));
        }
        if !file.has_known_blocks()? {
            file.forget();
        }
        self.hashed = file.hash(self.length)?;
        let digest = self.digest()?;
        Ok((self.hashed.values().to_vec(), digest))
    }

    /// Whether its digest is remembered, or quickly found.
    pub(super) fn is_known_or_short(&self) -> bool {
        match &self.content {
            Content::File(file) => file.known_digest.is_some() || self.length < LEAST,
            Content::Link(_) => true,
        }
    }
}

impl OpenFile {
    /// The last border that both share, in blocks.
    ///
    /// Reads as far as no values are remembered, up to the first difference.
    fn common(&mut self, have: Peaks<'_>, own_blocks: u64) -> io::Result<u64> {
        if !self.has_known_blocks()? {
            self.forget();
        }
        let (mut border, mut differs) = common_border(&self.known, have);
        for (end, _) in have.iter().filter(|&(end, _)| end <= own_blocks) {
            if differs {
                break;
            }
            if end > self.known.len() as u64 {
                self.known = self.hash(end * BLOCK_BYTES)?.values().to_vec();
                (border, differs) = common_border(&self.known, have);
            }
        }
        Ok(border)
    }

    /// Hashes the file up to `end`, behind the blocks whose values are known.
    fn hash(&mut self, end: u64) -> io::Result<BlockTree> {
        let mut tree = BlockTree::behind(std::mem::take(&mut self.known), &self.file)?;
        let start = tree.len();
        hash(&self.file, start, end.saturating_sub(start), |bytes| {
            tree.update(bytes);
            self.saving.on_read(&self.file, &tree);
        })?;
        Ok(tree)
    }

    /// Whether some blocks at random have the values that are remembered: a copy of a disk may have the same times.
    fn has_known_blocks(&self) -> io::Result<bool> {
        const SAMPLES: usize = 8;
        if self.known.is_empty() {
            return Ok(true);
        }
        let random: [u8; 2 * SAMPLES] = crate::entropy::random_bytes()?;
        for [low, high] in random.as_chunks().0 {
            let scale = usize::from(u16::from_le_bytes([*low, *high]));
            let block = (self.known.len() * scale) >> 16;
            if self.known.get(block) != Some(&block_value(&self.file, block as u64)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn forget(&mut self) {
        self.known = Vec::new();
        self.known_digest = None;
    }

    /// Checks the digest of the content that was sent, and remembers its values. `is_read` says whether all of it was
    /// read here: values that were only looked up, and have no digest to check them by, become no whole ones. Returns
    /// whether the file has grown.
    fn check(&self, hashed: &BlockTree, digest: Digest, is_read: bool) -> io::Result<bool> {
        let is_wrong = !is_read && self.known_digest.is_some_and(|known| known != digest);
        if is_wrong {
            self.saving.forget(&self.file);
            return Err(changed());
        }
        let is_known = !is_read || self.known_digest == Some(digest);
        let has_grown = self.saving.on_end(&self.file, hashed, digest, is_known)?;
        if has_grown && self.digest_of_first(hashed.len())? != digest {
            return Err(changed());
        }
        Ok(has_grown)
    }

    /// The digest of the first `len` bytes, as they are now.
    ///
    /// In base mode it is read before the last chunk leaves, and nothing tells the peer that this side works: if that
    /// takes longer than the peer's limit on progress (60 s), the transfer fails.
    fn digest_of_first(&self, len: u64) -> io::Result<Digest> {
        let mut tree = BlockTree::new();
        hash(&self.file, 0, len, |bytes| tree.update(bytes))?;
        Ok(tree.digest())
    }
}

/// Opens a file that the user named, and makes something of it. The error is a message for the user.
fn open_named<T>(path: &Path, make: impl FnOnce(File) -> io::Result<T>) -> Result<T, String> {
    let explain = |error: io::Error| cannot_read(path, &error);
    let metadata = std::fs::metadata(path).map_err(explain)?;
    if metadata.is_dir() {
        return Err(cannot_read_as(path, "it is a folder", "give a file in it"));
    }
    if !metadata.is_file() {
        return Err(cannot_read_as(path, "it is not a regular file", "copy its content into one first"));
    }
    let mut options = std::fs::OpenOptions::new();
    without_waiting(options.read(true)).open(path).and_then(make).map_err(explain)
}

/// Reads until the buffer is full, or the file ends.
fn fill(mut file: &File, buf: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buf.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

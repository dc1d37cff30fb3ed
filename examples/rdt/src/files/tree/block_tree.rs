//! BLAKE3 of a file, block by block: chaining values of whole blocks, peaks at any border, the digest.
//!
//! BLAKE3 is a binary tree whose left subtrees are powers of two. A block of 1 MiB is such a subtree, so its chaining
//! value depends on its bytes and its position alone. The last merge is a different function, and which one is the last
//! is known only at the end. So values are merged when a result is asked for: 10,000 merges for 10 GB, below 1 ms.

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use rdt_proto::files::{BLOCK_BYTES, Digest, Peaks};
use std::fs::File;
use std::io;

/// A block in the memory.
const BLOCK: usize = 1 << 20;

/// The digest of content that passes in order.
#[derive(Clone)]
pub(crate) struct BlockTree {
    /// The chaining value of each whole block.
    values: Vec<ChainingValue>,
    /// The block that is not whole yet, and the number of its bytes. The first block stays here once it is whole: it
    /// may be the whole file.
    open: Box<Hasher>,
    open_len: usize,
}

impl BlockTree {
    pub(crate) fn new() -> Self {
        Self { values: Vec::new(), open: Box::default(), open_len: 0 }
    }

    /// The digest of content that goes on behind blocks of `file` whose values are known.
    pub(super) fn behind(values: Vec<ChainingValue>, file: &File) -> io::Result<Self> {
        let mut tree = Self::new();
        if values.len() == 1 {
            // If nothing follows, the block is the root, which has another value.
            hash(file, 0, BLOCK_BYTES, |bytes| tree.update(bytes))?;
        } else {
            tree.values = values;
            tree.begin_block();
        }
        Ok(tree)
    }

    /// The number of bytes so far.
    pub(crate) fn len(&self) -> u64 {
        let open = if self.holds_first() { 0 } else { self.open_len as u64 };
        self.blocks() * BLOCK_BYTES + open
    }

    /// The number of whole blocks so far.
    pub(crate) fn blocks(&self) -> u64 {
        self.values.len() as u64
    }

    pub(super) fn values(&self) -> &[ChainingValue] {
        &self.values
    }

    /// Adds the next bytes. Large pieces are hashed several chunks at a time.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.open_len == BLOCK {
                self.begin_block();
            }
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK - self.open_len));
            self.open.update(now);
            self.open_len += now.len();
            bytes = rest;
            if self.open_len == BLOCK {
                self.values.push(self.open.finalize_non_root());
            }
            if self.open_len == BLOCK && self.values.len() > 1 {
                self.begin_block();
            }
        }
    }

    /// The digest of all bytes so far.
    pub(crate) fn digest(&self) -> Digest {
        if self.values.is_empty() || self.holds_first() {
            return Digest(*self.open.finalize().as_bytes());
        }
        let last = (self.open_len > 0).then(|| self.open.finalize_non_root());
        let leaves: Vec<_> = self.values.iter().copied().chain(last).collect();
        let (left, right) = leaves.split_at(left_len(leaves.len()));
        Digest(*merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes())
    }

    /// The peaks of all whole blocks so far.
    pub(crate) fn peaks(&self) -> PeaksBuf {
        PeaksBuf::new(&self.values)
    }

    /// Whether the first block is whole and still open.
    fn holds_first(&self) -> bool {
        self.values.len() == 1 && self.open_len == BLOCK
    }

    fn begin_block(&mut self) {
        // A reset hasher would keep its offset.
        *self.open = Hasher::new();
        self.open.set_input_offset(self.blocks() * BLOCK_BYTES);
        self.open_len = 0;
    }
}

/// The number of leaves in the left subtree: the largest power of two that leaves something for the right one.
fn left_len(leaves: usize) -> usize {
    leaves.div_ceil(2).next_power_of_two()
}

/// The chaining value of a subtree of at least one block.
fn subtree(leaves: &[ChainingValue]) -> ChainingValue {
    match leaves {
        [] => ChainingValue::default(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(left_len(leaves.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// The last border of `have` up to which the blocks with these values are the same, in blocks, and whether a value
/// differs behind it. Without a difference, more values may show a later border.
pub(super) fn common_border(values: &[ChainingValue], have: Peaks<'_>) -> (u64, bool) {
    let mut border = 0;
    for (end, value) in have.iter() {
        let blocks = |block: u64| usize::try_from(block).unwrap_or(usize::MAX);
        let Some(leaves) = values.get(blocks(border)..blocks(end)) else { return (border, false) };
        if subtree(leaves) != value.0 {
            return (border, true);
        }
        border = end;
    }
    (border, false)
}

/// The chaining value of one whole block of a file that has more.
pub(super) fn block_value(file: &File, block: u64) -> io::Result<ChainingValue> {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(block * BLOCK_BYTES);
    hash(file, block * BLOCK_BYTES, BLOCK_BYTES, |bytes| _ = hasher.update(bytes))?;
    Ok(hasher.finalize_non_root())
}

/// Passes `len` bytes of `file` from `offset` on, in pieces that fit into a cache.
///
/// Fails if there are fewer. It moves the position of the file.
pub(super) fn hash(file: &File, offset: u64, len: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    const PIECE: u64 = 256 << 10;
    let end = offset.checked_add(len).filter(|_| len > 0);
    let Some(end) = end else { return Ok(()) };
    if file.metadata()?.len() < end {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let [mut piece, zeros] = [(); 2].map(|()| vec![0; usize::try_from(len.min(PIECE)).unwrap_or_default()]);
    let mut run = Run { data: offset, hole: offset };
    let mut position = offset;
    while position < end {
        let now = PIECE.min(end - position);
        if position >= run.hole {
            run = Run::at(file, position);
        }
        let count = usize::try_from(now).unwrap_or_default();
        let (Some(piece), Some(zeros)) = (piece.get_mut(..count), zeros.get(..count)) else { break };
        if position + now <= run.data {
            each(zeros);
        } else {
            read_exact_at(file, piece, position)?;
            each(piece);
        }
        position += now;
    }
    Ok(())
}

/// Where the next bytes of a file begin that are on the disk, and where the next hole begins behind them. A hole is not
/// read, so that a sparse file takes the time of its digest only.
struct Run {
    data: u64,
    hole: u64,
}

impl Run {
    #[cfg(target_os = "linux")]
    fn at(file: &File, position: u64) -> Self {
        use rustix::fs::SeekFrom;
        let data = match rustix::fs::seek(file, SeekFrom::Data(position)) {
            Err(rustix::io::Errno::NXIO) => return Self { data: u64::MAX, hole: u64::MAX },
            // The file system does not tell.
            Err(_) => return Self { data: position, hole: u64::MAX },
            Ok(data) => data,
        };
        Self { data, hole: rustix::fs::seek(file, SeekFrom::Hole(data)).unwrap_or(u64::MAX) }
    }

    #[cfg(not(target_os = "linux"))]
    fn at(_file: &File, position: u64) -> Self {
        Self { data: position, hole: u64::MAX }
    }
}

/// Reads without the position of the file, which a writer may use.
#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(not(unix))]
pub(super) fn read_exact_at(mut file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    let position = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    let read = file.read_exact(buf);
    file.seek(SeekFrom::Start(position))?;
    read
}

/// [`Peaks`] that own their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeaksBuf {
    blocks: u64,
    values: Vec<u8>,
}

impl PeaksBuf {
    pub(super) fn new(values: &[ChainingValue]) -> Self {
        let blocks = values.len();
        let mut rest = values;
        let mut peaks = Vec::new();
        while !rest.is_empty() {
            let (peak, behind) = rest.split_at(1 << rest.len().ilog2());
            peaks.extend_from_slice(&subtree(peak));
            rest = behind;
        }
        Self { blocks: blocks as u64, values: peaks }
    }

    pub(crate) fn as_peaks(&self) -> Peaks<'_> {
        Peaks::new(self.blocks, &self.values).unwrap_or(Peaks::NONE)
    }
}

impl From<Peaks<'_>> for PeaksBuf {
    fn from(peaks: Peaks<'_>) -> Self {
        Self { blocks: peaks.blocks(), values: peaks.iter().flat_map(|(_, value)| value.0).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, SeekFrom, Write};

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 20)) & 0xff).unwrap()).collect()
    }

    fn tree(bytes: &[u8], piece: usize) -> BlockTree {
        let mut tree = BlockTree::new();
        bytes.chunks(piece).for_each(|piece| tree.update(piece));
        tree
    }

    #[test]
    fn the_digest_is_that_of_the_whole_content_around_each_border() {
        let bytes = content(9 * BLOCK + 1);
        for blocks in 0..=9 {
            for len in [(blocks * BLOCK).saturating_sub(1), blocks * BLOCK, blocks * BLOCK + 1, blocks * BLOCK + 1_025]
            {
                let bytes = &bytes[..len.min(bytes.len())];
                let tree = tree(bytes, 300_007);
                assert_eq!(tree.digest().0, *blake3::hash(bytes).as_bytes(), "{len}");
                assert_eq!((tree.len(), tree.blocks()), (bytes.len() as u64, (bytes.len() / BLOCK) as u64));
            }
        }
    }

    #[test]
    fn the_digest_goes_on_behind_each_border() {
        let bytes = content(5 * BLOCK + 7);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let whole = tree(&bytes, BLOCK);
        for len in [bytes.len(), 5 * BLOCK, BLOCK] {
            for blocks in 0..=len / BLOCK {
                let mut tree = BlockTree::behind(whole.values()[..blocks].to_vec(), &file).unwrap();
                assert_eq!(tree.len(), (blocks * BLOCK) as u64);
                tree.update(&bytes[blocks * BLOCK..len]);
                assert_eq!(tree.digest().0, *blake3::hash(&bytes[..len]).as_bytes(), "{blocks} of {len}");
            }
        }
    }

    #[test]
    fn holes_are_hashed_as_zeros() {
        let file = tempfile::tempfile().unwrap();
        let mut bytes = vec![0; 4 * BLOCK + 5];
        for (at, len) in [(BLOCK + 7, 9), (3 * BLOCK, 70_000)] {
            bytes[at..at + len].fill(1);
            (&file).seek(SeekFrom::Start(at as u64)).unwrap();
            (&file).write_all(&bytes[at..at + len]).unwrap();
        }
        file.set_len(bytes.len() as u64).unwrap();
        for start in [0, 5, BLOCK, 3 * BLOCK + 1, 4 * BLOCK] {
            let mut tree = BlockTree::new();
            hash(&file, start as u64, (bytes.len() - start) as u64, |piece| tree.update(piece)).unwrap();
            assert_eq!(tree.digest().0, *blake3::hash(&bytes[start..]).as_bytes());
        }
        assert!(hash(&file, 1, bytes.len() as u64, |_| {}).is_err());
    }

    #[test]
    fn a_common_border_ends_before_the_first_difference() {
        let bytes = content(7 * BLOCK);
        let own = tree(&bytes, BLOCK);
        for (changed, border) in [(0, 0), (3, 0), (4, 4), (5, 4), (6, 6)] {
            let mut other = bytes.clone();
            other[changed * BLOCK + 5] ^= 1;
            let peaks = tree(&other, BLOCK).peaks();
            assert_eq!(common_border(own.values(), peaks.as_peaks()), (border, true));
        }
        assert_eq!(common_border(own.values(), own.peaks().as_peaks()), (7, false));
        assert_eq!(common_border(&own.values()[..5], own.peaks().as_peaks()), (4, false));
    }
}

//! The chaining values of the part of a file, in a file beside it.
//!
//! A value is appended after its block was flushed, so after a power failure each value here is that of bytes on the
//! disk. Each record is checked together with all before it: a record that was written in part, or damaged, ends the
//! values.
//!
//! | | fields |
//! |---|---|
//! | header | `rdt part 1` and a line feed, inode of the part u64, length of the path u16, path, check |
//! | record | number of values u32, values of 32 bytes, check |
//!
//! A check is the BLAKE3 of the check before and of the fields.

use super::block_tree::read_exact_at;
use blake3::hazmat::ChainingValue;
use std::fs::File;
use std::io::{self, Write};

const MAGIC: &[u8] = b"rdt part 1\n";
const VALUE: usize = size_of::<ChainingValue>();

/// The values of one part.
pub(super) struct Sidecar {
    file: File,
    header: Vec<u8>,
    check: ChainingValue,
    /// The length of the whole records, and the number of their values.
    len: u64,
    blocks: usize,
}

impl Sidecar {
    /// Reads the values of the part with this inode and path. There are none if the file belongs to another part.
    pub(super) fn load(file: File, inode: u64, path: &str) -> io::Result<(Self, Vec<ChainingValue>)> {
        let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
        read_exact_at(&file, &mut bytes, 0)?;
        let header = header(inode, path)?;
        let check = check(&ChainingValue::default(), &header);
        let mut sidecar = Self { file, header, check, len: 0, blocks: 0 };
        let Some(mut rest) = bytes.strip_prefix(&*sidecar.header).and_then(|rest| rest.strip_prefix(&check)) else {
            return Ok((sidecar, Vec::new()));
        };
        let mut values = Vec::new();
        sidecar.len = (bytes.len() - rest.len()) as u64;
        while let Some((record, behind)) = take_record(rest, &sidecar.check) {
            values.extend_from_slice(record.get(4..).unwrap_or_default().as_chunks().0);
            sidecar.check = self::check(&sidecar.check, record);
            sidecar.len += (rest.len() - behind.len()) as u64;
            rest = behind;
        }
        sidecar.blocks = values.len();
        Ok((sidecar, values))
    }

    /// Appends the values behind those that are here. The blocks must have been flushed.
    pub(super) fn append(&mut self, values: &[ChainingValue]) -> io::Result<()> {
        let new = values.get(self.blocks..).unwrap_or_default();
        let Some(count) = u32::try_from(new.len()).ok().filter(|&count| count > 0) else { return Ok(()) };
        let mut bytes = Vec::with_capacity(self.header.len() + 4 + VALUE * (new.len() + 2));
        let mut previous = self.check;
        if self.len == 0 {
            previous = check(&ChainingValue::default(), &self.header);
            bytes.extend_from_slice(&self.header);
            bytes.extend_from_slice(&previous);
        }
        let start = bytes.len();
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(new.as_flattened());
        let check = check(&previous, bytes.get(start..).unwrap_or_default());
        bytes.extend_from_slice(&check);
        // What is behind the whole records was written in part.
        self.file.set_len(self.len)?;
        seek(&self.file, self.len)?;
        (&self.file).write_all(&bytes)?;
        self.len += bytes.len() as u64;
        self.check = check;
        self.blocks = values.len();
        Ok(())
    }

    /// Drops all values but these, durably. It must happen before other bytes replace the blocks.
    pub(super) fn truncate(&mut self, values: &[ChainingValue]) -> io::Result<()> {
        if self.blocks <= values.len() {
            return Ok(());
        }
        self.len = 0;
        self.blocks = 0;
        self.file.set_len(0)?;
        self.append(values)?;
        self.file.sync_data()
    }
}

fn seek(mut file: &File, to: u64) -> io::Result<u64> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(to))
}

fn header(inode: u64, path: &str) -> io::Result<Vec<u8>> {
    let len = u16::try_from(path.len()).map_err(io::Error::other)?;
    Ok([MAGIC, &inode.to_le_bytes(), &len.to_le_bytes(), path.as_bytes()].concat())
}

fn check(previous: &ChainingValue, fields: &[u8]) -> ChainingValue {
    *blake3::Hasher::new().update(previous).update(fields).finalize().as_bytes()
}

/// The fields of the first record, and what follows it, if its check holds.
fn take_record<'a>(bytes: &'a [u8], previous: &ChainingValue) -> Option<(&'a [u8], &'a [u8])> {
    let count = usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let (record, rest) = bytes.split_at_checked(count.checked_mul(VALUE)?.checked_add(4)?)?;
    let (found, rest) = rest.split_at_checked(VALUE)?;
    (found == check(previous, record)).then_some((record, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &File) -> (Sidecar, Vec<ChainingValue>) {
        Sidecar::load(file.try_clone().unwrap(), 7, "a/b").unwrap()
    }

    #[test]
    fn values_survive_and_end_at_the_first_damage() {
        let file = tempfile::tempfile().unwrap();
        let values: Vec<_> = (0..9).map(|value| [value; VALUE]).collect();
        let (mut sidecar, _) = load(&file);
        sidecar.append(&values[..5]).unwrap();
        let first = sidecar.len;
        sidecar.append(&values).unwrap();
        assert_eq!(load(&file).1, values);
        assert_eq!(Sidecar::load(file.try_clone().unwrap(), 8, "a/b").unwrap().1.len(), 0);
        assert_eq!(Sidecar::load(file.try_clone().unwrap(), 7, "a/c").unwrap().1.len(), 0);
        file.set_len(sidecar.len - 1).unwrap();
        assert_eq!(load(&file).1, values[..5]);
        load(&file).0.append(&values[..7]).unwrap();
        assert_eq!(load(&file).1, values[..7]);
        seek(&file, first - 40).unwrap();
        (&file).write_all(b"x").unwrap();
        assert_eq!(load(&file).1.len(), 0);
    }

    #[test]
    fn values_of_replaced_blocks_are_dropped() {
        let file = tempfile::tempfile().unwrap();
        let values: Vec<_> = (0..9).map(|value| [value; VALUE]).collect();
        load(&file).0.append(&values).unwrap();
        let (mut sidecar, _) = load(&file);
        sidecar.truncate(&values[..3]).unwrap();
        assert_eq!(load(&file).1, values[..3]);
        sidecar.append(&values[..4]).unwrap();
        assert_eq!(load(&file).1, values[..4]);
        sidecar.truncate(&[]).unwrap();
        assert_eq!(load(&file).1.len(), 0);
    }
}

//! What a file system promises about the order of content and names.
//!
//! ext4 with a journal writes a name to the disk in a transaction, behind a flush of what the disk has taken before. So
//! content that was written out before its file takes a name is on the disk when the name is: a power failure leaves
//! both or neither, and one flush, that of the folder, makes both durable.
//!
//! Without a journal, the flush of a folder leaves out that its new files have a name, and a file without a name is
//! removed by the check of the file system after a power failure. So such files are flushed again. Of other file
//! systems nothing is known: the content is flushed before, and the folder behind the name.

use cap_std::fs::Dir;
use std::fs::File;
use std::io;

/// The journal of the file system of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    /// It keeps the order of content and names, on this device.
    Ordered(u64),
    /// ext4 has none, or none that keeps the order.
    Missing,
    /// It is another file system.
    Unknown,
}

impl Journal {
    /// Looks at the file system of a folder. A sandbox may forbid that later.
    #[cfg(target_os = "linux")]
    pub(super) fn of(folder: &Dir) -> Self {
        const EXT4: u64 = 0xEF53;
        match (rustix::fs::fstatfs(folder), rustix::fs::fstat(folder)) {
            (Ok(system), Ok(metadata)) if u64::try_from(system.f_type) == Ok(EXT4) => {
                if is_ordered(metadata.st_dev) {
                    Self::Ordered(metadata.st_dev)
                } else {
                    Self::Missing
                }
            }
            (Ok(_) | Err(_), Ok(_) | Err(_)) => Self::Unknown,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_folder: &Dir) -> Self {
        Self::Unknown
    }

    /// Whether a file that has taken a name has to be flushed again.
    pub(super) fn forgets_names(self) -> bool {
        self == Self::Missing
    }

    /// Writes out the content of a file, so that no name which it takes later comes before it on the disk. Returns
    /// whether that is so; otherwise the file has to be flushed first.
    #[cfg(target_os = "linux")]
    pub(super) fn write_out(self, file: &File) -> bool {
        use fiemap::{Fiemap, FiemapExtentFlags as Extent, FiemapFlags};
        let Self::Ordered(device) = self else { return false };
        if !rustix::fs::fstat(file).is_ok_and(|file| file.st_dev == device) {
            return false;
        }
        let pending = Extent::UNKNOWN | Extent::DELALLOC | Extent::UNWRITTEN;
        let is_written =
            |extent: io::Result<fiemap::FiemapExtent>| extent.is_ok_and(|extent| !extent.fe_flags.intersects(pending));
        // The only call that writes out without a flush and needs no unsafe code: it tells where the content lies on the
        // disk, once it does.
        Fiemap::with_flags(file, FiemapFlags::SYNC).all(is_written)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn write_out(self, _file: &File) -> bool {
        false
    }
}

/// Whether the device has ext4 with a journal that orders content before names, the default of that file system.
#[cfg(target_os = "linux")]
fn is_ordered(device: u64) -> bool {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(event) = std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/uevent")) else { return false };
    let name = event.lines().find_map(|line| line.strip_prefix("DEVNAME=")).unwrap_or_default().replace('/', "!");
    let read = |file: &str| std::fs::read_to_string(format!("/proc/fs/ext4/{name}/{file}"));
    // Older kernels have no fast commits.
    read("options").is_ok_and(|options| keeps_order(&options))
        && read("fc_info").map_or(true, |info| !has_fast_commits(&info))
}

/// Whether these are the options of ext4 with such a journal. Without a journal there is no mode of data.
#[cfg(target_os = "linux")]
fn keeps_order(options: &str) -> bool {
    let has = |option: &str| options.lines().any(|line| line == option);
    has("data=ordered") && has("barrier")
}

/// Whether the file system has made fast commits. They write other transactions than the usual ones, and the options do
/// not show them. One that was mounted with them a moment ago is not recognized.
#[cfg(target_os = "linux")]
fn has_fast_commits(info: &str) -> bool {
    let commits = info.lines().find_map(|line| line.strip_suffix(" commits"));
    commits.is_some_and(|count| count.trim() != "0")
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn only_a_journal_that_orders_content_keeps_the_order() {
        let usual = "rw\nbsddf\ndelalloc\nbarrier\ndata=ordered\ncommit=5\n";
        assert!(keeps_order(usual));
        for other in
            ["rw\ndelalloc\nbarrier\n", &usual.replace("ordered", "writeback"), &usual.replace("barrier", "nobarrier")]
        {
            assert!(!keeps_order(other), "{other}");
        }
        assert!(!has_fast_commits("fc stats:\n0 commits\n0 ineligible\n0 numblks\n") && !has_fast_commits(""));
        assert!(has_fast_commits("fc stats:\n17 commits\n0 ineligible\n40 numblks\n"));
        assert!(!is_ordered(0), "a device without a block device");
    }

    #[test]
    fn a_file_elsewhere_is_flushed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        for journal in [Journal::Unknown, Journal::Missing, Journal::Ordered(u64::MAX)] {
            assert!(!journal.write_out(&file), "{journal:?}");
        }
    }
}

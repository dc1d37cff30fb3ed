//! Whether a file has changed.

use std::fs::Metadata;

/// What shows that the content of a file changed.
///
/// Times have the resolution of the file system's clock, some milliseconds on older kernels. A change within that time
/// of the opening may stay unseen.
pub(super) struct Version {
    length: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    status: Status,
}

/// The time of the last change of a file's content or status, and the status.
///
/// The time shows a change whose modification time was set back. Another name, owner or permission changes it as well,
/// so a change of those explains it: a file that is replaced while it is served loses its name. A file that is renamed
/// counts as changed.
#[cfg(unix)]
#[derive(PartialEq, Eq)]
struct Status {
    changed: (i64, i64),
    links: u64,
    mode: u32,
    owners: [u32; 2],
}

#[cfg(unix)]
impl Status {
    /// Whether only the time differs.
    fn is_unexplained_after(&self, old: &Self) -> bool {
        self.changed != old.changed && *self == Self { changed: self.changed, ..*old }
    }
}

impl Version {
    /// Whether the file has grown since.
    pub(super) fn is_shorter_than(&self, metadata: &Metadata) -> bool {
        self.length < metadata.len()
    }

    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let status = Status {
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            links: metadata.nlink(),
            mode: metadata.mode(),
            owners: [metadata.uid(), metadata.gid()],
        };
        Self { length: metadata.len(), modified: metadata.modified().ok(), status }
    }

    #[cfg(not(unix))]
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: metadata.modified().ok() }
    }

    pub(super) fn differs_from(&self, old: &Self) -> bool {
        #[cfg(unix)]
        let unexplained = self.status.is_unexplained_after(&old.status);
        #[cfg(not(unix))]
        let unexplained = false;
        self.length != old.length || self.modified != old.modified || unexplained
    }
}

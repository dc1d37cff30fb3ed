//! Times and permission bits of files.

use rdt_proto::files::Metadata;
use std::fs::{File, FileTimes};
use std::io;
use std::time::{Duration, SystemTime};

/// The permission bits that are carried. Special bits were meant for other content.
const MODE: u16 = 0o777;
const SPECIAL: u32 = 0o7000;

pub(crate) fn of(metadata: &std::fs::Metadata) -> Metadata {
    #[cfg(unix)]
    let mode = Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()));
    #[cfg(not(unix))]
    let mode = None;
    from_parts(metadata.modified(), mode)
}

/// Whether a file has permission bits that are not carried.
pub(super) fn has_special_bits(metadata: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    #[cfg(not(unix))]
    let mode = 0;
    mode & SPECIAL != 0
}

/// Of an entry of a folder.
pub(super) fn of_entry(metadata: &cap_std::fs::Metadata) -> Metadata {
    #[cfg(unix)]
    let mode = Some(cap_std::fs::PermissionsExt::mode(&metadata.permissions()));
    #[cfg(not(unix))]
    let mode = None;
    from_parts(metadata.modified().map(cap_std::time::SystemTime::into_std), mode)
}

fn from_parts(modified: io::Result<SystemTime>, mode: Option<u32>) -> Metadata {
    let mode = mode.and_then(|mode| u16::try_from(mode & u32::from(MODE)).ok());
    Metadata { modified: modified.ok().and_then(to_nanos), mode }
}

/// Nanoseconds since 1970. `None` beyond the year 2262.
fn to_nanos(time: SystemTime) -> Option<i64> {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|nanos| -nanos),
    }
}

fn to_time(nanos: i64) -> Option<SystemTime> {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 { SystemTime::UNIX_EPOCH.checked_sub(distance) } else { SystemTime::UNIX_EPOCH.checked_add(distance) }
}

/// A time in nanoseconds since 1970 as text, such as `2026-11-26T18:20:01Z`. `None` before 1970.
pub(crate) fn time_text(nanos: i64) -> Option<String> {
    // The largest number is in the year 2262.
    let time = to_time(nanos).filter(|_| nanos >= 0)?;
    Some(humantime::format_rfc3339_seconds(time).to_string())
}

/// Sets the time of the last modification of a file, and its permission bits, as far as they are known.
pub(super) fn set(file: &File, metadata: Metadata) -> io::Result<()> {
    set_mode(file, metadata.mode)?;
    match metadata.modified.and_then(to_time) {
        Some(modified) => file.set_times(FileTimes::new().set_modified(modified)),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn set_mode(file: &File, mode: Option<u16>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match mode {
        Some(mode) => file.set_permissions(std::fs::Permissions::from_mode(u32::from(mode & MODE))),
        None => Ok(()),
    }
}

/// Does nothing. On this system the only permission is "read-only", and a read-only file cannot be replaced.
#[cfg(not(unix))]
fn set_mode(_file: &File, _mode: Option<u16>) -> io::Result<()> {
    Ok(())
}

/// Sets the permission bits of a folder, and the time of its last modification. Its owner can always use it, so that
/// files can follow. Its special bits stay, and one that was there is not opened to more users. A link stays as it is,
/// and so does what it leads to.
#[cfg(unix)]
pub(super) fn set_of_folder(
    parent: &cap_std::fs::Dir,
    name: &std::ffi::OsStr,
    metadata: Metadata,
    is_new: bool,
) -> io::Result<()> {
    use cap_std::fs::{Permissions, PermissionsExt};
    use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT, utimensat};
    const SECOND: i64 = 1_000_000_000;
    if !is_new && parent.symlink_metadata(name)?.is_symlink() {
        return Ok(());
    }
    if let Some(mode) = metadata.mode {
        let there = parent.metadata(name)?.permissions().mode() & 0o7777;
        let (special, most) = (there & !u32::from(MODE), if is_new { MODE.into() } else { there });
        parent.set_permissions(name, Permissions::from_mode(special | u32::from(mode & MODE) & most | 0o700))?;
    }
    let Some(modified) = metadata.modified else { return Ok(()) };
    let last_modification = Timespec { tv_sec: modified.div_euclid(SECOND), tv_nsec: modified.rem_euclid(SECOND) };
    let times = Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification };
    // Another program may have put a link there meanwhile.
    Ok(utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(not(unix))]
pub(super) fn set_of_folder(_: &cap_std::fs::Dir, _: &std::ffi::OsStr, _: Metadata, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_1970_survive() {
        for nanos in [0, 1, -1, i64::MAX, -i64::MAX, 1_760_000_000_123_456_789] {
            assert_eq!(to_time(nanos).and_then(to_nanos), Some(nanos));
        }
    }

    #[test]
    #[cfg(unix)]
    fn special_bits_are_never_set() {
        let file = tempfile::tempfile().unwrap();
        set(&file, Metadata { modified: Some(-5_000), mode: Some(0o6751) }).unwrap();
        assert_eq!(of(&file.metadata().unwrap()), Metadata { modified: Some(-5_000), mode: Some(0o751) });
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions()) & 0o7000, 0);
    }
}

//! The disk space of unfinished uploads.
//!
//! An unfinished upload takes space that no name shows, and will take as much as its client announced. So a server
//! reserves the announced length before it stores a byte, and refuses what does not fit. The reservation ends with the
//! upload: when the file has its name, or is removed. What is kept of an interrupted upload counts on, but no longer
//! for its host.

use indicatif::HumanBytes;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limits of the unfinished uploads of a server, in bytes of their announced lengths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpaceLimits {
    /// For all together. `None`: only the free space limits them.
    pub(crate) total: Option<u64>,
    /// For each host. `None`: seven eighths of what all together may take, so that one host leaves space for others.
    pub(crate) per_host: Option<u64>,
}

/// The space of the unfinished uploads of a server, which its threads share.
pub(crate) struct Space {
    limits: SpaceLimits,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    announced: u64,
    /// The part of `announced` that is not yet written, and so is still free on the disk.
    unwritten: u64,
    hosts: HashMap<IpAddr, u64>,
}

/// The space of one unfinished upload.
pub(crate) struct Reservation {
    space: Arc<Space>,
    /// `None` once the client is gone.
    host: Option<IpAddr>,
    announced: u64,
    unwritten: u64,
}

impl Space {
    pub(crate) fn new(limits: SpaceLimits) -> Arc<Self> {
        Arc::new(Self { limits, held: Mutex::default() })
    }

    /// Reserves `length` bytes for an upload of `host`. `free` returns the free space of the disk.
    ///
    /// Fails with [`ErrorKind::StorageFull`] beyond a limit.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        free: impl FnOnce() -> u64,
        host: IpAddr,
        length: u64,
    ) -> io::Result<Reservation> {
        self.reserve_rest(free, host, length, 0)
    }

    /// Reserves the space of an upload that goes on: `written` of its `length` bytes are on the disk.
    pub(super) fn reserve_rest(
        self: &Arc<Self>,
        free: impl FnOnce() -> u64,
        host: IpAddr,
        length: u64,
        written: u64,
    ) -> io::Result<Reservation> {
        let unwritten = length.saturating_sub(written);
        let mut held = self.held();
        // The space is read under the lock, so that no byte of another upload counts twice.
        let available = free().saturating_sub(held.unwritten);
        let there = held.announced.saturating_add(length - unwritten);
        let most = self.limits.total.unwrap_or(u64::MAX).min(there.saturating_add(available));
        let host_most = self.limits.per_host.unwrap_or(most - most / 8);
        let of_host = held.hosts.get(&host).copied().unwrap_or_default();
        let [left, left_of_host] = [most.saturating_sub(held.announced), host_most.saturating_sub(of_host)];
        let missing = unwritten.saturating_sub(available).max(length.saturating_sub(left));
        // What is kept counts for no host.
        let missing = if length > left_of_host { None } else { Some(missing) };
        if unwritten > available {
            return Err(Full { length: unwritten, what: "free on the disk", left: available, missing }.into());
        }
        if length > left {
            return Err(Full { length, what: "left of --max-unfinished", left, missing }.into());
        }
        if length > left_of_host {
            let what = "left of --max-unfinished-per-host";
            return Err(Full { length, what, left: left_of_host, missing }.into());
        }
        held.announced += length;
        held.unwritten += unwritten;
        *held.hosts.entry(host).or_default() += length;
        Ok(Reservation { space: self.clone(), host: Some(host), announced: length, unwritten })
    }

    /// Counts `length` bytes that are on the disk without a client.
    pub(super) fn count_kept(self: &Arc<Self>, length: u64) -> Reservation {
        let mut held = self.held();
        held.announced = held.announced.saturating_add(length);
        Reservation { space: self.clone(), host: None, announced: length, unwritten: 0 }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an upload does not fit.
#[derive(Debug)]
struct Full {
    length: u64,
    what: &'static str,
    left: u64,
    /// The number of bytes that have to go before it fits. `None` if it would not fit anyway.
    missing: Option<u64>,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, what, left, .. } = self;
        write!(f, "{} do not fit: {} {what}", HumanBytes(*length), HumanBytes(*left))
    }
}

impl std::error::Error for Full {}

impl From<Full> for io::Error {
    fn from(full: Full) -> Self {
        Self::new(ErrorKind::StorageFull, full)
    }
}

/// The number of kept bytes that have to go before an upload fits, which was refused with `error`. `None` if that does
/// not help.
pub(super) fn missing(error: &io::Error) -> Option<u64> {
    error.get_ref()?.downcast_ref::<Full>()?.missing
}

impl Reservation {
    /// Notes that `len` bytes are written, and no longer free on the disk.
    pub(super) fn write(&mut self, len: usize) {
        let len = self.unwritten.min(len as u64);
        self.unwritten -= len;
        self.space.held().unwritten -= len;
    }

    /// All of its bytes.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// The bytes that may still be written.
    pub(super) fn unwritten(&self) -> u64 {
        self.unwritten
    }

    /// Reserves `more` bytes for an upload that did not announce its length.
    pub(super) fn grow(&mut self, free: impl FnOnce() -> u64, more: u64) -> io::Result<()> {
        let Some(host) = self.host else { return Ok(()) };
        let mut other = self.space.reserve(free, host, more)?;
        self.announced += std::mem::take(&mut other.announced);
        self.unwritten += std::mem::take(&mut other.unwritten);
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.space.held();
        held.unwritten -= self.unwritten;
        held.announced -= self.announced;
        if let Some(host) = self.host
            && let Some(of_host) = held.hosts.get_mut(&host)
        {
            *of_host -= self.announced;
            if *of_host == 0 {
                held.hosts.remove(&host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);

    fn refusal(space: &Arc<Space>, free: u64, host: IpAddr, length: u64) -> Option<String> {
        let error = space.reserve(|| free, host, length).err()?;
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        Some(error.to_string())
    }

    #[test]
    fn announced_bytes_count_until_they_are_written_or_given_up() {
        let space = Space::new(SpaceLimits { per_host: Some(u64::MAX), ..SpaceLimits::default() });
        let mut first = space.reserve(|| 100, HERE, 60).unwrap();
        assert!(refusal(&space, 100, HERE, 41).unwrap().contains("free on the disk"));
        first.write(50);
        assert_eq!(refusal(&space, 50, HERE, 40), None);
        assert!(refusal(&space, 50, HERE, 41).unwrap().contains("free on the disk"));
        drop(first);
        assert_eq!(refusal(&space, 100, HERE, 100), None);
    }

    #[test]
    fn a_host_leaves_an_eighth_to_others() {
        let space = Space::new(SpaceLimits::default());
        let _first = space.reserve(|| 800, HERE, 700).unwrap();
        assert!(refusal(&space, 800, HERE, 1).unwrap().contains("--max-unfinished-per-host"));
        assert_eq!(refusal(&space, 800, THERE, 100), None);
    }

    #[test]
    fn limits_hold_for_all_together_and_for_each_host() {
        let space = Space::new(SpaceLimits { total: Some(100), per_host: Some(60) });
        let first = space.reserve(|| u64::MAX, HERE, 60).unwrap();
        assert!(refusal(&space, u64::MAX, HERE, 1).unwrap().contains("--max-unfinished-per-host"));
        assert!(refusal(&space, u64::MAX, THERE, 41).unwrap().contains("left of --max-unfinished"));
        let second = space.reserve(|| u64::MAX, THERE, 40).unwrap();
        drop((first, second));
        let held = space.held();
        assert_eq!((held.announced, held.unwritten, held.hosts.len()), (0, 0, 0));
    }

    #[test]
    fn kept_bytes_count_in_the_total_and_for_no_host() {
        let space = Space::new(SpaceLimits { total: Some(100), per_host: Some(60) });
        let kept = space.count_kept(50);
        assert_eq!(refusal(&space, u64::MAX, HERE, 50), None);
        assert!(refusal(&space, u64::MAX, HERE, 51).unwrap().contains("left of --max-unfinished"));
        assert_eq!(missing(&space.reserve(|| u64::MAX, HERE, 60).err().unwrap()), Some(10));
        assert_eq!(missing(&space.reserve(|| u64::MAX, HERE, 61).err().unwrap()), None);
        drop(kept);
        let rest = space.reserve_rest(|| 10, HERE, 60, 50).unwrap();
        assert!(refusal(&space, 10, THERE, 1).unwrap().contains("free on the disk"));
        drop(rest);
        let mut growing = space.reserve(|| 100, HERE, 0).unwrap();
        growing.grow(|| 100, 60).unwrap();
        assert!(growing.grow(|| 100, 1).is_err());
        drop(growing);
        let held = space.held();
        assert_eq!((held.announced, held.unwritten, held.hosts.len()), (0, 0, 0));
    }
}

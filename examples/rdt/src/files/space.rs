//! The disk space of unfinished uploads.
//!
//! An unfinished upload takes space that no name shows, and will take as much as its client announced. So a server
//! reserves the announced length before it stores a byte, and refuses what does not fit. The reservation ends with the
//! upload: when the file has its name, or is removed.

use indicatif::HumanBytes;
use std::collections::HashMap;
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
    host: IpAddr,
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
        let mut held = self.held();
        // The space is read under the lock, so that no byte of another upload counts twice.
        let available = free().saturating_sub(held.unwritten);
        let most = self.limits.total.unwrap_or(u64::MAX).min(held.announced.saturating_add(available));
        let host_most = self.limits.per_host.unwrap_or(most - most / 8);
        let of_host = held.hosts.get(&host).copied().unwrap_or_default();
        if length > available {
            return Err(full(length, "free on the disk", available));
        }
        if length > most.saturating_sub(held.announced) {
            return Err(full(length, "left of --max-unfinished", most.saturating_sub(held.announced)));
        }
        if length > host_most.saturating_sub(of_host) {
            return Err(full(length, "left of --max-unfinished-per-host", host_most.saturating_sub(of_host)));
        }
        held.announced += length;
        held.unwritten += length;
        *held.hosts.entry(host).or_default() += length;
        Ok(Reservation { space: self.clone(), host, announced: length, unwritten: length })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full(length: u64, what: &str, left: u64) -> io::Error {
    io::Error::new(ErrorKind::StorageFull, format!("{} do not fit: {} {what}", HumanBytes(length), HumanBytes(left)))
}

impl Reservation {
    /// Notes that `len` bytes are written, and no longer free on the disk.
    pub(super) fn write(&mut self, len: usize) {
        let len = self.unwritten.min(len as u64);
        self.unwritten -= len;
        self.space.held().unwritten -= len;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.space.held();
        held.unwritten -= self.unwritten;
        held.announced -= self.announced;
        if let Some(of_host) = held.hosts.get_mut(&self.host) {
            *of_host -= self.announced;
            if *of_host == 0 {
                held.hosts.remove(&self.host);
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
}

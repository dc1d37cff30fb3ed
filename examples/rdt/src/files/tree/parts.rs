//! The parts of a tree: which are in use, which are kept, and for how long.

use super::super::space::{Reservation, Space};
use super::failure::taken_over;
use super::hidden;
use super::part::{Key, Part, PartFiles, Shared};
use super::remembered;
use cap_std::fs::Dir;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The parts of one hidden folder.
pub(super) struct Parts {
    outermost: Arc<Dir>,
    state: Mutex<State>,
    /// A sealed part has ended.
    sealed_ended: Condvar,
}

#[derive(Default)]
struct State {
    in_use: HashMap<Key, Use>,
    /// The space of the parts that are kept for a later request. It is `None` where no space is counted.
    kept: HashMap<Key, Option<Reservation>>,
    /// The threads that wait for the end of a sealed part.
    waiting: usize,
}

#[derive(Clone)]
enum Use {
    /// A request writes into it.
    Open(Shared),
    /// It is complete, and about to get its name.
    Sealed,
}

impl Parts {
    pub(super) fn new(outermost: Arc<Dir>) -> Self {
        Self { outermost, state: Mutex::default(), sealed_ended: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the part of `path` over, and makes it if there is none. `None` while its content is complete, or another
    /// process has it.
    pub(super) fn take(&self, path: &str) -> io::Result<Option<Part>> {
        let key = Key::of(path);
        let in_use = self.state().in_use.get(&key).cloned();
        let files = match in_use {
            Some(Use::Sealed) => None,
            // A write that runs is waited for.
            Some(Use::Open(files)) => files.lock().unwrap_or_else(PoisonError::into_inner).take(),
            None => None,
        };
        let mut state = self.state();
        let files = match files {
            // The sidecar is read again, since the newer request may know fewer values.
            Some(files) => {
                drop(files);
                state.in_use.remove(&key);
                self.open(&key, path)?
            }
            None if state.in_use.contains_key(&key) => None,
            None => self.open(&key, path)?,
        };
        let Some(files) = files else { return Ok(None) };
        let files = Arc::new(Mutex::new(Some(files)));
        state.in_use.insert(key.clone(), Use::Open(files.clone()));
        state.kept.remove(&key);
        Ok(Some(Part { key, files }))
    }

    fn open(&self, key: &Key, path: &str) -> io::Result<Option<PartFiles>> {
        hidden::create(&self.outermost, |hidden| PartFiles::open(hidden, key, path))
    }

    /// Whether there is a part to go on with.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.state().in_use.contains_key(key)
            || hidden::open(&self.outermost).is_ok_and(|hidden| hidden.exists(key.data()))
    }

    /// Whether the content of the part is complete, so that it is none any more.
    pub(super) fn is_sealed(&self, key: &Key) -> bool {
        matches!(self.state().in_use.get(key), Some(Use::Sealed))
    }

    /// Whether another process has the part, so that no request of this one can go on with it.
    pub(super) fn is_of_another_process(&self, hidden: &Dir, key: &Key) -> bool {
        // With the state locked, no thread of this process takes the part meanwhile.
        let state = self.state();
        !state.in_use.contains_key(key) && is_locked(hidden, key)
    }

    /// Waits until content that is complete has its name, so that a request can go on with it. At most two threads
    /// wait, so that a slow flush holds up no other request, and each for `limit`.
    pub(super) fn wait_for_sealed(&self, key: &Key, limit: Duration) {
        const MOST: usize = 2;
        let is_sealed = |state: &State| matches!(state.in_use.get(key), Some(Use::Sealed));
        let mut state = self.state();
        if !is_sealed(&state) || state.waiting >= MOST {
            return;
        }
        state.waiting += 1;
        let waited = self.sealed_ended.wait_timeout_while(state, limit, |state| is_sealed(state));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
    }

    /// Ends the use of a part, which is kept for a later request. Does nothing if a newer request has it.
    pub(super) fn release(&self, part: Part, space: Option<Reservation>) {
        let mut state = self.state();
        if Self::end(&mut state, &part) {
            state.kept.insert(part.key, space);
        }
    }

    /// Removes a part. Does nothing if a newer request has it.
    pub(super) fn remove(&self, part: &Part) {
        let mut state = self.state();
        // A newer request takes the files first, and the place in the table then.
        if Self::end(&mut state, part) {
            self.delete(&part.key);
        }
    }

    /// Takes the files of a part whose content is complete. Fails if a newer request has it.
    pub(super) fn seal(&self, part: &Part) -> io::Result<PartFiles> {
        let mut state = self.state();
        let files = part.files.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(files) = files else { return Err(taken_over()) };
        state.in_use.insert(part.key.clone(), Use::Sealed);
        Ok(files)
    }

    /// Ends a sealed part: its bytes have another name, or are removed here.
    pub(super) fn end_sealed(&self, key: &Key) {
        let mut state = self.state();
        self.delete(key);
        state.in_use.remove(key);
        drop(state);
        self.sealed_ended.notify_all();
    }

    /// Ends the use of a part by closing its files. Returns whether the part was still that of this request.
    fn end(state: &mut State, part: &Part) -> bool {
        let files = part.files.lock().unwrap_or_else(PoisonError::into_inner).take();
        if files.is_some() {
            state.in_use.remove(&part.key);
        }
        files.is_some()
    }

    /// Forgets what is kept for a path under which something else was stored.
    pub(super) fn forget(&self, path: &str) {
        let mut state = self.state();
        if !state.kept.is_empty() {
            let key = Key::of(path);
            if state.kept.remove(&key).is_some() {
                self.delete(&key);
            }
        }
    }

    /// Removes kept parts with at least `bytes` bytes, those first that were not written to for the longest time.
    /// Removes none if all together have fewer.
    pub(super) fn remove_oldest(&self, bytes: u64) -> bool {
        let mut state = self.state();
        let Ok(hidden) = hidden::open(&self.outermost) else { return false };
        let sizes = state.kept.iter().filter_map(|(key, space)| Some((key.clone(), space.as_ref()?.announced())));
        let changed = |key: &Key| hidden.symlink_metadata(key.data()).ok().as_ref().and_then(changed);
        let mut oldest: Vec<_> = sizes.map(|(key, size)| (changed(&key), key, size)).collect();
        if oldest.iter().map(|(.., size)| size).sum::<u64>() < bytes {
            return false;
        }
        oldest.sort_unstable();
        let mut removed = 0;
        for (_, key, size) in oldest {
            if removed >= bytes {
                break;
            }
            // One that another process has now is none of this one any more.
            let _lock = lock(&hidden, &key).map(|_lock| self.delete(&key));
            state.kept.remove(&key);
            removed += size;
        }
        true
    }

    /// Removes the parts that were not written to for `keep_for`, and counts the others in `space`. Returns how many
    /// were removed.
    pub(super) fn expire(&self, keep_for: Duration, space: Option<&Arc<Space>>) -> usize {
        let mut state = self.state();
        let Ok(hidden) = hidden::open(&self.outermost) else { return 0 };
        let now = SystemTime::now();
        let mut removed = 0;
        for entry in hidden.entries().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some((key, has_bytes)) = name.to_str().and_then(Key::of_name) else { continue };
            if state.in_use.contains_key(&key) {
                continue;
            }
            if !has_bytes {
                if !hidden.exists(key.data()) {
                    let _ = hidden.remove_file(key.values());
                }
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            let age = changed(&metadata).and_then(|changed| now.duration_since(changed).ok());
            let lock = age.filter(|&age| age >= keep_for).and_then(|_| lock(&hidden, &key));
            if lock.is_some() {
                self.delete(&key);
                state.kept.remove(&key);
                removed += 1;
            } else {
                let kept = state.kept.entry(key).or_default();
                if kept.is_none() {
                    *kept = space.map(|space| space.count_kept(metadata.len()));
                }
            }
        }
        drop(hidden);
        remembered::remove_surplus_of(&self.outermost);
        hidden::remove_if_empty(&self.outermost);
        removed
    }

    /// Removes the files of a part. An error leaves them until the part expires.
    fn delete(&self, key: &Key) {
        if let Ok(hidden) = hidden::open(&self.outermost) {
            // In this order: values without bytes mean nothing.
            let _ = hidden.remove_file(key.data());
            let _ = hidden.remove_file(key.values());
        }
        hidden::remove_if_empty(&self.outermost);
    }
}

/// The time of the last change. The time of modification is that of the sender's file once the content is complete.
#[cfg(unix)]
fn changed(metadata: &cap_std::fs::Metadata) -> Option<SystemTime> {
    use cap_std::fs::MetadataExt;
    let seconds = Duration::from_secs(u64::try_from(metadata.ctime()).ok()?);
    let nanos = Duration::from_nanos(u64::try_from(metadata.ctime_nsec()).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(seconds)?.checked_add(nanos)
}

#[cfg(not(unix))]
fn changed(metadata: &cap_std::fs::Metadata) -> Option<SystemTime> {
    metadata.modified().ok().map(cap_std::time::SystemTime::into_std)
}

/// Whether a part is there, and locked.
fn is_locked(hidden: &Dir, key: &Key) -> bool {
    let mut options = cap_std::fs::OpenOptions::new();
    let file = hidden::open_file(hidden, &key.data(), options.read(true));
    file.is_ok_and(|file| super::super::temporary::is_locked(&file))
}

/// Locks a part, so that no other process takes it while it is removed. `None` if one has it.
fn lock(hidden: &Dir, key: &Key) -> Option<File> {
    let mut options = cap_std::fs::OpenOptions::new();
    let file = hidden::open_file(hidden, &key.data(), options.read(true)).ok()?;
    super::super::temporary::lock(&file).is_ok().then_some(file)
}

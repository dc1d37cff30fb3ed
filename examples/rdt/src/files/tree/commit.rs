//! Makes many files durable with few flushes.
//!
//! 1. The bytes of all files are flushed: few files one by one, more by one flush of their file system. Where a
//!    [journal](super::journal) keeps the order, those of few files are only written out.
//! 2. The files take their names.
//! 3. The folders are flushed, and those above them that are new. Where a name is forgotten otherwise, the files are
//!    flushed again.
//!
//! A file whose step fails leaves the batch, and the others go on.

use super::Tree;
use super::sealed::Sealed;
use cap_std::fs::Dir;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

/// Why a commit failed.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// The name refers to the old content, or to nothing.
    NotStored(io::Error),
    /// The name refers to the new content, but may refer to the old content after a power failure.
    NotDurable(io::Error),
}

/// A folder to flush, and which files need it.
type Flush = (io::Result<Arc<Dir>>, Vec<usize>);

/// The most files or folders that are flushed one by one. A flush of the file system also waits for the bytes of other
/// programs.
const FEW: usize = 4;

/// Makes files durable under their paths, with one flush for all. Returns one result each, in order: the name if it is
/// another than the one asked for.
pub(crate) fn commit(batch: Vec<Sealed>) -> Vec<Result<Option<OsString>, CommitError>> {
    let mut batch = batch;
    let flushed = flush_bytes(&batch);
    let before = SystemTime::now();
    let named: Vec<_> =
        batch.iter_mut().zip(flushed).map(|(file, flushed)| flushed.and_then(|()| file.take_name())).collect();
    let uncertain = flush_folders(&batch, &named);
    let mut results = Vec::with_capacity(batch.len());
    for ((file, named), uncertain) in batch.into_iter().zip(named).zip(uncertain) {
        results.push(match (named, uncertain) {
            (Err(error), _) => Err(CommitError::NotStored(file.tree().explained(error))),
            (Ok(_), Some(error)) => Err(CommitError::NotDurable(error)),
            (Ok(other), None) => {
                file.remember(before);
                Ok(other)
            }
        });
    }
    results
}

/// Flushes the bytes of all files.
fn flush_bytes(batch: &[Sealed]) -> Vec<io::Result<()>> {
    let files: Vec<&File> = batch.iter().filter_map(Sealed::file).collect();
    let is_few = files.len() <= FEW;
    let at_once = !is_few && sync_disks(&files);
    let flush = |file: &Sealed| match file.file() {
        Some(content) if is_few && file.tree().journal().write_out(content) => Ok(()),
        // After an error of the common flush, each file tells whether it was its own.
        Some(content) if !at_once => content.sync_all(),
        Some(_) | None => Ok(()),
    };
    batch.iter().map(flush).collect()
}

/// Flushes the folders of the files that have taken their names. Returns the error of each file.
fn flush_folders(batch: &[Sealed], named: &[io::Result<Option<OsString>>]) -> Vec<Option<io::Error>> {
    let mut errors: Vec<Option<io::Error>> = batch.iter().map(|_| None).collect();
    let mut folders: BTreeMap<(usize, &str), Flush> = BTreeMap::new();
    let mut new_folders: Vec<(&Tree, Box<str>, usize)> = Vec::new();
    for (at, (file, _)) in batch.iter().zip(named).enumerate().filter(|(_, (_, named))| named.is_ok()) {
        let (tree, path) = (file.tree(), file.place().path());
        let parent = || Ok(file.place().parent.clone());
        let entry = folders.entry((tree.id(), folder_of(path))).or_insert_with(|| (parent(), Vec::new()));
        entry.1.push(at);
        for new in tree.folders().fresh_on(path) {
            let above = folder_of(path.get(..new.len()).unwrap_or_default());
            let open = || (tree.folders().open_parent(&new), Vec::new());
            folders.entry((tree.id(), above)).or_insert_with(open).1.push(at);
            new_folders.push((tree, new, at));
        }
    }
    let open: Vec<&Dir> = folders.values().filter_map(|(folder, _)| folder.as_deref().ok()).collect();
    let renewed: Vec<_> = batch
        .iter()
        .enumerate()
        .filter(|(at, file)| file.tree().journal().forgets_names() && named.get(*at).is_some_and(Result::is_ok))
        .filter_map(|(at, file)| file.file().map(|file| (at, file)))
        .collect();
    let at_once = open.len().max(renewed.len()) > FEW && sync_disks_of(&open);
    for (at, file) in renewed.into_iter().filter(|_| !at_once) {
        if let Err(error) = file.sync_all() {
            errors.get_mut(at).into_iter().for_each(|slot| *slot = Some(copy(&error)));
        }
    }
    for (folder, files) in folders.values() {
        let flushed = match folder {
            Ok(_) if at_once => Ok(()),
            Ok(folder) => sync_folder(folder),
            Err(error) => Err(copy(error)),
        };
        if let Err(error) = flushed {
            for &at in files {
                errors.get_mut(at).into_iter().for_each(|slot| *slot = Some(copy(&error)));
            }
        }
    }
    for (tree, new, at) in new_folders {
        if errors.get(at).is_some_and(Option::is_none) {
            tree.folders().is_durable(&new);
        }
    }
    errors
}

/// The folder of a path; the outermost one is empty.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// An error that several files share.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// Flushes the folder to the disk, so that the new name survives a power failure.
#[cfg(unix)]
fn sync_folder(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// Does nothing, because folders cannot be flushed on this system.
#[cfg(not(unix))]
fn sync_folder(_folder: &Dir) -> io::Result<()> {
    Ok(())
}

/// Flushes the file systems of these files. Returns whether that worked: elsewhere than on Linux it does not wait.
#[cfg(target_os = "linux")]
fn sync_disks(files: &[&File]) -> bool {
    sync_each_disk(files, |file| Ok(rustix::fs::syncfs(file)?))
}

/// Flushes the file systems of these folders. What a folder was opened for is not enough for that.
#[cfg(target_os = "linux")]
fn sync_disks_of(folders: &[&Dir]) -> bool {
    sync_each_disk(folders, |folder| Ok(rustix::fs::syncfs(folder.open(".")?)?))
}

#[cfg(target_os = "linux")]
fn sync_each_disk<T: std::os::fd::AsFd>(files: &[T], sync: impl Fn(&T) -> io::Result<()>) -> bool {
    let mut flushed = Vec::new();
    for file in files {
        let Ok(device) = rustix::fs::fstat(file).map(|metadata| metadata.st_dev) else { return false };
        if !flushed.contains(&device) {
            if sync(file).is_err() {
                return false;
            }
            flushed.push(device);
        }
    }
    true
}

#[cfg(not(target_os = "linux"))]
fn sync_disks(_files: &[&File]) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn sync_disks_of(_folders: &[&Dir]) -> bool {
    false
}

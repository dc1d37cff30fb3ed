//! Where a download goes.

use crate::files::Folder;
use crate::local_failure;
use crate::messages::error_text;
use rdt_proto::files::{FilePath, FilePathBox};
use rdt_proto::ftp::StorageError;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf, is_separator};

/// An entry of a folder of this machine, or the standard output.
pub(crate) enum Place {
    Entry {
        path: PathBuf,
        folder: Folder,
        name: FilePathBox,
        /// What is there already.
        here: Here,
    },
    StandardOutput,
}

/// What this side has under the name of a file or folder to fetch, as far as is known before the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    Unknown,
    /// No folder takes its place.
    File,
    /// Only a folder can be fetched.
    Folder,
}

/// The advice if `--output` names a file for several.
const SEVERAL: &str = "several files need a folder: give --output FOLDER";

/// What a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    One,
    /// `--output` can name a folder only.
    Several,
}

impl Request {
    /// What helps if a file cannot have its name on this machine.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::One => "give --output FILE",
            Self::Several => "give another --output",
        }
    }
}

/// The place that `--output` names for the only file or folder of a request. A folder gets it under its own name,
/// unless it is a copy of that folder and is named without a slash at the end.
pub(crate) fn place(
    output: Option<&Path>,
    own_name: &str,
    is_copy: impl FnOnce(&Path) -> bool,
) -> Result<Place, String> {
    match output {
        None => entry(own_name.into(), Request::One),
        Some(path) if path.as_os_str() == "-" => Ok(Place::StandardOutput),
        Some(folder) if !names_folder(folder) && folder.is_dir() && is_copy(folder) => {
            entry(folder.into(), Request::One)
        }
        Some(folder) if folder.is_dir() => entry(folder.join(own_name), Request::One),
        Some(folder) if names_folder(folder) => Err(no_folder(folder, "give another --output")),
        Some(file) => match entry(file.into(), Request::One)? {
            Place::Entry { path, here: Here::Folder, .. } => Err(is_a_folder(&path)),
            place @ (Place::Entry { .. } | Place::StandardOutput) => Ok(place),
        },
    }
}

/// The place for one of several files: `--output` names a folder.
pub(crate) fn place_in(output: Option<&Path>, own_name: &str) -> Result<Place, String> {
    match output {
        None => entry(own_name.into(), Request::Several),
        Some(folder) if folder.is_dir() => entry(folder.join(own_name), Request::Several),
        Some(folder) => Err(no_folder(folder, SEVERAL)),
    }
}

/// A folder that this command has made. Nothing of it is left if nothing came.
pub(crate) struct NewFolder(PathBuf);

impl NewFolder {
    /// Makes the folder that `--output` names for several files, as `cp -r` does, if nothing is there.
    pub(crate) fn make(output: Option<&Path>) -> Result<Option<Self>, String> {
        let Some(path) = output.filter(|path| path.as_os_str() != "-" && path.symlink_metadata().is_err()) else {
            return Ok(None);
        };
        std::fs::create_dir(path).map_err(|error| failed(path, &error))?;
        let made = Self(path.to_owned());
        // The files in it are durable, and so must be its own name.
        #[cfg(unix)]
        parent_of(path)
            .canonicalize()
            .and_then(std::fs::File::open)
            .and_then(|parent| parent.sync_all())
            .map_err(|error| failed(path, &error))?;
        Ok(Some(made))
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // It usually is not empty.
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// The folder that `--output` names for what matches patterns, and what the user calls it.
pub(crate) fn folder(output: Option<&Path>) -> Result<(Folder, PathBuf), String> {
    let path = match output {
        None => Path::new(""),
        Some(folder) if folder.is_dir() => folder,
        Some(folder) => return Err(no_folder(folder, SEVERAL)),
    };
    let opened = Folder::open(if output.is_some() { path } else { Path::new(".") });
    let folder = opened.map_err(|error| failed(path, &error))?;
    folder.check_takes_files().map_err(|error| failed(path, &error))?;
    Ok((folder, path.to_owned()))
}

/// An entry that can be written, as far as is known before.
fn entry(path: PathBuf, request: Request) -> Result<Place, String> {
    // The path may be a link to a device, such as /dev/stdout. Without this check, the commit would replace a link
    // whose target is outside the folder.
    let here = match path.metadata() {
        Ok(there) if there.is_dir() && path.is_symlink() => {
            let why = "it is a link to a folder, and is not followed";
            return Err(cannot_write(&path, why, "give another --output"));
        }
        Ok(there) if there.is_dir() => Here::Folder,
        Ok(there) if !there.is_file() || stands_for_open_file(&path) => {
            let why = "it is not a regular file, and is not replaced";
            let advice = match request {
                Request::One => "give --output FILE, or - for the standard output",
                Request::Several => request.advice(),
            };
            return Err(cannot_write(&path, why, advice));
        }
        Ok(_) => Here::File,
        Err(_) => Here::Unknown,
    };
    let name = path.file_name().map(|name| name.to_str().map(|name| FilePath::new(name).map(FilePathBox::from)));
    let name = match name {
        None => return Err(cannot_write(&path, "it is no name for a file", request.advice())),
        Some(None) => return Err(cannot_write(&path, "its name is not UTF-8", "give another --output")),
        Some(Some(name)) => name.map_err(|error| cannot_write(&path, &error.to_string(), "give another --output"))?,
    };
    let folder = Folder::open(parent_of(&path)).map_err(|error| failed(&path, &error))?;
    if here != Here::Folder {
        folder.check_takes(OsStr::new(&*name)).map_err(|error| failed(&path, &error))?;
    }
    Ok(Place::Entry { path, folder, name, here })
}

/// Whether the path stands for what this program has open, as `/dev/stdout` does, whatever that is.
fn stands_for_open_file(path: &Path) -> bool {
    let is_link_there = path.read_link().is_ok_and(|target| target.starts_with("/proc"));
    is_link_there || parent_of(path).canonicalize().is_ok_and(|folder| folder.starts_with("/proc"))
}

/// The folder of a path.
fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The error of a file that has the path of a folder.
pub(crate) fn is_a_folder(path: &Path) -> String {
    cannot_write(path, "it is a folder", Request::One.advice())
}

/// The error of a path where a folder must be, with the advice if something else is there.
fn no_folder(folder: &Path, if_taken: &str) -> String {
    match folder.metadata().err().map(|error| error.kind()) {
        Some(io::ErrorKind::NotFound) if folder.is_symlink() => {
            cannot_write(folder, "it is a link to nothing", "give another --output")
        }
        Some(io::ErrorKind::NotFound) => {
            cannot_write(folder, "no such folder", "create it, or leave out the / at its end")
        }
        Some(_) | None => cannot_write(folder, "it is not a folder", if_taken),
    }
}

/// Whether the last component of the path must be a folder: `path/` or `path/.`.
fn names_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    let text = text.strip_suffix(b".").filter(|rest| !rest.is_empty()).unwrap_or(text);
    text.last().is_some_and(|byte| is_separator(char::from(*byte)))
}

fn failed(path: &Path, error: &io::Error) -> String {
    cannot_write(path, &error_text(error), advice(error.kind().into()))
}

fn cannot_write(path: &Path, why: &str, advice: &str) -> String {
    local_failure::cannot_write(&path.display(), why, advice)
}

/// What the user can do about a failed write.
pub(crate) fn advice(error: StorageError) -> &'static str {
    match error {
        StorageError::NoSuchFile => "create its folder, or give another --output",
        StorageError::NoSpace => "make room, or give an --output on another disk",
        StorageError::TooLarge => "raise the limit of file sizes, or give an --output on another disk",
        StorageError::NotPermitted | StorageError::NoUploads | StorageError::NoDownloads | StorageError::NoFolders => {
            "give an --output in a folder that you may write"
        }
        StorageError::DigestMismatch | StorageError::PrefixGone => "get it again",
        StorageError::NameNotAllowed
        | StorageError::Exists
        | StorageError::NoReplace
        | StorageError::Failed
        | StorageError::Busy
        | StorageError::TakenOver
        | StorageError::Unavailable => "give another --output",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_ends_in_a_separator_names_a_folder() {
        for folder in ["a/", "a//", "a/.", "/", "./"] {
            assert!(names_folder(Path::new(folder)), "{folder}");
        }
        for file in ["a", "a.", "a/b", "a/b.", ".", "..", "-"] {
            assert!(!names_folder(Path::new(file)), "{file}");
        }
    }
}

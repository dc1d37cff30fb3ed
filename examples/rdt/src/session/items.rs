//! The files that the arguments of a command name.

use super::put::Item;
use super::source::Source;
use crate::files::folder_metadata;
use crate::files::is_hidden;
use crate::local_failure::{cannot_read, cannot_read_argument, cannot_read_as};
use crate::standard_streams::Input;
use crate::transfer_args::Name;
use rdt_proto::files::{FilePath, FilePathBox};
use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// What a pipe, a socket or a device is.
const NOT_A_FILE: &str = "it is not a regular file";

/// The files to send, and why some cannot be.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) items: Vec<Item>,
    pub(crate) failures: Vec<String>,
}

impl Items {
    /// Collects what `paths` name, with everything in folders. Links are followed. `name` is the path at the server, or
    /// that of the folder for several. The hidden folders of this program are left out.
    pub(crate) fn of(paths: &[PathBuf], name: Option<&Name>) -> Self {
        let mut items = Self::default();
        for path in paths {
            if let Err(why) = items.add(path, name, paths.len() == 1) {
                items.failures.push(why);
            }
        }
        let Self { items: found, failures } = &mut items;
        let mut taken = HashSet::new();
        // Folders with the same path become one, which comes behind everything in it.
        let mut left: HashMap<FilePathBox, u32> = HashMap::new();
        for folder in found.iter().filter(|item| item.is_folder()) {
            *left.entry(folder.path.clone()).or_default() += 1;
        }
        found.retain(|item| match left.get_mut(&item.path).filter(|_| item.is_folder()) {
            Some(left) => {
                *left -= 1;
                *left == 0
            }
            None => true,
        });
        found.retain(|item| {
            let is_new = item.is_folder() || taken.insert(item.path.clone());
            if !is_new {
                let (source, path) = (item.source.text(), item.path.as_path());
                failures.push(format!(
                    "cannot send {source} as \"{path}\": another file has this name: send it alone, with another --name"
                ));
            }
            is_new
        });
        // They come behind all files, whose arrival changes their times of modification. The innermost come first.
        items.items.sort_by_key(|item| matches!(item.source, Source::Folder(_)));
        items
    }

    fn add(&mut self, path: &Path, name: Option<&Name>, is_alone: bool) -> Result<(), String> {
        if path.as_os_str() == "-" {
            let name = name.ok_or("the standard input has no name: give --name")?;
            // An input that cannot be read is an error before a file is replaced.
            Input::open()?;
            self.items.push(Item { source: Source::StandardInput, path: name.path.clone(), length: 0 });
            return Ok(());
        }
        let metadata = std::fs::metadata(path).map_err(|error| cannot_read_argument(path, &error))?;
        if !metadata.is_dir() && !metadata.is_file() {
            let advice = "copy its content into one first, or send it as - (the standard input)";
            return Err(cannot_read_as(path, NOT_A_FILE, advice));
        }
        let outermost = match name {
            Some(name) if is_alone && !name.is_folder => name.path.to_string(),
            Some(folder) => format!("{}/{}", folder.path, own_name(path)?),
            None => own_name(path)?,
        };
        if metadata.is_file() {
            let path_there = checked(path, &outermost)?;
            self.items.push(Item { source: Source::File(path.into()), path: path_there, length: metadata.len() });
            return Ok(());
        }
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name().contents_first(true) {
            if let Err(why) = self.add_entry(path, &outermost, entry) {
                self.failures.push(why);
            }
        }
        Ok(())
    }

    /// Adds an entry of the folder `root`, which is called `outermost` at the server.
    fn add_entry(
        &mut self,
        root: &Path,
        outermost: &str,
        entry: walkdir::Result<walkdir::DirEntry>,
    ) -> Result<(), String> {
        let found = entry.as_ref().map_or_else(walkdir::Error::path, |entry| Some(entry.path()));
        if found.is_some_and(|path| is_beneath_hidden(root, path)) {
            return Ok(());
        }
        let entry = entry.map_err(|error| match (error.path().map(Path::to_owned), error.io_error()) {
            (Some(path), Some(io)) => cannot_read(&path, io),
            (Some(path), None) => cannot_read_as(&path, "links lead in a circle", "it is left out; remove one of them"),
            (None, _) => cannot_read_as(root, &error.to_string(), "try again"),
        })?;
        let mut there = outermost.to_owned();
        let beneath = entry.path().strip_prefix(root).unwrap_or(entry.path());
        for component in beneath.components() {
            there.push('/');
            there.push_str(
                component.as_os_str().to_str().ok_or_else(|| {
                    format!("cannot send {}: its name is not UTF-8: rename it", entry.path().display())
                })?,
            );
        }
        let path = checked(entry.path(), &there)?;
        let metadata = entry.metadata().map_err(|error| match error.io_error() {
            Some(io) => cannot_read(entry.path(), io),
            None => cannot_read_as(entry.path(), &error.to_string(), "try again"),
        })?;
        let (source, length) = if metadata.is_dir() {
            (Source::Folder(folder_metadata(&metadata)), 0)
        } else if metadata.is_file() {
            (Source::File(entry.path().into()), metadata.len())
        } else {
            return Err(cannot_read_as(entry.path(), NOT_A_FILE, "it is left out; move it elsewhere"));
        };
        self.items.push(Item { source, path, length });
        Ok(())
    }
}

/// Whether `path` is a hidden folder of this program beneath `root`, or in one.
fn is_beneath_hidden(root: &Path, path: &Path) -> bool {
    let beneath = path.strip_prefix(root).unwrap_or(path);
    beneath.components().any(|component| component.as_os_str().to_str().is_some_and(is_hidden))
}

/// The name of a file or folder, also of `.` and `..`.
pub(crate) fn own_name(path: &Path) -> Result<String, String> {
    let is_named = matches!(path.components().next_back(), Some(Component::Normal(_)));
    let absolute = if is_named {
        path.to_owned()
    } else {
        path.canonicalize().map_err(|error| cannot_read_argument(path, &error))?
    };
    let name =
        absolute.file_name().ok_or_else(|| format!("cannot send {}: it has no name: give --name", path.display()))?;
    let name = name
        .to_str()
        .ok_or_else(|| format!("cannot send {} under its name: it is not UTF-8: give --name", path.display()))?;
    Ok(name.to_owned())
}

fn checked(path: &Path, there: &str) -> Result<FilePathBox, String> {
    FilePath::new(there)
        .map(FilePathBox::from)
        .map_err(|error| format!("cannot send {} under its name: {error}: give --name", path.display()))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// The paths at the server, and the failures.
    fn found(paths: &[PathBuf], name: Option<&str>) -> (Vec<String>, Vec<String>) {
        let name = name.map(|name| Name {
            path: FilePath::new(name.trim_end_matches('/')).unwrap().into(),
            is_folder: name.ends_with('/'),
        });
        let Items { items, failures } = Items::of(paths, name.as_ref());
        (items.iter().map(|item| item.path.to_string()).collect(), failures)
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    #[test]
    fn folders_come_behind_all_files_the_innermost_first() {
        let folder = folder(&["t/b/c", "t/a", "t/z/y/x", "file"]);
        fs::create_dir(folder.path().join("t/empty")).unwrap();
        let [tree, file] = ["t", "file"].map(|name| folder.path().join(name));
        let (paths, failures) = found(&[tree, file], None);
        assert_eq!(paths, ["t/a", "t/b/c", "t/z/y/x", "file", "t/b", "t/empty", "t/z/y", "t/z", "t"]);
        assert!(failures.is_empty());
    }

    #[test]
    fn a_name_is_that_of_one_file_or_of_the_folder_of_several() {
        let folder = folder(&["t/a", "b"]);
        let [tree, file] = ["t", "b"].map(|name| folder.path().join(name));
        assert_eq!(found(std::slice::from_ref(&file), Some("x/y")).0, ["x/y"]);
        assert_eq!(found(std::slice::from_ref(&file), Some("x/y/")).0, ["x/y/b"]);
        assert_eq!(found(std::slice::from_ref(&tree), Some("x")).0, ["x/a", "x"]);
        assert_eq!(found(&[tree.join("."), file], Some("x/y")).0, ["x/y/t/a", "x/y/b", "x/y/t"]);
        assert_eq!(found(&[tree.join("../t/.")], None).0, ["t/a", "t"]);
    }

    #[test]
    fn the_input_needs_a_name() {
        assert_eq!(found(&["-".into()], Some("x")).0, ["x"]);
        let (paths, failures) = found(&["-".into()], None);
        assert!(paths.is_empty() && failures == ["the standard input has no name: give --name"]);
    }

    #[test]
    fn a_circle_of_links_ends_with_a_failure() {
        let folder = folder(&["t/a", "u/b"]);
        symlink("..", folder.path().join("t/up")).unwrap();
        symlink("../u", folder.path().join("t/u")).unwrap();
        let (paths, failures) = found(&[folder.path().join("t")], None);
        assert!(paths.contains(&"t/a".into()) && paths.contains(&"t/u/b".into()), "{paths:?}");
        let circle = "on this machine: links lead in a circle: it is left out; remove one of them";
        assert!(paths.len() < 20 && failures.iter().any(|why| why.ends_with(circle)), "{failures:?}");
    }

    /// Regression: the second one replaced the first one, and both counted as stored.
    #[test]
    fn two_files_do_not_get_the_same_name() {
        let folder = folder(&["a/f", "b/f", "c/t/x", "d/t/y", "d/t/x"]);
        let paths = ["a/f", "b/f", "c/t", "d/t"].map(|name| folder.path().join(name));
        let (found, failures) = found(&paths, None);
        assert_eq!(found, ["f", "t/x", "t/y", "t"]);
        assert_eq!(failures.len(), 2);
        let expected = format!(
            "cannot send {} as \"f\": another file has this name: send it alone, with another --name",
            paths[1].display()
        );
        assert!(failures.contains(&expected), "{failures:?}");
    }

    /// Regression: what could not be read in one was a failure.
    #[test]
    fn nothing_in_a_hidden_folder_is_sent_or_fails() {
        let folder = folder(&["t/a", "t/.rdt/part", "t/b/.rdt/part"]);
        symlink("nowhere", folder.path().join("t/.rdt/broken")).unwrap();
        symlink(".", folder.path().join("t/b/.rdt/circle")).unwrap();
        let (paths, failures) = found(&[folder.path().join("t")], None);
        assert_eq!(paths, ["t/a", "t/b", "t"]);
        assert!(failures.is_empty(), "{failures:?}");
    }

    /// Regression: a missing file was a pattern if any folder on the way to it had a bracket in its name.
    #[test]
    fn only_the_last_part_of_an_argument_is_a_pattern() {
        let folder = folder(&["ph [2024]/a"]);
        for (path, is_pattern) in
            [("ph [2024]/*.jpg", true), ("ph [2024]/none.jpg", false), ("none/*.jpg", false), ("*/none.jpg", false)]
        {
            let (_, failures) = found(&[folder.path().join(path)], None);
            let said = failures.concat();
            let expected = if is_pattern { "nothing on this machine matches \"" } else { ": no such file" };
            assert!(said.contains(expected), "{path}: {said}");
        }
    }

    #[test]
    fn what_cannot_be_sent_leaves_the_others() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&["t/a", "t/z"]);
        let tree = folder.path().join("t");
        symlink("nowhere", tree.join("broken")).unwrap();
        fs::write(tree.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
        let long = (0..5).map(|_| "d".repeat(255)).collect::<Vec<_>>().join("/");
        let mut deep = tree.clone();
        for name in long.split('/') {
            deep.push(name);
            fs::create_dir(&deep).unwrap();
        }
        let (paths, failures) = found(&[tree, folder.path().join("none")], None);
        assert!(paths.contains(&"t/a".into()) && paths.contains(&"t/z".into()) && paths.contains(&"t".into()));
        // The link, the name, the socket, and folders whose paths are too long.
        let causes = [
            "broken on this machine: it is a link to nowhere, which leads to nothing: mend",
            "not UTF-8",
            "left out",
            "too long",
            "none on this machine",
        ];
        for cause in causes {
            assert!(failures.iter().any(|why| why.contains(cause)), "{cause}: {failures:?}");
        }
        assert_eq!(failures.len(), 6, "{failures:?}");
    }

    #[test]
    fn a_folder_has_its_own_name_also_as_a_relative_one() {
        let folder = folder(&["t/a"]);
        let tree = folder.path().join("t");
        for path in [tree.clone(), tree.join("."), tree.join("../t"), tree.join("x/..")] {
            fs::create_dir_all(tree.join("x")).unwrap();
            assert_eq!(own_name(&path).unwrap(), "t", "{}", path.display());
        }
        assert!(own_name(Path::new("/")).unwrap_err().contains("it has no name"));
    }
}

//! Which names a tree uses, and which targets a link may have.

use super::super::temporary::is_reserved;
use rdt_proto::files::FilePath;
use std::io::{self, ErrorKind};

/// The folder of interrupted transfers and remembered values, in the outermost folder.
pub(super) const HIDDEN: &str = ".rdt";

/// Checks that a request may name this path. Names of the program itself are refused at any depth: a folder of this
/// tree may be the outermost folder of another one.
pub(super) fn check(path: FilePath<'_>) -> io::Result<()> {
    let refused = |why: &str| Err(io::Error::new(ErrorKind::InvalidFilename, why));
    for name in path.components() {
        if is_hidden(name) || is_reserved(name) {
            return refused("the name is reserved for interrupted transfers");
        }
        if !is_storable(name) {
            return refused("this system cannot store the name");
        }
    }
    Ok(())
}

/// Whether a file system may take the name for the hidden folder.
///
/// Some ignore the case of letters. Those of macOS ignore characters without a width, those of Windows dots and blanks
/// at the end, and whatever follows a colon; and they have short names of eight characters.
pub(crate) fn is_hidden(name: &str) -> bool {
    if cfg!(any(windows, target_vendor = "apple")) {
        let ascii: String = name.chars().filter(char::is_ascii).collect();
        let start = ascii.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']).to_ascii_lowercase();
        return start == HIDDEN || start.starts_with("rdt~");
    }
    name.eq_ignore_ascii_case(HIDDEN)
}

/// Whether this system stores a file under exactly this name.
fn is_storable(name: &str) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    if !cfg!(windows) {
        return true;
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ').to_ascii_lowercase();
    let is_port = (stem.starts_with("com") || stem.starts_with("lpt")) && stem.chars().count() == 4;
    !DEVICES.contains(&&*stem)
        && !is_port
        && !name.ends_with(['.', ' '])
        && !name.contains(|char: char| char.is_control() || r#"\:*?"<>|"#.contains(char))
}

/// Checks that a link with this target, `depth` folders below the outermost one, stays in the tree.
///
/// A folder of the target may itself be a link, so `..` behind a name may lead anywhere: only a target that begins with
/// all of its `..` is known to stay.
pub(super) fn check_target(target: &str, depth: usize) -> io::Result<()> {
    let refused = |why: &str| Err(io::Error::new(ErrorKind::PermissionDenied, why));
    if target.is_empty() || target.contains('\0') {
        return Err(io::Error::new(ErrorKind::InvalidInput, "a link has no such target"));
    }
    if target.starts_with('/') {
        return refused("the target of the link is absolute");
    }
    let ups = target.split('/').take_while(|&name| name == "..").count();
    let mut names = target.split('/').skip(ups);
    if ups > depth || names.any(|name| name == ".." || is_hidden(name)) {
        return refused("the target of the link may leave the folder");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_program_are_refused_at_any_depth() {
        for path in [".rdt", ".RDT", ".rdt/x", "a/.Rdt/x", "a/.rdt-0123456789abcdef0123456789abcdef.part"] {
            let error = check(FilePath::new(path).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidFilename, "{path}");
        }
        for path in ["rdt", ".rdt2", "a/.rd", ".rdt-x.part"] {
            check(FilePath::new(path).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_link_stays_in_the_tree() {
        for (target, depth) in [("a", 0), ("a/b", 0), ("../a", 1), ("../../a/b", 2), ("..", 1), ("./a", 0)] {
            check_target(target, depth).unwrap();
        }
        for (target, depth) in
            [("/a", 9), ("..", 0), ("../a", 0), ("../../a", 1), ("a/../b", 3), (".rdt/x", 0), ("../.RDT", 1)]
        {
            assert_eq!(check_target(target, depth).unwrap_err().kind(), ErrorKind::PermissionDenied, "{target}");
        }
        assert!(check_target("", 0).is_err());
    }
}

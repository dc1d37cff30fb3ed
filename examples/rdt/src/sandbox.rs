//! Restricts the program to the folders that it needs, with Landlock (Linux).
//!
//! The files of a server are opened beneath its folder in any case. Landlock is the second line of defence: whatever
//! else goes wrong, the kernel refuses every other file, and every TCP connection. Open sockets and streams stay
//! usable.

use crate::access::Access;
use std::io;
use std::os::fd::BorrowedFd;

/// What the program does in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Files(Access),
    /// It creates a file there, and appends to it.
    Log,
}

/// How far the kernel restricts the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    Whole,
    /// The kernel is older than some of the restrictions.
    Partial,
    /// The kernel has no Landlock.
    None,
}

/// Restricts this thread, and all that it starts later, to `folders`. Call it before the first thread starts.
///
/// # Errors
/// The system's error if the kernel has Landlock, but refuses it.
pub(crate) fn restrict(folders: &[(BorrowedFd<'_>, Use)]) -> io::Result<Restriction> {
    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, PathBeneath, RestrictionStatus, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetStatus, Scope,
    };
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    // The folder itself is read to flush it. A temporary name is removed. A complete file leaves the hidden folder, and
    // that is removed. What goes on is cut behind its last whole block.
    let add = AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    let add = add | AccessFs::MakeDir | AccessFs::RemoveDir | AccessFs::MakeSym | AccessFs::Refer;
    let version = ABI::V6;
    let restrict = || -> Result<RestrictionStatus, landlock::RulesetError> {
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(version))?
            .handle_access(AccessNet::from_all(version))?
            .scope(Scope::from_all(version))?
            .create()?;
        for &(folder, usage) in folders {
            let allowed = match usage {
                Use::Log => AccessFs::WriteFile | AccessFs::MakeReg,
                Use::Files(Access::ReadOnly) => read,
                Use::Files(Access::WriteOnly) => add,
                Use::Files(Access::ReadWrite) => read | add,
            };
            rules = rules.add_rule(PathBeneath::new(folder, allowed))?;
        }
        rules.restrict_self()
    };
    match restrict().map_err(io::Error::other)?.ruleset {
        RulesetStatus::FullyEnforced => Ok(Restriction::Whole),
        RulesetStatus::PartiallyEnforced => Ok(Restriction::Partial),
        RulesetStatus::NotEnforced => Ok(Restriction::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::ErrorKind;
    use std::os::fd::AsFd;

    #[test]
    fn only_the_named_folders_can_be_used() {
        let places = [(); 4].map(|()| tempfile::tempdir().unwrap());
        for place in &places {
            fs::write(place.path().join("file"), "old").unwrap();
        }
        let [own, readable, drop_box, foreign] = places.each_ref().map(tempfile::TempDir::path);
        let folders = [own, readable, drop_box].map(|path| File::open(path).unwrap());
        // The restriction holds for this thread, and so not for the other tests.
        let restricted = std::thread::scope(|scope| {
            let test = scope.spawn(|| {
                let restriction = restrict(&[
                    (folders[0].as_fd(), Use::Files(Access::ReadWrite)),
                    (folders[1].as_fd(), Use::Files(Access::ReadOnly)),
                    (folders[2].as_fd(), Use::Files(Access::WriteOnly)),
                ]);
                if restriction.unwrap() == Restriction::None {
                    return false;
                }
                let write =
                    |folder: &std::path::Path| fs::write(folder.join("new"), "new").map_err(|error| error.kind());
                let read = |folder: &std::path::Path| fs::read(folder.join("file")).map_err(|error| error.kind());
                assert_eq!((write(own), read(own)), (Ok(()), Ok(b"old".to_vec())));
                assert_eq!((write(readable), read(readable).is_ok()), (Err(ErrorKind::PermissionDenied), true));
                assert_eq!((write(drop_box), read(drop_box)), (Ok(()), Err(ErrorKind::PermissionDenied)));
                assert_eq!(write(foreign), Err(ErrorKind::PermissionDenied));
                assert_eq!(read(foreign), Err(ErrorKind::PermissionDenied));
                fs::rename(own.join("new"), own.join("file")).unwrap();
                fs::create_dir(own.join("folder")).unwrap();
                fs::rename(own.join("file"), own.join("folder/file")).unwrap();
                fs::rename(own.join("folder/file"), own.join("file")).unwrap();
                fs::remove_dir(own.join("folder")).unwrap();
                assert!(fs::rename(own.join("file"), foreign.join("file")).is_err());
                true
            });
            test.join().unwrap()
        });
        assert!(restricted || fs::read(foreign.join("file")).is_ok());
    }
}

//! The keys of stateless resets, which outlive a server.
//!
//! A server that was restarted knows no client of its predecessor. With the same key it answers their datagrams by
//! resets that they accept, so that they know in a round trip. A key has no other use: an attacker that knows it, and a
//! tag, can end a connection. The file is kept until it is deleted, and only its owner may read it.

use crate::entropy::random_bytes;
use crate::messages::error_text;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// One key for each thread that a server may have, because threads share a port.
const KEYS: usize = 64;
const KEY_BYTES: usize = 16;
const FILE: &str = "reset-keys";

/// The keys of a server, by thread.
#[derive(Clone)]
pub(crate) struct ResetKeys([u8; KEYS * KEY_BYTES]);

impl ResetKeys {
    /// Reads the keys in `folder`, or in the state folder of the user if it is `None`. Makes them if there are none.
    ///
    /// # Errors
    ///
    /// What to tell the user.
    pub(crate) fn load(folder: Option<&Path>) -> Result<Self, String> {
        let folder =
            folder.map(Path::to_owned).or_else(default_folder).ok_or("there is no state folder: give --state")?;
        let explain = |error: io::Error| format!("cannot keep keys in {}: {}", folder.display(), error_text(&error));
        fs::create_dir_all(&folder).map_err(explain)?;
        let path = folder.join(FILE);
        match read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => create(&folder, &path).map_err(explain),
            keys => keys.map_err(explain),
        }
        .map(Self)
    }

    /// The key of a thread.
    pub(crate) fn of(&self, thread: u64) -> Option<[u8; KEY_BYTES]> {
        self.0.as_chunks().0.get(usize::try_from(thread).ok()?).copied()
    }
}

/// `rdt` in the folder where the user's programs keep their state.
fn default_folder() -> Option<PathBuf> {
    Some(dirs::state_dir().or_else(dirs::data_local_dir)?.join("rdt"))
}

fn read(path: &Path) -> io::Result<[u8; KEYS * KEY_BYTES]> {
    let mut file = File::open(path)?;
    let mut keys = [0; KEYS * KEY_BYTES];
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{FILE} is not a regular file")));
    }
    file.read_exact(&mut keys).map_err(|_| io::Error::other(format!("{FILE} is too short: delete it")))?;
    Ok(keys)
}

/// Makes keys. If another server makes them at the same time, both use the same ones.
fn create(folder: &Path, path: &Path) -> io::Result<[u8; KEYS * KEY_BYTES]> {
    let keys = random_bytes()?;
    // The mode of a temporary file is 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&keys)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(keys),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => read(path),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_outlive_the_server_and_differ_by_thread() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/state");
        let first = ResetKeys::load(Some(&place)).unwrap();
        let again = ResetKeys::load(Some(&place)).unwrap();
        assert_eq!((first.of(0), first.of(63)), (again.of(0), again.of(63)));
        assert!(first.of(0) != first.of(1) && first.of(64).is_none());
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_may_read_the_keys() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        ResetKeys::load(Some(folder.path())).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(ResetKeys::load(Some(folder.path())).err().unwrap().contains("too short: delete it"));
    }
}

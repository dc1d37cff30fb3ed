//! The keys of stateless resets, which outlive a server.
//!
//! A server that was restarted knows no client of its predecessor. With the same key it answers their datagrams by
//! resets that they accept, so that they know in a round trip. A key has no other use: an attacker that knows it, and a
//! tag, can end a connection. The file is kept until it is deleted, and only its owner may read it.
//!
//! Each address has its own file. A server with the key of another one would tell anyone the tokens of its connections.
//! A server on any free port keeps no file: the next one has another port.

use crate::entropy::random_bytes;
use crate::files::without_waiting;
use crate::messages::error_text;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One key for each thread that a server may have, because threads share a port.
const KEYS: usize = 64;
const KEY_BYTES: usize = 16;

/// The name of the file for a server at this address.
fn file_name(address: SocketAddr) -> String {
    format!("reset-keys-{}-{}", address.ip().to_string().replace(':', "_"), address.port())
}

/// The keys of a server, by thread.
#[derive(Clone)]
pub(crate) struct ResetKeys([u8; KEYS * KEY_BYTES]);

impl ResetKeys {
    /// Keys for this server alone.
    pub(crate) fn fresh() -> io::Result<Self> {
        random_bytes().map(Self)
    }

    /// Reads the keys in `folder`, or in the state folder of the user if it is `None`. Makes them if there are none.
    ///
    /// `root` is the folder that clients can read.
    ///
    /// # Errors
    ///
    /// What to tell the user.
    pub(crate) fn load(folder: Option<&Path>, address: SocketAddr, root: &Path) -> Result<Self, String> {
        let folder =
            folder.map(Path::to_owned).or_else(default_folder).ok_or("there is no state folder: give --state")?;
        let cannot = |why: &str, advice: &str| format!("cannot keep keys in {}: {why}: {advice}", folder.display());
        let explain = |error: io::Error| {
            let is_wrong_file = error.kind() == ErrorKind::Other;
            let advice = if is_wrong_file { "delete it, or give another --state" } else { "give another --state" };
            cannot(&error_text(&error), advice)
        };
        fs::create_dir_all(&folder).map_err(explain)?;
        let [state, served] = [&folder, root].map(fs::canonicalize);
        if state.map_err(explain)?.starts_with(served.map_err(explain)?) {
            return Err(cannot("clients can read them there", "give another --state"));
        }
        let path = folder.join(file_name(address));
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
    let mut file = without_waiting(File::options().read(true)).open(path)?;
    let mut keys = [0; KEYS * KEY_BYTES];
    let name = path.file_name().unwrap_or_default().display();
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other(format!("{name} is not a regular file")));
    }
    if is_open_to_others(&metadata) {
        return Err(io::Error::other(format!("others may read {name}")));
    }
    file.read_exact(&mut keys).map_err(|_| io::Error::other(format!("{name} is too short")))?;
    Ok(keys)
}

#[cfg(unix)]
fn is_open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_metadata: &Metadata) -> bool {
    false
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
    use std::net::Ipv4Addr;

    fn load(folder: &Path, port: u16) -> Result<ResetKeys, String> {
        let root = tempfile::tempdir().unwrap();
        ResetKeys::load(Some(folder), (Ipv4Addr::LOCALHOST, port).into(), root.path())
    }

    fn write(folder: &Path, content: &[u8]) -> PathBuf {
        let path = folder.join(file_name((Ipv4Addr::LOCALHOST, 1).into()));
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn keys_outlive_the_server_and_differ_by_thread_and_address() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/state");
        let [first, again, other] = [1, 1, 2].map(|port| load(&place, port).unwrap());
        assert_eq!((first.of(0), first.of(63)), (again.of(0), again.of(63)));
        assert!(first.of(0) != first.of(1) && first.of(64).is_none());
        assert!((0..64).all(|thread| (0..64).all(|of_other| first.of(thread) != other.of(of_other))));
    }

    #[test]
    fn keys_are_not_kept_where_clients_read() {
        let root = tempfile::tempdir().unwrap();
        for folder in [root.path().to_owned(), root.path().join("deep/../state")] {
            let why = ResetKeys::load(Some(&folder), (Ipv4Addr::LOCALHOST, 1).into(), root.path()).err().unwrap();
            assert!(why.contains("clients can read them there"), "{why}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_may_read_the_keys() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        load(folder.path(), 1).unwrap();
        let path = write(folder.path(), &[1; KEYS * KEY_BYTES]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        load(folder.path(), 1).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(load(folder.path(), 1).err().unwrap().contains("others may read reset-keys-127.0.0.1-1"));
    }

    #[test]
    #[cfg(unix)]
    fn a_damaged_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        load(folder.path(), 1).unwrap();
        let path = write(folder.path(), b"short");
        assert!(load(folder.path(), 1).err().unwrap().contains("too short: delete it"));
        // Regression: a pipe in the place of the file held up the start for ever.
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(load(folder.path(), 1).err().unwrap().contains("not a regular file"));
    }
}

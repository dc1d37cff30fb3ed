//! Faults of system calls, injected into the program by the library `faults.c`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A system call with faults. The values are the indices of the entries in the control file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SystemCall {
    Recvmmsg = 0,
    Sendmsg = 1,
    EpollWait = 2,
    EpollCtl = 3,
    Fsync = 4,
    Read = 5,
    Write = 6,
    Syncfs = 7,
    Pread = 8,
}

/// The bytes of an entry: error, count, delay, calls seen, calls that never fail.
const ENTRY: u64 = 20;
/// The number of entries.
const ENTRIES: u64 = 9;

/// The library, compiled once for all tests. Rust links with `cc` on Linux, so the compiler is there.
static LIBRARY: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/faults.c");
    let mut compiler = Command::new("cc");
    let built =
        compiler.args(["-shared", "-fPIC", "-O1", "-pthread", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.expect("cc runs").success(), "faults.c compiles");
    (folder, library)
});

/// The faults of one program.
pub(crate) struct Faults {
    folder: TempDir,
    control: File,
}

impl Faults {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let control = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
        control.set_len(ENTRIES * ENTRY).unwrap();
        Self { folder, control }
    }

    /// Makes `command` run with these faults.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &LIBRARY.1).env("FAULTS", self.folder.path().join("control"));
    }

    /// Makes `command` open `path` when it receives for the first time, and print the result.
    pub(crate) fn open(command: &mut Command, path: &Path) {
        command.env("LD_PRELOAD", &LIBRARY.1).env("OUTSIDE", path);
    }

    /// Gives every name that `command` looks up these addresses.
    pub(crate) fn resolve_to(command: &mut Command, addresses: &str) {
        command.env("LD_PRELOAD", &LIBRARY.1).env("ADDRESSES", addresses);
    }

    /// Makes the kernel kill `command` when it makes one of the system calls with these numbers.
    pub(crate) fn kill_at(command: &mut Command, [one, other]: [i64; 2]) {
        command.env("LD_PRELOAD", &LIBRARY.1).env("KILL_AT", format!("{one} {other}"));
    }

    /// The next `count` calls fail with `error`, or all if `count` is -1.
    pub(crate) fn fail(&self, call: SystemCall, error: i32, count: i32) {
        self.write(call, 0, error);
        self.write(call, 4, count);
    }

    /// The same for the calls behind the first `spared` ones.
    pub(crate) fn fail_behind(&self, call: SystemCall, spared: i32, error: i32, count: i32) {
        self.write(call, 16, spared);
        self.fail(call, error, count);
    }

    /// Makes each call wait until it is released.
    pub(crate) fn hold(&self, call: SystemCall) {
        self.delay(call, 86_400_000);
    }

    /// Lets the calls that wait go on, and delays no other.
    pub(crate) fn release(&self, call: SystemCall) {
        self.delay(call, 0);
    }

    /// Each call takes this time longer, at most a day.
    pub(crate) fn delay(&self, call: SystemCall, milliseconds: i32) {
        self.write(call, 8, milliseconds);
    }

    /// The number of calls.
    pub(crate) fn seen(&self, call: SystemCall) -> i32 {
        self.read(call, 12)
    }

    /// The number of failures that are left.
    pub(crate) fn left(&self, call: SystemCall) -> i32 {
        self.read(call, 4)
    }

    fn write(&self, call: SystemCall, field: u64, value: i32) {
        self.control.write_all_at(&value.to_ne_bytes(), call as u64 * ENTRY + field).unwrap();
    }

    fn read(&self, call: SystemCall, field: u64) -> i32 {
        let mut bytes = [0; 4];
        self.control.read_exact_at(&mut bytes, call as u64 * ENTRY + field).unwrap();
        i32::from_ne_bytes(bytes)
    }
}

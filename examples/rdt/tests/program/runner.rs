//! Runs the program `rdt`. No test measures time. A limit only ends a test that would hang.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// The time to wait for a line before a test fails.
const LIMIT: Duration = Duration::from_secs(120);

/// The default seed of the program.
///
/// With this seed and 20 % loss, neither side loses one of its first ten datagrams. So the handshake takes less than a
/// second.
pub(crate) const SEED: &str = "1";

/// Options of a client that slow its transfer down.
///
/// A large file is then still in transfer when a test acts. Nothing is lost, so that the final messages of both sides
/// arrive: RESET leaves at most three times.
pub(crate) const SLOW: [&str; 2] = ["--rate", "20M"];

/// Creates a file too large to be transferred during a test.
///
/// On Unix the file is sparse and takes no space. A server reserves as much for an upload, so it must fit on the disk.
pub(crate) fn write_large(path: &Path) {
    File::create(path).unwrap().set_len(1 << 30).unwrap();
}

/// The program. What it remembers of large files does not get into the folders of the user.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdt"));
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command
}

/// The program with its files limited to 100 blocks, as if the disk were full.
#[cfg(unix)]
fn program_with_full_disk() -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 100; exec \"$0\" \"$@\""]).arg(program().get_program());
    shell
}

/// A running program, with the lines that it prints.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Self::start_as_it_is(command)
    }

    /// Starts the program without changing its input and output. Always reads its standard error output, and reads its
    /// standard output only if that is piped.
    fn start_as_it_is(mut command: Command) -> Self {
        Self::read(command.stderr(Stdio::piped()).spawn().expect("the program starts"))
    }

    /// Reads the output of a program, as far as it is piped.
    pub(crate) fn read(mut child: Child) -> Self {
        let (sender, lines) = channel();
        let stdout = child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
        let stderr = child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>);
        for stream in stdout.into_iter().chain(stderr) {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, seen: String::new() }
    }

    /// Reads lines until one contains `text`.
    pub(crate) fn expect(&mut self, text: &str) -> String {
        self.expect_any(&[text])
    }

    /// Reads lines until one contains one of these texts.
    pub(crate) fn expect_any(&mut self, texts: &[&str]) -> String {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => {
                    self.seen += &line;
                    self.seen.push('\n');
                    if texts.iter().any(|text| line.contains(text)) {
                        return line;
                    }
                }
                Err(_) => panic!("the program did not print any of {texts:?}, but:\n{}", self.seen),
            }
        }
    }

    /// A line that contains `text` and was read before, or the next one.
    #[cfg(target_os = "linux")]
    pub(crate) fn expect_seen(&mut self, text: &str) -> String {
        let before = self.seen.lines().find(|line| line.contains(text)).map(str::to_owned);
        before.unwrap_or_else(|| self.expect(text))
    }

    /// Waits until content is in flight. Without a terminal, a client prints a line when the first part has arrived.
    pub(crate) fn expect_progress(&mut self) {
        self.expect("% of");
    }

    /// Kills the program with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits for the end of a program that is killed.
    #[cfg(target_os = "linux")]
    pub(crate) fn expect_killed(mut self) {
        assert_eq!(self.child.wait().unwrap().code(), None, "a signal ends the program");
    }

    /// Waits for the end of the program. Returns its exit code and everything that it printed.
    pub(crate) fn end(mut self) -> (i32, String) {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => {
                    self.seen += &line;
                    self.seen.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end:\n{}", self.seen),
            }
        }
        let code = self.child.wait().unwrap().code().expect("the program exits without a signal");
        (code, std::mem::take(&mut self.seen))
    }

    pub(crate) fn expect_end(self, code: i32, text: &str) {
        let (ended, seen) = self.end();
        assert!(ended == code && seen.contains(text), "expected {code} and {text:?}, got {ended} and:\n{seen}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A temporary folder for a server, and another for its clients.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["server", "client"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn server(&self, name: &str) -> PathBuf {
        self.folder.path().join("server").join(name)
    }

    pub(crate) fn client(&self, name: &str) -> PathBuf {
        self.folder.path().join("client").join(name)
    }

    /// The names in a folder, including hidden files, except the folder for parts of interrupted transfers.
    pub(crate) fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".rdt").collect();
        names.sort();
        names
    }

    pub(crate) fn serve(&self, options: &[&str]) -> Server {
        self.serve_with(program(), options)
    }

    #[cfg(unix)]
    pub(crate) fn serve_with_full_disk(&self) -> Server {
        self.serve_with(program_with_full_disk(), &[])
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn serve_with_faults(&self, faults: &crate::faults::Faults, options: &[&str]) -> Server {
        let mut command = program();
        faults.apply(&mut command);
        self.serve_with(command, options)
    }

    /// A server that opens `path` when it receives for the first time, and prints the result.
    #[cfg(target_os = "linux")]
    pub(crate) fn serve_that_opens(&self, path: &Path, options: &[&str]) -> Server {
        let mut command = program();
        crate::faults::Faults::open(&mut command, path);
        self.serve_with(command, options)
    }

    /// A server that the kernel kills when it makes one of the system calls with these numbers.
    #[cfg(target_os = "linux")]
    pub(crate) fn serve_until(&self, calls: [i64; 2], options: &[&str]) -> Server {
        let mut command = program();
        crate::faults::Faults::kill_at(&mut command, calls);
        self.serve_with(command, options)
    }

    /// The same, where content may be written out instead of flushed, if the disk keeps the order of content and names.
    pub(crate) fn serve_writing_out_until(&self, calls: [i64; 2]) -> Server {
        let mut command = program();
        crate::faults::Faults::kill_at(&mut command, calls);
        command.env("WRITE_OUT", "1");
        self.serve_with(command, &[])
    }

    /// A server whose standard error output is `log`, which the test reads or not. The program prints each packet
    /// there.
    #[cfg(unix)]
    pub(crate) fn serve_with_log(&self, log: impl Into<Stdio>) -> Server {
        let mut command = program();
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command.arg("serve").args(["--bind", "127.0.0.1:0", "-vv", "--segment", "1432", "--root"]);
        command.arg(self.server("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        Self::server_on(Running::read(command.spawn().expect("the program starts")))
    }

    /// A server that `command` starts as it is, except for its state. Its standard output must be piped.
    #[cfg(target_os = "linux")]
    pub(crate) fn serve_as_it_is(&self, command: &mut Command) -> Server {
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        Self::server_on(Running::read(command.spawn().expect("the program starts")))
    }

    pub(crate) fn serve_with(&self, mut command: Command, options: &[&str]) -> Server {
        let loopback = if options.contains(&"--bind") { &[][..] } else { &["--bind", "127.0.0.1:0"] };
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command.arg("serve").args(loopback).arg("--root").arg(self.server("")).args(options);
        Self::server_on(Running::start(command))
    }

    fn server_on(mut running: Running) -> Server {
        let line = running.expect("serving ");
        let address = line.rsplit(' ').next().unwrap().to_owned();
        Server { running, address }
    }

    pub(crate) fn put(&self, file: &Path, server: &str, options: &[&str]) -> Running {
        self.put_with(program(), file, server, options)
    }

    pub(crate) fn put_with(&self, mut command: Command, file: &Path, server: &str, options: &[&str]) -> Running {
        command.arg("put").arg(file).arg(server).args(options);
        Running::start(command)
    }

    /// Puts a file to a server whose name has these addresses, separated by spaces.
    #[cfg(target_os = "linux")]
    pub(crate) fn put_to_name(&self, file: &Path, addresses: &str, port: u16, options: &[&str]) -> Running {
        let mut command = program();
        crate::faults::Faults::resolve_to(&mut command, addresses);
        command.arg("put").arg(file).arg(format!("server.test:{port}")).args(options);
        Running::start(command)
    }

    /// Downloads `name` into the clients' folder, under the same name.
    pub(crate) fn get(&self, name: &str, server: &str, options: &[&str]) -> Running {
        self.get_with(program(), name, server, options)
    }

    #[cfg(unix)]
    pub(crate) fn get_with_full_disk(&self, name: &str, server: &str) -> Running {
        self.get_with(program_with_full_disk(), name, server, &[])
    }

    fn get_with(&self, mut command: Command, name: &str, server: &str, options: &[&str]) -> Running {
        command.args(["get", name, server]).args(options).arg("--output").arg(self.client(name));
        Running::start(command)
    }
}

pub(crate) fn run(arguments: &[&str]) -> Running {
    let mut command = program();
    command.args(arguments);
    Running::start(command)
}

/// Runs the program in a folder.
pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Running {
    let mut command = program();
    command.args(arguments).current_dir(folder);
    Running::start(command)
}

/// Runs the program with `input` as its standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &Path) -> Running {
    let mut command = program();
    command.args(arguments).stdin(File::open(input).unwrap()).stdout(Stdio::piped());
    Running::start_as_it_is(command)
}

/// Runs the program with `output` as its standard output. Only its standard error output is read.
pub(crate) fn run_with_output(arguments: &[&str], output: &Path) -> Running {
    let mut command = program();
    command.args(arguments).stdin(Stdio::null()).stdout(File::create(output).unwrap());
    Running::start_as_it_is(command)
}

/// Runs the program without a reader of its standard output, which is returned. Its standard error output is read.
pub(crate) fn run_without_reader(arguments: &[&str]) -> (Running, std::process::ChildStdout) {
    let mut command = program();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let output = child.stdout.take().unwrap();
    (Running::read(child), output)
}

pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) address: String,
}

/// Returns pseudorandom bytes, so that a comparison detects any missing, repeated or moved part.
pub(crate) fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next(&mut state)).collect()
}

/// Waits until `condition` holds.
#[cfg(target_os = "linux")]
pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + LIMIT;
    while !condition() {
        assert!(std::time::Instant::now() < limit, "it never holds");
        thread::sleep(Duration::from_millis(5));
    }
}

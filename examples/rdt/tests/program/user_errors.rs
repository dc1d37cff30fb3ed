//! Every error of a user: the command line, files of this machine, answers of the server, and the network. Each has one
//! line, and an exit code.
//!
//! Errors that come in the midst of a transfer are in `failures`, those of `socket-tcp` in `socket_tcp`.

mod advice;
mod command_lines;

use crate::runner::{Place, run};
use command_lines::COMMAND_LINES;
use std::net::UdpSocket;
use std::thread;

/// Arguments, separated by spaces, and the line. In both, `{…}` is the path or the address of [`Setting::replace`]. In
/// the line, `*` is any text.
type Row = (&'static str, &'static str);

/// Files of this machine.
const FILES: &[Row] = &[
    (
        "put {client} {closed} --profile rostov",
        "rdt: cannot read {client} on this machine: it is a folder: give a file in it",
    ),
    (
        "put {client}/.. {closed} --profile rostov",
        "rdt: cannot read {client}/.. on this machine: it is a folder: give a file in it",
    ),
    (
        "put {small} {medium} {closed} --profile rostov",
        "rdt: a server in base mode takes one file at a time: give one FILE",
    ),
    ("get a b {closed} --profile rostov", "rdt: a server in base mode sends one file at a time: give one NAME"),
    (
        "get . {closed} --profile rostov",
        "rdt: a server in base mode sends one file at a time, and has no lists: give its NAME",
    ),
    (
        "put {small} {closed} --profile rostov --name a/",
        "rdt: a server in base mode has no folders: give --name without a / at its end",
    ),
    (
        "get a/b {closed} --profile rostov",
        "rdt: a server in base mode cannot have \"a/b\": the name contains a path separator: give another name",
    ),
    (
        "put -p {small} {closed} --profile rostov",
        "rdt: a server in base mode has neither times nor permissions: leave -p and -a out",
    ),
    ("ls {closed} --profile rostov", "rdt: a server in base mode has no lists: only put and get work there"),
    ("get a/x x b/y {closed}", "rdt: two of the names become x on this machine: fetch them one by one"),
    (
        "put {client}/none {closed}",
        "rdt: cannot read {client}/none on this machine: no such file or directory: check the path",
    ),
    ("put {client}/*.none {closed}", "rdt: nothing on this machine matches \"{client}/*.none\": check the path"),
    ("put {small}/none {closed}", "rdt: cannot read {small}/none on this machine: not a directory: check the path"),
    (
        "put /dev/null {closed}",
        "rdt: cannot read /dev/null on this machine: it is not a regular file: copy its content into one first, or \
         send it as - (the standard input)",
    ),
    (
        "put {client}/a:b {closed} --profile rostov",
        "rdt: cannot send {client}/a:b under its name: the name contains a colon: give --name",
    ),
    (
        "get a {closed} -o {client}/none/",
        "rdt: cannot write {client}/none/ on this machine: no such folder: create it, or leave out the / at its end",
    ),
    (
        "get a {closed} -o {client}/none/.",
        "rdt: cannot write {client}/none/. on this machine: no such folder: create it, or leave out the / at its end",
    ),
    (
        "get a {closed} -o {small}/",
        "rdt: cannot write {small}/ on this machine: it is not a folder: give another --output",
    ),
    (
        "get a {closed} -o {client}/none/a",
        "rdt: cannot write {client}/none/a on this machine: no such file or directory: create its folder, or give \
         another --output",
    ),
    (
        "get a b {closed} -o {client}/none/new",
        "rdt: cannot write {client}/none/new on this machine: no such file or directory: create its folder, or give \
         another --output",
    ),
    (
        "get a b {closed} -o {small}",
        "rdt: cannot write {small} on this machine: it is not a folder: several files need a folder: give --output \
         FOLDER",
    ),
    (
        "get a* {closed} -o {small}",
        "rdt: cannot write {small} on this machine: it is not a folder: several files need a folder: give --output \
         FOLDER",
    ),
    (
        "get a {closed} -o /dev/null",
        "rdt: cannot write /dev/null on this machine: it is not a regular file, and is not replaced: give \
         --output FILE, or - for the standard output",
    ),
    (
        "put {small} {closed} --trace {client}/none/t",
        "rdt: cannot write the trace {client}/none/t on this machine: no such file or directory: give another --trace",
    ),
    (
        "get a {closed} --trace {client}",
        "rdt: cannot write the trace {client} on this machine: is a directory: give another --trace",
    ),
    (
        "put {small} {closed} --trace {small}",
        "rdt: cannot write the trace {small} on this machine: it exists and is no trace: give another --trace, or \
         remove it",
    ),
    (
        "serve --root {client} --bind {free} --trace {client}/t",
        "rdt: cannot write the trace {client}/t on this machine: clients could read and replace it in {client}: give \
         another folder",
    ),
    ("demo {client}/none", "rdt: cannot read {client}/none on this machine: no such file or directory: check the path"),
    (
        "serve --root {client}/none/a --bind 127.0.0.1:0",
        "rdt: cannot create the folder {client}/none/a on this machine: no such file or directory: create the folder above \
         it, or give another --root",
    ),
    (
        "serve --root {small} --bind 127.0.0.1:0",
        "rdt: cannot serve the folder {small} on this machine: not a directory: give --root with a folder, and to serve \
         one file, the folder that it is in",
    ),
    (
        "serve --root /dev/null --bind 127.0.0.1:0",
        "rdt: cannot serve the folder /dev/null on this machine: not a directory: give --root with a folder, and to serve \
         one file, the folder that it is in",
    ),
    (
        "serve --root {circle} --bind 127.0.0.1:0",
        "rdt: cannot serve the folder {circle} on this machine: too many levels of symbolic links*: look at the path \
         (links, disk), or give another --root",
    ),
    (
        "serve --root {dangling} --bind 127.0.0.1:0",
        "rdt: cannot create the folder {dangling} on this machine: file exists: it is a link to nothing: remove it, or give \
         another --root",
    ),
    (
        "serve --root /proc/none --bind 127.0.0.1:0",
        "rdt: cannot create the folder /proc/none on this machine: *or give another --root",
    ),
    (
        "serve --root {client} --bind 192.0.2.1:0",
        "rdt: cannot listen on 192.0.2.1:0: cannot assign requested address: it is no address of this machine: give --bind \
         with one that it has, or with 0.0.0.0 for all, which opens the port to everyone who reaches this machine",
    ),
    (
        "serve --root {client} --log {client}/l --bind 127.0.0.1:0",
        "rdt: --log {client}/l: clients could read and replace it in {client}: give another folder",
    ),
    (
        "serve --root {client} --state {client}/there --bind {third-free}",
        "rdt: cannot keep keys in {client}/there: clients can read them there: give another --state",
    ),
    (
        "serve --root {client} --state {small} --bind {other-free}",
        "rdt: cannot keep keys in {small}: *: give another --state",
    ),
];

/// Answers of a server, and none.
const ANSWERS: &[Row] = &[
    ("get none {server}", "rdt: {server} refused \"none\": it has no such file; check the name"),
    (
        "get there {server} -o {client}",
        "rdt: cannot write {client}/there on this machine: it is a folder: give --output FILE",
    ),
    ("get folder/none {server}", "rdt: {server} refused \"folder/none\": it has no such file; check the name"),
    ("ls {server}/none", "rdt: {server} did not list \"none\": it has no such file; check the name"),
    // What is wrong as a pattern is a name, for all commands.
    (
        "ls {server}/folder/[z-a",
        "rdt: {server} did not list \"folder/[z-a\": it has no such file; check the name (it is no pattern: invalid range \
         pattern)",
    ),
    (
        "get folder/[z-a {server}",
        "rdt: {server} refused \"folder/[z-a\": it has no such file; check the name (it is no pattern: invalid range \
         pattern)",
    ),
    (
        "ls {server}/folder/*zz",
        "rdt: nothing at {server} matches \"folder/*zz\": to see what is there, write rdt ls {server}/folder",
    ),
    ("get *zz {server}", "rdt: nothing at {server} matches \"*zz\": to see what is there, write rdt ls {server}"),
    (
        "get .rdt-00000000000000000000000000000000.part {server}",
        "rdt: {server} refused \".rdt-00000000000000000000000000000000.part\": it does not allow this name; \
         choose another one",
    ),
    (
        "put {small} {server} --name there",
        "rdt: {server} refused \"there\": it has a file of this name, and replaces none (--no-replace); choose another \
         name",
    ),
    (
        "put {small} {server} --name folder",
        "rdt: {server} refused \"folder\": it has a folder of this name, which no file replaces; choose another name, \
         or \"folder/\" to store it in there",
    ),
    (
        "put {medium} {server}",
        "rdt: {server} refused \"medium\": the file is larger than it accepts; ask its operator for a larger \
         --max-size",
    ),
    ("put {small} {read-only}", "rdt: {read-only} takes no uploads (--read-only): ask its operator"),
    (
        "put {small} {full}",
        "rdt: {full} refused \"small\": it has no space left; try again later, or tell its operator",
    ),
    ("put {small} {closed}", "rdt: nothing listens on {closed}: start the server there, or give its port"),
    ("get a rdt://{closed}", "rdt: nothing listens on {closed}: start the server there, or give its port"),
    (
        "put {small} {silent} --timeout 1",
        "rdt: no answer from {silent}: is a server running there, on this port? One that was started with --profile \
         rostov answers only clients with the same option",
    ),
    (
        "get a {base} --timeout 1",
        "rdt: no answer from {base}: is a server running there, on this port? One that was started with --profile \
         rostov answers only clients with the same option",
    ),
    (
        "put {small} {server} --profile rostov --timeout 1",
        "rdt: no answer from {server}: is a server running there, on this port, with --profile rostov? One \
         without it answers only clients without it, and one in base mode cannot say that it does not admit this \
         address (--allow)",
    ),
    (
        "put {small} 0.0.0.0:6969",
        "rdt: cannot use 0.0.0.0:6969 as the server: it names no host; for this one, give 127.0.0.1 or ::1",
    ),
    (
        "get a [::]:6969",
        "rdt: cannot use [::]:6969 as the server: it names no host; for this one, give 127.0.0.1 or ::1",
    ),
    (
        "get a host.invalid:1",
        "rdt: cannot use host.invalid:1 as the server: no address is known for this host (*): check the name and \
         the network",
    ),
    (
        "get a [fe80::1]:1",
        "rdt: cannot use [fe80::1]:1 as the server: a link-local address needs the network interface, as in \
         [fe80::1%eth0]",
    ),
    (
        "get a [fe80::1%none]:1",
        "rdt: cannot use [fe80::1%none]:1 as the server: this machine has no network interface \"none\" for it",
    ),
    (
        "serve --root {client} --bind {server}",
        "rdt: cannot listen on {server}: address already in use: another program has this port, perhaps another rdt serve: \
         end that, or give --bind with another port",
    ),
];

/// Where the rows find files and servers.
struct Setting {
    place: Place,
    server: String,
    read_only: String,
    full: String,
    base: String,
    silent: String,
}

impl Setting {
    fn replace(&self, text: &str) -> String {
        let path = |name| self.place.client(name).to_str().unwrap().to_owned();
        let client = path("").trim_end_matches('/').to_owned();
        let places = [
            ("{client}", client),
            ("{small}", path("small")),
            ("{medium}", path("medium")),
            ("{spaced}", path("two words")),
            ("{server}", self.server.clone()),
            ("{read-only}", self.read_only.clone()),
            ("{full}", self.full.clone()),
            ("{base}", self.base.clone()),
            ("{silent}", self.silent.clone()),
            ("{circle}", path("circle")),
            ("{dangling}", path("dangling")),
            ("{closed}", "127.0.0.1:1".into()),
            // On Linux all addresses of 127.0.0.0/8 belong to this host.
            // Rows run together, so each has an address of its own.
            ("{free}", self.silent.replace("127.0.0.1", "127.0.0.9")),
            ("{other-free}", self.silent.replace("127.0.0.1", "127.0.0.10")),
            ("{third-free}", self.silent.replace("127.0.0.1", "127.0.0.11")),
        ];
        places.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// Runs a row, and returns what differs from it.
    fn fault(&self, (arguments, line): Row, code: i32) -> Option<String> {
        let arguments: Vec<_> = arguments.split(' ').map(|argument| self.replace(argument)).collect();
        let (ended, said) = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).end();
        let expected = self.replace(line);
        let is_equal = |said: &str| match expected.split_once('*') {
            None => said == expected,
            Some((begin, end)) => said.starts_with(begin) && said.ends_with(end),
        };
        let lines: Vec<_> = said.lines().collect();
        // A wrong command line also prints its usage.
        let is_alone = code == 2 || lines.len() == 1;
        let is_as_expected = ended == code && is_alone && lines.first().is_some_and(|line| is_equal(line));
        (!is_as_expected).then(|| format!("{arguments:?}\n  expected {code}: {expected}\n  got {ended}: {said}"))
    }
}

impl Setting {
    /// Creates files, and runs `check` with them beside four servers and a silent port.
    fn with(check: impl FnOnce(&Self)) {
        let place = Place::new();
        let (root, silent) = (place.server(""), UdpSocket::bind("127.0.0.1:0").unwrap());
        std::fs::write(place.server("there"), "old").unwrap();
        std::fs::create_dir(place.server("folder")).unwrap();
        std::fs::create_dir(place.client("there")).unwrap();
        std::fs::write(place.client("small"), "small").unwrap();
        std::fs::write(place.client("two words"), "small").unwrap();
        std::fs::write(place.client("medium"), [0; 2_000]).unwrap();
        std::fs::write(place.client("a:b"), "small").unwrap();
        #[cfg(unix)]
        for (link, target) in [("circle", "circle"), ("dangling", "nothing")] {
            std::os::unix::fs::symlink(target, place.client(link)).unwrap();
        }
        let server = place.serve(&["--max-size", "1K", "--no-replace"]);
        let read_only = place.serve(&["--read-only"]);
        let full = place.serve(&["--max-unfinished", "1"]);
        let silent_address = silent.local_addr().unwrap().to_string();
        let base = place.serve(&["--profile", "rostov"]);
        let [server_address, read_only_address, full_address, base_address] =
            [&server, &read_only, &full, &base].map(|server| server.address.clone());
        let setting = Self {
            place,
            server: server_address,
            read_only: read_only_address,
            full: full_address,
            base: base_address,
            silent: silent_address,
        };
        check(&setting);
        assert_eq!(Place::names(&root), ["folder", "there"], "nothing is stored");
    }
}

fn check(rows: &[Row], code: i32) {
    Setting::with(|setting| each(rows, |row| setting.fault(row, code)));
}

/// Checks every row, and shows the faults of all.
fn each(rows: &[Row], fault: impl Fn(Row) -> Option<String> + Sync) {
    // Rows wait for the network, and so run together.
    let faults: Vec<_> = thread::scope(|scope| {
        let rows: Vec<_> = rows.iter().map(|row| scope.spawn(|| fault(*row))).collect();
        rows.into_iter().filter_map(|row| row.join().unwrap()).collect()
    });
    assert!(faults.is_empty(), "{} of {} rows differ:\n{}", faults.len(), rows.len(), faults.join("\n"));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    check(COMMAND_LINES, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_of_a_local_file_ends_with_1() {
    check(FILES, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_refusal_or_no_answer_ends_with_1() {
    check(ANSWERS, 1);
}

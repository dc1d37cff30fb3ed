//! What manual pages have besides the command line: paragraphs, examples, files, exit codes.

/// The text of one page.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    pub(crate) paragraphs: &'static [&'static str],
    /// Commands, and what they do.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// Files, and what they are for.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

/// The exit codes of all commands.
pub(crate) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "Success, also if all files were skipped; a server that was stopped."),
    ("1", "A failure, also of one of many files, or of the standard output."),
    ("2", "A wrong command line: a message says what to write."),
    (
        "130",
        "Ctrl-C or SIGTERM interrupted a client before everything was there, or a third signal a server that was ending.",
    ),
];

/// The text of the page of a command, such as `rdt put`.
pub(crate) fn of(command: &str) -> Text {
    match command {
        "rdt" => PROGRAM,
        "rdt serve" => SERVE,
        "rdt put" => PUT,
        "rdt get" => GET,
        "rdt ls" => LIST,
        "rdt demo" => DEMO,
        "rdt load" => LOAD,
        "rdt bench" => BENCH,
        "rdt socket-tcp" | "rdt socket-tcp listen" | "rdt socket-tcp send" => SOCKET_TCP,
        _ => NOTHING,
    }
}

const NOTHING: Text = Text { paragraphs: &[], examples: &[], files: &[] };

const GOES_ON: &str = "The same command goes on where it was interrupted, by Ctrl-C, a lost connection, or a kill on either side (put of \
     a folder with --update, or with --verify if times are not preserved), for files above 4 MiB (get: above 1 MiB). The standard input and output do not go on, nor do \
     uploads to a server with --no-replace, --write-only or --keep-parts 0, nor anything with --profile rostov.";

const CACHE: (&str, &str) = (
    "$XDG_CACHE_HOME/rdt, or ~/.cache/rdt",
    "What this user has fetched and sent: BLAKE3 values of large files, and which folders are copies. It may be deleted \
     while no rdt runs.",
);

const PROGRAM: Text = Text {
    paragraphs: &[
        "rdt copies files and folders over UDP, as scp and rsync do over TCP: for paths with losses and long round trips. One \
         side runs rdt serve, the other rdt put, rdt get and rdt ls. There is neither encryption nor a password.",
    ],
    examples: &[
        ("rdt serve --root /tmp/files", "Serves a folder to this machine alone, until Ctrl-C."),
        ("rdt serve --root /tmp/files --bind 0.0.0.0", "The same, to everyone who reaches this machine."),
        ("rdt put README.md src localhost", "Sends a file, and a folder with everything in it."),
        ("rdt ls localhost/src", "Lists a folder of the server."),
        ("rdt get README.md src localhost --output /tmp", "Fetches both into /tmp."),
        ("rdt demo", "Sends a file up and down within this machine, with losses."),
    ],
    files: &[CACHE],
};

const SERVE: Text = Text {
    paragraphs: &[
        "The server prints who reaches it and what they can do, then its address, and a line for each request. By default \
         only this machine reaches it: --bind 0.0.0.0 opens the port to everyone who reaches the machine, and --allow \
         admits only some networks. Nothing outside of the folder is read or written.",
        "SIGTERM lets running transfers end (--drain), and Ctrl-C cancels them within a second. SIGHUP opens the file of \
         --log again.",
    ],
    examples: &[
        ("rdt serve --root /tmp/files", "Serves a folder to this machine alone."),
        (
            "rdt serve --root /srv/files --bind 0.0.0.0:7000 --allow 192.168.0.0/16",
            "Serves it on port 7000 to the machines of one network.",
        ),
        ("rdt serve --root /srv/files --bind 0.0.0.0 --read-only", "Gives files to everyone, and takes none."),
        ("rdt serve --root /srv/box --bind 0.0.0.0 --write-only", "Takes files from everyone, and shows none."),
        ("rdt serve --root /srv/files --log /var/log/rdt/log", "Writes the line for each request to a file."),
        ("rdt serve --root /tmp/files --profile rostov", "Serves clients in base mode, and no others."),
    ],
    files: &[
        (
            "ROOT/.rdt",
            "The parts of interrupted uploads, for --keep-parts hours, and the BLAKE3 values of large files. It is never \
             served, and may be deleted while no server runs.",
        ),
        (
            "$XDG_STATE_HOME/rdt/reset-keys-ADDRESS-PORT, or ~/.local/state/rdt/reset-keys-ADDRESS-PORT",
            "The state of the server (--state has another folder): random keys, 1 KiB for each address. By them, a server \
             that was restarted tells its former clients at once that it does not know them. Without the file they wait \
             for their --timeout. Only its owner can read it, and it may be deleted.",
        ),
    ],
};

const PUT: Text = Text {
    paragraphs: &[
        "The server comes last. A file counts as stored once the server has it on the disk, with the BLAKE3 that it had \
         here. A file replaces a file, a folder is merged into the folder of its name, and nothing is deleted.",
        GOES_ON,
    ],
    examples: &[
        ("rdt put README.md src localhost", "Sends a file, and a folder with everything in it."),
        ("rdt put a.txt server --name notes/b.txt", "Stores it under another path; its folders are made."),
        ("rdt put a.txt rdt://server:6969/notes/b.txt", "The same, as a URL."),
        ("rdt put photos server --update", "Sends only files whose length or time differs."),
        ("tar -c photos | rdt put - server --name photos.tar", "Sends the standard input, of any length."),
        ("rdt put film.mkv server --rate 20M", "Sends at most 20 Mbit/s."),
        ("rdt put a.txt server --profile rostov", "Sends to a server in base mode."),
    ],
    files: &[CACHE],
};

const GET: Text = Text {
    paragraphs: &[
        "The server comes last. A file appears under its name once it is complete. A pattern has *, ?, [a-z], and ** for \
         any folders: quote it, so that the shell leaves it.",
        GOES_ON,
    ],
    examples: &[
        ("rdt get README.md src localhost --output /tmp", "Fetches both into /tmp."),
        ("rdt get photos server --output copy", "Fetches it as copy/photos, or as copy if there is no such folder."),
        ("rdt get photos server --output copy --update", "Brings that copy up to date."),
        ("rdt get 'photos/*.jpg' server", "Fetches what matches a pattern."),
        ("rdt get . server --output all", "Fetches everything."),
        ("rdt get photos.tar server --output - | tar -t", "Writes a file to the standard output."),
        ("rdt get rdt://server:6969/notes/b.txt", "Names server and file in one URL."),
    ],
    files: &[
        ("FOLDER/.rdt", "The parts of interrupted downloads, in the folder that get stores in. It may be deleted."),
        CACHE,
    ],
};

const LIST: Text = Text {
    paragraphs: &["Each line has the length, the time of modification (UTC) and the path. Folders end with a slash."],
    examples: &[
        ("rdt ls server", "Lists the folder of the server."),
        ("rdt ls server/photos --recursive", "Lists a folder, and all below it."),
        ("rdt ls 'server/photos/*.jpg'", "Lists what matches a pattern."),
        ("rdt ls rdt://server:6969/photos --json", "Prints an object for each entry."),
    ],
    files: &[],
};

const DEMO: Text = Text {
    paragraphs: &["It needs no server and no network."],
    examples: &[
        ("rdt demo", "Sends 4 MiB of random bytes, and loses 5 % of the datagrams."),
        ("rdt demo film.mkv --loss 20", "Sends a file, and loses 20 %."),
    ],
    files: &[],
};

const LOAD: Text = Text {
    paragraphs: &["The server needs as many connections for one host (--per-host) as there are clients."],
    examples: &[
        ("rdt serve --root /tmp/files --per-host 2000 --max-peers 2000", "Serves so many clients of one host."),
        ("rdt load localhost --clients 1000 --size 1M", "Each of 1,000 clients sends and fetches 1 MiB."),
    ],
    files: &[],
};

const BENCH: Text = Text {
    paragraphs: &["The server must run with --bench. Nothing is read from a disk or written to one."],
    examples: &[
        ("rdt serve --root /tmp/files --bench", "Lets clients measure."),
        ("rdt bench localhost", "Measures the rate up and down, and the time of small requests."),
        ("rdt bench localhost --json", "Prints the figures as an object."),
    ],
    files: &[],
};

const SOCKET_TCP: Text = Text {
    paragraphs: &[
        "SocketTCP is for teaching: it builds TCP on UDP, in segments of text. rdt put and get do not speak it.",
    ],
    examples: &[
        ("rdt socket-tcp listen --bind 127.0.0.1:8000", "Prints each message that it receives."),
        ("echo -n hello | rdt socket-tcp send 127.0.0.1:8000", "Sends the standard input as one message."),
        (
            "rdt socket-tcp send 127.0.0.1:8000 --loss 20 --close passive",
            "Loses datagrams, and lets the listener close.",
        ),
    ],
    files: &[],
};

//! Wrong command lines.

use super::Row;

/// A wrong command line. Only the first of its lines is here; the others show the usage.
pub(super) const COMMAND_LINES: &[Row] = &[
    ("go a", "error: unrecognized subcommand 'go'"),
    ("send a", "error: there is no send: write rdt put FILE… HOST"),
    ("cp a host:b", "error: there is no cp: write rdt put FILE… HOST to send, and rdt get NAME… HOST to fetch"),
    ("download a", "error: there is no download: write rdt get NAME… HOST"),
    ("list {closed}", "error: there is no list: write rdt ls HOST, or rdt ls HOST/FOLDER"),
    ("server", "error: there is no server: write rdt serve --root DIR"),
    (
        "rm a {closed}",
        "error: there is no rm: a client only adds, replaces and reads files (put, get, ls), and put makes folders",
    ),
    ("put -z {small} {closed}", "error: there is no -z: nothing is compressed; leave it out"),
    (
        "put -avR {client} {closed}",
        "error: there is no -R: a folder comes with everything in it anyway, under its own name",
    ),
    (
        "get -4 a {closed}",
        "error: there is no -4: the address decides; give one of that kind as the server, such as 127.0.0.1 or [::1]",
    ),
    ("serve -6", "error: there is no -6: write --bind 127.0.0.1:PORT, or --bind [::1]:PORT"),
    ("put -p --no-preserve {small} {closed}", "error: the argument '--preserve' cannot be used with '--no-preserve'"),
    ("put -P 22 {small} 127.0.0.1", "error: there is no -P: write HOST:PORT"),
    (
        "put -n {small} {closed}",
        "error: there is no -n: rdt ls HOST lists what is there, and nothing is tried without effect",
    ),
    ("put {small} {closed} -o a", "error: there is no -o: write --name PATH for the path at the server"),
    ("ls -l {closed}", "error: there is no -l: lengths, times and hidden files are listed anyway"),
    (
        "serve -p 7000",
        "error: there is no -p: write --bind 127.0.0.1:PORT for this machine alone, or --bind 0.0.0.0:PORT for everyone \
         who reaches this machine",
    ),
    (
        "put --force {small} {closed}",
        "error: there is no --force: files at the server are replaced anyway, unless it has --no-replace",
    ),
    ("get -f a {closed}", "error: there is no -f: files on this machine are replaced anyway"),
    (
        "put --partial {small} {closed}",
        "error: there is no --partial: an interrupted transfer goes on anyway, with the same command",
    ),
    (
        "put --progress {small} {closed}",
        "error: there is no --progress: a terminal shows the progress anyway (--quiet hides it, --json prints it)",
    ),
    (
        "put --exclude a {client} {closed}",
        "error: there is no --exclude: nothing in a folder is left out; give the files and folders by name",
    ),
    (
        "get --include=a b {closed}",
        "error: there is no --include: nothing in a folder is left out; give names or patterns, as in rdt get \
         'photos/*.jpg' HOST",
    ),
    (
        "put --ignore-existing {small} {closed}",
        "error: there is no --ignore-existing: a server with --no-replace replaces none, and --update skips files that \
         are the same there",
    ),
    (
        "put --stats {small} {closed}",
        "error: there is no --stats: the sum is printed anyway, and -v says what the connection does",
    ),
    (
        "put --remove-source-files {small} {closed}",
        "error: there is no --remove-source-files: files stay on this machine; remove them once they are stored",
    ),
    ("put --delete {client} {closed}", "error: there is no --delete: nothing is removed on the other side"),
    ("put -e ssh {client} {closed}", "error: there is no -e: no shell is needed: the other side is rdt serve"),
    ("put -y {client} {closed}", "error: there is no -y: nothing is asked; leave it out"),
    ("ls --long {closed}", "error: there is no --long: lengths, times and hidden files are listed anyway"),
    ("ls -t {closed}", "error: there is no -t: the list has one order; sort it behind a pipe"),
    (
        "serve --daemon",
        "error: there is no --daemon: a server stays in the foreground; systemd or the shell (nohup, &) can run it in \
         the background",
    ),
    ("get --name b a {closed}", "error: there is no --name: write --output PATH for the place on this machine"),
    ("put -l 9 {small} {closed}", "error: there is no -l: write --rate 20M for 20 million bits per second"),
    ("serve --listen 7000", "error: there is no --listen: write --bind HOST:PORT"),
    ("put {closed} {small}", "error: the server comes last: write rdt put {small} {closed}"),
    ("put {small} {closed} new.txt", "error: the server comes last: write rdt put {small} {closed} --name new.txt"),
    ("put {client} {closed} ../a//b/", "error: the server comes last: write rdt put {client} {closed} --name a/b/"),
    ("put {small} {medium} localhost .", "error: the server comes last: write rdt put {small} {medium} localhost"),
    ("put {small} {closed} a/b --name c", "error: the server comes last: write rdt put {small} {closed} --name c"),
    ("put localhost {small} {client}", "error: the server comes last: write rdt put {small} {client} localhost"),
    (
        "put {small} {client}",
        "error: the server comes last, and {client} is on this machine: write rdt put {small} {client} HOST",
    ),
    (
        "put host.invalid:a host.invalid:b {client}",
        "error: put sends files, and host.invalid:a is not on this machine: to fetch, write rdt get a b host.invalid \
         --output {client}",
    ),
    (
        "put none.invalid dst.invalid",
        "error: none.invalid is not on this machine, and no address is known for dst.invalid, which is in the place of \
         the server",
    ),
    ("put rdt://{closed}/a {small}", "error: the server comes last: write rdt put {small} rdt://{closed}/a"),
    // A name may have a colon.
    (
        "get a:b host.invalid",
        "error: no address is known for host.invalid, which is in the place of the server: check the name and the \
         network, or if the server is a, write rdt get b a --output host.invalid",
    ),
    (
        "get localhost:a dst.invalid",
        "error: the server comes last, and no address is known for dst.invalid: write rdt get a localhost --output \
         dst.invalid",
    ),
    (
        "get me@localhost:a me@localhost:b dst.invalid",
        "error: the server comes last, and no address is known for dst.invalid: write rdt get a b localhost --output \
         dst.invalid",
    ),
    (
        "get localhost:a {closed}:b .",
        "error: one server at a time, and it comes last: write rdt get a localhost --output .",
    ),
    // What stands in a command can be pasted into a shell.
    (
        "get host:*.jpg {client}/new*/",
        "error: the server comes last, and {client}/new*/ is none: write rdt get '*.jpg' host --output '{client}/new*/'",
    ),
    (
        "put {spaced} {client}",
        "error: the server comes last, and {client} is on this machine: write rdt put '{spaced}' \
      {client} HOST",
    ),
    ("serve {spaced}", "error: the folder needs --root: write rdt serve --root '{spaced}'"),
    ("get localhost -- -a", "error: the server comes last: write rdt get -- -a localhost"),
    ("get host:a -o [b]", "error: the server comes last: write rdt get a host --output '[b]'"),
    (
        "put localhost {small} --name b&c/",
        "error: the server comes last: write rdt put {small} localhost --name 'b&c/'",
    ),
    ("ls {closed} a*", "error: a path stands behind its server: write rdt ls '{closed}/a*'"),
    ("ls rdt://{closed} {small}?", "error: a path stands behind its server: write rdt ls 'rdt://{closed}{small}%3F'"),
    ("get host:7000:a dst/", "error: the server comes last, and dst/ is none: write rdt get a host:7000 --output dst/"),
    ("get {closed} a.invalid b.invalid", "error: the server comes last: write rdt get a.invalid b.invalid {closed}"),
    (
        "get {closed}",
        "error: the name is missing: write rdt get NAME {closed} (rdt ls {closed} shows them, and . is everything)",
    ),
    ("get host:a", "error: the server comes last: write rdt get a host"),
    ("get {closed}/a/b", "error: the server comes last: write rdt get a/b {closed}"),
    ("get localhost src", "error: the server comes last: write rdt get src localhost"),
    ("get localhost .", "error: the name is missing: write rdt get NAME localhost --output ."),
    ("get a {closed} -", "error: the server comes last, and - is none: write rdt get a {closed} --output -"),
    (
        "get src src src",
        "error: the server comes last, and no address is known for src, which is on this machine: write \
      rdt get src src HOST --output src",
    ),
    ("get rdt://{closed}/a .", "error: a URL names the server already: write rdt get rdt://{closed}/a --output ."),
    ("ls a {closed}", "error: a path stands behind its server: write rdt ls {closed}/a"),
    ("ls {closed} a", "error: a path stands behind its server: write rdt ls {closed}/a"),
    ("ls a host", "error: a path stands behind its server: write rdt ls HOST/FOLDER"),
    ("ls a localhost", "error: a path stands behind its server: write rdt ls localhost/a"),
    ("ls localhost a b", "error: one list at a time: write rdt ls HOST/FOLDER"),
    (
        "put no-such-file {client}",
        "error: no-such-file is not on this machine, and the server is missing: it comes last",
    ),
    ("serve {client}", "error: the folder needs --root: write rdt serve --root {client}"),
    (
        "serve --bind 7000",
        "error: invalid value '7000' for '--bind <ADDR>': a number is no address: if it is the port, write \
         127.0.0.1:7000 for this machine alone, or 0.0.0.0:7000 for everyone who reaches this machine",
    ),
    ("put {small} 7000", "error: invalid value '7000': a number is no host: write HOST:7000 if it is the port"),
    ("put {small} host:", "error: invalid value 'host:': no port follows the colon: write host"),
    (
        "put {small} {closed}/a",
        "error: invalid value '{closed}/a': a path needs rdt:// in front: write rdt://{closed}/a",
    ),
    // Regression: what these wrote to write was no address, or no command.
    (
        "put {small} {closed}:/tmp/x",
        "error: invalid value '{closed}:/tmp/x': a path needs a URL: write rdt://{closed}/tmp/x",
    ),
    ("put --json {small} {closed}:x", "error: invalid value '{closed}:x': a path needs a URL: write rdt://{closed}/x"),
    (
        "put {small} {closed}/../a",
        "error: invalid value '{closed}/../a': a path needs rdt:// in front: write rdt://{closed}/a",
    ),
    (
        "ls {closed}:gone",
        "error: invalid value '{closed}:gone' for '<ADDR[/PATTERN]>': a path needs a URL: write rdt://{closed}/gone",
    ),
    (
        "ls localhost:/gone/",
        "error: invalid value 'localhost:/gone/' for '<ADDR[/PATTERN]>': \"gone/\" is not a port from 1 to 65535, and a \
         path needs a URL: write rdt://localhost/gone/",
    ),
    ("get {closed}/a.txt .", "error: a path needs rdt:// in front: write rdt get rdt://{closed}/a.txt --output ."),
    (
        "get {closed}/a {closed}/b .",
        "error: the server comes last, and . is on this machine: write rdt get a b {closed} --output .",
    ),
    ("get localhost a//b", "error: the server comes last: write rdt get a/b localhost"),
    ("ls localhost ../a/", "error: a path stands behind its server: write rdt ls localhost/a/"),
    ("put host:", "error: the file is missing: write rdt put FILE rdt://host/, or to fetch, rdt get . host"),
    ("put", "error: the following required arguments were not provided:"),
    ("put {closed}", "error: the file is missing: write rdt put FILE {closed}"),
    ("put {small}", "error: the server is missing: write rdt put {small} HOST"),
    ("put -", "error: the server is missing: write rdt put - HOST --name NAME"),
    ("put rdt://{closed}/a", "error: the file is missing: write rdt put FILE rdt://{closed}/a"),
    ("put host:a", "error: the file is missing: write rdt put FILE rdt://host/a, or to fetch, rdt get a host"),
    (
        "put none.invalid",
        "error: none.invalid is not on this machine: if it is the server, write rdt put FILE \
      none.invalid",
    ),
    ("put {small} {closed} --slow", "error: unexpected argument '--slow' found"),
    ("put - {closed}", "error: the standard input has no name: give --name (a file named - is ./-)"),
    ("put {small} {closed} --update --verify", "error: the argument '--update' cannot be used with '--verify'"),
    (
        "put {small} {closed} --name ../a",
        "error: invalid value '../a' for '--name <PATH>': .. has no place in a path: the path begins in the \
         folder of the server: write a",
    ),
    (
        "put {small} {closed} --name /a",
        "error: invalid value '/a' for '--name <PATH>': the path begins in the folder of the \
         server, and not with /: write a",
    ),
    (
        "put {small} {closed} --loss 101",
        "error: invalid value '101' for '--loss <PERCENT>': not a number from 0 to 100",
    ),
    (
        "put {small} {closed} --seed x",
        "error: invalid value 'x' for '--seed <SEED>': not a whole number from 0 to 18446744073709551615",
    ),
    (
        "put {small} {closed} --window 0",
        "error: invalid value '0' for '--window <PACKETS>': not a whole number from 1 to 65536",
    ),
    (
        "put {small} {closed} --segment 1",
        "error: invalid value '1' for '--segment <BYTES>': not a whole number from 64 to 65535",
    ),
    (
        "put {small} {closed} --timeout 0",
        "error: invalid value '0' for '--timeout <SECONDS>': not a whole number from 1 to 3600",
    ),
    (
        "put {small} {closed} --rate fast",
        "error: invalid value 'fast' for '--rate <RATE>': not a number of bits per second, such as 20M or 1.5M",
    ),
    (
        "get a {closed} --rate 8k",
        "error: invalid value '8k' for '--rate <RATE>': less than 16k, which is the least rate",
    ),
    ("put {small} {closed} --arq none", "error: invalid value 'none' for '--arq <ARQ>'"),
    ("put {small} {closed} --congestion none", "error: invalid value 'none' for '--congestion <CONGESTION>'"),
    ("put {small} {closed} --profile none", "error: invalid value 'none' for '--profile <PROFILE>'"),
    (
        "put {small} 127.0.0.1:port",
        "error: invalid value '127.0.0.1:port': \"port\" is not a port from 1 to 65535, and a path needs a URL: write \
         rdt://127.0.0.1/port",
    ),
    (
        "put {small} user@host:a/b",
        "error: invalid value 'user@host:a/b': there are no users, so that user@ has no place, and a path needs a URL: \
         write rdt://host/a/b",
    ),
    ("get host:a/b .", "error: the server comes last, and . is on this machine: write rdt get a/b host --output ."),
    ("get root@host:~/a .", "error: the server comes last, and . is on this machine: write rdt get a host --output ."),
    ("get a b host .", "error: the server comes last, and . is on this machine: write rdt get a b host --output ."),
    ("get a /tmp", "error: the server comes last, and /tmp is on this machine: write rdt get a HOST --output /tmp"),
    (
        "get /etc/passwd {closed}",
        "error: invalid value '/etc/passwd': the path begins in the folder of the server, and not with /: write \
         etc/passwd",
    ),
    (
        "put {small} host:a:b",
        "error: invalid value 'host:a:b': \"a:b\" is not a port from 1 to 65535, and a path needs a URL: write \
         rdt://host/a:b",
    ),
    (
        "put {small} user@host",
        "error: invalid value 'user@host': there are no users, so that user@ has no place: write host",
    ),
    ("put {small} http://host", "error: invalid value 'http://host': only URLs that begin with rdt:// are understood"),
    ("put {small} rdt://{closed}/a --name b", "error: the address has a name already: leave --name out"),
    ("get a", "error: a name and a server are needed: write rdt get a HOST, or rdt get NAME a"),
    ("get", "error: the following required arguments were not provided:"),
    (
        "get ../a {closed}",
        "error: invalid value '../a': .. has no place in a path: the path begins in the \
         folder of the server: write a",
    ),
    ("get a//b {closed}", "error: invalid value 'a//b': // has no place in a path: write a/b"),
    ("get a [::1", "error: invalid value '[::1': the bracket of the IPv6 address is not closed: add ]"),
    ("get a b {closed} -o -", "error: the standard output takes one file: give one NAME, or --output FOLDER"),
    ("get a rdt://{closed}/b", "error: the address has a name already"),
    ("get rdt://{closed}/a {closed}", "error: a URL names the server already: write rdt get rdt://{closed}/a"),
    (
        "get rdt://{closed}/a down.invalid",
        "error: a URL names the server already: write rdt get rdt://{closed}/a --output down.invalid",
    ),
    ("get rdt://{closed}/a rdt://{closed}/b", "error: a URL names the server already: give it alone"),
    ("get rdt://{closed}", "error: the URL has no name of a file: give rdt://host:port/name"),
    (
        "get rdt://{closed}/a/../b",
        "error: invalid value 'rdt://{closed}/a/../b': .. has no place in a path: the path begins in the \
         folder of the server: write rdt://{closed}/b",
    ),
    (
        "get a {closed} --output - --json",
        "error: --json and the content cannot both go to the standard output: give --output FILE",
    ),
    (
        "load {closed} --clients 0",
        "error: invalid value '0' for '--clients <CLIENTS>': not a whole number from 1 to 1000000",
    ),
    (
        "ls {closed}/../a",
        "error: invalid value '{closed}/../a' for '<ADDR[/PATTERN]>': .. has no place in a path: the path begins in the \
         folder of the server: write {closed}/a",
    ),
    (
        "load {closed} --size 1X",
        "error: invalid value '1X' for '--size <BYTES>': not a number of bytes, such as 5000000 or 64M",
    ),
    (
        "load {closed} --size 99999999999G",
        "error: invalid value '99999999999G' for '--size <BYTES>': too large a number",
    ),
    (
        "load rdt://{closed}/a",
        "error: invalid value 'rdt://{closed}/a' for '<ADDR>': a path has no meaning here: write {closed}",
    ),
    ("bench {closed}/x", "error: invalid value '{closed}/x' for '<ADDR>': a path has no meaning here: write {closed}"),
    (
        "serve --bind host:port",
        "error: invalid value 'host:port' for '--bind <ADDR>': \"port\" is not a port from 1 to 65535",
    ),
    (
        "serve --max-peers 0",
        "error: invalid value '0' for '--max-peers <CLIENTS>': not a whole number from 1 to 1000000",
    ),
    (
        "serve --per-host many",
        "error: invalid value 'many' for '--per-host <CONNECTIONS>': not a whole number from 1 to 1000000",
    ),
    ("serve --retry perhaps", "error: invalid value 'perhaps' for '--retry <RETRY>'"),
    ("serve --threads 0", "error: invalid value '0' for '--threads <THREADS>': not a whole number from 1 to 64"),
    ("serve --keep-parts x", "error: invalid value 'x' for '--keep-parts <HOURS>': not a whole number from 0 to 8760"),
    ("serve --threads 65", "error: invalid value '65' for '--threads <THREADS>': not a whole number from 1 to 64"),
    ("completions csh", "error: invalid value 'csh' for '<SHELL>'"),
];

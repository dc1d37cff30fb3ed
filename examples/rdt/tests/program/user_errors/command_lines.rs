//! Wrong command lines.

use super::Row;

/// A wrong command line. Only the first of its lines is here; the others show the usage.
pub(super) const COMMAND_LINES: [Row; 54] = [
    ("send a", "error: unrecognized subcommand 'send'"),
    ("put", "error: the following required arguments were not provided:"),
    ("put {closed}", "error: the server is missing: give FILE ADDR"),
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
    ("put {small} {closed} --seed x", "error: invalid value 'x' for '--seed <SEED>': invalid digit found in string"),
    (
        "put {small} {closed} --window 0",
        "error: invalid value '0' for '--window <PACKETS>': not a number from 1 to 65536",
    ),
    ("put {small} {closed} --segment 1", "error: invalid value '1' for '--segment <BYTES>': 1 is not in 64..=65535"),
    ("put {small} {closed} --timeout 0", "error: invalid value '0' for '--timeout <SECONDS>': 0 is not in 1..=3600"),
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
    ("put -r {client} {closed}", "error: a folder needs no -r: everything in it comes along"),
    ("get -r a {closed}", "error: a folder needs no -r: everything in it comes along"),
    (
        "put {small} user@host:a/b",
        "error: invalid value 'user@host:a/b': there are no users, so that user@ has no place, and a path needs a URL: \
         write rdt://host/a/b",
    ),
    ("get host:a/b .", "error: the server comes last, and . is none: write rdt get a/b host --output ."),
    ("get root@host:~/a .", "error: the server comes last, and . is none: write rdt get a host --output ."),
    ("get a b host .", "error: the server comes last, and . is none: write rdt get a b host --output ."),
    ("get a /tmp", "error: the server comes last, and /tmp is none: write rdt get a host --output /tmp"),
    (
        "get /etc/passwd {closed}",
        "error: invalid value '/etc/passwd': the path begins in the folder of the server, and not with /: write \
         etc/passwd",
    ),
    (
        "put {small} host:a:b",
        "error: invalid value 'host:a:b': \"host:a:b\" is not an IPv6 address; with a port it is \
         written as [::1]:6969",
    ),
    (
        "put {small} user@host",
        "error: invalid value 'user@host': there are no users, so that user@ has no place: write host",
    ),
    ("put {small} http://host", "error: invalid value 'http://host': only URLs that begin with rdt:// are understood"),
    ("put {small} rdt://{closed}/a --name b", "error: the address has a name already: leave --name out"),
    ("get a", "error: the server is missing: give NAME ADDR, or rdt://host:port/name"),
    ("get", "error: the following required arguments were not provided:"),
    (
        "get ../a {closed}",
        "error: invalid value '../a': .. has no place in a path: the path begins in the \
         folder of the server: write a",
    ),
    ("get a//b {closed}", "error: invalid value 'a//b': // has no place in a path: write a/b"),
    ("get a [::1", "error: invalid value '[::1': the bracket of the IPv6 address is not closed"),
    ("get a b {closed} -o -", "error: the standard output takes one file: give one NAME, or --output FOLDER"),
    ("get a rdt://{closed}/b", "error: the address has a name already"),
    ("get rdt://{closed}/a {closed}", "error: a URL names the server already: give it alone"),
    ("get rdt://{closed}", "error: the URL has no name of a file: give rdt://host:port/name"),
    (
        "get rdt://{closed}/a/../b",
        "error: invalid value 'rdt://{closed}/a/../b': .. has no place in a path: the path begins in the \
         folder of the server: write b",
    ),
    (
        "get a {closed} --output - --json",
        "error: --json and the content cannot both go to the standard output: give --output FILE",
    ),
    ("load {closed} --clients 0", "error: invalid value '0' for '--clients <CLIENTS>': not a number from 1 to 1000000"),
    (
        "ls {closed}/../a",
        "error: invalid value '{closed}/../a' for '<ADDR[/PATTERN]>': .. has no place in a path: the path begins in the \
         folder of the server: write a",
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
        "error: invalid value 'rdt://{closed}/a' for '<ADDR>': a name of a file has no meaning here",
    ),
    (
        "serve --bind host:port",
        "error: invalid value 'host:port' for '--bind <ADDR>': \"port\" is not a port from 1 to 65535",
    ),
    ("serve --max-peers 0", "error: invalid value '0' for '--max-peers <CLIENTS>': not a number from 1 to 1000000"),
    (
        "serve --per-host many",
        "error: invalid value 'many' for '--per-host <CONNECTIONS>': not a number from 1 to 1000000",
    ),
    ("serve --retry perhaps", "error: invalid value 'perhaps' for '--retry <RETRY>'"),
    ("serve --threads 0", "error: invalid value '0' for '--threads <THREADS>': 0 is not in 1..=64"),
    ("serve --threads 65", "error: invalid value '65' for '--threads <THREADS>': 65 is not in 1..=64"),
    ("completions csh", "error: invalid value 'csh' for '<SHELL>'"),
];

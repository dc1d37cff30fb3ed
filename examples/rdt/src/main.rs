//! `rdt` transfers files over UDP, with the machines of `rdt_proto`.
//!
//! ```text
//! rdt serve --root DIR       rdt put FILE… HOST[:PORT]       rdt get NAME… HOST[:PORT]
//! rdt ls HOST[:PORT]/FOLDER  rdt demo
//! rdt load HOST[:PORT] --clients 1000      rdt bench HOST[:PORT]
//! rdt socket-tcp listen      rdt socket-tcp send HOST[:PORT] < FILE
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `driver`, `endpoint`, `socket` | the event loop, its interface, its UDP socket: a model for other programs |
//! | `binding` | sockets that are bound to an address |
//! | `network_error` | which errors of system calls pass, and which end the program |
//! | `limits`, `lifecycle` | the limits of a server, and how it ends |
//! | `request_line`, `request_screen` | what a server prints about a request; which of that a terminal shows |
//! | `client`, `server` | endpoints of the loop: one request, or a listener with many connections |
//! | `serve`, `served` | starts a server; a client that it serves |
//! | `access`, `refusals` | what clients may do, which addresses are admitted, and the answer to others |
//! | `service_manager` | systemd: the sockets that it passes, and the notices that it gets |
//! | `status`, `report_limit` | the status lines of a server; how often a line is printed |
//! | `contact`, `attempts`, `attempt_failure`, `link` | the connections of a client to the addresses of its server, until one is established |
//! | `patience` | how long a client tries again while its server is busy |
//! | `transfer` | the commands `put`, `get` and `ls` |
//! | `session` | sessions with many requests, of client and server |
//! | `early_end` | why a connection ended early, for one request and for many |
//! | `request`, `report` | base mode: runs a client with one request, and reports its result |
//! | `destination` | where a download goes |
//! | `folder_copy` | the folders that a download has made |
//! | `exchange` | joins a connection, a file session and its storage, for client and server |
//! | `memory_file` | files in memory only, for measurements |
//! | `file_storage` | the storage of an exchange: the files of a place |
//! | `disk` | threads for the disk |
//! | `files` | files in a folder, stored completely or not at all; blocking |
//! | `settings`, `entropy` | configuration and memory of a connection; random bytes |
//! | `demo` | client and server in one process |
//! | `load`, `bench` | many clients at once; the rate and the latency of a path |
//! | `socket_tcp` | sends and receives messages with the other protocol, SocketTCP |
//! | `threads` | the threads of a server |
//! | `reset_keys` | the keys by which a restarted server tells its clients that it does not know them |
//! | `sandbox` | restricts a server to its folder |
//! | `args`, `serve_args`, `transfer_args`, `common_args`, `numbers`, `usage` | the command line |
//! | `foreign_usage` | what to write instead of the words of `scp`, `cp` and `ls` |
//! | `server_address`, `remote_path`, `path_pattern`, `shell_words` | an address, a path or pattern there, commands to paste |
//! | `generated`, `manual`, `manual_text` | completions of shells, and manual pages |
//! | `local_failure` | failures of this machine, in one wording |
//! | `messages`, `progress`, `progress_line`, `rate`, `escape`, `json`, `output` | the printed output |
//! | `standard_streams` | the standard input and output, with all their errors |
//! | `observers`, `packet_log`, `narrator` | what `-v` and `-vv` print about connections |
//! | `trace_file`, `qlog`, `connection_trace`, `packet_numbers` | the trace of connections |
//! | `bit_rate`, `intake` | the maximum rate, and how a download keeps to it |
//! | `log` | the log file of a server |
//! | `clock`, `signals`, `stop`, `loss` | the time, signals, requests to stop, artificial loss |
//!
//! Exit codes: 0 success, or a server that was stopped, 1 failure (also of the standard
//! output), 2 invalid command line, 130 interrupted.

mod access;
mod args;
mod attempt_failure;
mod attempts;
mod bench;
mod binding;
mod bit_rate;
mod client;
mod clock;
mod common_args;
mod connection_trace;
mod contact;
mod demo;
mod destination;
mod disk;
mod driver;
mod early_end;
mod endpoint;
mod entropy;
mod escape;
mod exchange;
mod file_storage;
mod files;
mod folder_copy;
mod foreign_usage;
mod generated;
mod intake;
mod json;
mod lifecycle;
mod limits;
mod link;
mod load;
mod local_failure;
mod log;
mod loss;
mod manual;
mod manual_text;
mod memory_file;
mod messages;
mod narrator;
mod network_error;
mod numbers;
mod observers;
mod output;
mod packet_log;
mod packet_numbers;
mod path_pattern;
mod patience;
mod progress;
mod progress_line;
mod qlog;
mod rate;
mod refusals;
mod remote_path;
mod report;
mod report_limit;
mod request;
mod request_line;
mod request_screen;
mod reset_keys;
#[cfg(target_os = "linux")]
mod sandbox;
mod serve;
mod serve_args;
mod served;
mod server;
mod server_address;
mod service_manager;
mod session;
mod settings;
mod shell_words;
mod signals;
mod socket;
mod socket_tcp;
mod standard_streams;
mod status;
mod stop;
mod threads;
mod trace_file;
mod transfer;
mod transfer_args;
mod usage;

use args::Command;
use serve::serve;
use std::process::ExitCode;
use stop::Stop;

/// The exit code of a failure.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    // By default this signal ends the program. With a handler, the write fails.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(libc::SIGXFSZ, std::sync::Arc::default());
    let cli = match usage::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if cli.is_json() {
        json::choose();
    }
    let done = match &cli.command {
        // A server watches for signals only after it is restricted, because that takes a thread.
        Command::Serve(args) => serve(args),
        Command::Put(args) => watch().and_then(|stop| transfer::put(args, stop)),
        Command::Get(args) => watch().and_then(|stop| transfer::get(args, stop)),
        Command::Ls(args) => watch().and_then(|stop| transfer::list(args, stop)),
        Command::Demo(args) => watch().and_then(|stop| demo::run(args, &stop)),
        Command::Load(args) => watch().and_then(|stop| load::run(args, &stop)),
        Command::Bench(args) => watch().and_then(|stop| bench::run(args, &stop)),
        Command::Completions { shell } => Ok(generated::completions(*shell)),
        Command::Man { command } => generated::manual(command),
        Command::SocketTcp(command) => watch().and_then(|stop| socket_tcp::run(command, stop)),
    };
    let code = done.unwrap_or_else(|failure| {
        messages::fail(&failure, FAILURE);
        FAILURE.into()
    });
    usage::checked(code)
}

/// Watches for the signals that ask a program to end.
fn watch() -> Result<Stop, String> {
    Stop::on_signals().map_err(local_failure::at_start)
}

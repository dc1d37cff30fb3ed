//! The command line.

use crate::bench::BenchArgs;
use crate::common_args::Common;
use crate::numbers::{parse_count, parse_percent, parse_size, within};
use crate::serve_args::ServeArgs;
use crate::server_address::{self, ServerAddress};
use crate::transfer_args::{GetArgs, ListArgs, PutArgs};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

const AFTER_HELP: &str = "`rdt completions SHELL` prints completions, and `rdt man [COMMAND]` a manual page.";

/// Reliable file transfer over UDP.
#[derive(Parser)]
#[command(name = "rdt", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the files of a folder, and store what is put into it
    Serve(ServeArgs),
    /// Send files and folders to a server
    Put(PutArgs),
    /// Fetch files and folders from a server
    Get(GetArgs),
    /// List the files of a server
    Ls(ListArgs),
    /// Run server and client in one process: send a file up and down through loss, and compare
    Demo(DemoArgs),
    /// Run many clients at once: each sends its own content to a server, fetches it again and compares. The server
    /// keeps it under the names load-0, load-1 and so on
    Load(LoadArgs),
    /// Measure the path to a server from memory to memory: the rate up and down, and the time of small requests
    Bench(BenchArgs),
    /// Speak the other protocol, SocketTCP: messages in text segments of 16 bytes
    #[command(subcommand)]
    SocketTcp(SocketTcpCommand),
    /// Print the completions for a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of a command, or of the program
    #[command(hide = true)]
    Man {
        /// The command, such as put, or socket-tcp send
        command: Vec<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum SocketTcpCommand {
    /// Print each message received, from any number of clients. Up to 32 MiB of messages wait for what reads them; a
    /// message beyond that is reported as lost
    Listen(ListenArgs),
    /// Send standard input as one message
    Send {
        /// The listener: host or host:port
        #[arg(value_name = "ADDR", value_parser = ServerAddress::parse_without_name)]
        server: ServerAddress,
        /// Which side closes: this side once the message has arrived (active), or the listener (passive)
        #[arg(long, value_enum, default_value_t = CloseRole::Active)]
        close: CloseRole,
        /// With --report: send the content in pieces of 2 bytes, which the report's code recognizes when they are
        /// repeated. It takes eight times the datagrams. Success is no proof that the report's code has the message
        /// unchanged, and its application must read the whole message in one call
        #[arg(long, requires = "report")]
        pairs: bool,
        #[command(flatten)]
        common: SocketTcpArgs,
    },
}

#[derive(Args)]
pub(crate) struct ListenArgs {
    /// The address to listen on: host, host:port, or port 0 for any free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969", value_parser = server_address::parse_bind)]
    pub(crate) bind: String,
    /// The largest message to accept, in bytes (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = parse_size)]
    pub(crate) max_size: u64,
    /// Which side closes: this side after each message (active), or the client (passive)
    #[arg(long, value_enum, default_value_t = CloseRole::Passive)]
    pub(crate) close: CloseRole,
    #[command(flatten)]
    pub(crate) common: SocketTcpArgs,
}

#[derive(Args)]
pub(crate) struct SocketTcpArgs {
    /// The other end is the report's own code: use its timeouts, and let it send first where both send at once. Not for
    /// two instances of this program
    #[arg(long)]
    pub(crate) report: bool,
    /// Lose this percentage of sent datagrams, to exercise loss recovery
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// With --loss: the seed that selects the lost datagrams
    #[arg(long, default_value_t = 1, value_parser = within(0..=u64::MAX))]
    pub(crate) seed: u64,
}

/// The role of this side in the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CloseRole {
    /// Closes
    Active,
    /// Waits for the other side to close
    Passive,
}

impl Cli {
    /// Whether the standard output has objects.
    pub(crate) fn is_json(&self) -> bool {
        match &self.command {
            Command::Serve(args) => args.common.json,
            Command::Put(args) => args.common.json,
            Command::Get(args) => args.common.json,
            Command::Ls(args) => args.common.json,
            Command::Load(args) => args.common.json,
            Command::Bench(args) => args.common.json,
            Command::Demo(_) | Command::SocketTcp(_) | Command::Completions { .. } | Command::Man { .. } => false,
        }
    }

    /// Checks what no argument shows on its own. The error names the command.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        match &self.command {
            Command::Put(args) => args.check().map_err(|why| ("put", why)),
            Command::Get(args) => args.check().map_err(|why| ("get", why)),
            Command::Ls(args) => args.check().map_err(|why| ("ls", why)),
            Command::Serve(args) => args.check().map_err(|why| ("serve", why)),
            Command::Demo(_) | Command::Load(_) | Command::SocketTcp(_) | Command::Bench(_) => Ok(()),
            Command::Completions { .. } | Command::Man { .. } => Ok(()),
        }
    }
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// The file to send, by default 4 MiB of random bytes
    pub(crate) file: Option<PathBuf>,
    /// The percentage of datagrams lost, each way
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// The seed that selects the lost datagrams
    #[arg(long, default_value_t = 1, value_parser = within(0..=u64::MAX))]
    pub(crate) seed: u64,
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// The server: host or host:port. A client that finds no place there (--max-peers, --per-host) tries again until
    /// its --timeout
    #[arg(value_name = "ADDR", value_parser = ServerAddress::parse_without_name)]
    pub(crate) server: ServerAddress,
    /// The number of clients. A server admits 256 of one host, unless it runs with another --per-host
    #[arg(long, default_value_t = 100, value_parser = parse_count)]
    pub(crate) clients: usize,
    /// The number of bytes that each client sends and fetches (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = parse_size)]
    pub(crate) size: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

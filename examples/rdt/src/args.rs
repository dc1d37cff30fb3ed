//! The command line.

use crate::settings::{self, Congestion, Mechanism, PeerMethod, Profile, Settings};
use clap::{Args, Parser, Subcommand};
use rdt_proto::Duration;
use rdt_proto::connection::Config;
use rdt_proto::ftp::NameBuf;
use rdt_proto::listener;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The port of a server that names none.
const PORT: u16 = 6969;

/// Reliable file transfer over UDP.
#[derive(Parser)]
#[command(name = "rdt", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the files of a folder, and store what is put into it
    Serve(ServeArgs),
    /// Send a file to a server
    Put(PutArgs),
    /// Fetch a file from a server
    Get(GetArgs),
    /// Server and client in one process: send a file up and down through loss, and compare
    Demo(DemoArgs),
    /// Many clients at once: each sends content of its own to a server, fetches it again and compares. The server keeps it
    /// under the names load-0, load-1 and so on
    Load(LoadArgs),
    /// The other protocol, SocketTCP: messages in segments of text, 16 bytes each
    #[command(subcommand)]
    SocketTcp(SocketTcpCommand),
}

#[derive(Subcommand)]
pub(crate) enum SocketTcpCommand {
    /// Print each message that is received, of as many clients as there are
    Listen(ListenArgs),
    /// Send standard input as one message
    Send {
        /// Who listens: host or host:port
        #[arg(value_name = "ADDR")]
        server: String,
        /// Who closes: this side once the message has arrived (active), or the server (passive)
        #[arg(long, value_enum, default_value_t = CloseRole::Active)]
        close: CloseRole,
        #[command(flatten)]
        common: SocketTcpArgs,
    },
}

#[derive(Args)]
pub(crate) struct ListenArgs {
    /// Where to listen: host, host:port, or port 0 for any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969")]
    pub(crate) bind: String,
    /// The largest message to take, in bytes (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "16M", value_parser = parse_size)]
    pub(crate) max_size: u64,
    /// Who closes: this side after each message (active), or the client (passive)
    #[arg(long, value_enum, default_value_t = CloseRole::Passive)]
    pub(crate) close: CloseRole,
    #[command(flatten)]
    pub(crate) common: SocketTcpArgs,
}

#[derive(Args)]
pub(crate) struct SocketTcpArgs {
    /// The other end is the report's own code: its timeouts, and it goes first where both send at once. Not between two of
    /// this program
    #[arg(long)]
    pub(crate) report: bool,
    /// Lose so much of what is sent, in percent, to see how it is repaired
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// With --loss: which datagrams are lost
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Which side of the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum CloseRole {
    /// Closes
    Active,
    /// Waits for the other side to close
    Passive,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Where to listen: host, host:port, or port 0 for any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969")]
    pub(crate) bind: String,
    /// The folder, made if it is not there. Nothing outside of it is read or written
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) root: PathBuf,
    /// The largest file to store, in bytes (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// Store nothing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Refuse to store a file under a name that exists
    #[arg(long)]
    pub(crate) no_replace: bool,
    /// How many clients are served at once, by each thread. Others wait for their turn
    #[arg(long, value_name = "CLIENTS", default_value_t = 1_024, value_parser = parse_count)]
    pub(crate) max_peers: usize,
    /// How many connections one host may have at once, with each thread. One counts until about a second after its end
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 256, value_parser = parse_count)]
    pub(crate) per_host: usize,
    /// When a client must show that it receives at its address before anything is kept of it: while many have not, always,
    /// or never
    #[arg(long, value_enum, default_value_t = Retry::Auto)]
    pub(crate) retry: Retry,
    /// Serve with so many threads. Each has a socket of its own on the same port, and shares nothing: the system gives a client
    /// to one of them by its address and port. So a client whose address or port changes in the middle (a NAT that forgets) may
    /// come to another thread, which does not know it, and ends by its --timeout; with one thread it goes on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// When a client must prove its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Retry {
    Auto,
    Always,
    Never,
}

impl From<Retry> for listener::Retry {
    fn from(retry: Retry) -> Self {
        match retry {
            Retry::Auto => Self::Auto,
            Retry::Always => Self::Always,
            Retry::Never => Self::Never,
        }
    }
}

#[derive(Args)]
pub(crate) struct PutArgs {
    /// The file to send
    pub(crate) file: PathBuf,
    /// The server: host or host:port
    #[arg(value_name = "ADDR")]
    pub(crate) server: String,
    /// The name to store it under; without it, that of the file
    #[arg(long, value_parser = parse_name)]
    pub(crate) name: Option<NameBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct GetArgs {
    /// The name of the file at the server
    #[arg(value_parser = parse_name)]
    pub(crate) name: NameBuf,
    /// The server: host or host:port
    #[arg(value_name = "ADDR")]
    pub(crate) server: String,
    /// Where to store it; without it, under its name in the current folder. A file that is there is replaced once all has
    /// come, and keeps its permissions; a symbolic link to a file is replaced itself
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// The file to send; without it, 4 MiB of random bytes
    pub(crate) file: Option<PathBuf>,
    /// How many of the datagrams sent are lost, each way, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// Which ones: another seed, other losses
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Args)]
pub(crate) struct LoadArgs {
    /// The server: host or host:port. It must allow as many connections from here (--per-host)
    #[arg(value_name = "ADDR")]
    pub(crate) server: String,
    /// How many clients
    #[arg(long, default_value_t = 100, value_parser = parse_count)]
    pub(crate) clients: usize,
    /// How much each one sends and fetches, in bytes (or with K, M, G for powers of 1024)
    #[arg(long, value_name = "BYTES", default_value = "1M", value_parser = parse_size)]
    pub(crate) size: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct Common {
    /// Whose implementation is at the other end
    #[arg(long, value_enum, default_value_t = Profile::Note)]
    profile: Profile,
    /// With --profile rostov: how the other end repeats. It cannot be seen on the wire
    #[arg(long, value_enum, default_value_t = PeerMethod::SelectiveRepeat)]
    peer_method: PeerMethod,
    /// Give up when the other side is silent for so long, in seconds; twice as long where it owes no answer. Without it:
    /// 10 for the first answer, then 30 and 60
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    /// How lost packets are repeated
    #[arg(long, value_enum, default_value_t = Mechanism::SelectiveRepeat)]
    arq: Mechanism,
    /// What bounds how much is on its way
    #[arg(long, value_enum, default_value_t = Congestion::BandwidthDelay)]
    congestion: Congestion,
    /// How many packets are kept each way until they are acknowledged, or read
    #[arg(long, value_name = "PACKETS", default_value_t = settings::WINDOW, value_parser = parse_window)]
    window: u32,
    /// The largest body of a packet, in bytes: of those that are sent, and of those that are taken
    #[arg(long, value_name = "BYTES", default_value_t = 1_200, value_parser = clap::value_parser!(u16).range(64..))]
    segment: u16,
    /// Lose so much of what is sent, in percent, to see how it is repaired
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = parse_percent)]
    pub(crate) loss: f64,
    /// With --loss: which datagrams are lost
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Say nothing but what went wrong (a server still tells where it listens)
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print each packet, timer, loss and state of each connection to the standard error output
    #[arg(short, long)]
    verbose: bool,
}

impl Common {
    pub(crate) fn settings(&self) -> Settings {
        let config = settings::config(self.profile, self.peer_method, self.timeout.map(Duration::from_secs));
        // The public implementation sends bodies as large as a datagram, whatever this side sends.
        let recv_segment = if config.framing.is_base_only() { config.recv_segment } else { self.segment };
        let config = Config { segment: self.segment, recv_segment, ..config };
        let (arq, congestion, window) = (self.arq, self.congestion, self.window);
        Settings { config, arq, congestion, window, is_verbose: self.verbose }
    }
}

/// The address that `text` names, with the default port where it names none.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, String> {
    let explain = |why: String| format!("cannot use the address {text}: {why}");
    // An IPv6 address alone has colons as well: it is tried without a port first.
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let has_port = text.contains(':') && bare.parse::<std::net::Ipv6Addr>().is_err();
    let found = if has_port { text.to_socket_addrs() } else { (bare, PORT).to_socket_addrs() };
    let addresses: Vec<_> = found.map_err(|error| explain(error.to_string()))?.collect();
    // Of several, one that a server listens on unless it is told otherwise.
    let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(|| explain("it has no address".into()))
}

/// The address of somebody to talk to. "Any" is one to listen on only: what is sent there may reach this host, but the
/// answers come from another address, and are nobody's.
pub(crate) fn resolve_peer(text: &str) -> Result<SocketAddr, String> {
    let address = resolve(text)?;
    if address.ip().to_canonical().is_unspecified() {
        return Err(format!("cannot use the address {text}: it names no host; for this one, give 127.0.0.1 or ::1"));
    }
    Ok(address)
}

fn parse_name(text: &str) -> Result<NameBuf, String> {
    NameBuf::new(text).map_err(|error| error.to_string())
}

fn parse_window(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(packets) if (1..=65_536).contains(&packets) => Ok(packets),
        _ => Err("not a number from 1 to 65536".into()),
    }
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=1_000_000).contains(&count) => Ok(count),
        _ => Err("not a number from 1 to 1000000".into()),
    }
}

fn parse_percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("not a number from 0 to 100".into()),
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((end, 'k' | 'K')) => (&text[..end], 10),
        Some((end, 'm' | 'M')) => (&text[..end], 20),
        Some((end, 'g' | 'G')) => (&text[..end], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes, such as 5000000 or 64M")?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large a number".into())
}
